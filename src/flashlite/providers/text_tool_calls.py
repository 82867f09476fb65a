"""Tool calls that a model wrote into its text.

`<tool_call>{"name": …, "arguments": …}</tool_call>` is the form of Hermes and Qwen, which a server
leaves in the text if it is not configured with the model's parser. A call is removed from the
content when it is parsed, so that a history does not contain it twice. A malformed call is still a
call if it has a name: its arguments stay as written, and `ToolCall.parse_error` describes the
problem. Source: https://github.com/NousResearch/Hermes-Function-Calling.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ..types import Choice, Delta, Message, ToolCall
from ..types.ids import new_id

OPEN = "<tool_call>"
_CLOSE = "</tool_call>"
# A looping model may write endless white space, or endless beginnings of calls.
_MOST_SPACE = 100
_MOST_MISTAKEN = 20
_BEGIN = re.compile(rf"<tool_call>\s{{0,{_MOST_SPACE}}}+(?=\{{)")
_TAG = re.compile(r"</?tool_call>")
# Up to the first end tag that is not inside a JSON string, because arguments may contain such tags.
_BODY = re.compile(
    r"""(?:[^"<]++|"(?:[^"\\]|\\.)*+"|<(?!/tool_call>))*+(?=</tool_call>)""", re.DOTALL
)
# Possessive quantifiers skip white space, so that a run of it is read only once.
_KEY = re.compile(r"""\s*+,?+\s*+(["']?)(\w+)\1\s*+:\s*+""")
_QUOTED = re.compile(r"'([^']*)'")
_OBJECT_END = re.compile(r"\s*+,?+\s*+\}")
_NEXT_OBJECT = re.compile(r"[\s,]*(?=\{)")
_CALL_END = re.compile(r"[\s,}]*+</tool_call>")
_NAME_AT_END = re.compile(r""",\s*+(["'])name\1\s*+:\s*+(["'])([^"']+)\2\s*+\}?+\s*+$""")
_ARGUMENTS = ("arguments", "parameters")
_JSON = json.JSONDecoder()


class WrittenCall(NamedTuple):
    """A call as it was written: the name of the tool, and the text of its arguments."""

    name: str
    arguments: str

    def called(self) -> ToolCall:
        """Return the call with an id that is unique in a conversation."""
        return ToolCall(f"call_{new_id()}", self.name, self.arguments)


async def calls_read(deltas: AsyncGenerator[Delta]) -> AsyncGenerator[Delta]:
    """Turn the calls written in a stream's text into tool calls."""
    choices: dict[int, _StreamedChoice] = {}
    async with aclosing(deltas):
        async for delta in deltas:
            if delta.index is None:
                yield delta
                continue
            choice = choices.setdefault(delta.index, _StreamedChoice())
            for told in choice.feed(delta):
                yield told


def with_calls_read(choice: Choice) -> Choice:
    """Turn calls written in a whole answer's text into tool calls, unless it has tool calls."""
    message = choice.message
    text = message.get("content")
    if not isinstance(text, str) or OPEN not in text or message.get("tool_calls"):
        return choice
    pieces = list(pieces_of(text))
    written = [piece for piece in pieces if isinstance(piece, WrittenCall)]
    if not written:
        return choice
    said = "".join(piece for piece in pieces if isinstance(piece, str))
    calls = [call.called().to_dict() for call in written]
    return replace(
        choice,
        message=Message({**message, "content": said or None, "tool_calls": calls}),
        # A server that did not recognize the calls reports "stop".
        finish_reason="tool_calls" if choice.finish_reason == "stop" else choice.finish_reason,
    )


def pieces_of(text: str) -> Iterator[str | WrittenCall]:
    """Yield the texts and the calls in a whole text, in order."""
    parser = TextToolCalls()
    yield from parser.feed(text)
    yield from parser.close()


class TextToolCalls:
    """Finds the calls in a text that arrives in pieces, split anywhere.

    Text is yielded as soon as it cannot be the beginning of a call, a call at its end tag. White
    space after a call belongs to it.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._seam = ""
        self._is_open = False
        self._is_behind_call = False
        self._mistaken = 0

    def feed(self, text: str) -> Iterator[str | WrittenCall]:
        """Yield the texts and calls that this piece completes."""
        if not self._pieces and "<" not in text:
            yield from self._said(text)
            return
        self._pieces.append(text)
        self._seam = self._seam[1 - len(_CLOSE) :] + text
        if self._is_open and _CLOSE not in self._seam:
            return  # only its end tag ends a call; arguments are joined once
        yield from self._read(is_over=False)

    def close(self) -> Iterator[str | WrittenCall]:
        """Yield the unfinished rest at the end of the text."""
        yield from self._read(is_over=True)

    def _read(self, *, is_over: bool) -> Iterator[str | WrittenCall]:
        text, self._pieces, self._is_open = "".join(self._pieces), [], False
        at, last_close = 0, text.rfind(_CLOSE)
        while self._mistaken < _MOST_MISTAKEN and (begin := _BEGIN.search(text, at)):
            yield from self._said(text[at : begin.start()])
            body = _BODY.match(text, begin.end()) if last_close >= begin.end() else None
            if body is None and not is_over:
                self._pieces, self._is_open = [text[begin.start() :]], True
                return
            calls, length = _calls(text[begin.end() :] if body is None else body[0])
            if not calls:  # it only looks like a call
                self._mistaken += 1
                yield from self._said(OPEN)
                at = begin.start() + len(OPEN)
                continue
            yield from calls
            self._is_behind_call = True
            at = begin.end() + length
            closed = _CALL_END.match(text, at)
            at = closed.end() if closed else at
        held = 0 if is_over else _held(text[at:])
        yield from self._said(text[at : len(text) - held])
        if held:
            self._pieces = [text[-held:]]

    def _said(self, text: str) -> Iterator[str]:
        if self._is_behind_call:
            text = text.lstrip()
        if text:
            self._is_behind_call = False
            yield text


@dataclass(slots=True)
class _StreamedChoice:
    """One choice of a stream; after the server's first own tool call, it passes unchanged."""

    parser: TextToolCalls = field(default_factory=TextToolCalls)
    has_own: bool = False

    def feed(self, delta: Delta) -> Iterator[Delta]:
        if delta.tool_call is not None and not self.has_own:
            self.has_own = True
            yield from _deltas(self.parser.close(), delta.index)
        if self.has_own or not (delta.text or delta.finish_reason):
            yield delta
            return
        pieces = list(self.parser.feed(delta.text))
        if pieces == [delta.text] and not delta.finish_reason:
            yield delta
            return
        if delta.finish_reason:
            pieces += self.parser.close()
        yield replace(delta, text="", finish_reason=None)
        yield from _deltas(pieces, delta.index)
        if delta.finish_reason:
            yield Delta(index=delta.index, finish_reason=delta.finish_reason)


def _deltas(pieces: Iterable[str | WrittenCall], index: int | None) -> Iterator[Delta]:
    for piece in pieces:
        if isinstance(piece, str):
            yield Delta(index=index, text=piece)
        else:
            yield Delta(index=index, tool_call=piece.called())


def _calls(text: str) -> tuple[list[WrittenCall], int]:
    """Parse consecutive calls; return them and where the last one ends."""
    calls: list[WrittenCall] = []
    at = 0
    following: re.Match[str] | None = _NEXT_OBJECT.match(text, at)
    while following:
        call, end = _call(text, following.end() + 1)
        if not call.name:
            break
        calls.append(call)
        at = end
        following = _NEXT_OBJECT.match(text, at)
    return calls, at


def _call(text: str, at: int) -> tuple[WrittenCall, int]:
    """Parse the members of one object as far as possible; return the call and where it ends."""
    name, arguments = "", None
    while key := _KEY.match(text, at):
        try:
            value, end = _JSON.raw_decode(text, key.end())
        except (ValueError, RecursionError):
            quoted = _QUOTED.match(text, key.end())
            if quoted is None:
                at = key.end() if key[2] in _ARGUMENTS else at
                break
            value, end = quoted[1], quoted.end()
        if key[2] == "name":
            name = value if isinstance(value, str) else ""
        elif key[2] in _ARGUMENTS:
            written = value if isinstance(value, str) else text[key.end() : end]
            arguments = "" if value is None else written
        at = end
    closed = _OBJECT_END.match(text, at)
    if arguments is None and closed is None:
        return _as_it_stands(text, at, name)
    return WrittenCall(name, arguments or ""), closed.end() if closed else at


def _as_it_stands(text: str, at: int, name: str) -> tuple[WrittenCall, int]:
    """Take text that cannot be parsed as the arguments, without the brace that closes the call.

    Without such text it is not a call: one that was cut off there must not run without arguments.
    """
    tag = _TAG.search(text, at)
    end = tag.start() if tag else len(text)
    written = text[at:end].rstrip()
    if not name and (last := _NAME_AT_END.search(written)):
        return WrittenCall(last[3], written[: last.start()].rstrip()), end
    return WrittenCall(name if written else "", written.removesuffix("}").rstrip()), end


def _held(text: str) -> int:
    """Return how many of the last characters may begin a call."""
    at = text.rfind("<")
    if at < 0:
        return 0
    last = text[at:]
    space = last.removeprefix(OPEN)
    is_opened = len(space) < len(last) and space.isspace() and len(space) <= _MOST_SPACE
    return len(last) if OPEN.startswith(last) or is_opened else 0
