"""A thread that publishes again whenever there is something new."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter

_SHARE = 20  # publishing may take one twentieth of the time


class Publisher:
    """Calls `prepare` once, then `publish` soon after each `wake`, but not too often.

    Between two calls it waits for `interval` seconds, or longer if publishing is slow.
    """

    def __init__(
        self, publish: Callable[[], None], prepare: Callable[[], None], *, interval: float
    ) -> None:
        self._publish, self._prepare, self._interval = publish, prepare, interval
        self._wake, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, name="flashlite logs", daemon=True)
        with suppress(RuntimeError):  # there are too many threads, or the interpreter is ending
            self._thread.start()

    def wake(self) -> None:
        """Note that there is something new to publish."""
        if not self._wake.is_set():
            self._wake.set()

    def end(self) -> None:
        """End the thread and wait for it."""
        self._end.set()
        self._wake.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _live(self) -> None:
        self._prepare()
        while self._wake.wait() and not self._end.is_set():
            self._wake.clear()
            began = perf_counter()
            self._publish()
            self._end.wait(max(self._interval, _SHARE * (perf_counter() - began)))
