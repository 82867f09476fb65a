"""One turn of an agent, and what comes of it."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..agent import Agent, AgentResult
from ..conversation import Conversation
from ..errors import CompletionError, StructuredOutputError
from ..middleware import fitting
from ..types import Completer, CompletionResponse, Message, Role
from .transcript import ChatEntry
from .views import Cue, without_own_head


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A turn that was taken: its entry for the transcript and the model's last answer."""

    entry: ChatEntry
    response: CompletionResponse

    @property
    def value(self) -> Any:
        """What was said: the instance of a `response_model` if there is one, else the text."""
        return self.entry.text if self.response.parsed is None else self.response.parsed


async def run_agent(
    agent: Agent,
    client: Completer,
    messages: Sequence[Message],
    *,
    model: str | None,
    response_model: type[Any] | None,
    max_iterations: int | None,
    options: Mapping[str, Any],
) -> AgentResult:
    """Let an agent answer messages that are not its own memory, which stays as it is."""
    own = agent.fork()
    own.client, own.model, own.options = client, agent.model or model, {}
    own.conversation = Conversation(messages=messages, config=agent.conversation.config)
    rounds = {} if max_iterations is None else {"max_turns": max_iterations + 1}
    result = await own.run(response_model=response_model, **{**rounds, **options})
    try:
        fitting(result.turns[-1].response, response_model)
    except StructuredOutputError as error:
        error.messages, error.usage = tuple(own.conversation.messages), result.total_usage
        raise
    return result


def turn_of(
    name: str, result: AgentResult, sent: int, cue: Cue, seen: int, metadata: Mapping[str, Any]
) -> Turn:
    """Return the turn that came of a run whose first `sent` messages are what the agent read."""
    said = tuple(_without_head(message, name) for message in result.conversation.messages[sent:])
    answer = next(message for message in reversed(said) if message.role is Role.ASSISTANT)
    response = result.turns[-1].response
    entry = ChatEntry(
        author=name,
        content=answer.content or answer.get("refusal") or "",
        visible_to=cue.visible_to,
        messages=said,
        seen=seen,
        additional_context=cue.additional_context,
        model=response.model or None,
        finish_reason=response.finish_reason,
        usage=result.total_usage,
        cost=result.total_cost,
        metadata=dict(metadata),
    )
    return Turn(entry=entry, response=response)


def failure_of(outcomes: Sequence[Turn | BaseException]) -> BaseException | None:
    """Return the first failure of a round, with the turns that were taken in its `answers`."""
    failure = next((one for one in outcomes if isinstance(one, BaseException)), None)
    if failure is None:
        return None
    if isinstance(failure, CancelledError):  # of a turn, while nobody cancelled the round
        failure = CompletionError("a turn was cancelled from inside, by a tool or a provider")
    failure.answers = {  # type: ignore[attr-defined]
        place: turn for place, turn in enumerate(outcomes) if isinstance(turn, Turn)
    }
    return failure


def _without_head(message: Message, name: str) -> Message:
    content = without_own_head(message.content, name)
    if message.role is not Role.ASSISTANT or content == message.content:
        return message
    return Message({**message, "content": content})
