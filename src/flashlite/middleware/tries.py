"""Answers that take several requests: what those before the last one have used counts too."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Sequence

from ..errors import CompletionError, FlashliteError
from ..types import CompletionRequest, CompletionResponse, Handler, Usage


async def ask_after(
    before: Sequence[CompletionResponse], request: CompletionRequest, call_next: Handler
) -> CompletionResponse:
    """Ask for what follows some answers; an error tells what those have used as well."""
    try:
        return await call_next(request)
    except (FlashliteError, CancelledError) as error:
        used = getattr(error, "usage", None)
        error.usage = Usage.total_of([*(response.usage for response in before), used])  # type: ignore[union-attr]
        if isinstance(error, CompletionError):
            error.attempts += sum(response.attempts for response in before)
        raise
