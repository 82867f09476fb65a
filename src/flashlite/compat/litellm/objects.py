"""Answers with litellm's attributes."""

from __future__ import annotations

import time
from typing import Any

from ...types import CompletionResponse, EmbeddingResult
from ..answers import completion_of
from ..record import Record


class Function(Record):
    """What a call calls: `name`, and `arguments` as JSON text."""


class ChatCompletionMessageToolCall(Record):
    """One call that the model asks for: `id`, `type`, `function`."""


class Message(Record):
    """A message; appended to a history it is sent as it stands."""


class Delta(Record):
    """What a chunk adds to a message."""


class Choices(Record):
    """One of the answers to a request."""


class StreamingChoices(Record):
    """A part of one of the answers."""


class Usage(Record):
    """Tokens; the `_details` are always there."""


class _Answer(Record):
    _hidden_params: dict[str, Any]

    @property
    def model_extra(self) -> dict[str, Any]:
        """What is there beyond the fields of every answer: `usage`, for one."""
        return {name: value for name, value in self.items() if name not in _DECLARED}


_DECLARED = frozenset({"id", "created", "model", "object", "system_fingerprint", "choices"})


class ModelResponse(_Answer):
    """A whole answer; `_hidden_params["response_cost"]` is US dollars, None where unknown."""


class ModelResponseStream(_Answer):
    """A chunk of an answer."""


class EmbeddingResponse(_Answer):
    """Vectors: `data` has one for each text, in order."""


def model_response(response: CompletionResponse, *, took: float) -> ModelResponse:
    """Dress an answer; `took` is seconds."""
    answer = completion_of(response)
    answer["id"] = answer["id"] or f"chatcmpl-{int(time.time() * 1e6):x}"
    dressed = ModelResponse(answer, choices=[_choice(choice) for choice in answer["choices"]])
    dressed["usage"] = _usage(answer["usage"])
    dressed._hidden_params = {
        "custom_llm_provider": response.provider,
        "response_cost": response.cost,
        "cache_hit": response.cached,
        "additional_headers": {
            f"llm_provider-{name.lower()}": value for name, value in response.headers.items()
        },
        "_response_ms": took * 1000,
    }
    return dressed


def model_chunk(chunk: dict[str, Any]) -> ModelResponseStream:
    """Dress a chunk."""
    dressed = ModelResponseStream(chunk)
    dressed["choices"] = [
        StreamingChoices(choice, delta=Delta(choice["delta"], **_calls(choice["delta"])))
        for choice in chunk["choices"]
    ]
    if "usage" in chunk:
        dressed["usage"] = _usage(chunk["usage"])
    dressed._hidden_params = {}
    return dressed


def embedding_response(result: EmbeddingResult, *, took: float) -> EmbeddingResponse:
    """Dress vectors; `took` is seconds."""
    rows = [
        Record(embedding=vector, index=index, object="embedding")
        for index, vector in enumerate(result.embeddings)
    ]
    used = None
    if result.usage is not None:
        used = Usage(
            completion_tokens=0,
            prompt_tokens=result.usage.input_tokens,
            total_tokens=result.usage.total_tokens,
            completion_tokens_details=None,
            prompt_tokens_details=None,
        )
    dressed = EmbeddingResponse(model=result.model, data=rows, object="list", usage=used)
    dressed._hidden_params = {"response_cost": result.cost, "_response_ms": took * 1000}
    return dressed


def _choice(choice: dict[str, Any]) -> Choices:
    message = choice["message"]
    return Choices(choice, message=Message(Record.of(dict(message)), **_calls(message)))


def _calls(message: dict[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    if not calls:
        return {}
    dressed = [
        ChatCompletionMessageToolCall(call, function=Function(call["function"])) for call in calls
    ]
    return {"tool_calls": dressed}


def _usage(usage: dict[str, Any] | None) -> Usage | None:
    return None if usage is None else Usage(Record.of(usage))
