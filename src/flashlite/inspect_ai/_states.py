"""The states of Inspect's solvers and agents, to flashlite conversations and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from inspect_ai.agent import AgentState
from inspect_ai.model import ChatMessage
from inspect_ai.solver import TaskState

from ..conversation import Conversation
from ..errors import StructuredOutputError
from ..types import Role
from ._completer import InspectCompleter
from ._events import note_unfit

State = TaskState | AgentState


def taken_up(
    state: State,
    completer: InspectCompleter,
    *,
    system_prompt: str | None = None,
    options: dict[str, Any] | None = None,
) -> Conversation:
    """Return a state's messages as a conversation; `system_prompt` is used if they have none."""
    messages = completer.memory.adopt(state.messages)
    conversation = Conversation(messages=messages, client=completer, **(options or {}))
    if system_prompt is not None and conversation.system_message is None:
        conversation.system_message = system_prompt
    return conversation


@contextmanager
def handed_back(
    state: State, completer: InspectCompleter, conversation: Conversation
) -> Iterator[None]:
    """Put the messages and the last answer of the block into a state, however the block ends.

    If no answer fitted the response model, the last one counts, so that scorers judge it.
    """
    try:
        yield
    except StructuredOutputError as error:
        note_unfit(error)
        last = conversation.get_last_message()
        if error.response is not None and (last is None or last.role is not Role.ASSISTANT):
            conversation.add(error.response.message)
    finally:
        if completer.output is not None:
            state.output = completer.output
        replace_messages(state, completer.memory.recall(conversation.messages))


def replace_messages(state: State, messages: Sequence[ChatMessage]) -> None:
    """Replace a state's messages; a message limit that is reached keeps those before it."""
    state.messages.clear()
    for message in messages:
        state.messages.append(message)
