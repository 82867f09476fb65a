"""Batches of requests to a client."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Iterable
from functools import partial
from typing import Any

from ..engine import Engine
from ..errors import ConfigError
from ..many import OneInput, arguments_of
from ..middleware import before_sending, fitting, with_local_files
from ..middleware.cache_key import canonical, key_of
from ..types import CompletionRequest, CompletionResponse, Target
from .batch import Batch, Job, Order

_MOST_WORDS = 80  # characters


def run_batch(
    client: Engine,
    requests: Iterable[OneInput] | AsyncIterable[OneInput],
    *,
    checkpoint: str | os.PathLike[str],
    max_concurrency: int = 10,
    order: Order = "input",
    return_exceptions: bool = False,
    progress: bool = False,
) -> Batch:
    """Ask for many answers, keep each in a file, and go on from there after any kill.

        answers = await run_batch(client, requests, checkpoint="run.jsonl")

    A request is a dict of arguments of `complete`, or just its messages; any source will do, also
    an endless or asynchronous one. It is known by all that decides its answer (model, messages,
    parameters, tools, schema, `sample`), wherever it stands: another list with the same request
    finds its answer. Equal requests are asked for once each. Awaiting gives the answers in the
    order of the requests, an instance of its `response_model` where a request has one; see `Batch`
    for reading them one by one, for failures, and for what is kept.

    One process at a time writes a checkpoint: another one gets a ConfigError.
    """

    return Batch(
        requests,
        partial(_prepare, client),
        partial(client.crowd, workers=max_concurrency),
        checkpoint=checkpoint,
        order=order,
        return_exceptions=return_exceptions,
        progress=progress,
    )


async def _prepare(client: Engine, item: OneInput) -> Job:
    options: Any = arguments_of(item)
    own = [options.pop(name, None) for name in ("messages", "model", "response_model")]
    messages, model, response_model = own
    request = client.build(messages, model, options, response_model)
    return _job(client, await with_local_files(request))


def _job(client: Engine, request: CompletionRequest) -> Job:
    async def call(intend: Callable[[], None]) -> CompletionResponse:
        token = before_sending.set(intend)
        try:
            return fitting(await client.handle(request), request.response_model)
        finally:
            before_sending.reset(token)

    words = request.messages[-1].text if request.messages else ""
    return Job(
        item=_identity(request),
        about=f"{request.model}: {words}"[:_MOST_WORDS],
        call=call,
        response_model=request.response_model,
    )


def _identity(request: CompletionRequest) -> str:
    """Hash all that decides the answer, with the model's name and address as they were given."""
    asked = Target(
        provider="", dialect=request.api or "", model=request.model, address=request.base_url or ""
    )
    try:
        return key_of(canonical(request, asked))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"a request of a batch is JSON, for that is what it is known by: {error}"
        ) from error
