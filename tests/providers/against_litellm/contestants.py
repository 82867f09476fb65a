"""Who is compared: a provider's name here and at litellm, and what it would answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_CHAT = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "service_tier": "default",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A provider: a new one is a new row.

    `model` is the name that flashlite gets, `theirs` the one that litellm gets where it differs.
    `api_base` is what litellm wants behind the server's address, `root` how much of the path that
    it then asks for belongs to the address, as it does in our rows (`home` is ours, if the row does
    not tell). `env` are settings. `plain` writes JSON that may be spelled in two ways in one.
    """

    model: str
    theirs: str = ""
    answer: Mapping[str, Any] = field(default_factory=lambda: _CHAT)
    api_base: str = ""
    root: str = ""
    home: str = ""
    plain: Callable[[Any], Any] = lambda body: body
    env: Mapping[str, str] = field(default_factory=dict[str, str])


def _in_camel_case(value: Any) -> Any:
    """Google takes every name in both spellings."""
    if isinstance(value, dict):
        return {
            re.sub("_([a-z])", lambda match: match[1].upper(), name): _in_camel_case(inner)
            for name, inner in value.items()
        }
    return [_in_camel_case(inner) for inner in value] if isinstance(value, list) else value


def _without_lone_texts(value: Any) -> Any:
    """Anthropic takes a text for a list of one text."""
    if isinstance(value, dict):
        return {name: _without_lone_texts(inner) for name, inner in value.items()}
    if isinstance(value, list):
        is_text = len(value) == 1 and isinstance(value[0], dict) and value[0].keys() == _TEXT
        return value[0]["text"] if is_text else [_without_lone_texts(inner) for inner in value]
    return value


_TEXT = {"type", "text"}

CONTESTANTS = {
    "openai": Contestant(model="openai/gpt-4o"),
    "openrouter": Contestant(model="openrouter/meta-llama/llama-3.3-70b-instruct"),
    "groq": Contestant(model="groq/llama-3.3-70b-versatile"),
    "together": Contestant(model="together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    "fireworks": Contestant(model="fireworks_ai/accounts/fireworks/models/llama-v3p3-70b-instruct"),
    "deepseek": Contestant(model="deepseek/deepseek-chat"),
    "xai": Contestant(model="xai/grok-3"),
    "vllm": Contestant(model="vllm/m", theirs="hosted_vllm/m"),
    "mistral": Contestant(model="mistral/mistral-large-latest", api_base="/v1", root="/v1"),
    "perplexity": Contestant(model="perplexity/sonar"),
    "databricks": Contestant(
        model="databricks/databricks-meta-llama-3-3-70b-instruct",
        env={"DATABRICKS_HOST": "https://dbc-1.example.com"},
    ),
    "cerebras": Contestant(model="cerebras/llama-3.3-70b"),
    "moonshot": Contestant(model="moonshot/kimi-k2-0905-preview"),
    "cohere": Contestant(
        model="cohere_chat/command-a-03-2025",
        api_base="/chat",
        answer={
            "id": "c1",
            "finish_reason": "COMPLETE",
            "message": {"role": "assistant", "content": [{"type": "text", "text": "ok"}]},
            "usage": {
                "billed_units": {"input_tokens": 1, "output_tokens": 1},
                "tokens": {"input_tokens": 1, "output_tokens": 1},
            },
        },
    ),
    "anthropic": Contestant(
        model="anthropic/claude-sonnet-4-5",
        api_base="/v1/messages",
        answer={
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": "ok"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1},
        },
        root="/v1",
        plain=_without_lone_texts,
    ),
    "google": Contestant(
        model="gemini/gemini-2.5-flash",
        plain=_in_camel_case,
        answer={
            "candidates": [
                {
                    "content": {"role": "model", "parts": [{"text": "ok"}]},
                    "finishReason": "STOP",
                    "index": 0,
                }
            ],
            "usageMetadata": {
                "promptTokenCount": 1,
                "candidatesTokenCount": 1,
                "totalTokenCount": 2,
            },
        },
    ),
    "azure": Contestant(
        model="azure/gpt-4o",
        root="/openai",
        home="https://r.example.com/openai",
        env={
            "AZURE_API_BASE": "https://r.example.com",
            "AZURE_OPENAI_ENDPOINT": "https://r.example.com",
            "AZURE_API_VERSION": "2024-10-21",
            "AZURE_OPENAI_API_VERSION": "2024-10-21",
        },
    ),
    "bedrock": Contestant(
        model="bedrock/anthropic.claude-3-5-sonnet-20241022-v2:0",
        answer={
            "output": {"message": {"role": "assistant", "content": [{"text": "ok"}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
            "metrics": {"latencyMs": 1},
        },
        env={
            "AWS_ACCESS_KEY_ID": "AKIA0123456789",
            "AWS_SECRET_ACCESS_KEY": "a-secret-0123456789",
            "AWS_REGION_NAME": "us-east-1",
            "AWS_REGION": "us-east-1",
        },
    ),
}
