"""Batches of any items, with the interface of llm-client's `BatchManager`."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from functools import partial
from hashlib import sha256
from typing import Any

from ..errors import ConfigError
from ..many import Crowd, collect
from ..middleware import OnWire
from ..progress import shown
from .batch import Batch, Item, go_on, numbered_arguments

_MOST_WORDS = 80  # characters


class BatchManager:
    """Call a function with each of many items, `max_workers` at once, and store the results.

    They are stored in `checkpoint_file`; without one, nothing is stored.
    """

    def __init__(
        self, max_workers: int = 10, checkpoint_file: str | os.PathLike[str] | None = None
    ) -> None:
        self._max_workers = max_workers
        self._checkpoint_file = checkpoint_file

    async def process_batch(
        self,
        items: Iterable[Any] | AsyncIterable[Any],
        processor: Callable[[Any], Awaitable[Any]],
        desc: str | None = None,
        *,
        key: Callable[[Any], Any] | None = None,
        return_exceptions: bool = False,
    ) -> list[Any]:
        """Return the result of `processor` for each item, in the order of the items.

        An item whose result is in the checkpoint is not processed again. An item is identified by
        its JSON, not by its position; for items that are not JSON, `key` returns JSON to identify
        them by. A stored result has to be JSON too, or a CompletionResponse. A result with an
        `error`, as `OpenAIClient` returns it, is a failure: it is returned, and the next run tries
        the item again. An item for which `processor` raises is tried again too; `Batch` says when
        the error is raised. `desc` labels a progress bar, shown if standard error is a terminal.
        """
        crowd = partial(Crowd, workers=self._max_workers, wire=(wire := OnWire()))

        async def process(item: Any) -> Any:
            # A call that has begun may already be billed, so a batch that stops waits for it.
            return await wire(item, processor)

        if self._checkpoint_file is not None:
            return await Batch(
                items,
                partial(_prepare, process=process, key=key),
                crowd,
                checkpoint=self._checkpoint_file,
                order="completion",
                return_exceptions=return_exceptions,
                progress=desc is not None,
                description=desc,
            )
        outcomes = crowd(lambda messages, position: process(messages), numbered_arguments(items))
        shown_outcomes = outcomes.outcomes()
        if desc is not None:
            shown_outcomes = shown(shown_outcomes, requests=items, description=desc)
        return await collect(shown_outcomes, None if return_exceptions else go_on)


async def _prepare(
    item: Any,
    *,
    process: Callable[[Any], Awaitable[Any]],
    key: Callable[[Any], Any] | None,
) -> Item:
    name = _json(item if key is None else key(item))

    async def call(intend: Callable[[], None]) -> Any:
        intend()
        return await process(item)

    return Item(hash=sha256(name.encode()).hexdigest(), about=name[:_MOST_WORDS], call=call)


def _json(item: Any) -> str:
    try:
        return json.dumps(item, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"an item of a batch is known by its JSON, and this one is none ({error}): pass "
            "key=..., a function from an item to JSON"
        ) from error
