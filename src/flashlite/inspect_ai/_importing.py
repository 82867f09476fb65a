"""Importing the model calls of `.eval` logs into a cache."""

from __future__ import annotations

import json
import os
from asyncio import to_thread
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from zipfile import BadZipFile

from inspect_ai.event import ModelEvent
from inspect_ai.log import (
    EvalSample,
    EvalSpec,
    read_eval_log,
    read_eval_log_sample_summaries,
    read_eval_log_samples_by_id,
)
from inspect_ai.model import ModelConfig

from ..errors import ConfigError
from ..stores import Store
from ._engine import store_named
from ._logged_answers import obstacle
from ._own_logs import Spellings, is_own, keep_own, spellings
from ._private import PrerequisiteError
from ._recorded import KNOWN, STORED, RecordedModel

T = TypeVar("T")

_AT_ONCE = 4_000_000  # bytes of a log to read at once, roughly; reopening it per sample is slow


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The result of `import_logs`: how many model calls were imported.

    `stored` calls are new in the cache, `known` ones were already there; `left_out` counts the
    others by reason.
    """

    stored: int
    known: int
    left_out: Mapping[str, int]


async def import_logs(
    logs: Iterable[str | os.PathLike[str]],
    cache: Store | str,
    *,
    models: Mapping[str, str] | None = None,
    base_url: str | None = None,
    **arguments: Any,
) -> Imported:
    """Put the answers of `.eval` logs into a cache, so that nobody pays for them again.

    `cache` is a store, or `disk:<file>` or `fs:<folder>` as in `-M cache=...`. Each call is stored
    under the request that `inspect eval --model flashlite/<model>` makes for it, with its epoch as
    `sample`; calls logged by flashlite's own scripts are stored under their original requests.

    A log of `openai/gpt-4o` serves `flashlite/openai/gpt-4o`; `models` maps other names in the log
    to the names that later runs will use: `{"mockllm/model": "openai/gpt-4o"}`. Pass `base_url` and
    `-M` `arguments` where the later run differs from the log. Existing entries are kept.
    """
    store = store_named(cache, required=True) if isinstance(cache, str) else cache
    if store is None:
        raise ConfigError(f"no cache is named {cache}: write disk:<file> or fs:<folder>")
    importer = _Importer(store, models or {}, base_url, arguments)
    try:
        await store.stats()  # fails early if the store cannot be used
        for log in logs:
            await importer.read(log)
        await store.flush()
    finally:
        if isinstance(cache, str):
            await store.aclose()
    return importer.imported()


class _Importer:
    """Imports logs, one after the other."""

    def __init__(
        self,
        store: Store,
        names: Mapping[str, str],
        base_url: str | None,
        arguments: Mapping[str, Any],
    ) -> None:
        self._store, self._names = store, names
        self._base_url, self._arguments = base_url, arguments
        self._models: dict[str, RecordedModel | str] = {}
        self._counts: Counter[str] = Counter()

    async def read(self, log: str | os.PathLike[str]) -> None:
        """Import the calls of a log, in the order in which its samples ended."""
        path = _checked(os.fspath(log))
        header = await _reading(path, read_eval_log, header_only=True)
        async for sample in _samples(path):
            events = [event for event in sample.events if isinstance(event, ModelEvent)]
            letters = spellings(events)
            for event in events:
                self._counts[await self._take(event, sample, header.eval, letters)] += 1

    def imported(self) -> Imported:
        """Return the result for all calls so far."""
        left_out = {why: n for why, n in self._counts.most_common() if why not in (STORED, KNOWN)}
        return Imported(stored=self._counts[STORED], known=self._counts[KNOWN], left_out=left_out)

    async def _take(
        self, event: ModelEvent, sample: EvalSample, spec: EvalSpec, letters: Spellings
    ) -> str:
        if sample.invalidation is not None:
            return "are of samples that were invalidated"
        if why_not := obstacle(event):
            return why_not
        if is_own(event):
            return await keep_own(event, self._store, letters)
        model = self._model(event, spec)
        return model if isinstance(model, str) else await model.keep(event, sample=sample.epoch)

    def _model(self, event: ModelEvent, spec: EvalSpec) -> RecordedModel | str:
        """Return the model to store a call for, or the reason why there is none."""
        config = _config(event, spec)
        is_ours = config.model.startswith("flashlite/")
        name = self._names.get(event.model, event.model).removeprefix("flashlite/")
        base_url = self._base_url or config.base_url
        arguments = {**(config.args if is_ours else {}), **self._arguments}
        key = json.dumps([name, base_url, arguments], sort_keys=True, default=repr)
        if key not in self._models:
            self._models[key] = self._new_model(name, base_url, arguments)
        return self._models[key]

    def _new_model(
        self, name: str, base_url: str | None, arguments: Mapping[str, Any]
    ) -> RecordedModel | str:
        try:
            return RecordedModel(name, self._store, base_url=base_url, arguments=arguments)
        except (ConfigError, PrerequisiteError) as error:
            return f"are of {name}, which flashlite cannot ask: {error}"


def _checked(path: str) -> str:
    if os.path.isdir(path):
        raise ConfigError(f"{path} is a folder: name the logs in it, {path}/*.eval")
    if not path.endswith(".eval"):
        raise ConfigError(f"{path} is no .eval log: inspect log convert --to eval makes one")
    return path


async def _samples(path: str) -> AsyncIterator[EvalSample]:
    """Yield the samples of a log, a few of them in memory at a time."""
    summaries = await _reading(path, read_eval_log_sample_summaries)
    names = [(summary.id, summary.epoch) for summary in summaries]
    step = _at_once(path, len(names))
    for start in range(0, len(names), step):
        some = names[start : start + step]
        whole: Any = {"resolve_attachments": "full", "exclude_fields": {"messages", "store"}}
        for sample in await _reading(path, read_eval_log_samples_by_id, samples=some, **whole):
            yield sample


def _at_once(path: str, count: int) -> int:
    """Return how many samples of a log to hold in memory."""
    try:
        size = os.path.getsize(path)
    except OSError:  # it is not a local file
        return 1
    return min(64, max(1, count * _AT_ONCE // max(1, size)))


async def _reading(path: str, read: Callable[..., T], **options: Any) -> T:
    """Read part of a log in a thread: on a running loop, Inspect would patch asyncio for good."""
    try:
        return await to_thread(read, path, **options)
    except (BadZipFile, EOFError, LookupError, OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as a log of Inspect: {error}") from error


def _config(event: ModelEvent, spec: EvalSpec) -> ModelConfig:
    """Return what the log says of a call's model: that of its role, or that of the eval."""
    said = (spec.model_roles or {}).get(event.role or "", [])
    roles = said if isinstance(said, list) else [said]
    main = ModelConfig(model=spec.model, base_url=spec.model_base_url, args=spec.model_args)
    candidates = [*roles, main]
    return next((c for c in candidates if c.model == event.model), ModelConfig(model=event.model))
