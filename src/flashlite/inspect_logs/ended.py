"""Samples that are over, in encoded form, and the backlog of those that could not be written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from ..errors import StoreError
from .plain import Fragment, encode
from .samples import Sample

_MOST = 256 << 20  # bytes that wait in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A sample that is over: its name in the log, its JSON, and its summary."""

    uuid: str
    name: str
    document: bytes
    summary: bytes
    models: frozenset[str]

    @classmethod
    def of(
        cls,
        sample: Sample,
        document: Mapping[str, Any],
        summary: Mapping[str, Any],
        secrets: tuple[str, ...],
    ) -> Self:
        """Return a sample as JSON, without these secrets."""
        # Base64 may contain any short text by chance, so secrets are not searched for in media.
        media = Fragment(encode(document["attachments"]))
        return cls(
            uuid=sample.uuid,
            name=member_name(sample.id, sample.epoch),
            document=encode({**document, "attachments": media}, secrets=secrets),
            summary=encode(summary, secrets=secrets),
            models=frozenset(summary["model_usage"]),
        )

    @property
    def size(self) -> int:
        """The bytes of memory it takes."""
        return len(self.document) + len(self.summary)


class Backlog:
    """Samples that could not be written so far.

    They wait in memory, up to `most` bytes; further ones are dropped and only counted. It may be
    called by one thread at a time.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most, self._size, self._dropped = most, 0, 0
        self._waiting: deque[Ended] = deque()
        self._reason = ""

    def __len__(self) -> int:
        return len(self._waiting) + self._dropped

    def __str__(self) -> str:
        return "1 sample" if len(self) == 1 else f"{len(self):,} samples"

    def keep(self, ended: Ended, reason: Exception) -> None:
        """Keep a sample that could not be written, for this reason."""
        self._reason = str(reason)  # not the error, whose frames hold samples
        if self._size + ended.size > self._most:
            self._dropped += 1
        else:
            self._waiting.append(ended)
            self._size += ended.size

    def write(self, add: Callable[[Ended], None], *, give_up: bool = True) -> None:
        """Write what waits; raises the error of `add` at once, or after trying all of them."""
        failure: OSError | None = None
        for _ in range(len(self._waiting)):
            ended = self._waiting.popleft()
            try:
                add(ended)
            except OSError as error:
                self._waiting.append(ended)  # so another one is tried first next time
                failure = error
                if give_up:
                    break
            else:
                self._size -= ended.size
        if failure is not None:
            raise failure

    def loss(self) -> StoreError | None:
        """Return an error that says what is missing from the log, None if nothing is."""
        return StoreError(f"{self} could not be written: {self._reason}") if self else None


def member_name(id: str | int, epoch: int) -> str:
    """Return the name of a sample's member in a log."""
    return f"samples/{id}_epoch_{epoch}.json"
