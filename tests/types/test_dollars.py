"""Money as a reader sees it: never nothing where there is something."""

from __future__ import annotations

import pytest

from flashlite.types.dollars import dollars


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0.00"),
        (1234.5, "$1,234.50"),
        (0.05, "$0.05"),
        (0.1001, "$0.1001"),
        (0.12345, "$0.1235"),
        (0.002, "$0.002"),
        (0.000999999, "$0.001"),
        (0.00022, "$0.00022"),
        (0.0000128, "$0.000013"),
        (1e-12, "$0.000000000001"),
    ],
)
def test_an_amount_has_cents_and_whatever_digits_tell_it(amount: float, text: str) -> None:
    assert dollars(amount) == text
