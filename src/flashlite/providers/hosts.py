"""The hosts known by name. A new OpenAI-compatible host is a new row.

Addresses, key variables and prefixes come from each provider's API reference; where litellm spells
a prefix differently, both spellings are listed.
"""

from __future__ import annotations

from dataclasses import replace

from ..models import bedrock, gemini
from .adapter import Host
from .anthropic.blocks import BlockParser
from .azure.access import EntraToken
from .azure.access import address as azure_address
from .bedrock.address import address as bedrock_address
from .bedrock.event_stream import EventStreamParser
from .bedrock.signing import SigV4Credentials
from .compatible_hosts import COMPATIBLE
from .google.vertex import TOKEN_VARS, GoogleCredentials, vertex_address

OPENAI = Host(
    name="openai",
    base_url="https://api.openai.com/v1",
    prefixes=("openai",),
    key_vars=("OPENAI_API_KEY",),
    url_vars=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    # The chat API deprecates `max_tokens`, and its reasoning models refuse it.
    renames={"max_tokens": "max_completion_tokens"},
    refuses=frozenset({"thinking", "top_k"}),
    reasoning_field=None,
    knows_developer=True,
    batches="openai",
)

# Parameters that Gemini's API does not have.
_NOT_GEMINIS = frozenset(
    {
        "logit_bias",
        "metadata",
        "parallel_tool_calls",
        "prediction",
        "prompt_cache_key",
        "safety_identifier",
        "store",
        "user",
        "verbosity",
    }
)

# Parameters that neither Claude's API nor Bedrock has.
_NOT_CLAUDES = frozenset(
    {
        "audio",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "modalities",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "safety_identifier",
        "seed",
        "store",
        "top_logprobs",
        "verbosity",
        "web_search_options",
    }
)

HOSTS: tuple[Host, ...] = (
    Host(
        name="anthropic",
        base_url="https://api.anthropic.com/v1",
        dialect="anthropic",
        prefixes=("anthropic",),
        key_vars=("ANTHROPIC_API_KEY",),
        url_vars=("ANTHROPIC_BASE_URL", "ANTHROPIC_API_BASE"),
        refuses=_NOT_CLAUDES,
        stream_parser=BlockParser,
        batches="anthropic",
    ),
    OPENAI,
    replace(
        OPENAI,
        name="azure",
        base_url=azure_address,
        dialect="azure",
        prefixes=("azure",),
        key_vars=("AZURE_OPENAI_API_KEY", "AZURE_API_KEY"),
        url_vars=(),
        needs_key=False,
        credentials=EntraToken,
        batches=None,
    ),
    *COMPATIBLE,
    Host(
        name="cohere",
        base_url="https://api.cohere.com/v2",
        dialect="cohere",
        prefixes=("cohere", "cohere_chat"),
        key_vars=("COHERE_API_KEY", "CO_API_KEY"),
        max_inputs=96,
        refuses=frozenset(
            {
                "audio",
                "logit_bias",
                "metadata",
                "modalities",
                "parallel_tool_calls",
                "prediction",
                "prompt_cache_key",
                "safety_identifier",
                "service_tier",
                "store",
                "top_logprobs",
                "user",
                "verbosity",
                "web_search_options",
            }
        ),
    ),
    Host(
        name="google",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        dialect="google",
        prefixes=("google", "gemini"),
        key_vars=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        max_inputs=100,
        refuses=_NOT_GEMINIS,
        takes_schema=gemini.takes_schema,
        batches="google",
    ),
    Host(
        name="vertex_ai",
        base_url=vertex_address,
        dialect="vertex_ai",
        prefixes=("vertex_ai", "vertex"),
        key_vars=TOKEN_VARS,
        needs_key=False,
        credentials=GoogleCredentials,
        refuses=_NOT_GEMINIS | {"service_tier"},
        takes_schema=gemini.takes_schema,
        speaks_for=gemini.is_googles_own,
    ),
    Host(
        name="bedrock",
        base_url=bedrock_address,
        dialect="bedrock",
        prefixes=("bedrock", "bedrock_converse"),
        key_vars=("AWS_BEARER_TOKEN_BEDROCK",),
        url_vars=("AWS_BEDROCK_RUNTIME_ENDPOINT", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"),
        needs_key=False,
        credentials=SigV4Credentials,
        refuses=_NOT_CLAUDES | {"user"},
        speaks_for=bedrock.is_of_converse,
        takes_schema=bedrock.takes_schema,
        stream_parser=EventStreamParser,
        inlines_urls=True,
    ),
    Host(
        name="ollama",
        base_url="http://localhost:11434/v1",
        prefixes=("ollama", "ollama_chat"),
        url_vars=("OLLAMA_BASE_URL", "OLLAMA_API_BASE"),
        needs_key=False,
        # https://docs.ollama.com/api/openai-compatibility; it ignores unknown parameters.
        renames={"max_completion_tokens": "max_tokens"},
        refuses=frozenset({"logit_bias", "n", "parallel_tool_calls", "thinking", "top_k", "user"}),
        reads_text_calls=True,
        inlines_urls=True,
    ),
    Host(
        name="vllm",
        base_url="http://localhost:8000/v1",
        prefixes=("vllm",),
        key_vars=("VLLM_API_KEY",),
        url_vars=("VLLM_BASE_URL",),
        needs_key=False,
        reads_text_calls=True,
    ),
    Host(
        name="lightllm",
        base_url="http://localhost:8000/v1",
        prefixes=("lightllm",),
        key_vars=("LIGHTLLM_API_KEY",),
        url_vars=("LIGHTLLM_BASE_URL",),
        needs_key=False,
        reads_text_calls=True,
    ),
    Host(
        name="sglang",
        base_url="http://localhost:30000/v1",
        prefixes=("sglang",),
        key_vars=("SGLANG_API_KEY",),
        url_vars=("SGLANG_BASE_URL",),
        needs_key=False,
        reads_text_calls=True,
    ),
    Host(
        name="llamacpp",
        base_url="http://localhost:8080/v1",
        prefixes=("llamacpp", "llama-cpp"),
        key_vars=("LLAMA_API_KEY",),
        url_vars=("LLAMACPP_BASE_URL",),
        needs_key=False,
        reads_text_calls=True,
    ),
    Host(
        name="lmstudio",
        base_url="http://localhost:1234/v1",
        prefixes=("lmstudio", "lm_studio"),
        url_vars=("LMSTUDIO_BASE_URL", "LM_STUDIO_API_BASE"),
        needs_key=False,
        renames={"max_completion_tokens": "max_tokens"},
        reads_text_calls=True,
        inlines_urls=True,
    ),
)

BY_PREFIX = {prefix: host for host in HOSTS for prefix in host.prefixes}
