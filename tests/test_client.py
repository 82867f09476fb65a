"""The engine from the caller's side."""

from __future__ import annotations

import asyncio
import gc
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from flashlite import (
    APITimeoutError,
    BaseProvider,
    CallbackManager,
    CompletionRequest,
    CompletionResponse,
    ConfigError,
    Flashlite,
    Handler,
    InternalServerError,
    MemoryCache,
    Message,
    MessageInput,
    RateLimitConfig,
    RetryConfig,
    StreamEvent,
    StreamEventType,
    StreamInterruptedError,
    StructuredLogger,
    StructuredOutputError,
    Timeout,
    ToolCall,
    read_log,
)
from flashlite.testing import MockServer, ScriptedProvider

FAST = RetryConfig(initial_delay=0)


async def test_a_text_is_a_user_message() -> None:
    provider = ScriptedProvider(["hello"])
    response = await Flashlite("m", provider=provider).complete("Hi")
    assert response.content == "hello"
    [request] = provider.requests
    expected = CompletionRequest(model="m", messages=(Message.user("Hi"),))
    assert request.with_(timeout=expected.timeout) == expected


async def test_the_model_of_the_call_wins_over_the_default() -> None:
    provider = ScriptedProvider(["a", "b"])
    client = Flashlite("default", provider=provider)
    await client.complete("Hi", model="mine")
    await client.complete("Hi")
    assert [request.model for request in provider.requests] == ["mine", "default"]


async def test_the_default_model_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLASHLITE_DEFAULT_MODEL", "from-env")
    provider = ScriptedProvider(["a"])
    await Flashlite(provider=provider).complete("Hi")
    assert provider.requests[0].model == "from-env"


async def test_options_of_the_call_win_over_those_of_the_client() -> None:
    provider = ScriptedProvider(["a"])
    client = Flashlite("m", provider=provider, temperature=0.5, max_tokens=10, timeout=5)
    await client.complete("Hi", temperature=0.0, seed=1)
    [request] = provider.requests
    assert request.params == {"temperature": 0.0, "max_tokens": 10, "seed": 1}
    assert request.timeout.total is not None
    assert 4 < request.timeout.total <= 5


async def test_none_in_a_call_leaves_the_clients_own_value() -> None:
    provider = ScriptedProvider(["a"])
    client = Flashlite("m", provider=provider, base_url="http://mine/v1", api_key="k", seed=1)
    await client.complete("Hi", base_url=None, api_key=None, seed=None)
    [request] = provider.requests
    assert (request.base_url, request.api_key, request.params) == (
        "http://mine/v1",
        "k",
        {"seed": 1},
    )


async def test_what_is_none_was_not_given() -> None:
    provider = ScriptedProvider(["a"])
    options: dict[str, Any] = {"temperature": None, "tools": None, "seed": None}
    await Flashlite("m", provider=provider).complete("Hi", **options)
    assert (provider.requests[0].params, provider.requests[0].tools) == ({}, ())


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"tool_choice": "any"}, {"tool_choice": "required"}),
        (
            {"tool_choice": "add"},
            {"tool_choice": {"type": "function", "function": {"name": "add"}}},
        ),
        ({"response_format": "json_object"}, {"response_format": {"type": "json_object"}}),
        (
            {"response_format": {"title": "A", "type": "object"}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "A", "schema": {"title": "A", "type": "object"}},
                }
            },
        ),
    ],
)
async def test_short_forms_are_spelled_out(given: dict[str, Any], sent: dict[str, Any]) -> None:
    provider = ScriptedProvider(["a"])
    await Flashlite("m", provider=provider).complete("Hi", **given)
    assert provider.requests[0].params == sent


async def test_a_bare_function_is_a_tool() -> None:
    provider = ScriptedProvider(["a"])
    function = {"name": "add", "parameters": {"type": "object"}}
    await Flashlite("m", provider=provider).complete("Hi", tools=[function])
    assert provider.requests[0].tools == ({"type": "function", "function": function},)


BAD_CALLS: list[tuple[Any, dict[str, Any], str]] = [
    ("Hi", {"model": None}, "no model given: pass model=... or Flashlite(default_model=...)"),
    ("", {}, "no messages: pass a text or a non-empty list of messages"),
    ([], {}, "no messages: pass a text or a non-empty list of messages"),
    (
        [{"content": "Hi"}],
        {},
        "a message needs a role out of system, developer, user, assistant, tool; got None",
    ),
    ([42], {}, "a message is a text or a dict with a role; got int"),
    ("Hi", {"temprature": 0}, "unknown parameter 'temprature': did you mean 'temperature'?"),
    (
        "Hi",
        {"zzz": 0},
        "unknown parameter 'zzz': a provider's own fields go into extra_body={...}",
    ),
    (
        "Hi",
        {"max_retries": 1},
        "unknown parameter 'max_retries': retries are the client's: "
        "Flashlite(retry=RetryConfig(max_attempts=...))",
    ),
    (
        "Hi",
        {"stream": True},
        "unknown parameter 'stream': client.stream(...) yields an answer piece by piece",
    ),
    (
        "Hi",
        {"max_steps": 3},
        "unknown parameter 'max_steps': the turns of an agent are Agent(max_turns=...)",
    ),
    (
        "Hi",
        {"instructions": "Be brief."},
        "unknown parameter 'instructions': "
        "write a system message first, or client.conversation(system=...)",
    ),
    ("Hi", {"tags": {"model": "a"}}, "tags is a list of texts; got {'model': 'a'}"),
    ("Hi", {"tag": "a"}, "unknown parameter 'tag': did you mean 'tags'?"),
    ("Hi", {"temperature": float("nan")}, "temperature is a finite number; got nan"),
    ("Hi", {"timeout": -1}, "a timeout is a positive number of seconds or None; got -1"),
    ("Hi", {"tools": ["add"]}, "a tool is a Tool or a dict in OpenAI's form; got 'add'"),
    ("Hi", {"tools": [{}]}, "a tool is a Tool or a dict in OpenAI's form; got {}"),
    ("Hi", {"tools": 5}, "tools is a list of tools; got 5"),
    ("Hi", {"tools": {"name": "add"}}, "tools is a list of tools; got {'name': 'add'}"),
    (
        "Hi",
        {"tools": [{"type": "function", "function": {}}]},
        "a tool needs a name; got {'type': 'function', 'function': {}}",
    ),
    ("Hi", {"model": 5}, "model is a text such as 'openai/gpt-4o'; got 5"),
    ("Hi", {"extra_body": "x"}, "extra_body is a dict; got 'x'"),
    ("Hi", {"extra_headers": "x"}, "extra_headers is a dict of texts"),
    ("Hi", {"extra_headers": {"x-key": b"secret"}}, "extra_headers is a dict of texts"),
    ("Hi", {"api_key": 5}, "api_key is a text"),
    ("Hi", {"sample": "a"}, "sample is a whole number; got 'a'"),
    ("Hi", {"structured_retries": "2"}, "structured_retries is a whole number; got '2'"),
    (
        "Hi",
        {"base_url": "localhost:8000"},
        "base_url is an address such as http://localhost:8000/v1; got 'localhost:8000'",
    ),
    (
        "Hi",
        {"base_url": 5},
        "base_url is an address such as http://localhost:8000/v1; got 5",
    ),
    (
        "Hi",
        {"response_format": 5},
        "response_format is a dict: OpenAI's object or a JSON schema; got 5",
    ),
    (
        [{"role": "user", "content": ["Hi"]}],
        {},
        "content is a text or a list of parts (dicts); got ['Hi']",
    ),
    (
        [{"role": "user", "content": {"text": "Hi"}}],
        {},
        "content is a text or a list of parts (dicts); got {'text': 'Hi'}",
    ),
]


@pytest.mark.parametrize(("messages", "options", "sentence"), BAD_CALLS)
async def test_a_call_that_cannot_work_says_what_to_do_and_sends_nothing(
    messages: Any, options: dict[str, Any], sentence: str
) -> None:
    provider = ScriptedProvider([])
    with pytest.raises(ConfigError) as caught:
        await Flashlite(provider=provider).complete(messages, **{"model": "m", **options})
    assert (str(caught.value), provider.requests) == (sentence, [])


class OwnProvider(BaseProvider):
    """A provider that completes."""

    async def complete(self, messages: MessageInput, **options: Any) -> CompletionResponse:
        raise AssertionError("unreachable")

    def stream(self, messages: MessageInput, **options: Any) -> AsyncIterator[StreamEvent]:
        raise AssertionError("unreachable")

    def __repr__(self) -> str:
        return "OwnProvider()"


class HalfAStore:
    """A store that nobody could clear."""

    async def get(self, key: str, *, collection: str = "") -> None:
        raise AssertionError("unreachable")

    async def put(self, entry: Any, *, collection: str = "") -> None:
        raise AssertionError("unreachable")

    def __repr__(self) -> str:
        return "HalfAStore()"


WHERE_A_PROVIDER_GOES = (
    "a BaseProvider goes to Agent(client=...), Conversation(client=...) or run_tool_loop(...)"
)
A_LAYER = (
    "a layer is an `async def layer(request, call_next)`, or an object that is called like one"
)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"model": "m"}, "a client's own model is default_model=...: Flashlite('openai/gpt-4o')"),
        ({"temprature": 0}, "unknown parameter 'temprature': did you mean 'temperature'?"),
        ({"middleware": print}, "middleware is a list of layers: middleware=[layer]"),
        ({"middleware": [5]}, f"{A_LAYER}; got 5"),
        ({"middleware": [dict]}, f"{A_LAYER}; got <class 'dict'>"),
        ({"retry": 5}, "retry is a RetryConfig(max_attempts=...); got 5"),
        ({"callback": 5}, "unknown parameter 'callback': did you mean 'callbacks'?"),
        (
            {"num_retries": 5},
            "unknown parameter 'num_retries': retries are the client's: "
            "Flashlite(retry=RetryConfig(max_attempts=...))",
        ),
        (
            {"budget": 5},
            "unknown parameter 'budget': write Flashlite(budget_limit=...), in dollars",
        ),
        ({"api_base": "http://x"}, "unknown parameter 'api_base': write base_url=..."),
        (
            {"request_timeout": 5},
            "unknown parameter 'request_timeout': write timeout=..., in seconds",
        ),
        (
            {"response_model": Timeout},
            "unknown parameter 'response_model': it is for one call: pass it to complete(...)",
        ),
        (
            {"provider": OwnProvider()},
            "provider is a function from a request to an answer; got OwnProvider(); "
            f"{WHERE_A_PROVIDER_GOES}",
        ),
        (
            {"provider": dict},
            "provider is a function from a request to an answer; got <class 'dict'>; "
            f"{WHERE_A_PROVIDER_GOES}",
        ),
        (
            {"cache": MemoryCache},
            "cache is a store such as MemoryCache(); got <class "
            "'flashlite.stores.memory.MemoryCache'>",
        ),
        (
            {"cache": HalfAStore()},
            "cache is a store such as MemoryCache(); got HalfAStore() without delete, clear, "
            "stats, entries, flush, aclose",
        ),
    ],
)
def test_a_client_that_cannot_work_says_what_to_do(options: Any, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Flashlite(**options)
    assert str(caught.value) == sentence


async def test_a_flat_tool_of_the_responses_api_is_a_tool() -> None:
    provider = ScriptedProvider(["a"])
    flat = {"type": "function", "name": "add", "parameters": {"type": "object"}}
    await Flashlite("m", provider=provider).complete("Hi", tools=[flat])
    function = {"name": "add", "parameters": {"type": "object"}}
    assert provider.requests[0].tools == ({"type": "function", "function": function},)


async def test_a_layer_that_forgets_to_return_is_named() -> None:
    async def layer(request: CompletionRequest, call_next: Handler) -> Any:
        await call_next(request)

    client = Flashlite("m", provider=ScriptedProvider(["a"]), middleware=[layer])
    with pytest.raises(ConfigError) as caught:
        await client.complete("Hi")
    assert str(caught.value).startswith("a layer or provider returned NoneType")


async def test_a_builtin_timeout_of_a_layer_does_not_leave_the_engine() -> None:
    async def layer(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        raise TimeoutError("the tape was slow")

    client = Flashlite("m", provider=ScriptedProvider([]), middleware=[layer])
    with pytest.raises(APITimeoutError) as caught:
        await client.complete("Hi")
    assert str(caught.value) == "a layer ran out of time: the tape was slow"


async def test_layers_of_the_user_stand_outside_of_ours() -> None:
    attempts: list[int] = []

    async def layer(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        response = await call_next(request)
        attempts.append(response.attempts)
        return response

    provider = ScriptedProvider([InternalServerError("no"), "hello"])
    await Flashlite("m", provider=provider, middleware=[layer], retry=FAST).complete("Hi")
    assert attempts == [2]


async def test_a_stream_ends_with_the_whole_answer() -> None:
    events = [event async for event in Flashlite("mock/echo").stream("one two")]
    assert [(event.type, event.data) for event in events[:2]] == [
        (StreamEventType.TOKEN, "one"),
        (StreamEventType.TOKEN, " two"),
    ]
    done = events[-1]
    assert (done.type, done.data.content, done.data.finish_reason) == ("done", "one two", "stop")
    assert done.data.usage == events[-2].data


async def test_a_stream_that_fails_before_its_first_event_is_tried_again() -> None:
    with MockServer("echo", cut=0, times=2) as server:
        client = Flashlite("openai/x", base_url=server.base_url, retry=FAST)
        events = [event async for event in client.stream("one two")]
    assert (events[-1].data.content, events[-1].data.attempts) == ("one two", 3)


async def test_a_stream_that_breaks_later_is_an_error_and_is_not_tried_again() -> None:
    seen: list[str] = []
    with MockServer("echo", cut=2) as server:
        client = Flashlite("openai/x", base_url=server.base_url, retry=FAST)
        with pytest.raises(StreamInterruptedError) as caught:
            seen.extend([str(e.type) async for e in client.stream("one two three")])
    assert len(server.requests) == 1
    assert str(caught.value) == (
        "openai/x: the stream broke off: the connection broke in the middle of the body"
    )


async def test_a_reader_who_stops_early_closes_the_connection_and_loses_nothing() -> None:
    seen: list[CompletionResponse] = []

    async def layer(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        response = await call_next(request)
        await response.on_complete(seen.append)
        return response

    with MockServer("echo", chunk_latency=0.01) as server:
        client = Flashlite("openai/x", base_url=server.base_url, middleware=[layer])
        async with aclosing(client.stream("one two three four")) as events:
            async for event in events:
                assert event.data == "one"
                break
        assert [(r.content, r.finish_reason) for r in seen] == [("one", None)]
        assert (await client.complete("again")).content == "again"


async def test_on_send_sees_the_body_of_every_attempt() -> None:
    bodies: list[Mapping[str, Any]] = []
    client = Flashlite("mock/echo?status=500&times=1", retry=FAST)
    await client.complete("Hi", on_send=bodies.append, temperature=0)
    body = {
        "model": "echo?status=500&times=1",
        "messages": [{"role": "user", "content": "Hi"}],
        "temperature": 0,
    }
    assert bodies == [body, body]


def test_one_client_works_over_several_loops_and_threads(mock_server: MockServer) -> None:
    client = Flashlite("openai/echo", base_url=mock_server.base_url)
    answers = [asyncio.run(client.complete(str(n))).content for n in range(3)]
    answers.append(client.complete_sync("sync").content)
    gc.collect()
    assert answers == ["0", "1", "2", "sync"]


async def test_a_sync_call_works_inside_a_running_loop() -> None:
    assert Flashlite("mock/echo").complete_sync("hello").content == "hello"


async def test_a_closed_client_can_be_used_again(mock_server: MockServer) -> None:
    async with Flashlite("openai/echo", base_url=mock_server.base_url) as client:
        await client.complete("one")
    assert (await client.complete("two")).content == "two"
    await client.aclose()


async def test_the_total_time_bounds_a_stream_to_its_last_byte() -> None:
    with MockServer("echo", chunk_latency=0.05) as server:
        client = Flashlite("openai/x", base_url=server.base_url, timeout=Timeout(total=0.2))
        with pytest.raises(Exception, match=r"openai/x: no answer within 0\.2 s"):
            async for _ in client.stream(" ".join("abcdefghijklm")):
                pass


STOP_READING = """
import asyncio
from flashlite import Flashlite
from flashlite.testing import MockServer
async def main():
    client = Flashlite("openai/echo?latency=0.01", base_url=server.base_url)
    async for event in client.stream("Hello, how are you?"):
        break
with MockServer() as server:
    asyncio.run(main())
"""


def test_a_program_that_ends_in_the_middle_of_a_stream_says_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STOP_READING], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_limits_of_a_client_hold_its_calls_back() -> None:
    came, go, running = asyncio.Event(), asyncio.Event(), 0

    async def provider(request: CompletionRequest) -> CompletionResponse:
        nonlocal running
        running += 1
        came.set()
        await go.wait()
        running -= 1
        return CompletionResponse.of("x")

    limits: list[dict[str, Any]] = [
        {"max_concurrency": 1},
        {"rate_limit": RateLimitConfig(requests_per_minute=1)},
    ]
    for limit in limits:
        came.clear(), go.clear()
        client = Flashlite("m", provider=provider, **limit)
        first, second = [asyncio.create_task(client.complete("Hi")) for _ in range(2)]
        await came.wait()
        await asyncio.sleep(0)
        assert running == 1
        second.cancel()
        go.set()
        assert (await first).content == "x"


class Sum(BaseModel):
    first: int
    second: int


GOOD, BAD = '{"first": 1, "second": 2}', '{"first": 1}'


async def test_an_answer_with_a_shape_is_an_instance_of_it() -> None:
    client = Flashlite("m", provider=ScriptedProvider([BAD, GOOD]))
    assert await client.complete("Hi", response_model=Sum) == Sum(first=1, second=2)
    assert Flashlite("mock/json").complete_sync("Hi", response_model=Sum) == Sum(first=0, second=0)


async def test_ask_returns_the_whole_response_with_the_instance_in_it() -> None:
    client = Flashlite("m", provider=ScriptedProvider([GOOD]))
    response = await client.ask("Hi", response_model=Sum)
    assert (response.parsed, response.content) == (Sum(first=1, second=2), GOOD)


async def test_a_model_that_calls_tools_instead_is_named_and_its_answer_kept() -> None:
    called = CompletionResponse.of(tool_calls=[ToolCall("c1", "add", "{}")])
    client = Flashlite("m", provider=ScriptedProvider([called]))
    with pytest.raises(StructuredOutputError) as caught:
        await client.complete("Hi", response_model=Sum)
    assert caught.value.response is called
    assert str(caught.value) == (
        "the model called tools instead of answering; ask() returns such a response"
    )


async def test_only_answers_that_fit_are_stored() -> None:
    provider = ScriptedProvider([BAD, GOOD])
    client = Flashlite("m", provider=provider, cache=MemoryCache(), temperature=0)
    for _ in range(3):
        assert await client.complete("Hi", response_model=Sum) == Sum(first=1, second=2)
    assert len(provider.requests) == 2


async def test_many_answers_may_each_have_a_shape() -> None:
    client = Flashlite("m", provider=ScriptedProvider([GOOD, GOOD]))
    requests = [{"messages": "Hi", "response_model": Sum}, "Hi"]
    first, second = await client.complete_many(requests, max_concurrency=1)
    assert first == Sum(first=1, second=2)
    assert isinstance(second, CompletionResponse)


async def test_callbacks_and_logs_see_every_call_and_every_hit(tmp_path: Path) -> None:
    callbacks, seen = CallbackManager(), list[tuple[Any, ...]]()

    @callbacks.on_request
    async def ask(request: CompletionRequest, request_id: str) -> None:
        seen.append(("asked", request_id == request.id))

    @callbacks.on_response
    def answer(response: Any, request_id: str, latency_ms: float, cached: bool) -> None:
        seen.append(("answered", cached))

    client = Flashlite(
        "mock/echo",
        cache=MemoryCache(),
        temperature=0,
        callbacks=callbacks,
        structured_logger=StructuredLogger(tmp_path / "log.jsonl"),
    )
    for _ in range(2):
        await client.complete("Hi")
    await client.aclose()
    assert seen == [("asked", True), ("answered", False), ("asked", True), ("answered", True)]
    records = list(read_log(tmp_path / "log.jsonl"))
    assert [(record["type"], record.get("cached")) for record in records] == [
        ("request", None),
        ("response", False),
        ("request", None),
        ("response", True),
    ]


async def test_a_template_is_the_last_user_message(tmp_path: Path) -> None:
    (tmp_path / "greet.jinja").write_text("Greet {{ name }}.")
    client = Flashlite("mock/echo", template_dir=tmp_path)
    client.register_template("part", "Say goodbye to {{ name }}.")
    answers = [
        await client.complete(template="greet", variables={"name": "Ada"}),
        await client.complete(template="Hi {{ name }}", variables={"name": "Ada"}),
        await client.complete("Be brief.", template="part", variables={"name": "Ada"}),
        *await client.complete_many([{"template": "greet", "variables": {"name": "Bob"}}]),
    ]
    assert [answer.content for answer in answers] == [
        "Greet Ada.",
        "Hi Ada",
        "Say goodbye to Ada.",
        "Greet Bob.",
    ]
    assert client.render_template("part", name="Eve") == "Say goodbye to Eve."


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"template": "gret"}, "did you mean 'greet'"),
        ({"template": "Hi {{ name }}"}, "'name' is undefined"),
        ({"variables": {"name": "Ada"}}, "variables fill in a template: pass template=..."),
    ],
)
async def test_a_template_that_cannot_be_filled_in_is_never_sent(
    options: dict[str, Any], sentence: str
) -> None:
    provider = ScriptedProvider([])
    client = Flashlite("m", provider=provider)
    client.register_template("greet", "Greet {{ name }}.")
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        await client.complete(**options)
    assert provider.requests == []
