"""The layer that records every call of a client in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ConfigError
from ..middleware.events import broken
from ..types import CompletionRequest, CompletionResponse, Handler, MessageInput, Target
from .cached_as import cached_as
from .current import at, current_place
from .hearing import hearing_samples, say_recorded
from .logger import InspectLogger
from .messages import check_outcome
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
    cached_as: Mapping[str, Any] | None = None,
) -> None:
    """Record a call in the sample that this task or thread is in.

    With a `logger`, that is the logger's innermost sample; outside all of its samples the call
    becomes a sample of its own. `began` is in Unix seconds, `sent` is the body that went over the
    wire, `cached_as` has the answer's cache keys.
    """
    check_outcome(response, error)
    known: dict[str, Any] = {"began": began, "sent": sent, "cached_as": cached_as}
    _record(ModelCall.just_ended(request, response, error=error, **known), logger)


def _record(call: ModelCall, logger: InspectLogger | None) -> None:
    sample = current_sample() if logger is None else logger.current_sample()
    if sample is not None and not sample.is_over:
        sample.model_call(call)
    elif logger is not None and not logger.is_closed:
        logger.log_call(call)
    elif logger is not None:
        logger.warn_closed()


class InspectLog:
    """A layer that records every call: answer, error, stream, attempts, cache hits and raw request.

    Without a logger, it records only the calls made inside samples with `hears_all`.
    """

    def __init__(
        self,
        logger: InspectLogger | None,
        *,
        target: Callable[[CompletionRequest], Target] | None = None,
    ) -> None:
        if logger is not None and not isinstance(logger, InspectLogger):
            raise ConfigError(f"inspect_logger is an InspectLogger(...); got {logger!r:.80}")
        self._logger, self._target = logger, target

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        is_heard = current_place() is not None and bool(hearing_samples())
        if request.api == "embeddings" or not (self._logger or is_heard):
            return await call_next(request)
        if is_heard:
            say_recorded()
        call = _Call(request, self._logger, self._target)
        try:
            response = await call_next(request.with_(on_send=call.note_sent))
        except BaseException as error:
            call.fail(error)
            raise
        # A plain function, so that an answer that is dropped unread is recorded too.
        await response.on_complete(call.complete)
        return response


class _Call:
    """One call on its way into the log."""

    def __init__(
        self,
        request: CompletionRequest,
        logger: InspectLogger | None,
        target: Callable[[CompletionRequest], Target] | None,
    ) -> None:
        self._request, self._logger, self._target = request, logger, target
        # A stream may end anywhere, even in the garbage collector: the place it began in counts.
        self._began, self._place = time.time(), current_place()
        self._sent: Mapping[str, Any] | None = None

    def note_sent(self, body: Mapping[str, Any]) -> None:
        """Keep the body that goes over the wire; with several attempts, the last one."""
        self._sent = body
        if self._request.on_send is not None:
            self._request.on_send(body)

    def complete(self, response: CompletionResponse) -> None:
        error = None if response.ok else broken(self._request, response)
        self._record(response, error)

    def fail(self, error: BaseException) -> None:
        """Record a call that failed or was cancelled."""
        self._record(None, error)

    def _record(self, response: CompletionResponse | None, error: BaseException | None) -> None:
        named = None
        if response is not None and error is None and self._target is not None:
            named = cached_as(self._request, response, self._target(self._request))
        known: dict[str, Any] = {"began": self._began, "sent": self._sent, "cached_as": named}
        call = ModelCall.just_ended(self._request, response, error=error, **known)
        with at(self._place):
            samples = hearing_samples()
            for sample in samples:
                sample.model_call(call)
            if self._logger is not None and not any(map(self._logger.has, samples)):
                _record(call, self._logger)
