"""The engine under Inspect: one for the process, since Inspect's models outlive evals and loops."""

from __future__ import annotations

from functools import cache
from typing import Any

from ..client import Flashlite
from ..middleware import RetryConfig
from ..providers import MockProvider
from ..types import Timeout

# Inspect owns retries: each call is one request. Its own deadlines are off by default, so that a
# server that hangs would hold an eval for ever.
_ONCE = RetryConfig(max_attempts=1)
REQUEST_TIMEOUT = 1800.0


def patient(seconds: float = REQUEST_TIMEOUT) -> Timeout:
    """Return the limits of one request; raises ConfigError for what is no number of seconds."""
    return Timeout(total=seconds, connect=60.0)


@cache
def shared_engine() -> Flashlite:
    """Return the engine that all `flashlite/…` models of this process share."""
    return Flashlite(retry=_ONCE, timeout=patient())


def mock_engine(name: str, options: dict[str, Any]) -> Flashlite:
    """Return an engine for one mock model, whose scripts and faults are its own."""
    return Flashlite(
        provider=MockProvider(name.removeprefix("mock/"), **options), retry=_ONCE, timeout=patient()
    )
