"""Turning texts into vectors: split into requests a host accepts, sent at once, joined in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import accumulate
from typing import Any, TypeAlias

from .build import build_request, check_names
from .engine import Engine
from .errors import ConfigError
from .many import collect
from .options import DeliveryOptions, EmbeddingOptions
from .types import (
    CompletionRequest,
    CompletionResponse,
    EmbeddingResult,
    Message,
    Usage,
    vectors_of,
)
from .types.ids import new_id

# OpenAI accepts 300,000 tokens per request, and a token is at least one byte.
_MOST_BYTES = 300_000
_AT_ONCE = 10  # requests

_Answer: TypeAlias = tuple[CompletionResponse, list[list[float]]]


async def embed(
    engine: Engine, inputs: Any, *, model: str | None, options: Mapping[str, Any]
) -> EmbeddingResult:
    """Send the texts through the engine's layers; see `Flashlite.embed`."""
    request = embedding_request(inputs, model or engine.default_model, engine.defaults, options)
    if request.cache == "only":
        engine.require_cache()
    batches = list(_batches(request.messages, engine.target(request).max_inputs))
    responses: dict[int, CompletionResponse] = {}

    async def ask(messages: tuple[Message, ...]) -> _Answer:
        response = await engine.handle(request.with_(messages=messages, id=new_id()))
        return response, vectors_of(response, texts=len(messages))

    crowd = engine.crowd(ask, batches, workers=min(_AT_ONCE, len(batches)))
    vectors = _vectors(crowd.outcomes(), map(len, batches), responses)
    return _result(await collect(vectors, crowd.stop), request, responses)


def embedding_request(
    inputs: Any, model: str | None, defaults: Mapping[str, Any], options: Mapping[str, Any]
) -> CompletionRequest:
    """Check and normalise the arguments of a call; an option that is None counts as not given."""
    check_names(options, EmbeddingOptions.__annotations__.keys())
    given = {name: value for name, value in options.items() if value is not None}
    params = {name: given.pop(name) for name in _PARAMS if name in given}
    _check(params)
    delivery = {name: defaults[name] for name in _INHERITED & defaults.keys()} | given
    request = build_request(_texts(inputs), model=model, params={}, **delivery)
    return request.with_(api="embeddings", params=params)


_PARAMS = ("dimensions", "encoding_format", "user")
_INHERITED = DeliveryOptions.__annotations__.keys() - {"extra_body"}  # that is for completions


def _check(params: Mapping[str, Any]) -> None:
    dimensions, encoding = params.get("dimensions", 1), params.get("encoding_format", "float")
    if type(dimensions) is not int or dimensions < 1:  # not isinstance, because True is an int
        raise ConfigError(f"dimensions is a whole number of at least 1; got {dimensions!r:.80}")
    if encoding not in ("float", "base64"):
        raise ConfigError(f"encoding_format is 'float' or 'base64'; got {encoding!r:.80}")


def _texts(inputs: Any) -> list[str]:
    if isinstance(inputs, Mapping | bytes) or not isinstance(inputs, Iterable):
        raise ConfigError(f"embed takes a text or a list of texts; got {inputs!r:.80}")
    texts = [inputs] if isinstance(inputs, str) else list(inputs)
    for position, text in enumerate(texts):
        if not isinstance(text, str) or not text:
            raise ConfigError(
                f"every text to embed has a character; number {position} is {text!r:.80}"
            )
    if not texts:
        raise ConfigError("no texts to embed: pass a text or a list of at least one")
    return texts


def _batches(messages: Sequence[Message], most: int) -> Iterator[tuple[Message, ...]]:
    """Split the messages into requests of at most `most` texts and `_MOST_BYTES` bytes."""
    batch: list[Message] = []
    size = 0
    for message in messages:
        length = len(message.text.encode("utf-8", "surrogatepass"))
        if batch and (len(batch) == most or size + length > _MOST_BYTES):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(message)
        size += length
    yield tuple(batch)


async def _vectors(
    outcomes: AsyncGenerator[tuple[int, Any]],
    sizes: Iterable[int],
    responses: dict[int, CompletionResponse],
) -> AsyncGenerator[tuple[int, Any]]:
    """Yield the vector, or the failure, of each text by its position; fill in `responses`."""
    starts = list(accumulate(sizes, initial=0))
    async with aclosing(outcomes):
        async for number, outcome in outcomes:
            if isinstance(outcome, Exception):
                yield starts[number], outcome
                continue
            responses[number], vectors = outcome
            for position, vector in enumerate(vectors, starts[number]):
                yield position, vector


def _result(
    vectors: list[list[float]],
    request: CompletionRequest,
    responses: Mapping[int, CompletionResponse],
) -> EmbeddingResult:
    answers = [responses[number] for number in sorted(responses)]
    used = [answer.usage for answer in answers if answer.usage is not None]
    return EmbeddingResult(
        embeddings=vectors,
        model=answers[0].model or request.model,
        usage=sum(used, Usage()) if len(used) == len(answers) else None,
        cached=all(answer.cached for answer in answers),
        raw=tuple(answer.raw for answer in answers if answer.raw is not None),
    )
