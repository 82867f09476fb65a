"""The last look at what leaves the engine: some layers are a caller's own."""

from __future__ import annotations

from functools import partial
from time import perf_counter

from ..errors import APITimeoutError, ConfigError
from ..types import CompletionRequest, CompletionResponse, Handler


async def outermost(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
    """Let nothing out but answers and errors of ours, and note how long it all took."""
    started = perf_counter()
    try:
        response = await call_next(request)
    except TimeoutError as error:  # Inspect takes one for the end of a sample, without an error
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
