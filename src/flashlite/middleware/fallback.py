"""The layer that asks another model when one fails for good."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..errors import CacheMiss, CompletionError, ConfigError
from ..types import CompletionRequest, CompletionResponse, Handler, Target

log = logging.getLogger("flashlite.fallback")


class Fallback:
    """Try `request.fallbacks` in turn; the answer's `fallback_from` names the models that failed.

    Each try is a call of its own, with its own retries, log records and cache entry. What was given
    for one provider (key, address, API, extra headers and body fields) is sent to no other. A
    request that no model would accept is not passed on; the last failure is the one that is raised.
    """

    def __init__(self, target: Callable[[CompletionRequest], Target]) -> None:
        self._target = target

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        models = (request.model, *request.fallbacks)
        for number, model in enumerate(models[:-1]):
            try:
                return await call_next(self._asking(request, models[: number + 1]))
            except (CompletionError, CacheMiss) as error:
                if not error.may_another_help:
                    raise
                log.warning("%s failed, asking %s: %s", model, models[number + 1], error)
        return await call_next(self._asking(request, models))

    def _asking(self, request: CompletionRequest, models: tuple[str, ...]) -> CompletionRequest:
        """Return the request to the last of these models; those before it have failed."""
        *failed, model = models
        if not failed:
            return request
        other = request.with_(model=model, fallback_from=tuple(failed))
        if self._is_elsewhere(request, other):
            other = other.with_(
                api_key=None, base_url=None, api=None, extra_headers={}, extra_body={}
            )
        return other

    def _is_elsewhere(self, request: CompletionRequest, other: CompletionRequest) -> bool:
        try:
            here, there = self._target(request), self._target(other)
        except ConfigError:  # raised again, with its reason, when the request is sent
            return True
        return (here.provider, here.dialect) != (there.provider, there.dialect)
