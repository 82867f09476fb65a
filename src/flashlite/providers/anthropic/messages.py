"""Converting messages to `system` and `messages`.

The API takes alternating turns of `user` and `assistant`, so consecutive messages of one side
become one turn. Tool results belong to the user's turn, first and in the order of their calls.
Leading system messages become `system`. A later one stays in place: as a message of its own if the
model takes that, else marked in the user's turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, takewhile
from typing import Any, NamedTuple

from ...types import Message, Role, ToolCall
from .blocks import THINKING
from .citations import cited
from .parts import Block, blocks_of

_SYSTEM = (Role.SYSTEM, Role.DEVELOPER)
_FOREIGN_ID = re.compile(r"[^a-zA-Z0-9_-]")
# Parts from OpenAI's Responses API and Mistral; other parts are Claude's own.
_FOREIGN_PART = re.compile("_call$|_call_output$|^mcp_(?:list|approval)|^program|^reference$")
_PLACE = {"type", "caller"}  # the only keys of a place for thinking or a call


class _Turn(NamedTuple):
    role: str
    blocks: list[Block]


def conversation(
    messages: Sequence[Message], *, instruction: str | None, takes_system: bool
) -> dict[str, Any]:
    """Return `system`, if there is any, and `messages`; `instruction` is appended to `system`.

    `takes_system` tells whether the model takes system messages among the others. Empty messages
    are left out.
    """
    first = list(takewhile(lambda message: message.role in _SYSTEM, messages))
    system = [block for message in first for block in _marked(message, blocks_of(message.content))]
    system += blocks_of(instruction)
    turns = _merged(_turn(message) for message in messages[len(first) :])
    if any(turn.role == "system" for turn in turns):
        turns = _merged(_placed(turns, takes_system=takes_system))
    body = {"system": _content(system)} if system else {}
    return {**body, "messages": [_wire(turn) for turn in _settled(turns)]}


def _turn(message: Message) -> _Turn:
    if message.role in _SYSTEM:
        return _Turn("system", _marked(message, blocks_of(message.content)))
    if message.role == Role.ASSISTANT:
        return _Turn("assistant", _marked(message, _answered(message)))
    if message.role == Role.TOOL:
        return _Turn("user", _marked(message, [_result(message)]))
    return _Turn("user", _marked(message, blocks_of(message.content)))


def _answered(message: Message) -> list[Block]:
    """Return the blocks of an answer in their original order (see `blocks.py`)."""
    known = message.get("thinking_blocks") or ()
    thoughts = [block for block in known if block.get("type") in THINKING]
    content = message.content or message.get("refusal")
    said = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
    parts = list(blocks_of(cited(filter(_is_known, said), message.get("annotations"))))
    first = max(0, len(thoughts) - parts.count({"type": "thinking"}))
    calls = [_call(call) for call in message.tool_calls or ()]
    waiting: dict[str, Iterator[Block]] = {
        "thinking": iter(thoughts[first:]),
        "tool_use": iter(calls),
    }
    blocks: list[Block] = [*thoughts[:first]]
    for part in parts:
        if part.get("type") not in waiting or not part.keys() <= _PLACE:
            blocks.append(part)
        elif (block := next(waiting[part["type"]], None)) is not None:
            blocks.append(part | block)
    blocks += waiting["tool_use"]
    return [block for block in blocks if not _is_foreign(block)]


def _is_known(part: Mapping[str, Any]) -> bool:
    return _FOREIGN_PART.search(str(part.get("type"))) is None


def _is_foreign(block: Mapping[str, Any]) -> bool:
    """Return whether a thinking block is not Claude's: the API refuses what it did not sign."""
    return block.get("type") in THINKING and not (block.get("signature") or block.get("data"))


def _call(call: ToolCall) -> Block:
    return {"type": "tool_use", "id": _id(call.id), "name": call.name, "input": call.arguments}


def _result(message: Message) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": _id(message.tool_call_id or "")}
    if content := _content(list(blocks_of(message.content))):
        block["content"] = content
    if message.get("is_error"):
        block["is_error"] = True
    return block


def _id(id: str) -> str:
    """Return a call's id with the characters that the API allows: other providers use more."""
    return _FOREIGN_ID.sub("_", id)


def _marked(message: Message, blocks: Iterable[Block]) -> list[Block]:
    """Return the blocks of a message, with its own `cache_control` on the last one."""
    blocks = list(blocks)
    if "cache_control" in message and blocks and blocks[-1].get("type") not in THINKING:
        blocks[-1] = {**blocks[-1], "cache_control": message["cache_control"]}
    return blocks


def _merged(turns: Iterable[_Turn]) -> list[_Turn]:
    filled = (turn for turn in turns if turn.blocks)
    return [
        _Turn(role, [block for turn in run for block in turn.blocks])
        for role, run in groupby(filled, key=lambda turn: turn.role)
    ]


def _placed(turns: Sequence[_Turn], *, takes_system: bool) -> Iterator[_Turn]:
    """Yield the turns; a system message may only stand between a user's turn and an answer.

    Source: https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages.
    """
    before = ["", *(turn.role for turn in turns)]
    after = [*(turn.role for turn in turns[1:]), "assistant"]
    for turn, earlier, later in zip(turns, before, after, strict=False):
        fits = takes_system and (earlier, later) == ("user", "assistant")
        is_moved = turn.role == "system" and not fits
        yield _Turn("user", [_as_user_block(block) for block in turn.blocks]) if is_moved else turn


def _as_user_block(block: Block) -> Block:
    """Return a block of a system message, marked for the user's turn."""
    if block.get("type") != "text":
        return block
    return {**block, "text": f"<system>\n{block['text']}\n</system>"}


def _settled(turns: Sequence[_Turn]) -> Iterator[_Turn]:
    """Yield the turns with their blocks in order, without endings that the API refuses."""
    asked: list[str] = []
    last = turns[-1] if turns else None
    for turn in turns:
        blocks = turn.blocks
        if turn.role == "assistant":
            asked = [block.get("id", "") for block in blocks if block.get("type") == "tool_use"]
            blocks = _ended(blocks, is_last=turn is last)
        elif turn.role == "user":
            blocks = _results_first(blocks, asked)
        if blocks:
            yield _Turn(turn.role, blocks)


def _ended(blocks: list[Block], *, is_last: bool) -> list[Block]:
    """Return an answer without thinking at its end, and, if it is last, without white space."""
    while blocks and blocks[-1].get("type") in THINKING:
        blocks = blocks[:-1]
    if is_last and blocks and blocks[-1].get("type") == "text":
        blocks = [*blocks[:-1], {**blocks[-1], "text": blocks[-1]["text"].rstrip()}]
    return blocks


def _results_first(blocks: list[Block], asked: Sequence[str]) -> list[Block]:
    places = {id: place for place, id in enumerate(asked)}

    def place(block: Block) -> int:
        is_result = block.get("type") == "tool_result"
        return (
            places.get(block.get("tool_use_id", ""), len(places)) if is_result else len(places) + 1
        )

    return sorted(blocks, key=place)


def _wire(turn: _Turn) -> dict[str, Any]:
    return {"role": turn.role, "content": _content(turn.blocks)}


def _content(blocks: list[Block]) -> Any:
    """Return the blocks, or just the text if there is nothing else."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return blocks[0]["text"]
    return blocks
