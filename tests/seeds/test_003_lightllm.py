"""The LightLLM client's guide keeps its word: its Python runs; host and imports are replaced."""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from flashlite.compat import lightllm
from flashlite.compat.lightllm import LightLLMClient
from flashlite.testing import MockServer, Reply
from tests.providers.loopback import SILENCE, Loopback, serving

GUIDE = (Path(__file__).parent / "003_lightllm.txt").read_text()
(
    CLIENT,
    SIMPLE,
    TOOLS,
    HANDLING,
    WITHOUT_CALLS,
    WITH_CALLS,
    OLD,
    NEW,
    MULTIMODAL,
    ERRORS,
    INTEGRATION,
) = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)

MESSAGES = [{"role": "user", "content": "Hi"}]
TOOL = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
CALL = '{"name": "search", "arguments": {"query": ["quantum computing"]}}'
SEARCHING = f"I'll search for that.\n<tool_call>\n{CALL}\n</tool_call>"
SAMPLING = {
    "temperature": 0.6,
    "top_p": 0.95,
    "max_tokens": 10000,
    "presence_penalty": 1.1,
    "logprobs": False,
    "top_k": 50,
    "repetition_penalty": 1.0,
}


def answer(content: str, **message: Any) -> Reply:
    said = {"role": "assistant", "content": content, **message}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    choice = {"index": 0, "message": said, "finish_reason": "stop"}
    return Reply.of({"id": "c1", "model": "m", "choices": [choice], "usage": usage})


def run(block: str, server: Loopback | None = None, **names: Any) -> dict[str, Any]:
    """Run a block with these names, and return the names that it leaves."""
    block = block.replace("inference.openai_middleware", "flashlite.compat.lightllm")
    if server is not None:
        block = block.replace("http://localhost:8000", server.base_url.removesuffix("/v1"))
    namespace = {"json": json, "os": os, **names}
    exec(compile(block, "003_lightllm.txt", "exec"), namespace)
    return namespace


def asking(server: Loopback, **options: Any) -> LightLLMClient:
    return LightLLMClient(base_url=server.base_url, max_retries=0, **options)


def test_the_client_is_made_and_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(answer("Paris is the capital of France.")) as server:
        run(SIMPLE, **run(CLIENT, server))
    assert capsys.readouterr().out == "Paris is the capital of France.\n"
    (request,) = server.requests
    assert request.headers["authorization"] == "Bearer your_api_key"
    assert request.json == {
        "model": "your_model",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "What is the capital of France?"},
        ],
        **SAMPLING,
    }


def test_a_tool_is_called_and_the_conversation_goes_on() -> None:
    searched: list[Any] = []
    with serving(answer(SEARCHING), answer("It computes.")) as server:
        names = run(TOOLS, **run(CLIENT, server))
        names = run(HANDLING, **names, execute_search=lambda query: searched.append(query) or "!")
    assert searched == [["quantum computing"]]
    assert names["response"].choices[0].message.content == "It computes."
    asked, continued = (request.json for request in server.requests)
    assert asked["tools"] == continued["tools"] == names["tools"]
    assert continued["messages"] == [
        *asked["messages"],
        {"role": "assistant", "content": SEARCHING},
        {"role": "tool", "content": "<tool_response>\n!\n</tool_response>"},
    ]


def test_an_answer_without_calls_has_the_form_of_the_guide() -> None:
    documented = run(WITHOUT_CALLS)["response"]
    with serving(answer("Paris is the capital of France.")) as server:
        response = asking(server).chat.completions.create(model="m", messages=MESSAGES)
    assert response["choices"][0]["message"] == documented["choices"][0]["message"]


def test_an_answer_with_calls_has_the_form_of_the_guide() -> None:
    documented = run(WITH_CALLS)["response"]["choices"][0]["message"]
    with serving(answer(SEARCHING)) as server:
        response = asking(server).chat.completions.create(
            model="m", messages=MESSAGES, tools=[TOOL]
        )
    message = response["choices"][0]["message"]
    (call,) = message["tool_calls"]
    assert call.pop("id").startswith("call_")
    documented["tool_calls"][0].pop("id")
    documented["content"] = documented["content"].replace("{...}", CALL)
    assert message == documented


def test_the_approaches_old_and_new_are_python() -> None:
    names = run(OLD, base_prompt="a", tool_definitions_string="b")
    assert names["system_prompt"] == "ab"
    with serving(answer("ok")) as server:
        run(NEW, client=asking(server), model="m", messages=MESSAGES, tools=[TOOL])
    assert server.requests[0].json["tools"] == [TOOL]


def test_an_image_is_read_from_its_file(tmp_path: Path) -> None:
    jpeg = b"\xff\xd8\xff..."
    (tmp_path / "image.jpg").write_bytes(jpeg)
    block = MULTIMODAL.replace("/path/to", str(tmp_path))
    with serving(answer("A cat.")) as server:
        names = run(block, client=asking(server))
    assert names["response"].choices[0].message.content == "A cat."
    uri = f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
    assert server.requests[0].json["messages"][0]["content"] == [
        {"type": "text", "text": "What's in this image?"},
        {"type": "image_url", "image_url": {"url": uri}},
    ]


FAILURES = {
    "connection": (Reply(chunks=(b"{", OSError())), "Connection error: "),
    "timeout": (Reply(chunks=(SILENCE,)), "Timeout error: "),
    "refusal": (Reply.of({"error": {"message": "No."}}, status=400), "API error: "),
    "no answer": (Reply(chunks=(b"<html>",)), "API error: "),
}


@pytest.mark.parametrize(("reply", "words"), FAILURES.values(), ids=FAILURES)
def test_each_failure_is_caught_where_the_guide_catches_it(
    reply: Reply, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(reply) as server:
        client = asking(server, timeout=0.1 if reply.chunks == (SILENCE,) else 600.0)
        run(ERRORS, client=client, messages=MESSAGES, tools=[TOOL])
    assert capsys.readouterr().out.startswith(words)


@pytest.mark.parametrize("wanted", ["true", "false"])
def test_the_client_stands_in_for_openais(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USE_LIGHTLLM", wanted)
    chosen = run(INTEGRATION)["OpenAI"]
    assert (chosen is LightLLMClient) == (wanted == "true")


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
def test_the_address_may_lack_its_v1(ending: str, mock_server: MockServer) -> None:
    address = mock_server.base_url.removesuffix("/v1") + ending
    completions = LightLLMClient(base_url=address).chat.completions
    response = completions.create(model="echo", messages="Hello")
    assert response.choices[0].message.content == "Hello"


def test_the_environment_tells_the_address(
    mock_server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTLLM_BASE_URL", mock_server.base_url)
    response = LightLLMClient().chat.completions.create(model="echo", messages="Hello")
    assert response.choices[0].message.content == "Hello"


def test_an_answer_has_openais_form_by_attribute_and_by_key() -> None:
    with serving(answer(SEARCHING)) as server:
        response = asking(server).chat.completions.create(
            model="m", messages=MESSAGES, tools=[TOOL]
        )
    (choice,) = response.choices
    (call,) = choice.message.tool_calls
    assert call["function"]["name"] == call.function.name == "search"
    assert json.loads(call.function.arguments) == {"query": ["quantum computing"]}
    assert (response.id, response.model, choice.finish_reason) == ("c1", "m", "tool_calls")
    assert response.usage.total_tokens == response["usage"]["total_tokens"] == 7
    assert json.loads(json.dumps(response)) == response
    with pytest.raises(AttributeError, match="'reasoning_content'"):
        choice.message.reasoning_content  # noqa: B018 - as a caller would


def test_calls_that_the_server_read_itself_are_in_the_content_too() -> None:
    function = {"name": "now", "arguments": ""}
    with serving(answer("", tool_calls=[{"id": "c", "function": function}])) as server:
        response = asking(server).chat.completions.create(
            model="m", messages=MESSAGES, tools=[TOOL]
        )
    message = response.choices[0].message
    assert message.content == '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    written = {"name": "now", "arguments": "{}"}
    assert message.tool_calls == [{"id": "c", "type": "function", "function": written}]


def test_a_message_that_goes_back_whole_holds_its_call_once() -> None:
    with serving(answer(SEARCHING), answer("ok"), answer("ok")) as server:
        create = asking(server).chat.completions.create
        called = create(model="m", messages=MESSAGES, tools=[TOOL]).choices[0].message
        said = create(model="m", messages=[*MESSAGES, called]).choices[0].message
        create(model="m", messages=[*MESSAGES, said])
    assert [request.json["messages"][1:] for request in server.requests] == [
        [],
        [
            {
                "role": "assistant",
                "content": "I'll search for that.\n",
                "tool_calls": called.tool_calls,
            }
        ],
        [{"role": "assistant", "content": "ok"}],
    ]


def test_what_the_caller_says_is_sent() -> None:
    with serving(answer("ok")) as server:
        asking(server).chat.completions.create(
            model="Qwen/Qwen3-8B",
            messages=MESSAGES,
            temperature=0,
            stop=["END"],
            top_k=1,
            repetition_penalty=1.2,
            seed=7,
            extra_body={"min_p": 0.1},
        )
    assert server.requests[0].json == {
        **SAMPLING,
        "model": "Qwen/Qwen3-8B",
        "messages": MESSAGES,
        "temperature": 0,
        "stop": ["END"],
        "top_k": 1,
        "repetition_penalty": 1.2,
        "seed": 7,
        "min_p": 0.1,
    }


def test_the_pieces_of_a_stream_add_up_to_a_whole_answer() -> None:
    pieces = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in SEARCHING]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    asked: dict[str, Any] = {"model": "m", "messages": MESSAGES, "tools": [TOOL]}
    with serving(Reply.stream([*pieces, end, usage, "[DONE]"]), answer(SEARCHING)) as server:
        create = asking(server).chat.completions.create
        chunks = list(create(**asked, stream=True, stream_options={"include_usage": True}))
        whole = create(**asked)
    *begun, last = chunks
    deltas = [chunk.choices[0].delta for chunk in begun]
    functions = [call.function for delta in deltas for call in delta.tool_calls or ()]
    assert "".join(delta.content or "" for delta in deltas) == SEARCHING
    assert whole.choices[0].message.content == SEARCHING
    assert [function.name for function in functions if function.name] == ["search"]
    assert (
        "".join(function.arguments for function in functions) == '{"query": ["quantum computing"]}'
    )
    assert begun[-1].choices[0].finish_reason == "tool_calls"
    assert last.usage.total_tokens == 7


def test_the_errors_are_those_of_the_engine() -> None:
    for kind in (lightllm.APIConnectionError, lightllm.APITimeoutError):
        assert issubclass(kind, lightllm.APIError)
    assert not issubclass(lightllm.APITimeoutError, lightllm.APIConnectionError)
