"""The dialect of Gemini's generateContent, on the Gemini API and on Vertex AI.

Source: https://ai.google.dev/api/generate-content, and for Vertex AI
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...errors import CompletionError
from ...models.gemini import Gemini
from ...types import CompletionRequest, CompletionResponse, Delta, Message
from ...wire import SSEvent, WireRequest
from ..adapter import Endpoint
from ..spelling import merged
from . import answers
from .contents import contents, system_instruction
from .errors import read_error
from .generation import answer_format, generation_config
from .tools import tool_config, tools


class GoogleAdapter:
    """Gemini's generateContent and streamGenerateContent.

    `extra_body` is merged into the body: `safetySettings`, `cachedContent` and so on. An object
    that the body already has (`generationConfig`, `toolConfig`) is merged; a list replaces the
    body's own.
    """

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        return WireRequest(
            url=_address(request, endpoint.base_url.rstrip("/")),
            json=merged(_body(request), request.extra_body),
            headers={**_key(endpoint), **request.extra_headers},
            timeout=request.timeout,
        )

    def parse_response(self, body: bytes) -> CompletionResponse:
        return answers.whole(body)

    def parse_stream_event(self, event: SSEvent) -> Iterable[Delta]:
        return answers.event(event.data)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        return read_error(status, headers, body)


def _body(request: CompletionRequest) -> dict[str, Any]:
    model, offered, messages = Gemini(request.model), tools(request), request.messages
    format, instruction = answer_format(request.params, model, has_tools=bool(offered))
    if instruction is not None:
        messages = (*messages, Message.system(instruction))
    body = {
        "contents": contents(messages, model),
        "systemInstruction": system_instruction(messages, model),
        "tools": offered,
        "toolConfig": tool_config(request),
        "generationConfig": generation_config(request.params, model, format),
        "serviceTier": _tier(request.params.get("service_tier")),
    }
    return {name: value for name, value in body.items() if value or name == "contents"}


def _tier(tier: str | None) -> str | None:
    """Return a service tier under Gemini's name; OpenAI's "auto" is its default."""
    return {"auto": None, "default": "standard"}.get(tier, tier) if tier else None


def _address(request: CompletionRequest, base: str) -> str:
    """Return the address of a model; `models/` is added unless the name has its own prefix.

    On Vertex AI the address ends in the publisher, except for a tuned model's `endpoints/`.
    """
    model = request.model
    if model.startswith("endpoints/"):
        base = base.removesuffix("/publishers/google")
    elif not model.startswith(("models/", "tunedModels/")):
        model = f"models/{model}"
    verb = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
    return f"{base}/{model}:{verb}"


def _key(endpoint: Endpoint) -> dict[str, str]:
    """Return the header for a key; for a host with credentials the key is an access token."""
    if endpoint.host.credentials is not None:
        return endpoint.bearer
    return {"x-goog-api-key": endpoint.api_key} if endpoint.api_key else {}
