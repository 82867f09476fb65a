"""The names of samples in a log: pairs of an id and an epoch, each unique."""

from __future__ import annotations

import threading
from typing import Any

from ..errors import ConfigError
from .plain import LARGEST, plain

_LONGEST = 1 << 15  # bytes; names in a zip archive have less than twice that


class Keys:
    """Gives out names; any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: set[tuple[str, int]] = set()
        self._last: dict[str, int] = {}
        self._count = 0

    def take(self, id: Any, epoch: int | None) -> tuple[str | int, int]:
        """Return a new name: by default the next number as id, and the id's next epoch.

        Raises ConfigError for an epoch that the log already has.
        """
        with self._lock:
            if id is None:
                id = self._next_number()
            id = id if type(id) is int and abs(id) < LARGEST else plain(str(id))
            if len(str(id).encode()) > _LONGEST:
                raise ConfigError(f"a sample's id has at most {_LONGEST} bytes: name it shorter")
            if epoch is None:
                epoch = self._last.get(str(id), 0) + 1
            elif type(epoch) is not int or not 1 <= epoch <= LARGEST:
                raise ConfigError(f"an epoch is a whole number from 1; got {epoch!r}")
            elif (str(id), epoch) in self._taken:
                raise ConfigError(
                    f"the log has sample {id!r} of epoch {epoch}: leave `epoch` out for the next"
                )
            self._taken.add((str(id), epoch))
            self._last[str(id)] = max(epoch, self._last.get(str(id), 0))
            return id, epoch

    def _next_number(self) -> int:
        self._count += 1
        while str(self._count) in self._last:
            self._count += 1
        return self._count
