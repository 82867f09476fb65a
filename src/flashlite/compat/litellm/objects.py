"""Answers as litellm's objects."""

from __future__ import annotations

import time
from typing import Any

from ...types import CompletionResponse, EmbeddingResult
from ..answers import completion_of
from ..record import Record


class Function(Record):
    """The function of a call: `name`, and `arguments` as JSON text."""


class ChatCompletionMessageToolCall(Record):
    """One tool call of the model: `id`, `type`, `function`."""


class Message(Record):
    """A message, which can be appended to a history as it is."""


class Delta(Record):
    """What a chunk adds to a message."""


class Choices(Record):
    """One of the answers to a request."""


class StreamingChoices(Record):
    """A piece of one of the answers."""


class Usage(Record):
    """Token counts; the `_details` fields always exist."""


class _Answer(Record):
    _hidden_params: dict[str, Any]

    @property
    def model_extra(self) -> dict[str, Any]:
        """The fields that not every answer has, such as `usage`."""
        return {name: value for name, value in self.items() if name not in _DECLARED}


_DECLARED = frozenset({"id", "created", "model", "object", "system_fingerprint", "choices"})


class ModelResponse(_Answer):
    """A whole answer; `_hidden_params["response_cost"]` is in US dollars, None if unknown."""


class ModelResponseStream(_Answer):
    """A chunk of an answer."""


class EmbeddingResponse(_Answer):
    """Vectors: `data` has one for each text, in order."""


def model_response(response: CompletionResponse, *, took: float) -> ModelResponse:
    """Return an answer as litellm's object; `took` is in seconds."""
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
    """Return a chunk as litellm's object."""
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
    """Return vectors as litellm's object; `took` is in seconds."""
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
