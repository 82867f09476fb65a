"""Batches of anything, under llm-client's name."""

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
    """Give items to a function, `max_workers` at once, and keep what it returns in a file.

    Without a `checkpoint_file` nothing is kept.
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
        """Return what `processor` gave for each item, in the order of the items.

        What is in the checkpoint is not asked for again. An item is known by its JSON, wherever it
        stands; for items that are none, `key` returns the JSON to know them by. A result that is to
        be kept is JSON too, or a CompletionResponse. A result with an `error`, as `OpenAIClient`
        gives it, is a failure: it is returned, and tried again by the next run. So is an item for
        which `processor` raises; `Batch` says when that is raised. `desc` draws a bar, with these
        words, where standard error is a terminal.
        """
        crowd = partial(Crowd, workers=self._max_workers, wire=(wire := OnWire()))

        async def process(item: Any) -> Any:
            # What was begun may be paid for already: when a batch stops, it is waited for.
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
