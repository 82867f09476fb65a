"""Forks: a SQLite file must not be open while its process is copied.

SQLite keeps count of its locks in the memory of the process. A child inherits the count but not the
locks, and takes the file for locked for ever, or for its own. So what is open is closed before a
fork, with everything written, and opens again in parent and child when they use it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Protocol
from weakref import WeakSet


class Closing(Protocol):
    """Something that can be closed from any thread."""

    def end_in_time(self) -> None:
        """Close, and return when that is done or takes too long."""
        ...


_gate = threading.Lock()  # held while something opens, and while the process is copied
_open: WeakSet[Closing] = WeakSet()


@contextmanager
def opening(file: Closing) -> Iterator[None]:
    """Open something in here: the process is not copied meanwhile, and not before it is closed."""
    _watch()
    with _gate:
        yield
        _open.add(file)


@cache  # for ever: what is registered cannot be taken back
def _watch() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before, after_in_parent=_gate.release, after_in_child=_after)


def _before() -> None:
    _gate.acquire()
    for file in list(_open):
        file.end_in_time()


def _after() -> None:
    _open.clear()
    _gate.release()
