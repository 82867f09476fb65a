"""What several requests for one answer have used, and how much of it nobody knows."""

from __future__ import annotations

import asyncio

import pytest

from flashlite.errors import (
    APIConnectionError,
    BudgetExceededError,
    FlashliteError,
    InternalServerError,
)
from flashlite.middleware.tries import ask_after, sum_up
from flashlite.testing import ScriptedProvider
from flashlite.types import CompletionRequest, CompletionResponse, Usage

REQUEST = CompletionRequest(model="m", messages=())
PRICED = Usage(input_tokens=10, output_tokens=5, total_cost=0.5)
UNPRICED = Usage(input_tokens=20, output_tokens=5)


def tries(*usages: Usage | None, lost: int = 0) -> list[CompletionResponse]:
    return [CompletionResponse.of("x", usage=usage, lost=lost) for usage in usages]


@pytest.mark.parametrize(
    ("usages", "tokens", "cost", "lost"),
    [
        ([PRICED, PRICED], 30, 1.0, 0),
        ([PRICED, UNPRICED], 40, 0.5, 1),
        ([None, PRICED], 15, 0.5, 1),
        ([UNPRICED, UNPRICED], 50, None, 1),  # and one more, as the sum has no cost
        ([None, None, None], None, None, 2),
    ],
)
def test_what_nobody_knows_is_counted_beside_what_is_known(
    usages: list[Usage | None], tokens: int | None, cost: float | None, lost: int
) -> None:
    whole = CompletionResponse()
    sum_up(whole, tries(*usages))
    total = whole.usage and whole.usage.total_tokens
    assert (total, whole.cost, whole.lost, whole.attempts) == (tokens, cost, lost, len(usages))


@pytest.mark.parametrize(
    ("error", "used", "lost"),
    [
        (InternalServerError("down"), 0.5, 1),  # a refusal costs nothing
        (APIConnectionError("cut"), 0.5, 2),
        (asyncio.CancelledError(), 0.5, 2),
        (BudgetExceededError("no", limit=1, spent=1, needed=1), 0.5, 1),
    ],
)
async def test_an_error_tells_what_came_before_it_and_whether_it_may_be_billed_too(
    error: FlashliteError, used: float, lost: int
) -> None:
    before = tries(PRICED) + tries(None)
    with pytest.raises(type(error)):
        await ask_after(before, REQUEST, ScriptedProvider([error]))
    assert (error.usage.total_cost, getattr(error, "lost", None)) == (used, lost)
