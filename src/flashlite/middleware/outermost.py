"""The outermost layer: it checks what leaves the engine, because layers may be a caller's own."""

from __future__ import annotations

from functools import partial
from time import perf_counter

from ..errors import APITimeoutError, ConfigError
from ..types import CompletionRequest, CompletionResponse, Handler


async def outermost(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
    """Return only answers, raise only flashlite's errors, and record the total duration."""
    started = perf_counter()
    try:
        response = await call_next(request)
    except TimeoutError as error:  # Inspect would end the sample without an error
        raise APITimeoutError(f"a layer ran out of time: {error}".rstrip(": ")) from error
    if not isinstance(response, CompletionResponse):
        raise ConfigError(
            f"a layer or provider returned {type(response).__name__}: it has to return the "
            "response of call_next(request), or one of its own"
        )
    await response.on_complete(partial(_note_duration, started))
    return response


def _note_duration(started: float, response: CompletionResponse) -> None:
    response.duration = perf_counter() - started
