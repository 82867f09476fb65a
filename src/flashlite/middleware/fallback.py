"""Asking another model when one fails for good."""

from __future__ import annotations

import logging

from ..errors import (
    BadRequestError,
    CompletionError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
)
from ..types import CompletionRequest, CompletionResponse, Handler

log = logging.getLogger("flashlite.fallback")


async def fallback(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
    """Try `request.fallbacks` in turn; the answer says in `fallback_from` who failed before.

    Each try is a call of its own, with its retries, its log and its place in the cache. A request
    that no model would take is not passed on; the last failure is the one that is raised.
    """
    models = (request.model, *request.fallbacks)
    for number, model in enumerate(models[:-1]):
        try:
            return await _ask(request, models[: number + 1], call_next)
        except CompletionError as error:
            if not _may_another_help(error):
                raise
            log.warning("%s failed, asking %s: %s", model, models[number + 1], error)
    return await _ask(request, models, call_next)


async def _ask(
    request: CompletionRequest, models: tuple[str, ...], call_next: Handler
) -> CompletionResponse:
    """Ask the last of these models; those before it have failed."""
    *failed, model = models
    if failed:
        request = request.with_(model=model)
        if _provider(model) != _provider(failed[0]):  # a key and an address are one provider's
            request = request.with_(api_key=None, base_url=None)
    response = await call_next(request)
    response.fallback_from = tuple(failed)
    return response


def _provider(model: str) -> str:
    return model.partition("/")[0] if "/" in model else ""


def _may_another_help(error: CompletionError) -> bool:
    """Another model may have a longer context, other rules, or a server that runs."""
    others = ContextWindowExceededError | ContentPolicyViolationError
    return not isinstance(error, BadRequestError) or isinstance(error, others)
