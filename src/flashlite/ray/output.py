"""The output file for a dataset's answers: Parquet or JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from ..batch.records import answer_record, encode, failure_record
from ..errors import ConfigError, StoreError

if TYPE_CHECKING:
    from pyarrow import Table  # type: ignore[import-untyped]
    from ray.data import Dataset

COLUMNS: Mapping[str, str] = {
    "answer": "string",
    "finish_reason": "string",
    "input_tokens": "int64",
    "output_tokens": "int64",
    "cost_usd": "double",
    "error": "string",
    "response": "string",
}
"""The columns that are added to each row, with their Arrow types.

`answer` is the text; `cost_usd` is null if the price is not known. `response` is the JSON of the
whole answer, including tool calls and reasoning, or of the failure.
"""


class Output(Protocol):
    """A file that takes one table after another; it is created with the first one."""

    @property
    def is_begun(self) -> bool:
        """Whether the file exists."""
        ...

    def write(self, table: Table, outcomes: list[Any]) -> None:
        """Write rows with their outcomes: answers or exceptions."""
        ...

    def close(self) -> None:
        """Finish the file; without any table, it has no rows."""
        ...


def whole_path(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of an output; raises ConfigError for an unknown suffix."""
    whole = Path(path).expanduser().absolute()
    if whole.suffix not in _FORMS:
        raise ConfigError(f"output is a file that ends in .parquet or .jsonl; got {path}")
    return whole


@contextmanager
def open_output(path: Path) -> Generator[Output]:
    """Open an output for writing; the file appears under its name when it is complete."""
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file: Output = _FORMS[path.suffix](draft)
        with ExitStack() as unless_whole:
            unless_whole.callback(_abandon, file, draft)
            yield file
            file.close()
            draft.replace(path)
            unless_whole.pop_all()
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def _abandon(file: Output, draft: Path) -> None:
    if file.is_begun:  # else the draft may belong to another process
        file.close()
        draft.unlink(missing_ok=True)


def read_output(path: Path) -> Dataset:
    """Return an output file as a dataset."""
    import ray.data

    read = ray.data.read_parquet if path.suffix == ".parquet" else ray.data.read_json
    return read(str(path))


class _Parquet:
    """Writes tables as row groups; the first one fixes the column types."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None

    @property
    def is_begun(self) -> bool:
        return self._writer is not None

    def write(self, table: Table, outcomes: list[Any]) -> None:
        from pyarrow import ArrowInvalid, array

        _check_names(table.column_names)
        rows = [_columns(outcome) for outcome in outcomes]
        for name, type in COLUMNS.items():
            table = table.append_column(name, array([row[name] for row in rows], type))
        if not self.is_begun:
            self._begin(table.schema)
        try:
            self._writer.write_table(table.cast(self._writer.schema))
        except (ArrowInvalid, ValueError) as error:
            raise ConfigError(
                f"the dataset changes its columns on the way; cast them first: {error}"
            ) from error

    def close(self) -> None:
        from pyarrow import schema

        if not self.is_begun:
            self._begin(schema(list(COLUMNS.items())))
        self._writer.close()

    def _begin(self, schema: Any) -> None:
        from pyarrow.parquet import ParquetWriter  # type: ignore[import-untyped]

        self._writer = ParquetWriter(self._path, schema)


class _Lines:
    """Writes one JSON object per line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    @property
    def is_begun(self) -> bool:
        return self._file is not None

    def write(self, table: Table, outcomes: list[Any]) -> None:
        _check_names(table.column_names)
        file = self._begun()
        try:
            for row, outcome in zip(table.to_pylist(), outcomes, strict=True):
                file.write(encode(row | _columns(outcome)) + b"\n")
        except TypeError as error:
            raise ConfigError(f"a row is no JSON ({error}): write Parquet instead") from error

    def close(self) -> None:
        self._begun().close()

    def _begun(self) -> BinaryIO:
        if self._file is None:
            self._file = self._path.open("wb")
        return self._file


_FORMS: Mapping[str, Callable[[Path], Output]] = {".parquet": _Parquet, ".jsonl": _Lines}


def _check_names(names: list[str]) -> None:
    if taken := COLUMNS.keys() & names:
        raise ConfigError(
            f"the dataset has columns of its own called {', '.join(sorted(taken))}: rename them, "
            "with rename_columns"
        )


def _columns(outcome: Any) -> dict[str, Any]:
    if isinstance(outcome, Exception):
        facts = failure_record(outcome)["error"]
        return dict.fromkeys(COLUMNS) | {"error": str(outcome), "response": json.dumps(facts)}
    usage = outcome.usage
    return {
        "answer": outcome.content,
        "finish_reason": outcome.finish_reason,
        "input_tokens": usage and usage.input_tokens,
        "output_tokens": usage and usage.output_tokens,
        "cost_usd": usage and usage.total_cost,
        "error": outcome.error,
        "response": json.dumps(answer_record(outcome)["response"]),
    }
