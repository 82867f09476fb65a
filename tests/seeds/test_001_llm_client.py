"""The llm-client guide, first edition, keeps its word: its Python runs against loopback."""

from __future__ import annotations

import asyncio
import textwrap
from datetime import datetime
from pathlib import Path

import pytest

from flashlite import (
    Agent,
    Message,
    OpenAIProvider,
    StreamEventType,
    tool,
)
from flashlite.testing import MockServer, Reply

from ..providers.loopback import serving
from ..stores.qdrant_loopback import serving_qdrant
from .blocks import VECTOR, Run, Script, Seed, calls

SEED = Seed("001_llm_client.txt")


def test_simple_completion(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    assert capsys.readouterr().out == "Hello, world!\n"


def test_agent_with_tools(run: Run, script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.answers = [calls(("get_weather", '{"city": "Tokyo"}')), "Sunny."]
    run()
    assert capsys.readouterr().out == "Sunny.\nTool calls made: ['get_weather']\n"


def test_streaming(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    assert capsys.readouterr().out == "Write a haiku about coding\nTokens used: 24\n"


def test_backward_compatible_api(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    assert capsys.readouterr().out == "Hello!\n"


def test_providers(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"role": "assistant", "content": "Hello"}
    whole = {"model": "gpt-5", "choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}
    piece = {"index": 0, "delta": said, "finish_reason": "stop"}
    story = Reply.stream([{"model": "gpt-5", "choices": [piece]}, "[DONE]"])
    with serving(Reply.of(whole), story, Reply.of(VECTOR)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        names = run()
    assert names["event"].type == StreamEventType.DONE
    assert names["event"].data.content == "Hello"
    assert names["result"].embedding == [1.0, -2.5]
    assert server.requests[2].json == {
        "model": "text-embedding-3-small",
        "input": ["Text to embed"],
    }
    assert any((tmp_path / "cache").iterdir())


def test_tools(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    names = run()
    assert capsys.readouterr().out == "4\n"
    assert names["calculate"].parameters["properties"]["expression"] == {
        "type": "string",
        "description": 'Math expression like "2 + 2"',
    }
    told = asyncio.run(names["registry"].execute("get_time"))
    assert datetime.fromisoformat(told.content)


def test_conversations(run: Run) -> None:
    names = run()
    conv = names["conv"]
    assert names["messages"] == [
        Message.system("You are helpful."),
        Message.user("What is Python?"),
        Message.assistant("Python is a programming language..."),
        Message.user("Show me an example"),
    ]
    assert (names["forked"].messages, names["loaded"].messages) == (conv.messages, conv.messages)


@tool
async def search(query: str) -> str:
    """Search."""
    return f"Results for: {query}"


def test_agents(run: Run, script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    searching = calls(("search", '{"query": "Python"}'))
    script.answers = ["Researched.", searching, "Found.", "Found more."]
    names = run(changes={"[...]": "[search]"}, search=search, StreamEventType=StreamEventType)
    assert capsys.readouterr().out == (
        "Researched.\nTurns: 1\nStatus: success\n\n[Tool: search]\nFound."
    )
    assert names["result2"].content == "Found more."
    assert names["agent"].conversation.messages == [Message.system("You are a research assistant.")]


def test_caching(run: Run, host: MockServer) -> None:
    with serving_qdrant() as server:
        filled = {"http://localhost:6333": server.url}
        first, second = (
            run(changes=filled, OpenAIProvider=OpenAIProvider)["result"] for _ in range(2)
        )
    assert (first.content, first.cached, second.cached) == ("Hello", False, True)
    assert [request.path for request in host.requests] == [
        "/v1/embeddings",
        "/v1/chat/completions",
    ]


def test_streaming_adapters(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint = textwrap.indent(SEED.blocks["streaming_adapters"], "    ")
    names = run(
        changes={SEED.blocks["streaming_adapters"]: f"async def endpoint():\n{endpoint}"},
        provider=OpenAIProvider(model="gpt-5"),
        prompt="Hello",
    )

    async def served() -> list[str]:
        return [line async for line in names["endpoint"]()]

    assert asyncio.run(served())[0] == "event: token\ndata: Hello\n\n"
    assert capsys.readouterr().out == "Hello\nDone: Hello\nHello\n"


def test_migration_from_v1(run: Run, host: MockServer) -> None:
    names = run(
        changes={"messages=[...]": 'messages=[{"role": "user", "content": "Hi"}]', "[...]": "[]"}
    )
    assert isinstance(names["agent"], Agent)
    assert names["result"].content == "prompt"
    assert [request.body["messages"][-1]["content"] for request in host.requests] == [
        "Hi",
        "prompt",
        "prompt",
    ]
