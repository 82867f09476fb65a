"""Answering each row of a Ray dataset."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..batch import Batch, Ray, run_batch
from ..engine import Engine
from ..errors import ConfigError
from ..many import OneInput
from ..sync import run_sync
from .output import open_output, read_output, whole_path

if TYPE_CHECKING:
    from pyarrow import Table  # type: ignore[import-untyped]
    from ray.data import Dataset

_ROWS = 1000  # rows per table, read and written together
_TABLES = 8  # tables in memory at once


async def complete_dataset(
    dataset: Dataset,
    client: Engine,
    *,
    output: str | os.PathLike[str],
    column: str = "messages",
    request: Callable[[dict[str, Any]], OneInput] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    engine: Literal["ray"] | Ray = "ray",
    max_concurrency: int | None = None,
    return_exceptions: bool = False,
    progress: bool = False,
) -> Dataset:
    """Answer each row of a dataset, write all to a file, and return the file as a dataset.

    The request of a row is in `column` (a text, or a list of messages), or `request` makes it from
    the row: a dict of arguments of `complete`, or messages. Rows are read as they are needed and
    written as they are answered, in the order in which Ray yields them. They keep their columns,
    and get those of `flashlite.ray.output.COLUMNS` in addition.

    `output` ends in `.parquet` or `.jsonl`, and appears when all rows were tried. Until then the
    answers are in `checkpoint` (by default `output` with `.checkpoint` appended): after a kill or a
    failure, the same call goes on from there, as in `run_batch` and `RayBatch`. The first failure
    is raised after all rows were tried; with `return_exceptions`, failures are in the `error`
    column of their rows instead.
    """
    path = whole_path(output)
    checkpoint = checkpoint or path.with_name(f"{path.name}.checkpoint")
    rows = _Rows(dataset, request or partial(_of_column, column))
    how: Any = {"max_concurrency": max_concurrency, "progress": progress, "engine": engine}
    async with aclosing(rows.requests()) as requests:
        batch = run_batch(client, requests, checkpoint=checkpoint, **how)
        await _write(batch, rows, path, with_failures=return_exceptions)
    return await asyncio.to_thread(read_output, path)


def complete_dataset_sync(dataset: Dataset, client: Engine, **how: Any) -> Dataset:
    """Answer a dataset like `complete_dataset`, without `await`."""
    return run_sync(complete_dataset(dataset, client, **how))


async def _write(batch: Batch, rows: _Rows, path: Path, *, with_failures: bool) -> None:
    """Write each table once all its rows were tried; raise the first failure at the end."""
    failure: Exception | None = None
    with open_output(path) as file:
        async with aclosing(batch):
            async for _, outcome in batch:
                if isinstance(outcome, Exception):
                    failure = failure or outcome
                if (answered := rows.add(outcome)) is not None:
                    await asyncio.to_thread(file.write, *answered)
        if failure is not None and not with_failures:
            raise failure


class _Rows:
    """The rows of a dataset that are read and not yet answered, table by table."""

    def __init__(self, dataset: Dataset, request: Callable[[dict[str, Any]], OneInput]) -> None:
        self._dataset, self._request = dataset, request
        self._tables = deque["Table"]()
        self._outcomes: list[Any] = []
        self._room = asyncio.Semaphore(_TABLES)

    async def requests(self) -> AsyncGenerator[OneInput]:
        """Yield the request of each row; pause reading while too many rows are unanswered."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="flashlite-dataset")
        run = partial(asyncio.get_running_loop().run_in_executor, thread)
        tables = self._read()
        try:
            while (table := await run(next, tables, None)) is not None:
                await self._room.acquire()
                self._tables.append(table)
                for row in table.to_pylist():
                    yield self._request(row)
        finally:
            await run(tables.close)  # runs after the read in progress
            thread.shutdown(wait=False)

    def _read(self) -> Generator[Table]:
        yield from self._dataset.iter_batches(batch_size=_ROWS, batch_format="pyarrow")

    def add(self, outcome: Any) -> tuple[Table, list[Any]] | None:
        """Add the outcome of the next row; return a table with its outcomes once it is complete."""
        self._outcomes.append(outcome)
        if len(self._outcomes) < self._tables[0].num_rows:
            return None
        outcomes, self._outcomes = self._outcomes, []
        self._room.release()
        return self._tables.popleft(), outcomes


def _of_column(column: str, row: Mapping[str, Any]) -> OneInput:
    if column not in row:
        raise ConfigError(f"the dataset has no column {column!r}; it has {', '.join(row)}")
    asked = row[column]
    if isinstance(asked, str):
        return asked
    # Arrow fills in every message the fields that only others have, with None.
    return [{name: value for name, value in said.items() if value is not None} for said in asked]
