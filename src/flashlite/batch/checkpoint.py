"""What a batch has done so far, in a file: enough to go on after any kill.

One JSON object a line, told apart by `kind`. The first is `checkpoint`, with the `version` of the
form. `intent` is written before a request is sent, then `answer` or `failure` when the call has
come to its end. Where a process was killed in between, the next one writes `lost` for each intent:
those requests may have been paid for. `item` is the hash of what was asked, by which an answer is
found again, and `request` some words of it for whoever reads the file; `position` is the place in
the source. Where requests travel in jobs, `submission`, `job` and `closed` tell of these instead of
`intent`, and the `parts` of an answer are the ids of all that was asked there for it.
Actors of Ray have files of the same form beside this one (see `ActorJournals`).
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import time
from typing import Any

from ..errors import StoreError
from ..types.json_bytes import loads
from .actor_journals import ActorJournals
from .jobs.submissions import Submissions
from .journal import Journal
from .records import VERSION, answer_record, encode, failure_record

log = logging.getLogger("flashlite.batch")

_OF_JOBS = ("submission", "job", "closed")
_BYTES = 16  # of a hash: enough to tell any number of items apart
_FARTHEST = (
    1 << 48
)  # bytes: an answer's place is one number, its position times this and its offset


class Checkpoint:
    """The answers on file that nobody took yet, and the end of the file.

    Answers are a multiset: each is taken by one item, so that of equal items each has its own.
    Only their hashes and places are in memory, about 150 bytes each, until they are taken.
    `lost` is how many requests were sent, by runs that were killed, and left no answer here.
    `submissions` are the jobs of earlier runs.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self.lost = 0
        self.submissions = Submissions()
        self._answers: dict[bytes, int | list[int]] = {}
        self._journal = Journal(path, kind="checkpoint", version=VERSION)
        self._read()

    def take(self, item: str) -> int | None:
        """Return where an answer for an item is, None where there is none left."""
        name = _short(item)
        place = self._answers.pop(name, None)
        if isinstance(place, list):
            place, others = place.pop(), place
            if others:
                self._answers[name] = others
        return None if place is None else place % _FARTHEST

    def intend(self, item: str, position: int) -> None:
        """Note that a request is about to be sent."""
        self._write("intent", {"item": item, "position": position})

    def lose(self, item: str, position: int) -> None:
        """Note that a request was sent whose answer never came, and may have been paid for."""
        self._write("lost", {"item": item, "position": position})
        self.lost += 1

    async def note(self, kind: str, about: Mapping[str, Any]) -> None:
        """Note what becomes of a job (see `Submissions`); return when the disk has it."""
        self._write(kind, about)
        await self._journal.sync(at_once=True)

    def keep(self, answer: Any, **about: Any) -> int:
        """Note an answer and return where it is."""
        return self._write("answer", about, lambda: answer_record(answer))

    def fail(self, failure: Any, **about: Any) -> None:
        """Note what went wrong: an exception, or the result that tells of it."""
        self._write("failure", about, lambda: failure_record(failure))

    def read(self, offset: int) -> Mapping[str, Any]:
        """Return the line at an offset."""
        record: Mapping[str, Any] = loads(self._journal.read(offset))
        return record

    async def sync(self) -> None:
        """Have the disk take what was written, at most once a second."""
        await self._journal.sync()

    def close(self) -> None:
        """Let others have the file."""
        self._journal.close()

    def _write(
        self, kind: str, about: Mapping[str, Any], record: Callable[[], Mapping[str, Any]] = dict
    ) -> int:
        try:
            text = encode({"kind": kind, **about, **record(), "at": round(time(), 3)})
        except (TypeError, ValueError, RecursionError) as error:
            raise StoreError(
                f"{self.path}: what was returned for item {about['position']} is no JSON "
                f"({error}): return JSON or a CompletionResponse"
            ) from error
        return self._journal.append(text)

    def _read(self) -> None:
        sent = Counter[tuple[int, str]]()
        unreadable = 0
        for offset, text in self._journal.lines():
            try:
                self._read_line(loads(text), offset, sent)
            except (ValueError, TypeError, KeyError, AttributeError):
                unreadable += 1
        if unreadable:
            log.warning("%s: %d lines cannot be read and do not count", self.path, unreadable)
        self._take_over(sent)
        for places in self._answers.values():
            if isinstance(places, list):
                places.sort(reverse=True)  # of equal items, the first gets what was the first's
        lost = [*sent.elements()]
        for position, item in lost:
            self.lose(item, position)
        if lost:
            log.warning(
                "%s: %d requests were sent by a run that ended before they left an answer; they "
                "may have been paid for, and what they were for is asked for again",
                self.path,
                len(lost),
            )

    def _take_over(self, sent: Counter[tuple[int, str]]) -> None:
        """Copy the answers that actors had on file when their batch was killed."""
        journals = ActorJournals(self.path)
        if journals.paths():
            for text in journals.answers(sent):
                self._read_line(loads(text), self._journal.append(text), sent)
            self._journal.flush()
            journals.remove()

    def _read_line(
        self, line: Mapping[str, Any], offset: int, sent: Counter[tuple[int, str]]
    ) -> None:
        """Take a line in; `sent` counts the requests that have left nothing else so far."""
        if line["kind"] in _OF_JOBS:
            self.submissions.read(line)
            return
        kind, item, position = line["kind"], line["item"], line["position"]
        if not isinstance(position, int):
            raise TypeError("a position is a number")
        if kind == "intent":
            sent[position, item] += 1
            return
        if kind == "lost":
            sent[position, item] -= 1
            self.lost += 1
            return
        sent.pop((position, item), None)
        if kind == "answer":
            id = line.get("response", {}).get("request_id")
            self.submissions.note_taken(id, *line.get("parts", ()))
            name, place = _short(item), position * _FARTHEST + offset
            known = self._answers.setdefault(name, place)
            if isinstance(known, list):
                known.append(place)
            elif known != place:
                self._answers[name] = [known, place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What becomes of one item on its way: call it right before a request is sent.

    `parts` are the ids of its requests in jobs, as far as their results came.
    """

    checkpoint: Checkpoint
    item: str
    position: int
    parts: list[str] = field(default_factory=list[str])

    def __call__(self) -> None:
        self.checkpoint.intend(self.item, self.position)

    def lose(self) -> None:
        """Note that the request was sent and its answer never came."""
        self.checkpoint.lose(self.item, self.position)


def _short(item: str) -> bytes:
    return bytes.fromhex(item)[:_BYTES]
