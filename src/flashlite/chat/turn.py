"""One turn of an agent, and its result."""

from __future__ import annotations

from asyncio import CancelledError, Future
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..agent import Agent, AgentResult
from ..conversation import Conversation, Summary
from ..conversation.arguments import check_count
from ..errors import CompletionError, StructuredOutputError
from ..middleware import fitting
from ..types import Completer, CompletionResponse, Message, Role
from .transcript import ChatEntry
from .views import Cue, without_own_head


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A finished turn: its entry for the transcript and the model's last answer."""

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
    summaries: dict[str | None, Summary | None],
) -> AgentResult:
    """Let an agent answer these messages instead of its own memory, which does not change.

    A summary of them is kept in `summaries` under the agent's name, for its next turn.
    """
    if max_iterations is not None:
        check_count("max_iterations", max_iterations, 0)
    own = agent.fork()
    own.client, own.model, own.options = client, agent.model or model, {}
    own.conversation = Conversation(messages=messages, config=agent.conversation.config)
    own.conversation.summary = summaries.get(own.name)
    rounds = {} if max_iterations is None else {"max_turns": max_iterations + 1}
    try:
        result = await own.run(response_model=response_model, **{**rounds, **options})
    finally:
        summaries[own.name] = own.conversation.summary
    try:
        fitting(result.turns[-1].response, response_model)
    except StructuredOutputError as error:
        error.messages, error.usage = tuple(own.conversation.messages), result.total_usage
        raise
    return result


def turn_of(
    name: str, result: AgentResult, sent: int, cue: Cue, seen: int, metadata: Mapping[str, Any]
) -> Turn:
    """Return the turn of a run; its first `sent` messages are what the agent read."""
    said = tuple(_without_head(message, name) for message in result.conversation.messages[sent:])
    answer = next(message for message in reversed(said) if message.role is Role.ASSISTANT)
    response = result.turns[-1].response
    entry = ChatEntry(
        author=name,
        content=_heard(answer.content) or answer.get("refusal") or "",
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


def taken_in(tasks: Mapping[int, Future[Turn]]) -> dict[int, Turn]:
    """Return the turns of the tasks that finished without an error."""
    return {
        place: task.result()
        for place, task in tasks.items()
        if not task.cancelled() and task.exception() is None
    }


def failure_of(outcomes: Sequence[Turn | BaseException]) -> BaseException | None:
    """Return the first failure of a round, with the finished turns in its `answers`, or None."""
    failure = next((one for one in outcomes if isinstance(one, BaseException)), None)
    if failure is None:
        return None
    if isinstance(failure, CancelledError):  # a turn was cancelled, but not the round
        failure = CompletionError("a turn was cancelled from inside, by a tool or a provider")
    failure.answers = {  # type: ignore[attr-defined]
        place: turn for place, turn in enumerate(outcomes) if isinstance(turn, Turn)
    }
    return failure


def _heard(content: Any) -> Any:
    """Return the part of an answer that others read: its texts and its inline media.

    Others get it in a user message, where media addresses are opened; a model must not decide which
    file or server this machine reads. Parts from a provider's own tools are left out too.
    """
    if content is None or isinstance(content, str):
        return content
    return [part for part in content if part.get("type") == "text" or _is_inline(part)]


def _is_inline(part: Mapping[str, Any]) -> bool:
    kind = part.get("type")
    media = part.get(kind) if isinstance(kind, str) else None
    values = media.values() if isinstance(media, Mapping) else ()
    return any(isinstance(value, str) and value.startswith("data:") for value in values)


def _without_head(message: Message, name: str) -> Message:
    content = without_own_head(message.content, name)
    if message.role is not Role.ASSISTANT or content == message.content:
        return message
    return Message({**message, "content": content})
