"""A journal of running samples on disk, from which they are recovered if the process is killed.

It has lines of JSON beside the log, each with what one sample gained. A thread writes them soon.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..line_writer import LineWriter
from .plain import Fragment, encode
from .samples import Sample
from .transcript import Transcript


class Cursor:
    """How far a reader has followed a transcript."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._seen = {"events": 0, "messages": 0, "calls": 0, "attachments": 0}

    def gained(self) -> dict[str, list[Any]]:
        """Return what is new since the last call: JSON bytes; (hash, text) for attachments."""
        now: dict[str, list[Any]] = {
            "events": self._transcript.events,
            "messages": self._transcript.messages.items,
            "calls": self._transcript.calls.items,
            "attachments": list(self._transcript.attachments.items()),
        }
        news = {name: items[self._seen[name] :] for name, items in now.items()}
        self._seen = {name: len(items) for name, items in now.items()}
        return {name: items for name, items in news.items() if items}


class Journal:
    """Writes down what samples gain, from their beginning to their end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = LineWriter(path)
        self._cursors: dict[str, Cursor | None] = {}

    def begin(self, sample: Sample) -> None:
        """Follow a sample, unless it is followed already."""
        if sample.uuid not in self._cursors:
            self._cursors[sample.uuid] = Cursor(sample.transcript)
            is_private = sample.transcript.is_private
            self._write(sample.uuid, begin=sample.about(), is_private=is_private)

    def note(self, sample: Sample) -> None:
        """Write down what a sample gained; the caller holds the sample's lock."""
        cursor = self._cursors.get(sample.uuid)
        if cursor is None:
            return
        gained = cursor.gained()
        line: dict[str, Any] = {
            name: [Fragment(item) for item in gained[name]]
            for name in ("messages", "calls", "events")
            if name in gained
        }
        if "attachments" in gained:
            line["attachments"] = dict(gained["attachments"])
        if sample.scores:
            line["scores"] = sample.scores
        if line:
            self._write(sample.uuid, **line)

    def let_go(self, uuid: str) -> None:
        """Stop following a sample that is not in the log; its lines stay valid."""
        if uuid in self._cursors:
            self._cursors[uuid] = None

    def end(self, uuid: str) -> None:
        """Stop following a sample that is in the log; its lines no longer count."""
        if uuid in self._cursors:
            del self._cursors[uuid]
            self._write(uuid, end=True)

    def remove(self) -> None:
        """Remove the journal's file."""
        self._cursors.clear()
        self._lines.close()
        self.path.unlink(missing_ok=True)

    def _write(self, uuid: str, **line: Any) -> None:
        self._lines.write(encode({"sample": uuid, **line}))


def read_journal(path: Path) -> dict[str, list[Mapping[str, Any]]]:
    """Return the lines of samples that did not end, by their uuids; torn lines are skipped."""
    samples: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    if not path.is_file():
        return samples
    with path.open("rb") as lines:
        for text in lines:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if "end" in line:
                samples.pop(line["sample"], None)
            else:
                samples[line["sample"]].append(line)
    return samples
