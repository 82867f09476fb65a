"""An answer goes through Inspect's message, and its log, back to the provider as it came.

Every answer of tests/providers/wire is taken, in each dialect: the request that has it in its
history is the same, but for the spelling of arguments, whether it was kept as our message or as
Inspect's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inspect_ai.model import ChatMessageAssistant, ModelOutput

from flashlite.errors import CompletionError
from flashlite.inspect_ai._messages import to_messages
from flashlite.inspect_ai._output import to_output
from flashlite.providers import HOSTS, Endpoint
from flashlite.providers.dialects import adapter_for
from flashlite.types import CompletionRequest, Message

from ..providers.cases import WIRE, spoiled

DIALECTS = {
    "anthropic": "claude-sonnet-4-5",
    "bedrock": "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "cohere": "command-a-03-2025",
    "google": "gemini-3-pro-preview",
    "openai": "gpt-4o",
    "responses": "gpt-5",
}
# OpenAI wants the id of what it said aloud, and the sound and its transcript are in the log. What
# Anthropic's API says of a refusal is beside the answer in a log, as Inspect has it.
_OTHERWISE = {"spoken answers are asked for and kept", "a refusal in words"}
_HOSTS = {host.dialect: host for host in HOSTS if host.name in ("openai", *DIALECTS)}


def _replies(dialect: str) -> list[Any]:
    return [
        pytest.param(dialect, case["reply"], id=f"{dialect}: {path.stem}: {case['name']}")
        for path in sorted(Path(WIRE / dialect).glob("*.json"))
        for case in json.loads(path.read_text("utf-8"))
        if "reply" in case and case["name"] not in _OTHERWISE
    ]


def _wire(dialect: str, answer: Message) -> Mapping[str, Any]:
    """Return what goes out to continue a conversation after an answer."""
    calls = answer.tool_calls or ()
    after = [Message.tool_result(call.id, "done", name=call.name) for call in calls]
    request = CompletionRequest(
        model=DIALECTS[dialect],
        messages=(Message.user("Hi"), answer, *(after or [Message.user("Go on.")])),
    )
    host = _HOSTS.get(dialect, _HOSTS["openai"])
    endpoint = Endpoint(host=host, base_url="https://host.example/v1", api_key="k")
    body = adapter_for(dialect).build_request(request, endpoint).json
    assert isinstance(body, Mapping)
    return body


def _parsed(wire: Mapping[str, Any]) -> Any:
    """Return a request with its calls' arguments as values: Inspect keeps no text of them."""
    return json.loads(json.dumps(wire), object_hook=_with_arguments)


def _with_arguments(item: dict[str, Any]) -> dict[str, Any]:
    if "content" in item and item["content"] is None:  # a text is never null in Inspect
        item = {**item, "content": ""}
    if "arguments" not in item:
        return item
    try:
        arguments = json.loads(item["arguments"])
    except ValueError:  # the model is told so, and its call goes back without
        arguments = {}
    return {**item, "arguments": arguments if isinstance(arguments, dict) else {}}


def _logged(output: ModelOutput) -> ModelOutput:
    return ModelOutput.model_validate_json(output.model_dump_json())


@pytest.mark.parametrize(
    ("dialect", "reply"), [case for dialect in DIALECTS for case in _replies(dialect)]
)
def test_what_goes_back_is_what_came(dialect: str, reply: Any) -> None:
    response = adapter_for(dialect).parse_response(json.dumps(reply).encode())
    output = _logged(to_output(response, model=DIALECTS[dialect], dialect=dialect))
    [again] = to_messages([output.message], dialect=dialect)
    assert _parsed(_wire(dialect, again)) == _parsed(_wire(dialect, response.message))


@pytest.mark.parametrize("author", DIALECTS)
@pytest.mark.parametrize("reader", DIALECTS)
def test_another_provider_can_read_every_answer(author: str, reader: str) -> None:
    for case in _replies(author):
        response = adapter_for(author).parse_response(json.dumps(case.values[1]).encode())
        output = _logged(to_output(response, model=DIALECTS[author], dialect=author))
        [told] = to_messages([output.message], dialect=reader)
        assert _wire(reader, told)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_answer_is_too_odd_for_inspect(dialect: str) -> None:
    replies = [case.values[1] for case in _replies(dialect)]

    @settings(max_examples=100)
    @given(reply=st.sampled_from(replies).flatmap(spoiled))
    def check(reply: Any) -> None:
        try:
            response = adapter_for(dialect).parse_response(json.dumps(reply).encode())
        except CompletionError:
            return
        output = _logged(to_output(response, model="m", dialect=dialect))
        assert all(isinstance(choice.message, ChatMessageAssistant) for choice in output.choices)
        to_messages([choice.message for choice in output.choices], dialect=dialect)

    check()
