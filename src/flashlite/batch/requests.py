"""Batches of requests to a client."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Mapping
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

from ..engine import Engine
from ..errors import ConfigError
from ..many import OneInput
from ..middleware import before_sending, fitting
from ..types import CompletionResponse
from ..types.holding import holding
from .actors import Ray
from .batch import Batch, Item, Order
from .checkpoint import Intent
from .items import item_of, request_of
from .jobs import Pace
from .provider_batch import ProviderBatch
from .ray_batch import RayBatch

BatchMode: TypeAlias = Literal["calls", "provider"]

_SEATS: Mapping[str, int] = {"calls": 10, "provider": 50_000, "ray": 100}
_TOGETHER = 1.0  # seconds that requests wait for others to join their job


def run_batch(
    client: Engine,
    requests: Iterable[OneInput] | AsyncIterable[OneInput],
    *,
    checkpoint: str | os.PathLike[str],
    mode: BatchMode = "calls",
    max_concurrency: int | None = None,
    order: Order = "input",
    return_exceptions: bool = False,
    progress: bool = False,
    poll_interval: float = 15.0,
    engine: Literal["ray"] | Ray | None = None,
) -> Batch:
    """Return a batch that answers many requests, stores each answer and goes on after a kill.

        answers = await run_batch(client, requests, checkpoint="run.jsonl")

    A request is a dict of arguments of `complete`, or just its messages; any iterable will do, even
    an endless or asynchronous one. A request is identified by all that decides its answer (model,
    messages, parameters, tools, schema, `sample`), not by its position: another list with the same
    request finds its answer. Each of several equal requests gets an answer of its own. `Batch` says
    how to read answers, what failures do, and what is stored. One process at a time can use a file.

    `mode="provider"` uses the batch APIs of OpenAI, Anthropic, Gemini and others, at half the price
    and within a day: see `ProviderBatch`. The status of a job is polled after `poll_interval`
    seconds, then at growing intervals. `engine="ray"`, or a `Ray` with settings, lets Ray actors do
    the work, on one machine or many: see `RayBatch`. At most `max_concurrency` requests are under
    way, and in memory, at once: by default 10, in provider jobs 50,000, on Ray 100.
    """
    ray = _ray(engine, mode)
    seats = _SEATS["ray" if ray else mode] if max_concurrency is None else max_concurrency
    how: Any = {"checkpoint": checkpoint, "order": order, "progress": progress}
    how |= {"return_exceptions": return_exceptions}
    if ray is not None:
        return RayBatch(client, requests, ray=ray, max_concurrency=seats, **how)
    crowd = partial(client.crowd, workers=seats)
    if mode == "provider":
        pace = Pace(poll_interval=poll_interval, idle=min(_TOGETHER, poll_interval))
        return ProviderBatch(client, requests, crowd, pace=pace, **how)
    return Batch(requests, partial(_prepare, client), crowd, **how)


def _ray(engine: Literal["ray"] | Ray | None, mode: BatchMode) -> Ray | None:
    """Return the Ray settings, None without Ray; raises ConfigError for a wrong combination."""
    if mode not in (modes := get_args(BatchMode)):
        raise ConfigError(f"mode is one of {', '.join(modes)}; got {mode!r:.80}")
    if engine is not None and mode == "provider":
        raise ConfigError("jobs at a provider have no use for actors: mode='provider' or an engine")
    return None if engine is None else Ray.of(engine)


async def _prepare(client: Engine, item: OneInput) -> Item:
    request = await request_of(client, item)

    async def call(intend: Intent) -> CompletionResponse:
        with holding(before_sending, intend):
            return fitting(await client.handle(request), request.response_model)

    return item_of(request, call)
