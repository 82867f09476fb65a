"""Forks: a SQLite file must not be open while its process is copied.

SQLite counts its locks in the memory of the process. A child inherits the counts but not the locks,
and so takes the file for locked forever, or for its own. So open files are written and closed
before a fork, and opened again in parent and child at their next use.
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
        """Close, and return when that is done or has taken too long."""
        ...


_gate = threading.Lock()  # held while a file is opened, and during a fork
_open: WeakSet[Closing] = WeakSet()


@contextmanager
def opening(file: Closing) -> Iterator[None]:
    """Open a file in the body: a fork waits for the body, and closes the file first."""
    _watch()
    with _gate:
        yield
        _open.add(file)


@cache  # forever: a registration cannot be undone
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
