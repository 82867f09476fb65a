"""Converting messages to Gemini's `contents` and `systemInstruction`.

Thought signatures are kept in an assistant message's `thinking_blocks`, with their places:

    {"type": "thought_signature", "tool_call_id": "call_0", "signature": "…"}   on that call
    {"type": "thought_signature", "tool_call_id": None, "signature": "…"}       on the text
    {"type": "google_part", "part": {…}}    a part that OpenAI's form cannot express, unchanged

A signed image has its own signature under the key `thought_signature`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from ...errors import ConfigError
from ...models.gemini import Gemini
from ...types import Message, Role
from ..spelling import understood
from .parts import Part, parts

Turn = tuple[str, list[Part]]
"""The side of a turn (model, tool or user), and its parts."""

_RESULT = "functionResponse"
_KINDS = {Role.ASSISTANT: "model", Role.TOOL: "tool", Role.USER: "user"}

# Ids generated here because the API gave none; it would not know them.
_MADE_UP = re.compile(r"call_\d{1,6}")

# Google's documented signature for calls that another model made.
_UNSIGNED = "skip_thought_signature_validator"


def system_instruction(messages: Sequence[Message], model: Gemini) -> dict[str, Any] | None:
    """Return all system messages as one, or None if there is none or the model takes none."""
    said = list(_system_parts(messages)) if model.takes_system else []
    return {"parts": said} if said else None


def contents(messages: Sequence[Message], model: Gemini) -> list[dict[str, Any]]:
    """Return the turns; consecutive messages of a side are merged, tool results are a side.

    Raises ConfigError for a result without a call, and for a conversation without messages.
    """
    turns: list[Turn] = []
    names: dict[str, str] = {}
    order: dict[str, int] = {}
    if not model.takes_system:
        _add(turns, "user", _system_parts(messages))
    spoken = [message for message in messages if message.role in _KINDS]
    for kind, run in groupby(spoken, key=lambda message: _KINDS[message.role]):
        turn = list(run)
        if kind == "model":
            calls = [call for message in turn for call in message.tool_calls or ()]
            order = {call.id: place for place, call in enumerate(calls)}
            names |= {call.id: call.name for call in calls}
        elif kind == "tool":
            # Before Gemini 3 a result is matched with its call only by name and order.
            turn.sort(key=lambda message: order.get(message.tool_call_id or "", len(order)))
        said = [part for message in turn for part in _spell(message, names, model)]
        # All results come before the media that belong to them.
        _add(turns, kind, sorted(said, key=lambda part: kind == "tool" and _RESULT not in part))
    if not turns:
        raise ConfigError("Gemini needs a message besides the system's: add a user message")
    if model.is_third:
        _sign_foreign_calls(turns)
    return [{"role": "model" if kind == "model" else "user", "parts": p} for kind, p in turns]


def _add(turns: list[Turn], kind: str, said: Iterable[Part]) -> None:
    """Add parts to the last turn if it is of the same side, else as a new turn; skip empty ones."""
    said = list(said)
    if said and turns and turns[-1][0] == kind:
        turns[-1][1].extend(said)
    elif said:
        turns.append((kind, said))


def _system_parts(messages: Iterable[Message]) -> Iterator[Part]:
    for message in messages:
        if message.role not in _KINDS:
            yield from parts(message.content)


def _spell(message: Message, names: Mapping[str, str], model: Gemini) -> Iterable[Part]:
    match message.role:
        case Role.ASSISTANT:
            return _answer(message, model)
        case Role.TOOL:
            return _result(message, names, model)
        case _:
            return parts(message.content)


def _answer(message: Message, model: Gemini) -> Iterator[Part]:
    """Yield an answer's parts, each with its original signature."""
    signatures: dict[str | None, str] = {}
    for block in message.get("thinking_blocks") or ():
        if block.get("type") == "google_part":
            yield block["part"]
        elif block.get("type") == "thought_signature":
            signatures[block.get("tool_call_id")] = block["signature"]
    yield from _content(understood(message), signatures.get(None))
    for call in message.tool_calls or ():
        wire = {"name": call.name, "args": call.arguments} | _id(call.id, model)
        yield {"functionCall": wire} | _signature(signatures.get(call.id))


def _content(content: Any, signature: str | None) -> list[Part]:
    given = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
    said = [
        part | _signature(item.get("thought_signature")) for item in given for part in parts([item])
    ]
    if signature is not None:
        text = next((part for part in reversed(said) if "text" in part), None)
        if text is None:
            said.append(text := {"text": ""})
        text["thoughtSignature"] = signature
    return said


def _result(message: Message, names: Mapping[str, str], model: Gemini) -> Iterator[Part]:
    """Yield a function's result; media are inside if the model takes that, else follow it."""
    id = message.tool_call_id or ""
    name = names.get(id) or message.name
    if name is None:
        raise ConfigError(f"a tool result answers the call {id!r}, and no message before made it")
    said = {"error" if message.get("is_error") else "output": message.text}
    shown = [] if isinstance(message.content, str) else list(parts(message.content))
    media = [part for part in shown if "text" not in part]
    wire: dict[str, Any] = {"name": name, "response": said} | _id(id, model)
    if media and model.is_third:
        wire["parts"] = media
    yield {_RESULT: wire}
    if not model.is_third:
        yield from media


def _id(id: str, model: Gemini) -> dict[str, str]:
    return {"id": id} if id and model.is_third and not _MADE_UP.fullmatch(id) else {}


def _signature(signature: str | None) -> Part:
    return {} if signature is None else {"thoughtSignature": signature}


def _sign_foreign_calls(turns: Sequence[Turn]) -> None:
    """Sign the calls since the last user message that have no signature.

    The API checks only these, and of parallel calls only the first is signed.
    """
    for kind, said in reversed(turns):
        if kind == "user":
            return
        calls = [part for part in said if "functionCall" in part]
        if calls and not any("thoughtSignature" in part for part in calls):
            calls[0]["thoughtSignature"] = _UNSIGNED
