"""The checkpoint file of a batch: all it has done so far, enough to go on after any kill.

Each line is a JSON object with a `kind`. The first is `checkpoint`, with the `version` of the
format. `intent` is written before a request is sent, then `answer` or `failure` when the call has
ended. If a process is killed in between, the next one writes `lost` for each open intent: those
requests may have been billed. `item` is the hash of the request, by which an answer is found again,
and `request` has its first words for people who read the file; `position` is its place in the
source. If requests are sent in provider jobs, `submission`, `job` and `closed` lines replace
`intent`, and the `parts` of an answer are the ids of all its requests in jobs.
Ray actors have files of the same form beside this one (see `ActorJournals`).
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
)  # bytes; an answer's place is one number: its position times this, plus its offset


class Checkpoint:
    """The answers on file that no item has taken yet, and the file to append to.

    Answers are a multiset: each is taken by one item, so that each of several equal items has its
    own. Only their hashes and places are in memory, about 150 bytes each, until they are taken.
    `lost` counts the requests that killed runs sent without storing an answer. `submissions` are
    the jobs of earlier runs.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self.lost = 0
        self.submissions = Submissions()
        self._answers: dict[bytes, int | list[int]] = {}
        self._journal = Journal(path, kind="checkpoint", version=VERSION)
        self._read()

    def take(self, item: str) -> int | None:
        """Return the offset of an answer for an item, None if there is none left."""
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
        """Note that a request was sent, may have been billed, and was never answered."""
        self._write("lost", {"item": item, "position": position})
        self.lost += 1

    async def note(self, kind: str, about: Mapping[str, Any]) -> None:
        """Note the progress of a job (see `Submissions`); return when it is on disk."""
        self._write(kind, about)
        await self._journal.sync(at_once=True)

    def keep(self, answer: Any, **about: Any) -> int:
        """Write an answer and return its offset."""
        return self._write("answer", about, lambda: answer_record(answer))

    def fail(self, failure: Any, **about: Any) -> None:
        """Write a failure: an exception, or a result with an error."""
        self._write("failure", about, lambda: failure_record(failure))

    def read(self, offset: int) -> Mapping[str, Any]:
        """Return the line at an offset."""
        record: Mapping[str, Any] = loads(self._journal.read(offset))
        return record

    async def sync(self) -> None:
        """Flush what was written to disk, at most once a second."""
        await self._journal.sync()

    def close(self) -> None:
        """Close the file and release its lock."""
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
                places.sort(reverse=True)  # equal items get their answers in order
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
        """Copy answers from the journals of actors whose batch was killed."""
        journals = ActorJournals(self.path)
        if journals.paths():
            for text in journals.answers(sent):
                self._read_line(loads(text), self._journal.append(text), sent)
            self._journal.flush()
            journals.remove()

    def _read_line(
        self, line: Mapping[str, Any], offset: int, sent: Counter[tuple[int, str]]
    ) -> None:
        """Read one line; `sent` counts the requests that have only an intent so far."""
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
    """Notes the requests of one item in the checkpoint: call it right before sending one.

    `parts` are the ids of the item's requests in jobs whose results have come.
    """

    checkpoint: Checkpoint
    item: str
    position: int
    parts: list[str] = field(default_factory=list[str])

    def __call__(self) -> None:
        self.checkpoint.intend(self.item, self.position)

    def lose(self) -> None:
        """Note that a request was sent and never answered."""
        self.checkpoint.lose(self.item, self.position)


def _short(item: str) -> bytes:
    return bytes.fromhex(item)[:_BYTES]
