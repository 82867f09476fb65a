"""Running blocking functions in threads of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[[], T]) -> T:
    """Run a function in a thread, with the caller's context variables.

    A caller that is cancelled stops waiting at once; the function runs on and its result is
    dropped. Each call gets a new daemon thread and not one of a pool, because functions that hang
    would fill a pool, and a daemon thread does not delay the end of the process.
    """
    settled: Future[tuple[bool, Any]] = Future()  # a future cannot hold a StopIteration
    settled.set_running_or_notify_cancel()
    context = copy_context()

    def work() -> None:
        try:
            settled.set_result((True, context.run(function)))
        except BaseException as error:  # noqa: BLE001 - raised in the caller
            settled.set_result((False, error))

    Thread(target=work, name=f"flashlite-tool-{id(settled):x}", daemon=True).start()
    is_done, outcome = await asyncio.wrap_future(settled)
    if not is_done:
        raise outcome
    value: T = outcome
    return value
