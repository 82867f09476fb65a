"""Usage of answers that take several requests: the earlier ones count too."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Sequence
from typing import Any

from ..errors import FlashliteError
from ..types import CompletionRequest, CompletionResponse, Handler, Usage


async def ask_after(
    before: Sequence[CompletionResponse], request: CompletionRequest, call_next: Handler
) -> CompletionResponse:
    """Ask for what follows some answers; add their usage to any error."""
    try:
        return await call_next(request)
    except (FlashliteError, CancelledError) as error:
        _note(error, before)
        raise


def sum_up(whole: CompletionResponse, tries: Sequence[CompletionResponse]) -> None:
    """Add up the usage of several responses in one.

    A response of unknown cost is counted in `lost`; its tokens count if they are known.
    """
    unknown = sum(not _is_priced(one.usage) for one in tries)
    whole.usage = total([one.usage for one in tries])
    # If all are unknown, the missing usage already stands for one of them.
    whole.lost = sum(one.lost for one in tries) + unknown - (unknown == len(tries))
    whole.attempts = sum(one.attempts for one in tries)


def _note(error: FlashliteError | CancelledError, before: Sequence[CompletionResponse]) -> None:
    used: Usage | None = getattr(error, "usage", None)
    may_be_billed = getattr(error, "may_be_billed", isinstance(error, CancelledError))
    if used is None and not may_be_billed:
        used = Usage().costing(0.0, 0.0)
    told: dict[str, Any] = {name: getattr(error, name, 0) for name in ("lost", "attempts")}
    sums = CompletionResponse()
    sum_up(sums, [*before, CompletionResponse(usage=used, **told)])
    error.__dict__.update(usage=sums.usage, lost=sums.lost, attempts=sums.attempts)


def total(usages: Sequence[Usage | None]) -> Usage | None:
    """Return the sum; a usage without a price adds only tokens if others have a price."""
    if not any(_is_priced(usage) for usage in usages):
        return Usage.total_of(usages)
    return Usage.total_of(
        usage if usage is None or _is_priced(usage) else usage.costing(0.0, 0.0) for usage in usages
    )


def _is_priced(usage: Usage | None) -> bool:
    return usage is not None and usage.total_cost is not None
