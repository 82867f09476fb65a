"""The end of a process, in which what was not waited for is still written."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from functools import cache


def at_end(act: Callable[[], None]) -> None:
    """Call a function when this process ends: once or twice, however often this is said.

    A fork says it anew. A process that is killed calls nothing.
    """
    _register(os.getpid(), act)


@cache
def _register(pid: int, act: Callable[[], None]) -> None:
    atexit.register(act)
    multiprocessing = sys.modules.get("multiprocessing.util")
    if multiprocessing is not None:  # its children run nothing that is registered with atexit
        multiprocessing.Finalize(None, act, exitpriority=0)
