"""Asking another model when one fails for good."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..errors import CacheMiss, CompletionError, ConfigError
from ..types import CompletionRequest, CompletionResponse, Handler, Target

log = logging.getLogger("flashlite.fallback")


class Fallback:
    """Try `request.fallbacks` in turn; the answer says in `fallback_from` who failed before.

    Each try is a call of its own, with its retries, its log and its place in the cache. What was
    given for one provider (key, address, API, headers and fields of its own) goes to no other. A
    request that no model would take is not passed on; the last failure is the one that is raised.
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
        except ConfigError:  # whoever answers will say what is wrong
            return True
        return (here.provider, here.dialect) != (there.provider, there.dialect)
