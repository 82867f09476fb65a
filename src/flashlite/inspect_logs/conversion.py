"""From the JSON lines of `StructuredLogger` to a log in Inspect's format."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from math import inf
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..middleware.log import read_log
from ..types.moments import timestamp
from .ended import Ended
from .files import Paths, take_over
from .header import Run
from .keys import Keys
from .log_file import LogFile
from .logged_calls import Record, about, has_content, seconds, to_call
from .model_events import ModelCall, to_error
from .samples import Sample
from .transcript import Transcript

log = logging.getLogger("flashlite.inspect_logs")

_BEGIN, _END = "request", frozenset({"response", "error", "cancelled"})
_ID_BYTES = 11


def convert(
    lines: str | os.PathLike[str],
    log_dir: str | os.PathLike[str] = "./logs",
    *,
    task: str | None = None,
    sample_tag: str = "sample:",
) -> Path:
    """Convert the file of a `StructuredLogger` to an `.eval` log, and return the log's path.

    Each call becomes a sample. Calls with the same tag that begins with `sample_tag`, such as
    `sample:q7`, become one sample `q7`, in which each agent has a lane. Embeddings are left out.
    Several processes may have written the file. A call without an end counts as an error, and the
    status of the log is then "error". Texts that were not recorded are "<not recorded>", and listed
    in the sample's metadata. The log cannot be imported into a cache (`import_logs`), because it
    does not hold the whole requests.

    Raises ConfigError for a file without calls, or with a record that cannot be read; no log is
    left behind then. Also raises ConfigError if the folder already has a log of this file, even if
    the file grew or was moved since, because readers of the folder would count every sample twice.
    The file is identified by its first record, from which the log's `task_id` is derived.

    Memory holds only the calls that have not ended, the samples with calls still to come, and the
    list of all samples.
    """
    path = Path(lines).expanduser()
    try:
        return _convert(path, Path(log_dir).expanduser().absolute(), task, sample_tag)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ConfigError(f"{path} has a record that cannot be read: {error!r:.200}") from error


def _convert(path: Path, folder: Path, task: str | None, sample_tag: str) -> Path:
    survey = _survey(path, sample_tag)
    if not survey.calls:
        raise ConfigError(f"{path} has no calls: it is no file of a StructuredLogger")
    _require_new(path, folder, survey.id)
    run = Run(
        task_id=survey.id,
        task=task or path.stem,
        label=path.stem,
        metadata={"converted_from": path.name},
        created=timestamp(survey.began)[:19] + "+00:00",
    )
    paths = Paths(folder, run.file_name)
    file = LogFile(paths, run)
    try:
        conversion = _Conversion(file, run.task, survey, sample_tag)
        for record in read_log(path):
            conversion.take(record)
        conversion.finish()
    finally:
        file.discard()
    return paths.log


def _require_new(path: Path, folder: Path, id: str) -> None:
    """Raise ConfigError if a folder has a log of the file; remove one left by a killed run."""
    for found in folder.glob(f"*_{id}*"):
        if not found.name.startswith("."):
            raise ConfigError(
                f"{path} was already converted to {found}: delete it first, or pass another folder"
            )
    for part in folder.glob(f".*_{id}.eval.part"):
        left = take_over(part)
        if left is None:
            raise ConfigError(f"{path} is being converted to {folder} by another process")
        with left:
            part.unlink()


@dataclass
class _Survey:
    """What must be known about a file before the first sample is written."""

    id: str = ""
    """The id of the file, derived from its first record."""
    began: float = inf
    calls: int = 0
    left: Counter[str] = field(default_factory=Counter[str])
    """The number of calls still to come, by sample name."""
    shows_answers: bool = False


def _survey(path: Path, sample_tag: str) -> _Survey:
    found = _Survey()
    for record in read_log(path):
        if not _is_known(record):
            continue
        found.id = found.id or _id(record)
        found.began = min(found.began, seconds(record))
        found.calls += 1
        found.shows_answers = found.shows_answers or has_content(record)
        if record["type"] == _BEGIN and (name := _sample_name(record, sample_tag)):
            found.left[name] += 1
    return found


def _id(first: Record) -> str:
    """Return an id derived from the first record, which has a time and a unique request id."""
    return blake2b(json.dumps(first, sort_keys=True).encode(), digest_size=_ID_BYTES).hexdigest()


def _is_known(record: Record) -> bool:
    """Whether a record is of a call; a file may have others, which are ignored."""
    kind, when = record.get("type"), record.get("time")
    return (kind == _BEGIN or kind in _END) and isinstance(when, str) and "request_id" in record


def _sample_name(record: Record, sample_tag: str) -> str | None:
    tags = [str(tag) for tag in record.get("tags") or ()]
    return next((t.removeprefix(sample_tag) for t in tags if t.startswith(sample_tag)), None)


class _Conversion:
    """Takes records, one after the other, and writes each sample when it is over.

    It is the samples' log, and their clock: the time is that of the current record.
    """

    def __init__(self, file: LogFile, task: str, survey: _Survey, sample_tag: str) -> None:
        self.task = task
        self._file, self._survey, self._tag = file, survey, sample_tag
        self._keys = Keys()
        self._pending: dict[str, Record] = {}
        self._samples: dict[str, Sample] = {}
        self._now = self._last = survey.began
        self._unended = 0

    def take(self, record: Record) -> None:
        """Take a record; an end whose beginning is in another file is a call too."""
        if not _is_known(record):
            return
        id = str(record["request_id"])
        begun = self._pending.pop(id, None)
        if record["type"] != _BEGIN:
            if "embeddings" not in record:
                self._write(begun or _beginning_of(record), record)
            return
        if begun is not None:
            self._write(begun, None)
        self._pending[id] = record

    def finish(self) -> None:
        """Write the calls that have no end, and close the log."""
        for begun in self._pending.values():
            self._write(begun, None)
        for sample in self._samples.values():
            sample.end()
        error = None
        if self._unended:
            error = to_error(RuntimeError(f"{self._unended} calls have no end in the record"))
        self._file.finish("error" if error else "success", error, ended=self._last)

    def follow(self, sample: Sample) -> None:
        """Do nothing: samples are written only when they are over."""

    def note(self, sample: Sample) -> None:
        """Do nothing: nothing is shown before the end."""

    def write(
        self,
        sample: Sample,
        document: Mapping[str, Any],
        summary: Mapping[str, Any],
        secrets: tuple[str, ...],
    ) -> None:
        """Write a sample that is over."""
        self._file.add(Ended.of(sample, document, summary, secrets))

    def _write(self, begun: Record, ended: Record | None) -> None:
        call = to_call(begun, ended, shows_answers=self._survey.shows_answers)
        self._unended += ended is None
        name = _sample_name(begun, self._tag)
        self._now = call.began
        sample = (self._samples.get(name) if name else None) or self._begin(name, call)
        sample.metadata |= about(begun, ended, call)
        self._record(sample, call, agent=begun.get("agent") if name else None)
        if name:
            self._samples[name] = sample
            self._survey.left[name] -= 1
            if self._survey.left[name] > 0:
                return
            del self._samples[name]
        if call.error is not None:
            sample.error(call.error)
        sample.end()

    def _begin(self, name: str | None, call: ModelCall) -> Sample:
        id, epoch = self._keys.take(name, None)
        return Sample(
            self,
            id,
            epoch=epoch,
            input=call.request.messages,
            transcript=Transcript(),
            began=call.began,
            clock=lambda: self._now,
        ).begin()

    def _record(self, sample: Sample, call: ModelCall, *, agent: str | None) -> None:
        if agent is None:
            sample.model_call(call)
            self._now = call.ended
        else:
            with sample.agent(agent):
                sample.model_call(call)
                self._now = call.ended
        self._last = max(self._last, call.ended)


def _beginning_of(ended: Record) -> Record:
    """Return the beginning of a call as far as it is known from its end."""
    began = seconds(ended) - ended.get("latency_ms", 0.0) / 1000
    same = {name: ended[name] for name in ("request_id", "model") if name in ended}
    return {**same, "time": timestamp(began)}
