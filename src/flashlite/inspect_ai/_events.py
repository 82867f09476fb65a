"""How the log shows agents: a span for every turn, and messages as info events and in the store.

An info event of flashlite has one of these forms:

    {"event": "decision", "by": "Red", "decision": …}
    {"event": "unfit", "reason": "…"}       no answer fitted the response model
    "**Red → Blue:** …"                     a message, as Markdown for readers

A message event has this metadata, for programs:

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
"""The `source` of flashlite's info events."""


class ChatLog(StoreModel):
    """A chat in the sample's store: read it with `store_as(ChatLog)` or `state.store_as(ChatLog)`.

    `entries` are all messages, including private ones, in the form of `ChatEntry.to_dict()`;
    `agents` are the names of the agents; `stats` has the turns, tool calls, tokens and dollars of
    each agent. `outcome` is what the chat's protocol returned, as JSON.
    """

    entries: list[dict[str, Any]] = []  # noqa: RUF012 - pydantic copies it
    agents: list[str] = []  # noqa: RUF012 - pydantic copies it
    stats: dict[str, dict[str, Any]] = {}  # noqa: RUF012
    outcome: Any = None

    def transcript(self, viewer: str | None = None) -> list[ChatEntry]:
        """Return the entries that `viewer` may read, or all entries without a `viewer`."""
        entries = map(ChatEntry.from_dict, self.entries)
        return [entry for entry in entries if viewer is None or entry.is_visible_to(viewer)]

    def public(self) -> list[ChatEntry]:
        """Return the entries that everybody may read."""
        return [entry for entry in self.transcript() if entry.visible_to is None]


def agent_span(name: str) -> AbstractAsyncContextManager[None]:
    """Return the span of an agent's turn, which is the agent's lane in Inspect's viewer."""
    return span(name, type="agent")


def note_message(entry: ChatEntry) -> None:
    """Log a message and its audience."""
    note_text(as_markdown(entry), source=SOURCE, metadata=as_json(entry))


def note_decision(by: str, decision: Any) -> None:
    """Log an agent's decision, such as a vote, a bid or a verdict.

        note_decision("Alice", {"votes_for": "Bob"})

    `decision` may be a Pydantic model or anything else that pydantic can write as JSON.
    """
    plain = to_jsonable_python(decision, fallback=str)
    transcript().info({"event": "decision", "by": by, "decision": plain}, source=SOURCE)


def note_unfit(error: StructuredOutputError) -> None:
    """Log that no answer of a model fitted its response model."""
    transcript().info({"event": "unfit", "reason": error.reason}, source=SOURCE)


def keep_chat(chat: MultiAgentChat, outcome: Any = None) -> None:
    """Write a chat into the store of the running sample."""
    log = store_as(ChatLog)
    log.entries = [to_jsonable_python(entry.to_dict(), fallback=str) for entry in chat.transcript]
    log.agents = list(chat.agents)
    log.stats = {name: to_jsonable_python(stats) for name, stats in chat.stats.items()}
    if outcome is not None:
        log.outcome = to_jsonable_python(outcome, fallback=str)
