"""The llm-client guide, second edition, keeps its word: its Python runs against loopback.

Where its facts have aged (a context of 128K, three efforts), the price map is right.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import flashlite
from flashlite import (
    GPT5,
    Agent,
    AgentConfig,
    AgentResult,
    Conversation,
    EmbeddingResult,
    FSCache,
    HybridRedisPostgreSQLCache,
    Message,
    ModelProfile,
    OpenAIProvider,
    QdrantCache,
    Role,
    StreamEvent,
    StreamEventType,
    ToolCall,
    TurnResult,
    Usage,
    estimate_tokens,
    tool,
)
from flashlite.testing import MockServer, Reply

from ..providers.loopback import Loopback, serving
from ..stores.qdrant_loopback import API_KEY, serving_qdrant
from .blocks import VECTOR, Run, Script, Seed, calls

SEED = Seed("002_llm_client.txt")

EVENTS = [
    {
        "type": "message_start",
        "message": {"id": "m", "model": "c", "role": "assistant", "usage": {"input_tokens": 5}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "thinking_delta", "thinking": "Rhyme?"},
    },
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "text_delta", "text": "Roses."},
    },
    {"type": "content_block_stop", "index": 1},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 2},
    },
    {"type": "message_stop"},
]
SPOOKY = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude-3-5-sonnet-20241022",
    "content": [{"type": "text", "text": "Spooky."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 2},
}


@pytest.fixture
def anthropic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    with serving(Reply.of(SPOOKY), Reply.stream(EVENTS)) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url.removesuffix("/v1"))
        monkeypatch.setenv("ANTHROPIC_API_KEY", "a-test-key")
        yield server


@pytest.fixture
def provider(host: MockServer) -> OpenAIProvider:
    return OpenAIProvider(model="gpt-5")


@tool
async def search(query: str) -> str:
    """Search."""
    return f"Results for: {query}"


SEARCHING = calls(("search", '{"query": "Python"}'))
HAIKU = {**calls(("search", "{}")), "content": "Tabs or\nspaces", "reasoning_content": "Count."}


def test_top_level_exports(run: Run) -> None:
    names = run()
    assert names["RequestManager"] is names["BatchManager"]
    assert names["QdrantCache"] is QdrantCache


def test_simple_completion(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    assert capsys.readouterr().out == "Hello, world!\nTokens: 18\n"


def test_agent_with_tools(run: Run, script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.answers = [calls(("get_weather", '{"city": "Tokyo"}')), "Sunny."]
    run()
    assert capsys.readouterr().out == "Sunny.\nTool calls: ['get_weather']\n"


def test_streaming(run: Run, script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.answers = [{"content": "Tabs", "reasoning_content": "Count."}]
    run()
    assert capsys.readouterr().out == "[Thinking: Count.]Tabs\n\nTokens: 20\n"


def test_using_anthropic_claude(
    run: Run, anthropic: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    assert capsys.readouterr().out == "Spooky.\n"
    assert anthropic.requests[0].json["max_tokens"] == 1024


def test_openai_provider(run: Run) -> None:
    provider = run()["provider"]
    assert provider.default_model == "openai/gpt-5"
    assert isinstance(provider.require_cache().store, FSCache)


def test_completion(run: Run, host: MockServer) -> None:
    names = run("openai_provider")
    result = run(**names)["result"]
    assert (result.content, result.tool_calls, result.reasoning) == ("Hello!", None, None)
    assert (result.model, result.finish_reason) == ("gpt-5", "stop")
    assert (result.status, result.error, result.ok) == (200, None, True)
    assert result.has_tool_calls is False
    assert host.requests[0].body == {
        "model": "gpt-5",
        "messages": [{"role": "user", "content": "Hello!"}],
        "temperature": 0.7,
        "max_tokens": 1000,
        "response_format": {"type": "text"},
        "reasoning_effort": "medium",
    }
    assert run(**names)["result"].cached
    for anew in ("rewrite_cache", "regen_cache"):
        assert not run(**names, changes={f"{anew}=False": f"{anew}=True"})["result"].cached
    off = {"cache_response=True": "cache_response=False"}
    assert not run(**names, changes=off)["result"].cached
    assert len(host.requests) == 4
    stats = asyncio.run(names["provider"].cache_stats())
    assert (stats["entries"], stats["hits"]) == (1, 1)


def test_streaming_2(
    run: Run, script: Script, provider: OpenAIProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    script.answers = [HAIKU]
    run(provider=provider, StreamEventType=StreamEventType)
    printed = capsys.readouterr().out
    assert printed.startswith("[Think: Count.]\nTabs or\nspacesCalling: search\nTool: ToolCall(")
    assert "\nTokens: Usage(" in printed
    assert "\nResult: CompletionResponse(" in printed


def test_embeddings(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Reply.of(VECTOR)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        result = run(OpenAIProvider=OpenAIProvider)["result"]
    assert isinstance(result, EmbeddingResult)
    assert (result.embeddings, result.embedding, result.ok) == ([[1.0, -2.5]], [1.0, -2.5], True)
    assert result.usage is not None
    assert (result.usage.input_tokens, result.cost) == (3, pytest.approx(3.9e-07))
    assert server.requests[0].json == {
        "model": "text-embedding-3-large",
        "input": ["Text to embed"],
        "encoding_format": "base64",
        "dimensions": 1536,
    }


def test_anthropic_provider(run: Run, anthropic: Loopback) -> None:
    asyncio.run(run()["provider"].complete("Hi"))
    assert anthropic.requests[0].json["max_tokens"] == 4096


def test_completion_2(run: Run, anthropic: Loopback) -> None:
    result = run(**run("anthropic_provider"))["result"]
    assert result.content == "Spooky."
    sent = anthropic.requests[0].json
    assert (sent["max_tokens"], sent["temperature"]) == (1000, 0.7)


def test_streaming_3(run: Run, anthropic: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
    names = run("anthropic_provider")
    asyncio.run(names["provider"].complete("Hi"))
    run(**names, StreamEventType=StreamEventType)
    assert capsys.readouterr().out == "[Thinking: Rhyme?]\nRoses."


def test_provider_protocol(run: Run) -> None:
    names = run(
        AsyncIterator=AsyncIterator,
        EmbeddingResult=EmbeddingResult,
        StreamEventType=StreamEventType,
    )
    mine = names["MyProvider"]()

    async def streamed() -> list[str]:
        return [event.data async for event in mine.stream("Hi")]

    assert asyncio.run(streamed()) == ["Hello"]
    with pytest.raises(NotImplementedError, match="Embeddings not supported"):
        asyncio.run(mine.embed("Hi"))


def test_creating_agents(run: Run) -> None:
    assert run(tool1=search, tool2=tool(name="other")(search.handler))["agent"].config == (
        AgentConfig(max_turns=10)
    )


def test_agent_configuration(run: Run) -> None:
    assert run()["config"] == AgentConfig()


def test_running_agents(run: Run, script: Script, provider: OpenAIProvider) -> None:
    agent = Agent(provider=provider, tools=[search], system_message="You are helpful.")
    script.answers = [SEARCHING, "Done.", "Hi!", "More."]
    names = run(agent=agent)
    result = names["result"]
    assert isinstance(result, AgentResult)
    assert [type(turn) for turn in result.turns] == [TurnResult, TurnResult]
    assert (result.content, result.num_turns) == ("Done.", 2)
    assert [call.name for call in result.all_tool_calls] == ["search"]
    assert result.conversation is agent.conversation
    assert result.total_usage.total_tokens > 0
    assert (result.status, result.error) == ("success", None)
    assert (names["response"], names["result2"].content) == ("Hi!", "More.")
    assert agent.conversation.messages == [Message.system("You are helpful.")]
    assert names["forked_agent"].conversation.messages == agent.conversation.messages


def test_streaming_agents(
    run: Run, script: Script, provider: OpenAIProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    script.answers = [SEARCHING, "Here."]
    run(agent=Agent(provider=provider, tools=[search]), StreamEventType=StreamEventType)
    assert [line for line in capsys.readouterr().out.splitlines() if line] == [
        "--- Turn 1 ---",
        "> Calling search...",
        "[Tool: search]",
        "Result: Results for: Python...",
        "--- Turn 2 ---",
        "Here.",
        "Status: success",
        "Turns: 2",
    ]


def test_session_persistence(run: Run, script: Script, provider: OpenAIProvider) -> None:
    agent = Agent(provider=provider, tools=[search])
    asyncio.run(agent.run("Hello"))
    script.answers = ["Gladly."]
    names = run(agent=agent, Agent=Agent, OpenAIProvider=OpenAIProvider, my_tool=search)
    assert names["result"].content == "Gladly."
    assert names["loaded_agent"].conversation.messages[:2] == agent.conversation.messages


def test_tool_decorator(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def find(query: str, limit: int) -> list[str]:
        return [query] * limit

    pytz = ModuleType("pytz")
    monkeypatch.setitem(sys.modules, "pytz", pytz)
    monkeypatch.setattr(pytz, "timezone", ZoneInfo, raising=False)
    names = run(db=SimpleNamespace(search=find), json=json)
    database, clock = names["search_database"], names["get_current_time"]
    assert database.to_openai()["function"] == json.loads(SEED.schemas["tool_decorator"])
    found = asyncio.run(database.execute(query="python", limit=2))
    assert found.content == '["python", "python"]'
    assert asyncio.run(clock.execute()).content.endswith("+00:00")


def test_tool_registry(run: Run) -> None:
    @tool
    async def search_database(query: str, limit: int) -> list[str]:
        """Search."""
        return [query] * limit

    tool_name = tool(name="tool_name")(search.handler)
    names = run(tool1=search_database, tool2=tool_name, tool3=search)
    result, registry = names["result"], names["registry"]
    assert (result.content, result.success, result.error) == (["python"] * 5, True, None)
    assert json.loads(result.to_string()) == ["python"] * 5
    assert (registry.tools, registry.names) == ([search_database], ["search_database"])
    assert registry.get("search_database") is search_database


def test_manual_tool_definition(run: Run) -> None:
    async def my_async_function(expression: str) -> Any:
        return eval(expression)

    names = run(my_async_function=my_async_function)
    assert names["tool"].handler is my_async_function
    assert asyncio.run(names["tool"].execute(expression="6 * 7")).content == 42
    assert asyncio.run(names["calc_tool"].execute(x=1, y=2.5)).content == 3.5
    assert names["fetch_tool"].description == "Fetch data from a URL."


def test_basic_conversation_usage(run: Run) -> None:
    names = run()
    conv, messages = names["conv"], names["messages"]
    assert len(conv) == len(messages) == 6
    assert conv[0] == Message.system("You are a helpful assistant.")
    assert conv.get_last_message().role == Role.TOOL
    assert conv.get_last_user_message() == Message.user("Show me an example")
    (call,) = conv.get_last_assistant_message().tool_calls
    assert call.arguments == {"q": "python"}
    assert all(type(message) is Message for message in messages)
    assert all(type(message) is dict for message in names["messages_dict"])
    assert messages == names["messages_dict"]


@pytest.mark.parametrize("strategy", ["sliding", "drop_oldest", "drop_middle"])
def test_context_window_management(run: Run, strategy: str) -> None:
    def talkative(**options: Any) -> Conversation:
        conv = Conversation(**options)
        for n in range(30):
            conv.add_user(f"Question {n}: " + "word " * 300)
            conv.add_assistant("word " * 100)
        conv.add_user("The last question")
        return conv

    names = run(
        changes={
            "import Conversation, GPT5": "import GPT5",
            'truncation_strategy="sliding"': f"truncation_strategy={strategy!r}",
        },
        Conversation=talkative,
    )
    conv, messages = names["conv"], names["messages"]
    assert names["token_count"] > 8000
    assert estimate_tokens(messages, GPT5) <= 6000
    assert (messages[0], messages[-1]) == (conv[0], conv[-1])
    assert (messages[1] == conv[1]) is (strategy == "drop_middle")


def test_conversation_serialization(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    original = Conversation(system_message="You are helpful.", max_tokens=8000)
    original.add_user("Hi")
    original.add_assistant("Hello")
    original.add_user("Bye")
    names = run(conv=original, Conversation=Conversation)
    conv, forked = names["conv"], names["forked"]
    assert (conv.config, conv.id) == (original.config, original.id)
    assert (forked.messages, forked.id == conv.id) == (original.messages, False)
    assert names["branched"].messages == original.messages[:3]
    assert conv.messages == [Message.system("You are helpful.")]
    assert capsys.readouterr().out == "system: You are helpful.\n"


def test_stream_events(run: Run) -> None:
    event = StreamEvent(type=StreamEventType.TOKEN, data="Hello")
    assert run(event=event)["sse_string"] == "event: token\ndata: Hello\n\n"


def test_sse_adapter(run: Run, script: Script, provider: OpenAIProvider) -> None:
    testclient = pytest.importorskip("fastapi.testclient")
    script.answers = ["Tabs or\nspaces"]
    names = run(provider=provider, prompt="Write a haiku")

    async def lines() -> list[str]:
        return [line async for line in names["stream_response"]()]

    said = asyncio.run(lines())
    assert [line for line in said if line.startswith("event: token")] == [
        "event: token\ndata: Tabs\n\n",
        "event: token\ndata:  or\n\n",
        "event: token\ndata: \ndata: spaces\n\n",
    ]
    assert said[-1].startswith('event: done\ndata: {"choices":[')
    response = testclient.TestClient(names["app"]).get("/stream", params={"prompt": "Hi"})
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "event: token\ndata: Hi\n\n" in response.text


def test_callback_adapter(
    run: Run, script: Script, provider: OpenAIProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    script.answers = [HAIKU]
    run(provider=provider, prompt="Write a haiku")
    assert capsys.readouterr().out.startswith(
        "[Think: Count.]\nTabs or\nspaces\nCalling: search\nTool done: search\n\n\nDone! Usage("
    )


def test_buffering_adapter(
    run: Run, script: Script, provider: OpenAIProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    script.answers = [HAIKU]
    names = run(provider=provider, prompt="Write a haiku", StreamEventType=StreamEventType)
    buffer, result = names["buffer"], names["result"]
    assert capsys.readouterr().out == (
        f"Tabs or\nspaces{buffer.content}\nCount.\n{buffer.tool_calls}\n{buffer.usage}\n"
    )
    assert buffer.tool_calls == [ToolCall("call_0", "search", {})]
    assert (result.content, result.usage, result.ok) == ("Tabs or\nspaces", buffer.usage, True)


def test_utility_functions(run: Run, provider: OpenAIProvider) -> None:
    names = run(provider=provider, prompt="Hello")
    assert names["result"].content == names["text"] == "Hello"
    assert names["sse"] == "event: token\ndata: Hello\n\n"


def test_filesystem_cache(run: Run, tmp_path: Path) -> None:
    first, second = (run(OpenAIProvider=OpenAIProvider)["result"] for _ in range(2))
    assert (first.cached, second.cached) == (False, True)
    assert any((tmp_path / "cache").iterdir())


def test_postgresql_redis_cache(run: Run) -> None:
    """Nothing is opened before the first use; `tests/services` has that with servers."""
    store = run(OpenAIProvider=OpenAIProvider)["provider"].require_cache().store
    assert isinstance(store, HybridRedisPostgreSQLCache)


def test_qdrant_cache(run: Run, host: MockServer) -> None:
    with serving_qdrant(api_key=API_KEY) as server:
        filled = {"http://localhost:6333": server.url, "your-api-key": API_KEY}
        provider = run(changes=filled, OpenAIProvider=OpenAIProvider)["provider"]
        first, second = (run("cache_options", provider=provider)["result"] for _ in range(2))
        stats = asyncio.run(provider.cache_stats())
    assert (first.cached, second.cached) == (False, True)
    assert (stats["entries"], stats["embeddings"]) == (1, 1)
    assert [request.path for request in host.requests] == [
        "/v1/embeddings",
        "/v1/chat/completions",
    ]


def test_cache_options(run: Run) -> None:
    names = run("filesystem_cache", OpenAIProvider=OpenAIProvider)
    first, second = (run(provider=names["provider"])["result"] for _ in range(2))
    assert (first.cached, second.cached) == (False, True)  # another collection


def test_rate_limiting(run: Run) -> None:
    async def create(_: Any) -> Any:
        return SimpleNamespace(usage=SimpleNamespace(completion_tokens=50))

    client = SimpleNamespace(completions=SimpleNamespace(create=create))
    names = run(client=client, OpenAIProvider=OpenAIProvider, GPT5=GPT5)
    assert names["ctx"].output_tokens == 50


def test_batch_processing(run: Run, host: MockServer) -> None:
    results = run()["results"]
    assert [result["output"] for result in results] == [f"Question {i}" for i in range(1000)]
    assert run()["results"] == results
    assert len(host.requests) == 1000


def test_model_profiles(run: Run) -> None:
    usage = SimpleNamespace(prompt_tokens=1000, completion_tokens=100, total_tokens=1100)
    names = run(OpenAIProvider=OpenAIProvider, api_response=SimpleNamespace(usage=usage))
    assert names["model"] == GPT5
    assert (GPT5.model_name, GPT5.category) == ("gpt-5", "completions")
    assert GPT5.context_window == 272_000
    assert GPT5.reasoning_model is True
    assert GPT5.reasoning_efforts == ["minimal", "low", "medium", "high"]
    assert names["count"] == 4
    assert names["usage"] == Usage(
        input_tokens=1000,
        output_tokens=100,
        input_cost=0.00125,
        output_cost=0.001,
        total_cost=0.0022500000000000003,
    )


@pytest.mark.parametrize(
    ("key", "name", "category", "reasons"),
    [
        ("gpt-5", "GPT5", "completions", True),
        ("gpt-5-mini", "GPT5Mini", "completions", True),
        ("gpt-5-nano", "GPT5Nano", "completions", True),
        ("gpt-5.1", "GPT5Point1", "completions", True),
        ("gpt-5.2", "GPT5Point2", "completions", True),
        ("text-embedding-3-large", "TextEmbedding3Large", "embeddings", False),
        ("text-embedding-3-small", "TextEmbedding3Small", "embeddings", False),
    ],
)
def test_the_table_of_models(key: str, name: str, category: str, reasons: bool) -> None:
    profile = getattr(flashlite, name)
    assert profile == ModelProfile.get(key)
    assert (profile.model_name, profile.category) == (key, category)
    assert bool(profile.reasoning_model) is reasons


def test_message(run: Run) -> None:
    names = run()
    msg = names["msg"]
    assert names["d"] == {"role": "user", "content": "Hello"}
    assert (msg.role, msg.content) == (Role.USER, "Hello")
    assert (msg.tool_calls, msg.tool_call_id, msg.name) == (None, None, None)


def test_toolcall(run: Run) -> None:
    assert run()["args"] == {"query": "python"}


def test_usage(run: Run) -> None:
    usage = run()["usage"]
    assert (usage.total_tokens, usage.input_tokens_cached) == (150, 20)
    assert (usage.input_cost, usage.output_cost, usage.total_cost) == (0.001, 0.002, 0.003)


def test_streamevent(run: Run) -> None:
    event = run(time=time)["event"]
    assert event.to_sse() == "event: token\ndata: Hello\n\n"
    assert event.timestamp <= time.time()


def test_migration_from_v1(run: Run, host: MockServer, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    assert capsys.readouterr().out == "Hello\nHello\nUse the tool\n"
    assert [tool["function"]["name"] for tool in host.requests[-1].body["tools"]] == ["my_tool"]
