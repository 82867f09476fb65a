"""Recovering the logs of killed processes: all they wrote is kept and marked as an error."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from .documents import to_document, to_summary
from .ended import member_name
from .files import Paths, in_the_making, take_over
from .journal import read_journal
from .live import Live
from .log_file import HEADER, START, write_end
from .plain import encode
from .record_stream import RecordStream, scan
from .scores import respelled
from .snapshot import draft_of, finish
from .transcript import Transcript

log = logging.getLogger("flashlite.inspect_logs")

_MESSAGE = "the process was killed before this ended"
_ERROR = {"message": _MESSAGE, "traceback": _MESSAGE, "traceback_ansi": _MESSAGE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """The result of `recovery`: what happened to each unfinished log.

    `recovered` maps logs to their number of samples. `running` logs are still being written by
    their process, or belong to another user; `failed` ones are unchanged, with the reason.
    """

    recovered: dict[Path, int] = field(default_factory=dict[Path, int])
    running: list[Path] = field(default_factory=list[Path])
    failed: dict[Path, str] = field(default_factory=dict[Path, str])


def recover(log_dir: str | os.PathLike[str]) -> list[Path]:
    """Close the logs in a folder whose processes were killed, and return their paths.

    Finished samples are complete; those that were running have what happened so far, and an error.
    Logs that are still being written are left alone. If `log_dir` is a log's file, only that log is
    recovered.
    """
    found = recovery(log_dir)
    for path, samples in found.recovered.items():
        log.warning("recovered %s, with %d samples", path, samples)
    for path, reason in found.failed.items():
        log.warning("%s cannot be recovered: %s", path, reason)
    return list(found.recovered)


def recovery(path: str | os.PathLike[str]) -> Recovery:
    """Recover logs like `recover`, but return the result for each one instead of logging it."""
    found, done = Path(path).expanduser(), Recovery()
    is_one = found.is_file()
    for paths in in_the_making(found.parent if is_one else found):
        if is_one and found.name not in (paths.log.name, paths.part.name):
            continue
        file = take_over(paths.part)
        if file is None:
            done.running.append(paths.log)
            continue
        with file:
            try:
                samples = _close(file, paths)
            except (KeyError, TypeError, ValueError) as error:  # readable, but not in our form
                done.failed[paths.part] = repr(error)
            else:
                if samples is not None:
                    done.recovered[paths.log] = samples
    return done


def _close(file: BinaryIO, paths: Paths) -> int | None:
    """Finish a log and return its number of samples, None if nothing was ever written."""
    stream, start, summaries, is_finished = _read(file)
    if start is None:
        paths.part.unlink()
    else:
        if not is_finished:
            written = {summary["uuid"] for summary in summaries}
            summaries += _add_running(stream, paths, written)
            write_end(stream, start, [json.dumps(summaries).encode()], "error", _ERROR)
        finish(stream, paths.part, paths.log)
    for left in (paths.journal, draft_of(paths.log)):
        left.unlink(missing_ok=True)
    Live(paths.live).remove()
    return None if start is None else len(summaries)


def _read(
    file: BinaryIO,
) -> tuple[RecordStream, Mapping[str, Any] | None, list[dict[str, Any]], bool]:
    """Return a file's stream, its start, its samples' summaries, and whether it is finished."""
    stream, start, is_finished = RecordStream(file), None, False
    summaries: list[dict[str, Any]] = []
    for record, end in scan(file):
        stream.adopt(record, end)
        if record.name == START:  # the first one has the model that the run was given
            start = start or json.loads(record.data)
        elif record.name.startswith("samples/"):
            summaries.append(to_summary(json.loads(record.data)))
        is_finished = is_finished or record.name == HEADER
    os.ftruncate(file.fileno(), stream.size)
    return stream, start, summaries, is_finished


def _add_running(stream: RecordStream, paths: Paths, written: set[str]) -> Iterator[dict[str, Any]]:
    """Add the samples that were running, as far as they got, and yield their summaries."""
    for uuid, lines in read_journal(paths.journal).items():
        begins = [line["begin"] for line in lines if "begin" in line]
        if begins and uuid not in written:
            document = _rebuilt(begins[0], lines)
            sample = encode(document)
            stream.append(member_name(document["id"], document["epoch"]), sample)
            yield to_summary(json.loads(sample))


def _rebuilt(about: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    is_private = any(line.get("is_private") for line in lines)
    transcript, events = Transcript(is_private=is_private), list[Mapping[str, Any]]()
    for line in lines:
        transcript.restore(line)
        events += line.get("events", ())
    about = {**about, "input": about["input"] or _opening(transcript)}
    last = events[-1] if events else {"timestamp": about["started_at"], "working_start": 0.0}
    now = {"timestamp": last["timestamp"], "working_start": last["working_start"]}
    for span in reversed(_open_spans(events)):
        transcript.add({"event": "span_end", "id": span, "span_id": span, **now})
    transcript.add({"event": "error", "error": _ERROR, **now})
    return to_document(
        about,
        transcript,
        completed_at=last["timestamp"],
        total_time=last["working_start"],
        scores=respelled(
            next((line["scores"] for line in reversed(lines) if "scores" in line), {})
        ),
        error=_ERROR,
    )


def _opening(transcript: Transcript) -> Any:
    """Return the first call's input, for a sample that began without one."""
    messages = [json.loads(message) for message in transcript.opening()]
    is_text = len(messages) == 1 and isinstance(messages[0]["content"], str)
    return messages[0]["content"] if is_text else messages or ""


def _open_spans(events: Sequence[Mapping[str, Any]]) -> list[str]:
    spans: list[str] = []
    for event in events:
        if event["event"] == "span_begin":
            spans.append(event["id"])
        elif event["event"] == "span_end":
            with suppress(ValueError):
                spans.remove(event["id"])
    return spans
