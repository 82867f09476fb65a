"""What the tools that Claude's own servers run did: in the log, and in what goes back to them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
    ChatMessageUser,
    ContentToolUse,
    GenerateConfig,
    ModelOutput,
    get_model,
)
from inspect_ai.tool import ToolInfo

from flashlite.inspect_ai._messages import to_messages
from flashlite.inspect_ai._output import to_output
from flashlite.providers.dialects import adapter_for

from .loopback import ANSWERS, Loopback

CODE = ToolInfo(name="code_execution", description=".", options={"providers": {"anthropic": {}}})
CONTAINER = {"id": "cont_1", "expires_at": "2026-12-01T00:00:00Z"}
TEXT = {"type": "text", "text": "So it is."}


def _search(id: str) -> dict[str, Any]:
    return {"type": "server_tool_use", "id": id, "name": "web_search", "input": {"query": id}}


def _found(id: str) -> dict[str, Any]:
    pages = [{"type": "web_search_result", "url": f"https://{id}.example"}]
    return {"type": "web_search_tool_result", "tool_use_id": id, "content": pages}


def _output(*blocks: Any) -> ModelOutput:
    reply = json.dumps({**ANSWERS["anthropic"], "content": blocks})
    response = adapter_for("anthropic").parse_response(reply.encode())
    return to_output(response, model="m", dialect="anthropic")


def _told(output: ModelOutput) -> list[tuple[str, ...]]:
    """Return what the log shows: the calls with their results, and what else there is."""
    return [
        (part.id, part.result) if isinstance(part, ContentToolUse) else (part.type,)
        for part in output.message.content
        if not isinstance(part, str)
    ]


def _call(id: str) -> tuple[str, str]:
    return id, json.dumps(_found(id)["content"])


def test_searches_at_once_have_their_results_in_the_log() -> None:
    output = _output(_search("a"), _search("b"), _found("a"), _found("b"), TEXT)
    assert _told(output) == [_call("a"), _call("b"), ("text",)]


@given(
    blocks=st.permutations([_search("a"), _search("b"), _found("a"), _found("b"), TEXT]),
    most=st.integers(1, 5),
)
def test_in_whatever_order_they_come_they_go_back_so(blocks: list[Any], most: int) -> None:
    [again] = to_messages([_output(*blocks[:most]).message], dialect="anthropic")
    sent = [{"type": "text", "text": again.content}] if again.text == again.content else None
    assert (sent or again.content) == blocks[:most]


def test_a_result_without_its_call_stands_for_itself() -> None:
    output = _output(_search("b"), _found("a"), _found("b"))
    assert _told(output) == [_call("b"), ("data",), ("data",)]


@pytest.mark.parametrize("is_pending", [True, False])
async def test_code_that_still_runs_is_gone_on_with_in_its_container(is_pending: bool) -> None:
    code = {**_search("u1"), "name": "bash_code_execution"}
    ran = {"type": "bash_code_execution_tool_result", "tool_use_id": "u1", "content": {"x": 1}}
    call = {"type": "tool_use", "id": "t1", "name": "add", "input": {}}
    first = {
        **ANSWERS["anthropic"],
        "content": [code, call] if is_pending else [code, ran, call],
        "stop_reason": "tool_use",
        "container": CONTAINER,
    }
    second = {**ANSWERS["anthropic"], "content": [ran, TEXT] if is_pending else [TEXT]}
    replies = iter([first, second, ANSWERS["anthropic"]])
    messages: list[ChatMessage] = [ChatMessageUser(content="Hi")]
    with Loopback(lambda _: (200, {}, next(replies))) as server:
        model = get_model(
            "flashlite/anthropic/claude-opus-4-6", base_url=server.base_url, api_key="k"
        )
        for said in (ChatMessageTool(content="3", tool_call_id="t1"), ChatMessageUser(content="?")):
            config = GenerateConfig(extra_body={"x": 1})
            output = await model.generate(messages, tools=[CODE], config=config)
            logged = ChatMessageAssistant.model_validate_json(output.message.model_dump_json())
            messages += [logged, said]
        await model.generate(messages, tools=[CODE])
    named = [body.get("container") for body in server.bodies]
    assert named == [None, "cont_1" if is_pending else None, None]
    assert [body.get("x") for body in server.bodies] == [1, 1, None]
