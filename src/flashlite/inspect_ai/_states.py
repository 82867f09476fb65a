"""The states of Inspect's solvers and agents, as conversations of ours and back."""

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
    """Return what was said so far as a conversation; its own system message stays if it has one."""
    messages = completer.memory.adopt(state.messages)
    conversation = Conversation(messages=messages, client=completer, **(options or {}))
    if system_prompt is not None and conversation.system_message is None:
        conversation.system_message = system_prompt
    return conversation


@contextmanager
def handed_back(
    state: State, completer: InspectCompleter, conversation: Conversation
) -> Iterator[None]:
    """Give a state what was said inside and the last answer, however it ends.

    Where no answer fitted a shape, the last one counts: a model's failure is for scorers to judge.
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
    """Give a state its new messages; where a message limit ends it, those before are there."""
    state.messages.clear()
    for message in messages:
        state.messages.append(message)
