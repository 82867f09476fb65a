"""flashlite's quick start keeps its word: its Python runs against loopback as it stands."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from flashlite import Flashlite, Message, RetryConfig
from flashlite.testing import MockServer, Reply

from ..providers.loopback import Loopback, serving
from .blocks import Run, Script, Seed, calls

SEED = Seed("000_flashlite.txt")

PARIS = ("get_weather", '{"location": "Paris"}')
THOUGHTFUL = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "text", "text": "Solved."},
    ],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 2},
}


@pytest.fixture
def anthropic(monkeypatch: pytest.MonkeyPatch) -> Any:
    with serving(Reply.of(THOUGHTFUL)) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url.removesuffix("/v1"))
        monkeypatch.setenv("ANTHROPIC_API_KEY", "a-test-key")
        yield server


def test_basic_usage(run: Run, host: MockServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert run()["response"].content == "Hello!"
    assert capsys.readouterr().out == "Hello!\n"
    asked = [request.body["messages"][0]["content"] for request in host.requests]
    assert asked == ["Hello!", "What is the capital of France?", "Hello!"]


def test_client_options(run: Run) -> None:
    client = run()["client"]
    assert client.complete_sync("Hi").model == "gpt-4o"


def test_rate_limiting(run: Run) -> None:
    names = run(prompts=["One", "Two"])
    assert names["response"].content == "Two"


def test_retries_with_backoff(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with MockServer("echo", status=500, times=2) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        client = run(changes={"initial_delay=1.0": "initial_delay=0.0"})["client"]
        assert client.complete_sync("Hi", model="gpt-4o").content == "Hi"
    assert len(server.requests) == 3


def test_parallel_processing(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run(documents=["first", "second"])
    assert capsys.readouterr().out == "Summary: Summarize: first\nSummary: Summarize: second\n"


def test_inline_templates(run: Run) -> None:
    assert run()["response"].content == "Translate 'Hello' to French"


def test_template_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "summarize.jinja").write_text(SEED.templates["template_files"])
    names = run(Flashlite=Flashlite, long_text="Once upon a time.")
    assert names["response"].content == (
        "You are a helpful assistant that summarizes text.\n\n"
        "Summarize the following in 3 sentences:\n\nOnce upon a time."
    )


def test_built_in_filters(run: Run) -> None:
    given = {
        "data": {"a": "<b>"},
        "long_text": "word " * 101,
        "items": ["x", "y"],
        "content": "1 < 2",
    }
    template = SEED.templates["built_in_filters"]
    rendered = Flashlite("mock/echo").complete_sync(template=template, variables=given).content
    assert rendered == "\n".join(
        [
            '{"a": "<b>"}',
            "",
            "word " * 99 + "word...",
            ("word " * 101)[:497] + "...",
            "",
            "- x\n- y",
            "1. x\n2. y",
            "",
            "<document>\n1 < 2\n</document>",
        ]
    )


def test_structured_outputs(run: Run, script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.answers = ['{"label": "positive", "confidence": 0.95, "reasoning": "love"}']
    names = run()
    assert isinstance(names["result"], names["Sentiment"])
    assert capsys.readouterr().out == "Sentiment: positive (95%)\nReasoning: love\n"


def test_nested_and_complex_types(
    run: Run, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    task = {"title": "Tell the press", "description": "", "priority": "high", "tags": ["pr"]}
    script.answers = [json.dumps({"tasks": [task], "summary": "Launch."})]
    names = run(client=Flashlite(default_model="gpt-4o"))
    assert isinstance(names["result"], names["TaskList"])
    assert capsys.readouterr().out == "[high] Tell the press\n"


def test_validation_retries(run: Run, script: Script, host: MockServer) -> None:
    class MyModel(BaseModel):
        number: int

    script.answers = ["none", '{"number": "many"}', '{"number": 3}']
    assert run(client=Flashlite("gpt-4o"), MyModel=MyModel)["result"] == MyModel(number=3)
    first, second, third = (request.body["messages"] for request in host.requests)
    assert second[:2] == [*first, {"role": "assistant", "content": "none"}]
    assert "number" in third[-1]["content"]


def test_caching(run: Run, host: MockServer, capsys: pytest.CaptureFixture[str]) -> None:
    names = run()
    assert (names["response1"].cached, names["response2"].cached) == (False, True)
    assert len(host.requests) == 1
    assert capsys.readouterr().out == "Hit rate: 50.0%\n"
    assert asyncio.run(names["client"].cache_stats())["entries"] == 0


def test_cost_tracking(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    report = run()["report"]
    cost, tokens, *_ = capsys.readouterr().out.splitlines()
    assert cost == f"Total cost: ${report['total_cost_usd']:.4f}"
    assert tokens.startswith("Total tokens: ")
    assert report["total_requests"] == 2
    total = report["total_tokens"]
    assert total["input"] + total["output"] == total["total"] > 0
    (model,) = report["by_model"].values()
    assert model["cost_usd"] == report["total_cost_usd"] > 0
    assert model["tokens"] == total


def test_structured_logging(run: Run, tmp_path: Path) -> None:
    asyncio.run(run()["client"].aclose())
    lines = (tmp_path / "logs" / "completions.jsonl").read_text().splitlines()
    asked, answered = map(json.loads, lines)
    assert (asked["type"], asked["model"]) == ("request", "gpt-4o")
    assert (answered["type"], answered["request_id"]) == ("response", asked["request_id"])
    assert answered["latency_ms"] > 0


def test_openai_o1_o3(run: Run, host: MockServer) -> None:
    run()
    sent = host.requests[0].body
    assert (sent["reasoning_effort"], sent["max_completion_tokens"]) == ("high", 16000)


def test_anthropic_claude_extended_thinking(run: Run, anthropic: Loopback) -> None:
    response = run()["response"]
    assert (response.content, response.reasoning) == ("Solved.", "Hm.")
    thinking = {"type": "enabled", "budget_tokens": 10000}
    assert [request.json["thinking"] for request in anthropic.requests] == [thinking, thinking]
    assert anthropic.requests[0].json["max_tokens"] == 16000


def test_inspect_framework_integration(run: Run, tmp_path: Path) -> None:
    from inspect_ai.log import list_eval_logs, read_eval_log
    from inspect_ai.model import ModelOutput

    question = [{"role": "user", "content": "Hi"}]
    names = run(changes={"messages=[...]": f"messages={question!r}"}, request="Hello")
    assert isinstance(names["result"], ModelOutput)
    assert names["result"].completion == "Hi"
    names["inspect_logger"].close()
    (log,) = list_eval_logs(str(tmp_path / "logs"))
    (sample,) = read_eval_log(log).samples or ()
    assert (sample.id, sample.output.completion) == (0, "Hello")


def test_event_callbacks(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    client = run()["client"]
    client.complete_sync("Hi", model="gpt-4o")
    asked, answered = capsys.readouterr().out.splitlines()
    request_id = asked.removesuffix(" Sending request to gpt-4o")
    assert answered.startswith(f"{request_id} Got response in ")


def test_full_example_multi_agent_simulation(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "agent_decision.jinja").write_text("{{ agent_name }}: {{ scenario }}")
    run()
    assert "a temperature other than 0 draws once" in caplog.text
    assert capsys.readouterr().out.splitlines()[:-1] == [
        *(f"{name}: {name}: ..." for name in ("Alice", "Bob", "Charlie")),
        "",
    ]


def test_message_helpers(run: Run, host: MockServer) -> None:
    names = run(client=Flashlite())
    assert names["response"].content == "What's the weather?"
    assert host.requests[0].body["messages"] == names["messages"]


def test_conversation_management(
    run: Run, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script.answers = ["4", "12"]
    run()
    assert capsys.readouterr().out == (
        "4\n12\nsystem: You are a helpful math tutor.\nuser: What is 2 + 2?\nassistant: 4\n"
        "user: And if I multiply that by 3?\nassistant: 12\n"
    )


def test_branching_conversations(run: Run) -> None:
    conv = run("conversation_management")["conv"]
    before = len(conv)
    names = run(conv=conv)
    fork = names["fork"]
    assert conv.messages[:before] == fork.messages[:before]
    assert [conv[before].content, fork[before].content] == [
        "Divide by 2 instead",
        "What about 5 + 5?",
    ]


def test_save_and_load_state(run: Run) -> None:
    talked = run("conversation_management")
    loaded = run(**talked)["loaded_conv"]
    assert loaded.messages == talked["conv"].messages
    assert loaded.system_prompt == "You are a helpful math tutor."


def test_context_window_management(run: Run) -> None:
    messages = [
        Message.system("Be brief."),
        *[Message.user(f"Question {n}: " + "word " * 500) for n in range(30)],
    ]
    names = run(client=Flashlite(), messages=messages, very_long_conversation=messages)
    assert names["tokens"] > names["ctx"].limit == 8192
    assert names["prepared"] == [messages[0], *messages[-16:]]
    assert names["truncated"] == [messages[0], *messages[-7:]]


def test_mixed_model_parallel_processing(run: Run, anthropic: Loopback) -> None:
    responses = run(client=Flashlite())["responses"]
    assert [response.content for response in responses] == [
        "Complex reasoning task",
        "Simple classification",
        "Solved.",
    ]


def test_multi_agent_conversations(
    run: Run, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script.answers = ["Help!", "Hurt?"]
    run()
    assert capsys.readouterr().out == "Optimist: Help!\nSkeptic: Hurt?\n"


def test_round_robin_turns(run: Run, script: Script) -> None:
    chat = run("multi_agent_conversations")["chat"]
    script.answers = [*"abcdef", *"ghi"]
    assert run(chat=chat)["responses"] == [*"ghi"]
    assert [entry.content for entry in chat.transcript[-9:]] == [*"abcdefghi"]


def test_agent_model_overrides(run: Run, host: MockServer) -> None:
    names = run(**run("multi_agent_conversations"))
    for name in ("Optimist", "GPT-4 Expert", "Quick Responder"):
        asyncio.run(names["chat"].speak(name))
    models = [request.body["model"] for request in host.requests[-3:]]
    assert models == ["gpt-4o-mini", "gpt-4o", "gpt-4o-mini"]


def test_transcript_and_history(
    run: Run, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script.answers = ["Help!", "Hurt?"]
    chat = run("multi_agent_conversations")["chat"]
    capsys.readouterr()
    names = run(chat=chat)
    transcript = (
        "[Moderator]: Discuss: Will AI help or hurt jobs?\n\n[Optimist]: Help!\n\n[Skeptic]: Hurt?"
    )
    assert capsys.readouterr().out == f"{transcript}\n"
    assert names["alice_view"] == [Message.user(transcript)]
    assert (chat.transcript, list(chat.agents)) == ([], ["Optimist", "Skeptic"])


def test_tool_function_calling(run: Run, script: Script, host: MockServer) -> None:
    script.answers = [calls(PARIS)]
    names = run()
    (call,) = names["response"].tool_calls
    said = names["get_weather"](**call.arguments)
    assert said == "Weather in Paris: 22°C, partly cloudy"
    sent = [tool["function"] for tool in host.requests[0].body["tools"]]
    assert [function["name"] for function in sent] == ["get_weather", "search_web"]
    assert sent[0]["description"] == "Get the current weather for a location."


def test_tool_execution_loop(
    run: Run, script: Script, host: MockServer, capsys: pytest.CaptureFixture[str]
) -> None:
    names = run("tool_function_calling")
    cities = ('{"location": "NYC"}', '{"location": "Tokyo", "unit": "fahrenheit"}')
    script.answers = [calls(*(("get_weather", city) for city in cities)), "The same in both."]
    run(**names)
    assert capsys.readouterr().out == "The same in both.\nTool calls made: 2\n"
    results = [m["content"] for m in host.requests[-1].body["messages"] if m["role"] == "tool"]
    assert results == [
        "Weather in NYC: 22°C, partly cloudy",
        "Weather in Tokyo: 22°F, partly cloudy",
    ]


def test_pydantic_based_tool_definition(run: Run) -> None:
    tool = run(changes={"[...]": "[query]"})["search_tool"]
    assert (tool.name, tool.description) == ("do_search", "Search for information.")
    assert tool.parameters["required"] == ["query"]
    result = asyncio.run(tool.execute(query="x"))
    assert result.to_string() == '{"results":["x"],"images":["x"]}'


def test_tool_call_callbacks(run: Run, script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    names = run("tool_execution_loop", **run("tool_function_calling"))
    capsys.readouterr()
    arguments = '{"query": "Python", "max_results": 1}'
    script.answers = [calls(("search_web", arguments)), calls(("find", "{}")), "done"]
    assert run(**names)["result"].content == "done"
    assert capsys.readouterr().out.splitlines() == [
        "Calling tool: search_web with args: {'query': 'Python', 'max_results': 1}",
        "Tool search_web returned: ['Result 0: Information about Python']",
        "Calling tool: find with args: {}",
        "Tool find failed: there is no tool named 'find'; there are: search_web",
    ]


FAILURES = {
    "rate limit": ({"status": 429, "retry_after": 2}, "1.0", "Rate limited, retry after 2.0s"),
    "budget": ({}, "1e-9", "Budget exceeded: "),
    "status": ({"status": 404}, "1.0", "API error: 404 - "),
}


@pytest.mark.parametrize(("fault", "budget", "words"), FAILURES.values(), ids=FAILURES)
def test_error_handling(
    run: Run,
    fault: dict[str, Any],
    budget: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    once = RetryConfig(max_attempts=1)
    changes = {"budget_limit=1.0": f"budget_limit={budget}, retry=once"}
    with MockServer("echo", **fault) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        run(changes=changes, once=once)
    assert capsys.readouterr().out.startswith(words)


def test_error_handling_catches_what_was_never_sent(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.delenv("OPENAI_API_KEY")
    run("error_handling")
    assert capsys.readouterr().out.startswith("Flashlite error: ")
