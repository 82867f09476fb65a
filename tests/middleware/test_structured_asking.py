"""Structured, the request: where the schema goes, and what stays as the caller wrote it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pydantic import BaseModel, Field

from flashlite.errors import ConfigError
from flashlite.middleware.structured import Structured
from flashlite.models import register_model, unregister_model
from flashlite.providers import Router
from flashlite.schema import response_format_for, schema_of
from flashlite.testing import ReplayTransport, ScriptedProvider
from flashlite.types import CompletionRequest, CompletionResponse, Message, Target


class Task(BaseModel):
    title: str
    points: int = Field(ge=1)


GOOD = '{"title": "sleep", "points": 3}'
TASK = Task(title="sleep", points=3)
HELLO = Message.user("Hi")
REQUEST = CompletionRequest(model="m", messages=(HELLO,), response_model=Task)


def target(request: CompletionRequest) -> Target:
    return Target(provider="custom", dialect="openai", model=request.model)


LAYER = Structured(target=target)


def script(*answers: str | CompletionResponse | BaseException) -> ScriptedProvider:
    return ScriptedProvider(answers)


@pytest.fixture
def no_schemas() -> Iterator[None]:
    """Let the model take no schema."""
    register_model("custom/m", abilities={"response_schema": False})
    yield
    unregister_model("custom/m")


async def test_the_schema_is_asked_for_and_the_callers_request_stays() -> None:
    provider, request = script(GOOD), REQUEST.with_(params={"temperature": 0})
    await LAYER(request, provider)
    (asked,) = provider.requests
    assert asked.params == {"temperature": 0, "response_format": response_format_for(Task)}
    assert (asked.messages, request.params) == ((HELLO,), {"temperature": 0})


@pytest.mark.usefixtures("no_schemas")
@pytest.mark.parametrize(
    ("messages", "place", "before"),
    [
        ((HELLO,), 0, None),
        ((Message.system("Be brief."), HELLO), 0, "Be brief.\n\n"),
        ((HELLO, Message.system("Be brief.")), 1, "Be brief.\n\n"),
        ((Message(role="developer", content="Be brief."), HELLO), 0, "Be brief.\n\n"),
        ((Message.system(""), HELLO), 0, ""),
    ],
)
async def test_a_model_that_takes_no_schema_reads_it_in_the_first_system_message(
    messages: tuple[Message, ...], place: int, before: str | None
) -> None:
    provider = script(f"Sure:\n```json\n{GOOD}\n```")
    copies = [dict(message) for message in messages]
    response = await LAYER(REQUEST.with_(messages=messages), provider)
    (asked,) = provider.requests
    said = asked.messages[place].text
    assert said.startswith(f"{before or ''}Your answer has to be one JSON object")
    assert json.loads(said[said.index("{") :]) == schema_of(Task)
    assert len(asked.messages) == len(messages) + (before is None)
    assert ("response_format" in asked.params, response.parsed) == (False, TASK)
    assert [dict(message) for message in messages] == copies


@pytest.mark.usefixtures("no_schemas")
async def test_the_schema_comes_behind_the_parts_of_a_system_message() -> None:
    parts = [{"type": "text", "text": "Be brief."}]
    provider = script(GOOD)
    tools = ({"type": "function", "function": {"name": "look"}},)
    await LAYER(REQUEST.with_(messages=(Message.system(parts), HELLO), tools=tools), provider)
    first, second = provider.requests[0].messages[0].content
    assert (first, second["type"]) == (parts[0], "text")
    assert second["text"].startswith("You may call tools first. Your answer has to be")


@pytest.mark.parametrize("where", ["params", "extra_body"])
async def test_a_response_format_of_the_callers_own_is_refused(where: str) -> None:
    provider = script()
    request = REQUEST.with_(**{where: {"response_format": {"type": "json_object"}}})
    with pytest.raises(ConfigError, match="leave one of them out"):
        await LAYER(request, provider)
    with pytest.raises(ConfigError, match="structured_retries is 0 or more"):
        await LAYER(REQUEST.with_(structured_retries=-1), provider)
    assert provider.requests == []


@pytest.mark.parametrize(
    ("model", "is_told_in_words"),
    [("gemini/gemini-2.5-flash", True), ("gemini/gemini-3-flash-preview", False)],
)
async def test_a_model_that_takes_no_schema_beside_tools_is_told_it_in_words(
    model: str, is_told_in_words: bool
) -> None:
    provider = script(GOOD)
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    layer = Structured(target=Router(ReplayTransport([])).target)
    await layer(REQUEST.with_(model=model, tools=(tool,)), provider)
    assert ("response_format" not in provider.requests[0].params) is is_told_in_words
