"""Keeping Python's garbage collector from stopping everything while very many requests wait."""

from __future__ import annotations

import gc

_EVERY = 1_000  # requests


class Stillness:
    """What waits for hours is no garbage: it need not be looked through again and again.

    A request that waits is some sixty objects. Of 50,000 such requests each full collection stops
    the process for more than a second, and there is one whenever there are a quarter more of them.
    So after each thousand, all that is there by then is left out of later collections, until
    `end`; what is made and dropped afterwards is collected as ever. This holds for the process.
    """

    def __init__(self) -> None:
        self._waiting = 0

    def add(self) -> None:
        """Count one more request that waits."""
        self._waiting += 1
        if not self._waiting % _EVERY:
            gc.collect(1)  # the young, which takes no time
            gc.freeze()

    def end(self) -> None:
        """Have everything looked at again."""
        if self._waiting >= _EVERY:
            gc.unfreeze()
        self._waiting = 0
