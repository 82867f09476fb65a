"""Sums of Inspect's ModelUsage, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .plain import LARGEST


def add_usage(total: dict[str, Any], name: str, used: Mapping[str, Any]) -> None:
    """Add usage to the sum under a name; the sum has a cost only if all its parts have one.

    No sum exceeds `LARGEST`, the largest integer that JSON's readers agree on.
    """
    known = total.setdefault(name, dict(NOTHING))
    if not used["total_tokens"]:
        return
    if not known["total_tokens"]:
        total[name] = dict(used)
        return
    priced = "total_cost" in known and "total_cost" in used
    for field, value in used.items():
        known[field] = min(known.get(field, 0) + value, LARGEST)
    if not priced:
        known.pop("total_cost", None)


NOTHING = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
