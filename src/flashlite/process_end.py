"""The end of a process, at which pending data is still written."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from functools import cache


def at_end(act: Callable[[], None]) -> None:
    """Register a function to be called when this process ends; registering again has no effect.

    It may be called twice. A forked child has to register it again. A killed process calls nothing.
    """
    _register(os.getpid(), act)


@cache
def _register(pid: int, act: Callable[[], None]) -> None:
    atexit.register(act)
    multiprocessing = sys.modules.get("multiprocessing.util")
    if multiprocessing is not None:  # its child processes do not run atexit functions
        multiprocessing.Finalize(None, act, exitpriority=0)
