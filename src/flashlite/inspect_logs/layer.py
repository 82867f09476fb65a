"""The layer that puts every call of a client into a log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError
from ..middleware.events import broken
from ..types import CompletionRequest, CompletionResponse, Handler, MessageInput
from .current import at, current_place
from .logger import InspectLogger
from .model_events import ModelCall
from .samples import current_sample


def record_model_call(
    request: CompletionRequest | MessageInput,
    response: CompletionResponse | str | None = None,
    *,
    error: BaseException | None = None,
    logger: InspectLogger | None = None,
    began: float | None = None,
    sent: Mapping[str, Any] | None = None,
) -> None:
    """Record a call in the sample that this task or thread is in.

    With a `logger`, it is the innermost one of that logger, and outside of all the call is a sample
    of its own. `began` is in Unix seconds, `sent` the body that went over the wire.
    """
    call = ModelCall.just_ended(request, response, error=error, began=began, sent=sent)
    sample = current_sample() if logger is None else logger.current_sample()
    if sample is not None and not sample.is_over:
        sample.model_call(call)
    elif logger is not None and not logger.is_closed:
        logger.log_call(call)


class InspectLog:
    """Record every call: answers, errors, streams, attempts, cache hits and what was sent."""

    def __init__(self, logger: InspectLogger) -> None:
        if not isinstance(logger, InspectLogger):
            raise ConfigError(f"inspect_logger is an InspectLogger(...); got {logger!r:.80}")
        self._logger = logger

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        if request.api == "embeddings":
            return await call_next(request)
        call = _Call(request, self._logger)
        try:
            response = await call_next(request.with_(on_send=call.note_sent))
        except BaseException as error:
            call.fail(error)
            raise
        # A plain function, so that an answer which is dropped unread is recorded too.
        await response.on_complete(call.complete)
        return response


class _Call:
    """One call on its way into the log."""

    def __init__(self, request: CompletionRequest, logger: InspectLogger) -> None:
        self._request, self._logger = request, logger
        # A stream may end anywhere, even in the garbage collector: it belongs where it began.
        self._began, self._place = time.time(), current_place()
        self._sent: Mapping[str, Any] | None = None

    def note_sent(self, body: Mapping[str, Any]) -> None:
        """Keep what goes over the wire; of several attempts the last one."""
        self._sent = body
        if self._request.on_send is not None:
            self._request.on_send(body)

    def complete(self, response: CompletionResponse) -> None:
        error = None if response.ok else broken(self._request, response)
        self._record(response, error)

    def fail(self, error: BaseException) -> None:
        """Record a call that brought no answer, or was ended from outside."""
        self._record(None, error)

    def _record(self, response: CompletionResponse | None, error: BaseException | None) -> None:
        with at(self._place):
            record_model_call(
                self._request,
                response,
                error=error,
                logger=self._logger,
                began=self._began,
                sent=self._sent,
            )
