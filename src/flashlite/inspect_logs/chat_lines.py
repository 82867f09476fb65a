"""What was said in a chat, as a log has it: Markdown for its readers, facts for programs.

Both doors to a log write it so: `InspectLogger`, and chats inside of an eval.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol


class Said(Protocol):
    """What is asked of an entry of a chat; `visible_to` is None for what everybody reads."""

    @property
    def author(self) -> str: ...

    @property
    def visible_to(self) -> Sequence[str] | None: ...

    @property
    def text(self) -> str: ...


def as_markdown(entry: Said) -> str:
    """Return `**Ann:** text`, or `**Ann → Ben, Cy:** text` where it is private.

    One line stands behind the head, where `#` or ``` open nothing; several stand below it, as the
    Markdown that models write. A line such as `[Ben]: No.` would vanish, being a link's address:
    its colon is escaped.
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
    """Return who reads what is private, beside its author."""
    return [name for name in entry.visible_to or () if name != entry.author]


_LINK_ADDRESS = re.compile(r"^([ \t\d>*+.)-]*\[(?:[^\]\\\n]|\\.)*\]):", re.MULTILINE)

_SIGN = re.compile(r"[\\`*_~$|#!]")  # in a name; those that HTML has stay: viewers escape them
_ESCAPED = r"\\\g<0>"
