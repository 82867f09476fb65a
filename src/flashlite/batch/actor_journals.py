"""What actors of Ray put on file beside a checkpoint, before they report it."""

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

_PATIENCE = 30.0  # seconds in which an actor that was killed, or whose batch was, comes to its end
_LOOK = 0.1  # seconds between one look and the next


class ActorJournals:
    """The journals of one batch's actors: files of a checkpoint's form, in a folder beside it.

    An actor writes there what it is about to send and what was answered, and reports only then. So
    where an actor was killed, or the whole batch, its journal tells what was paid for. The folder
    is to be one that all machines see; it goes when all was reported.
    """

    def __init__(self, checkpoint: str | os.PathLike[str]) -> None:
        path = Path(checkpoint).expanduser().absolute()
        self._folder = path.with_name(f"{path.name}.actors")

    def path(self, number: int) -> Path:
        """Return where the actor with a number, counted from the start of the batch, writes."""
        return self._folder / f"{number}.jsonl"

    def paths(self) -> list[Path]:
        """Return all journals that there are."""
        return sorted(self._folder.glob("*.jsonl"))

    def answers(self, sent: Counter[tuple[int, str]]) -> Iterator[bytes]:
        """Yield the lines of the answers to what was sent, by its positions and items."""
        for path in self.paths():
            for line, text in read_journal(path):
                if line["kind"] == "answer" and sent[line["position"], line["item"]] > 0:
                    yield text

    def remove(self) -> None:
        """Remove all journals: what they tell is known."""
        try:
            for path in self.paths():
                path.unlink(missing_ok=True)
            if self._folder.exists():
                self._folder.rmdir()
        except OSError as error:
            raise StoreError(f"{self._folder}: {error.strerror or error}") from error


def left_behind(path: Path, positions: Container[int]) -> dict[int, Mapping[str, Any] | None]:
    """Return what a dead actor had for some positions: the line of the answer, or None.

    None is a request that was sent and not answered; what is missing was never sent, or failed.
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
    """Yield the lines of a journal, read and as they stand, once its actor is dead."""
    with closing(_open(path)) as journal:
        for offset, text in journal.lines():
            try:
                line = loads(text)
            except ValueError:
                log.warning("%s: the line at byte %d cannot be read", path, offset)
                continue
            yield line, text.rstrip(b"\n")


def _open(path: Path) -> Journal:
    """Open a journal when nobody else writes it any more."""
    end = monotonic() + _PATIENCE
    while True:
        try:
            return Journal(path, kind="checkpoint", version=VERSION)
        except ConfigError:
            if monotonic() > end:
                raise
            sleep(_LOOK)
