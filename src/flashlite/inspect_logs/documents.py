"""A sample and its summary in the form of Inspect's logs (`inspect_ai/log/_log.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .plain import Fragment
from .transcript import Transcript

_LONGEST = 5120  # characters of a text in a summary, as Inspect cuts them
_LONGEST_EXTRA = 1024  # bytes, roughly, of a value in metadata


def to_document(
    about: Mapping[str, Any],
    transcript: Transcript,
    *,
    completed_at: str,
    total_time: float,
    **more: Any,
) -> dict[str, Any]:
    """Return an EvalSample; `more` are fields beside its transcript, None for absent ones.

    It is JSON for `plain.encode`, in which events and pools are already encoded.
    """
    messages = more.pop("messages", None) or transcript.conversation()
    output = more.pop("output", None) or transcript.output
    document = {
        **about,
        "messages": messages,
        "output": output,
        "store": {},
        "events": [Fragment(event) for event in transcript.events],
        "events_data": {
            "messages": [Fragment(item) for item in transcript.messages.items],
            "calls": [Fragment(item) for item in transcript.calls.items],
        },
        "attachments": transcript.attachments,
        "model_usage": transcript.model_usage,
        "role_usage": transcript.role_usage,
        "completed_at": completed_at,
        "total_time": total_time,
        "working_time": min(transcript.working_time, total_time),
        "error_retries": [],
        "turn_count": transcript.turns,
    }
    return document | {name: value for name, value in more.items() if value is not None}


def to_summary(document: Mapping[str, Any], *, completed: bool = True) -> dict[str, Any]:
    """Return the EvalSampleSummary of a sample."""
    error = document.get("error")
    summary = {
        **{name: document[name] for name in _SAME if name in document},
        "input": _thin_input(document["input"]),
        "target": _thin_target(document["target"]),
        "metadata": _thin(document.get("metadata", {})),
        "completed": completed,
        "retries": 0,
        "message_count": len(document.get("messages", ())),
    }
    if scores := document.get("scores"):
        summary["scores"] = {name: _thin_score(score) for name, score in scores.items()}
    if error:
        summary["error"] = error["message"]
    return summary


_SAME = (
    "id", "epoch", "uuid", "model_usage", "role_usage", "started_at", "completed_at",
    "total_time", "working_time", "turn_count",
)  # fmt: skip


def _thin_input(given: Any) -> Any:
    if isinstance(given, str):
        return _cut(given)
    return [{**message, "content": _thin_content(message["content"])} for message in given]


def _thin_content(content: Any) -> Any:
    if isinstance(content, str):
        return _cut(content)
    return [
        {"type": "text", "text": _cut(part["text"])}
        if part["type"] == "text"
        else {"type": "text", "text": f"({part['type'].capitalize()})"}
        for part in content
    ]


def _thin_target(target: Any) -> Any:
    return _cut(target) if isinstance(target, str) else [_cut(text) for text in target]


def _thin_score(score: Mapping[str, Any]) -> dict[str, Any]:
    thin = dict(score)
    for name in ("answer", "explanation"):
        if name in thin:
            thin[name] = _cut(thin[name], _LONGEST_EXTRA)
    if "metadata" in thin:
        thin["metadata"] = _thin(thin["metadata"])
    return thin


def _thin(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata with long texts truncated and other long values left out."""
    cut = {
        name: _cut(value, _LONGEST_EXTRA) if isinstance(value, str) else value
        for name, value in metadata.items()
    }
    return {name: value for name, value in cut.items() if _size(value) <= 2 * _LONGEST_EXTRA}


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return sum(len(name) + _size(member) for name, member in value.items()) + 2
    if isinstance(value, list):
        return sum(map(_size, value)) + 2
    return len(value) if isinstance(value, str) else 8


def _cut(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else f"{text[:longest]}...\n(content truncated)"
