"""Where we cooperate with parts of Inspect that it does not export.

Each is optional: should a release move one, its line of comfort goes and evals go on. Last seen in
Inspect 0.3.285; `tests/inspect_ai/test_private.py` tells when that changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from inspect_ai.model import GenerateConfig, ModelCall

try:
    from inspect_ai._util.error import PrerequisiteError
except ImportError:  # pragma: no cover - only with another Inspect
    PrerequisiteError = RuntimeError  # type: ignore[misc,assignment]

try:
    from inspect_ai.log._samples import set_active_model_event_call as _show_call
except ImportError:  # pragma: no cover - only with another Inspect
    _show_call = None  # type: ignore[assignment]

try:
    from inspect_ai.log._samples import _active_model_event as _event
except ImportError:  # pragma: no cover - only with another Inspect
    _event = None  # type: ignore[assignment]

try:
    from inspect_ai.log._samples import report_active_model_request_id as _report_id
except ImportError:  # pragma: no cover - only with another Inspect
    _report_id = None  # type: ignore[assignment]

try:
    from inspect_ai.model._cache import epoch as _epoch
except ImportError:  # pragma: no cover - only with another Inspect
    _epoch = None  # type: ignore[assignment]

try:
    from inspect_ai.model._generate_overrides import generate_config_override as _override
except ImportError:  # pragma: no cover - only with another Inspect
    _override = None  # type: ignore[assignment]

__all__ = [
    "PrerequisiteError",
    "attach_call",
    "current_epoch",
    "live_setting",
    "report_request_id",
    "show_call",
]


def show_call(request: Mapping[str, Any], filter: Any) -> ModelCall:
    """Record a request, and show it in the running event while the answer is awaited."""
    if _show_call is None:  # pragma: no cover - only with another Inspect
        return ModelCall.create(request, None, filter)
    return _show_call(request, filter)


def attach_call(call: ModelCall) -> None:
    """Put a finished call into the running event, for an attempt that ends by raising."""
    event = None if _event is None else _event.get()
    if event is not None:
        event.call = call


def report_request_id(request_id: str, *, header: str, status: int) -> None:
    """Note the provider's id of a request in the running event."""
    if _report_id is not None:
        _report_id(request_id, header, status)


def current_epoch() -> int | None:
    """Return the epoch of the running sample, None outside of one."""
    return None if _epoch is None else _epoch.get(None)


def live_setting(
    name: Literal["attempt_timeout", "max_retries", "timeout"], config: GenerateConfig
) -> int | None:
    """Return a setting as it is now: `inspect ctl config` may change it while an eval runs."""
    given: int | None = getattr(config, name)
    return given if _override is None else _override(name, given)
