"""The engine under Inspect: one for the process, since Inspect's models outlive evals and loops."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..client import Flashlite
from ..middleware import RetryConfig
from ..providers import MockProvider
from ..types import Timeout

# Inspect owns retries and deadlines: each call is one request, as long as it takes.
_ONCE = RetryConfig(max_attempts=1)
_PATIENT = Timeout(total=None, connect=60.0)


@cache
def shared_engine() -> Flashlite:
    """Return the engine that all `flashlite/…` models of this process share."""
    return Flashlite(retry=_ONCE, timeout=_PATIENT)


def mock_engine(name: str, options: dict[str, Any]) -> Flashlite:
    """Return an engine for one mock model, whose scripts and faults are its own."""
    return Flashlite(
        provider=MockProvider(name.removeprefix("mock/"), **options), retry=_ONCE, timeout=_PATIENT
    )
