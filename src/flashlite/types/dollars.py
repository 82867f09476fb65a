"""Amounts of money as text."""

from __future__ import annotations

from decimal import Decimal


def dollars(amount: float) -> str:
    """Return US dollars as text with two to four decimals.

    Amounts below $0.001 have two significant digits instead, so that only zero is "$0.00".
    """
    is_tiny = 0 < amount < 0.001
    text = f"{Decimal(f'{amount:.1e}'):f}" if is_tiny else f"{amount:,.4f}"
    whole, _, part = text.partition(".")
    return f"${whole}.{part.rstrip('0'):0<2}"
