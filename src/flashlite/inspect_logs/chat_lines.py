"""Chat messages in a log: Markdown for readers, and JSON for programs.

`InspectLogger` and chats inside an eval both write them in this form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol


class Said(Protocol):
    """The part of a chat entry that is used here; `visible_to` is None if it is public."""

    @property
    def author(self) -> str: ...

    @property
    def visible_to(self) -> Sequence[str] | None: ...

    @property
    def text(self) -> str: ...


def as_markdown(entry: Said) -> str:
    """Return `**Ann:** text`, or `**Ann → Ben, Cy:** text` for a private message.

    A single line follows the head, where `#` or ``` have no effect; several lines go below it, as
    the Markdown that models write. The colon of a line such as `[Ben]: No.` is escaped, because the
    line would vanish as a link definition.
    """
    lines = entry.text.strip().splitlines()
    text = _LINK_ADDRESS.sub(r"\1\\:", "\n".join(lines))
    head = f"**{_SIGN.sub(_ESCAPED, _who(entry))}:**"
    return (head + ("\n\n" if len(lines) > 1 else " ") + text).rstrip()


def as_json(entry: Said) -> dict[str, Any]:
    """Return `{"event": "message", "from": "Ann", "to": ["Ben"] or "everyone", "text": "…"}`."""
    to = "everyone" if entry.visible_to is None else _audience(entry)
    return {"event": "message", "from": entry.author, "to": to, "text": entry.text}


def _who(entry: Said) -> str:
    if entry.visible_to is None:
        return entry.author
    return f"{entry.author} → {', '.join(_audience(entry)) or 'nobody'}"


def _audience(entry: Said) -> list[str]:
    """Return who else than the author may read a private message."""
    return [name for name in entry.visible_to or () if name != entry.author]


_LINK_ADDRESS = re.compile(r"^([ \t\d>*+.)-]*\[(?:[^\]\\\n]|\\.)*\]):", re.MULTILINE)

_SIGN = re.compile(r"[\\`*_~$|#!]")  # in a name; viewers escape HTML themselves
_ESCAPED = r"\\\g<0>"
