"""What each member of a chat reads, as messages.

To a model, its own turns are assistant messages, as they came. Everything else is in user messages,
where each entry begins with a head:

    [Moderator]: Will AI help or hurt jobs?

    [Skeptic to Optimist]: What do you think?

    [Chat]: It is your turn, Optimist.

A provider does not need to support names, and roles alternate: everything between two turns of an
agent is one user message, and if there is nothing, the chat says whose turn it is. What a model is
sent for one turn is the beginning of what it is sent for its next, so that prompt caches work.

The guarantee about heads: in a user message, every line that begins with `[…]:` is a head that the
chat wrote. A line of an entry's text that begins like this is quoted with `> `, even if marks,
blanks or invisible characters precede its bracket, or if its brackets and colon are those of
another script. So nobody can speak in the name of another or of the chat. A text that claims such a
thing in other words may still mislead a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..errors import ConfigError
from ..types import Message, text_part
from .transcript import ChatEntry

CHAT = "Chat"
"""The name that the chat itself uses in heads."""

Parts: TypeAlias = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Cue:
    """What the chat tells an agent before its turn, beside whose turn it is."""

    visible_to: tuple[str, ...] | None = None
    additional_context: str | None = None


def view_of(
    entries: Sequence[ChatEntry], viewer: str, cue: Cue | None = None, *, share_tools: bool = False
) -> list[Message]:
    """Return what `viewer` reads, as messages without the system message.

    With a `cue`, the last message is a user message, ready to be answered.
    """
    messages: list[Message] = []
    heard: list[Parts] = []
    for entry in _as_lived(entries, viewer):
        if entry.author != viewer:
            heard += _blocks_for_others(entry, share_tools)
            continue
        heard += _cues(viewer, Cue(entry.visible_to), is_due=not heard)
        messages += [_merged(heard), *_own(entry)]
        heard = []
    if cue is not None:
        heard += _cues(viewer, cue, is_due=not heard)
    return [*messages, _merged(heard)] if heard else messages


def formatted(
    entries: Sequence[ChatEntry], viewer: str | None = None, *, share_tools: bool = False
) -> str:
    """Return a transcript as text: all of it, or what `viewer` may read."""
    readable = [entry for entry in entries if viewer is None or entry.is_visible_to(viewer)]
    blocks = [block for entry in readable for block in _blocks_for_others(entry, share_tools)]
    return "\n\n".join(_in_words(part) for block in blocks for part in block)


def without_own_head(content: Any, name: str) -> Any:
    """Return what an agent said without its own head, which it may have copied from others."""
    if isinstance(content, str):
        head = re.match(rf"\s*(?:\[{re.escape(name)}(?: to [^\]\n]*)?\]:\s*)+", content)
        return content[head.end() :] if head else content
    if content and content[0].get("type") == "text":
        first = {**content[0], "text": without_own_head(content[0]["text"], name)}
        return [first, *content[1:]]
    return content


def check_parts(content: str | Parts) -> None:
    """Raise ConfigError for parts with text where heads are not looked for."""
    for part in () if isinstance(content, str) else content:
        if (part.get("type") == "text") is not isinstance(part.get("text"), str):
            raise ConfigError(f"text is a part of type 'text' with a 'text'; got {part!r:.80}")


def _as_lived(entries: Sequence[ChatEntry], viewer: str) -> list[ChatEntry]:
    """Return the entries that `viewer` may read, in the order in which it learned of them.

    Entries added while the viewer's own turn was running come after that turn.
    """
    known = [
        ((entry.seen, 0) if entry.author == viewer else (place, 1), entry)
        for place, entry in enumerate(entries)
        if entry.is_visible_to(viewer)
    ]
    return [entry for _, entry in sorted(known, key=lambda one: one[0])]


def _own(entry: ChatEntry) -> list[Message]:
    if entry.messages:
        return deepcopy(list(entry.messages))
    return [Message.assistant(deepcopy(entry.content))]


def _cues(name: str, cue: Cue, *, is_due: bool) -> Iterator[Parts]:
    """Yield what the chat says before a turn; whose turn it is, only if `is_due`."""
    if is_due:
        yield _block(CHAT, f"It is your turn, {name}.")
    if cue.visible_to is not None:
        readers = _listed([reader for reader in cue.visible_to if reader != name])
        yield _block(CHAT, f"Only {readers or 'you'} will read what you say now.")
    if cue.additional_context:
        yield _block(CHAT, cue.additional_context)


def _blocks_for_others(entry: ChatEntry, share_tools: bool) -> Iterator[Parts]:
    """Yield the blocks that others read of an entry."""
    if share_tools:
        for call, result in zip(entry.tool_calls, entry.tool_results, strict=False):
            used = f"{call.name}({call.arguments_json})\n{result.text}"
            yield _block(f"{entry.author}, with tools", used)
    audience = [reader for reader in entry.visible_to or () if reader != entry.author]
    if entry.visible_to is None:
        yield _block(entry.author, entry.content)
    else:
        yield _block(f"{entry.author} to {_listed(audience) or 'nobody'}", entry.content)


def _block(head: str, content: str | Parts) -> Parts:
    parts = [text_part(content)] if isinstance(content, str) else deepcopy(content)
    # Adjacent texts are read as one, so they are searched for heads as one.
    parts = [
        {**part, "text": _quoted(part["text"])} if part.get("type") == "text" else part
        for part in _joined(parts, "")
    ]
    return _joined([text_part(f"[{head}]: "), *parts], "")


def _merged(blocks: Iterable[Parts]) -> Message:
    parts = _joined([part for block in blocks for part in block], "\n\n")
    is_text = len(parts) == 1 and parts[0].get("type") == "text"
    return Message.user(parts[0]["text"] if is_text else parts)


def _joined(parts: Iterable[dict[str, Any]], between: str) -> Parts:
    """Return the parts with adjacent texts joined into one."""
    joined: Parts = []
    for part in parts:
        if joined and part.get("type") == joined[-1].get("type") == "text":
            joined[-1] = text_part(f"{joined[-1]['text']}{between}{part['text']}")
        else:
            joined.append(part)
    return joined


_OPEN, _CLOSED = r"\[［【〔⟦", r"\]］】〕⟧"
_HEAD = re.compile(
    # Marks and blanks (some count as letters), but not `>`: `> [Bob]: …` is already quoted.
    rf"(?:[^\w>{_OPEN}]|[_\u115f\u1160\u3164\uffa0])*"
    rf"[{_OPEN}].*?[{_CLOSED}][\W_]{{0,8}}?[:：﹕︰∶꞉]",
    re.DOTALL,
)


def _quoted(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(f"> {line}" if _HEAD.match(line) else line for line in lines)


def _in_words(part: dict[str, Any]) -> str:
    return str(part["text"]) if part.get("type") == "text" else f"({part.get('type')})"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
