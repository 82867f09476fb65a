"""The parts of Inspect that we use although it does not export them.

Each is optional: if a release moves one, evals still run without that convenience. Last checked
with Inspect 0.3.285; `tests/inspect_ai/test_private.py` fails when that changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from inspect_ai.event import InfoEvent, SampleLimitEvent
from inspect_ai.log import transcript
from inspect_ai.model import (
    GenerateConfig,
    ModelCall,
    StreamReasoningEvent,
    StreamTextEvent,
    StreamToolCallEvent,
)

try:
    from inspect_ai._util.error import PrerequisiteError
except ImportError:  # pragma: no cover - only with another Inspect
    PrerequisiteError = RuntimeError  # type: ignore[misc,assignment]

try:
    from inspect_ai._util.exception import TerminateSampleError
except ImportError:  # pragma: no cover - only with another Inspect
    TerminateSampleError = type("TerminateSampleError", (RuntimeError,), {})  # type: ignore[misc,assignment]

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

try:
    from inspect_ai.util._concurrency import _request_was_cache_hit as _was_cached
except ImportError:  # pragma: no cover - only with another Inspect
    _was_cached = None  # type: ignore[assignment]

try:
    from inspect_ai.model import _stream
except ImportError:  # pragma: no cover - only with another Inspect
    _stream = None  # type: ignore[assignment]

__all__ = [
    "PrerequisiteError",
    "TerminateSampleError",
    "attach_call",
    "current_epoch",
    "is_stream_wanted",
    "live_setting",
    "note_cache_hit",
    "note_limit",
    "note_text",
    "report_delta",
    "report_progress",
    "report_request_id",
    "report_stream_start",
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


def note_limit(message: str, *, limit: float) -> None:
    """Record in the transcript that our limit ends the sample, as Inspect does for its own."""
    record = getattr(transcript(), "_event", None)
    if record is not None:
        record(SampleLimitEvent(type="custom", message=message, limit=limit))


def note_text(text: str, *, source: str, metadata: dict[str, Any]) -> None:
    """Record a text in the transcript with metadata, which Inspect's own `info()` does not take."""
    record = getattr(transcript(), "_event", None)
    if record is not None:
        record(InfoEvent(data=text, source=source, metadata=metadata))
    else:  # pragma: no cover - only with another Inspect
        transcript().info(text, source=source)


def note_cache_hit() -> None:
    """Mark this answer as cached by us: adaptive connections then do not count it."""
    if _was_cached is not None:
        _was_cached.set(True)
    event = None if _event is None else _event.get()
    if event is not None:
        event.cache = "read"


def is_stream_wanted() -> bool:
    """Whether Inspect wants a stream: somebody watches the call, or its idle time is limited."""
    return _stream is not None and _stream.model_stream_requested()


def report_stream_start() -> None:
    """Tell Inspect that an answer has begun to arrive."""
    if _stream is not None:
        _stream.report_model_stream_start()


def report_progress(output_tokens: int | None = None) -> None:
    """Tell Inspect that something arrived, and the answer's tokens so far if known."""
    if _stream is not None:
        _stream.report_model_stream_progress(output_tokens)


async def report_delta(delta: StreamTextEvent | StreamReasoningEvent | StreamToolCallEvent) -> None:
    """Pass a piece of the answer to Inspect."""
    if _stream is not None:
        await _stream.report_model_stream_delta(delta)


def current_epoch() -> int | None:
    """Return the epoch of the running sample, None outside a sample."""
    return None if _epoch is None else _epoch.get(None)


def live_setting(
    name: Literal["attempt_timeout", "max_retries", "timeout"], config: GenerateConfig
) -> int | None:
    """Return a setting's current value: `inspect ctl config` may change it during an eval."""
    given: int | None = getattr(config, name)
    return given if _override is None else _override(name, given)
