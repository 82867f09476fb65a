"""Journals that Ray actors write beside a checkpoint, before they report their answers."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from ..errors import ConfigError, StoreError
from ..types.json_bytes import loads
from .journal import Journal
from .records import VERSION

log = logging.getLogger("flashlite.batch")

_PATIENCE = 30.0  # seconds to wait for an actor to end after it, or its batch, was killed
_LOOK = 0.1  # seconds between two looks


class ActorJournals:
    """The journals of one batch's actors: files in a checkpoint's form, in a folder beside it.

    An actor writes there what it is about to send and what was answered before it reports it. So
    if an actor or the whole batch is killed, its journal shows what was paid for. All machines must
    see the folder; it is removed when everything was reported.
    """

    def __init__(self, checkpoint: str | os.PathLike[str]) -> None:
        path = Path(checkpoint).expanduser().absolute()
        self._folder = path.with_name(f"{path.name}.actors")

    def path(self, number: int) -> Path:
        """Return the journal of an actor, numbered from the start of the batch."""
        return self._folder / f"{number}.jsonl"

    def paths(self) -> list[Path]:
        """Return all existing journals."""
        return sorted(self._folder.glob("*.jsonl"))

    def answers(self, sent: Counter[tuple[int, str]]) -> Iterator[bytes]:
        """Yield the answer lines for requests that were sent; `sent` counts (position, item)."""
        for path in self.paths():
            for line, text in read_journal(path):
                if line["kind"] == "answer" and sent[line["position"], line["item"]] > 0:
                    yield text

    def remove(self) -> None:
        """Remove all journals, when their content is known."""
        try:
            for path in self.paths():
                path.unlink(missing_ok=True)
            if self._folder.exists():
                self._folder.rmdir()
        except OSError as error:
            raise StoreError(f"{self._folder}: {error.strerror or error}") from error


def left_behind(path: Path, positions: Container[int]) -> dict[int, Mapping[str, Any] | None]:
    """Return what a dead actor's journal has for some positions: the answer's line, or None.

    None means that the request was sent and not answered; a missing one was never sent, or failed.
    """
    left: dict[int, Mapping[str, Any] | None] = {}
    for line, _ in read_journal(path):
        position, kind = line["position"], line["kind"]
        if position not in positions:
            continue
        if kind == "answer":
            left[position] = line
        elif kind == "intent":
            left[position] = None
        else:
            left.pop(position, None)
    return left


def read_journal(path: Path) -> Iterator[tuple[Mapping[str, Any], bytes]]:
    """Yield the lines of a dead actor's journal, each parsed and as its bytes."""
    with closing(_open(path)) as journal:
        for offset, text in journal.lines():
            try:
                line = loads(text)
            except ValueError:
                log.warning("%s: the line at byte %d cannot be read", path, offset)
                continue
            yield line, text.rstrip(b"\n")


def _open(path: Path) -> Journal:
    """Open a journal as soon as no other process writes it."""
    end = monotonic() + _PATIENCE
    while True:
        try:
            return Journal(path, kind="checkpoint", version=VERSION)
        except ConfigError:
            if monotonic() > end:
                raise
            sleep(_LOOK)
