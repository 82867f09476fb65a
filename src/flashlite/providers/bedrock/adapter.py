"""The dialect of Amazon Bedrock's Converse API, common to the models of all makers there.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ...errors import CompletionError
from ...models.bedrock import BedrockModel
from ...types import CompletionRequest, CompletionResponse, Delta
from ...wire import SSEvent, WireRequest
from ..accepted import accepted, require_one
from ..adapter import Endpoint
from ..anthropic.thinking import unfit
from ..reading import load, load_event
from ..spelling import merged
from .answers import parse_answer
from .messages import system_of, turns_of
from .params import answer_format, inference_config, model_fields, service_tier
from .refusals import read_broken_stream, read_refusal
from .stream import parse_event
from .tools import tool_config


class BedrockAdapter:
    """Converse and ConverseStream."""

    def __init__(self) -> None:
        self._reported: defaultdict[str, set[str]] = defaultdict(set)

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        model = BedrockModel(request.model)
        request = self._fitting(request, model)
        verb = "converse-stream" if request.stream else "converse"
        # A transport would decode an escaped colon, which would invalidate the signature.
        name = quote(request.model, safe=":")
        return WireRequest(
            url=f"{endpoint.base_url.rstrip('/')}/model/{name}/{verb}",
            json=merged(_body(request, model), request.extra_body),
            headers={**endpoint.bearer, **request.extra_headers},
            timeout=request.timeout,
        )

    def parse_response(self, body: bytes) -> CompletionResponse:
        return parse_answer(load(body))

    def parse_stream_event(self, event: SSEvent) -> Iterable[Delta]:
        kind, _, slug = event.event.partition(":")
        if kind == "error":
            raise read_broken_stream(slug, event.data)
        return list(parse_event(kind, load_event(event.data)))

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        return read_refusal(status, headers, body)

    def _fitting(self, request: CompletionRequest, model: BedrockModel) -> CompletionRequest:
        """Leave out parameters that this model does not take, or not while it thinks."""
        thinks = request.params if model.thinks_by == "thinking" else {}
        refused, reported = unfit(thinks, model.profile), self._reported[model.name]
        return accepted(request, refused, name=model.name, reported=reported)


def _body(request: CompletionRequest, model: BedrockModel) -> dict[str, Any]:
    params = request.params
    require_one(params, "bedrock")
    format, instruction = answer_format(params, model)
    tools = tool_config(request, takes_strict=model.takes_schema is not False)
    fields = model_fields(params, model, tools)
    body = {
        "messages": turns_of(request.messages, keeps_reasoning=model.takes_reasoning),
        "system": system_of(request.messages, instruction=instruction),
        "inferenceConfig": inference_config(params, fields, model),
        "toolConfig": tools,
        "additionalModelRequestFields": fields,
        "outputConfig": format,
        "serviceTier": service_tier(params),
        "requestMetadata": params.get("metadata"),
    }
    return {name: value for name, value in body.items() if value or name == "messages"}
