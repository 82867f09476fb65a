"""What the log shows of agents: a span for every turn, and what was said as info events and store.

An info event of ours has one of these forms:

    {"event": "decision", "by": "Red", "decision": …}
    {"event": "unfit", "reason": "…"}       no answer fitted the shape that was asked for
    "**Red → Blue:** …"                     somebody said something: Markdown, for readers

The last has what programs look for as its metadata:

    {"event": "message", "from": "Red", "to": ["Blue"] or "everyone", "text": "…"}
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from inspect_ai.log import transcript
from inspect_ai.util import StoreModel, span, store_as
from pydantic_core import to_jsonable_python

from ..chat import ChatEntry, MultiAgentChat
from ..errors import StructuredOutputError
from ..inspect_logs.chat_lines import as_json, as_markdown
from ._private import note_text

SOURCE = "flashlite"
"""The source of our info events."""


class ChatLog(StoreModel):
    """A chat as the sample's store has it: `store_as(ChatLog)`, `state.store_as(ChatLog)`.

    `entries` are all that was said, in the form of `ChatEntry.to_dict()`, private messages too;
    `agents` the names of who takes turns; `stats` the turns, tool calls, tokens and dollars of
    each. `outcome` is what the chat's protocol returned, as JSON.
    """

    entries: list[dict[str, Any]] = []  # noqa: RUF012 - pydantic copies it
    agents: list[str] = []  # noqa: RUF012 - pydantic copies it
    stats: dict[str, dict[str, Any]] = {}  # noqa: RUF012
    outcome: Any = None

    def transcript(self, viewer: str | None = None) -> list[ChatEntry]:
        """Return what one may read of the chat; all of it without a `viewer`."""
        entries = map(ChatEntry.from_dict, self.entries)
        return [entry for entry in entries if viewer is None or entry.is_visible_to(viewer)]

    def public(self) -> list[ChatEntry]:
        """Return what was said to everybody."""
        return [entry for entry in self.transcript() if entry.visible_to is None]


def agent_span(name: str) -> AbstractAsyncContextManager[None]:
    """Return the span in which an agent acts: its lane in the viewer."""
    return span(name, type="agent")


def note_message(entry: ChatEntry) -> None:
    """Put what was said, and to whom, into the log."""
    note_text(as_markdown(entry), source=SOURCE, metadata=as_json(entry))


def note_decision(by: str, decision: Any) -> None:
    """Put what an agent decided into the log: a vote, a bid, a verdict.

        note_decision("Alice", {"votes_for": "Bob"})

    Pydantic models and whatever else pydantic can say as JSON may be given as they are.
    """
    plain = to_jsonable_python(decision, fallback=str)
    transcript().info({"event": "decision", "by": by, "decision": plain}, source=SOURCE)


def note_unfit(error: StructuredOutputError) -> None:
    """Put into the log that a model did not manage a shape."""
    transcript().info({"event": "unfit", "reason": error.reason}, source=SOURCE)


def keep_chat(chat: MultiAgentChat, outcome: Any = None) -> None:
    """Write a chat into the store of the running sample."""
    log = store_as(ChatLog)
    log.entries = [to_jsonable_python(entry.to_dict(), fallback=str) for entry in chat.transcript]
    log.agents = list(chat.agents)
    log.stats = {name: to_jsonable_python(stats) for name, stats in chat.stats.items()}
    if outcome is not None:
        log.outcome = to_jsonable_python(outcome, fallback=str)
