"""The log: a record of every call, without secrets, in order, to the last one."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import subprocess
import sys
from contextlib import aclosing
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from flashlite.errors import APIConnectionError, ConfigError, RateLimitError, StreamInterruptedError
from flashlite.middleware import stack
from flashlite.middleware.log import Log, StructuredLogger, read_log
from flashlite.providers import MockProvider, Router
from flashlite.testing import ReplayTransport, Reply, ScriptedProvider
from flashlite.types import (
    Choice,
    CompletionRequest,
    CompletionResponse,
    Handler,
    Message,
    Role,
    Target,
    ToolCall,
    Usage,
    audio_part,
    image_part,
    text_part,
)

CANARY = "sk-canary-0123456789"
REQUEST = CompletionRequest(model="openai/m", messages=(Message.user("Hi"),), api_key="none")
NOW = 1_700_000_000.123
TIME = "2023-11-14T22:13:20.123+00:00"


class Journal:
    """A log with a clock that stands still, and what it holds."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.logger = StructuredLogger(path, **options)
        self.layer = Log(self.logger, clock=lambda: 5.0, now=lambda: NOW)

    def on(self, handler: Handler) -> Handler:
        return stack([self.layer], handler)

    def records(self) -> list[dict[str, Any]]:
        self.logger.close()
        return list(read_log(self.path))

    def text(self) -> str:
        self.logger.close()
        return self.path.read_text()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "logs" / "completions.jsonl")


def header(kind: str, request: CompletionRequest = REQUEST) -> dict[str, Any]:
    return {"type": kind, "time": TIME, "request_id": request.id, "model": request.model}


def streaming(*texts: str, end: str | Exception = "stop") -> Handler:
    deltas: list[Any] = [{"delta": {"content": text}} for text in texts]
    if isinstance(end, str):
        deltas.append({"delta": {}, "finish_reason": end})
    reply = Reply.stream([*({"choices": [{"index": 0, **delta}]} for delta in deltas), "[DONE]"])
    if isinstance(end, Exception):
        reply = Reply(headers=reply.headers, chunks=(*reply.chunks[:-1], end))
    return Router(ReplayTransport([reply]))


async def test_an_answer_passes_through_and_is_written(journal: Journal) -> None:
    answer = CompletionResponse.of("hello", model="m-1", provider="openai", latency=0.25)
    assert await journal.on(ScriptedProvider([answer]))(REQUEST) is answer
    assert journal.records() == [
        header("request") | {"stream": False, "messages": [{"role": "user", "content": "Hi"}]},
        header("response")
        | {
            "latency_ms": 250.0,
            "cached": False,
            "attempts": 1,
            "model_served": "m-1",
            "provider": "openai",
            "finish_reason": "stop",
            "content": "hello",
        },
    ]


async def test_everything_that_is_known_is_written(journal: Journal) -> None:
    request = CompletionRequest(
        model="gpt",
        messages=(Message.system("Be brief"), Message.user([text_part("Hi")])),
        params={"temperature": 0.0, "stop": ("a", "b")},
        extra_body={"top_k": 3},
        tools=({"type": "function", "function": {"name": "add"}}, {"name": "sub"}, {"type": "web"}),
        sample=0,
        agent="ann",
        tags=("red", "blue"),
        response_model=dict,
        target=Target(
            provider="openai",
            dialect="openai",
            model="gpt",
            address="http://me:pass@host/v1?x=1",
            account="abcd",
        ),
    )
    call = ToolCall("c1", "add", {"a": 1})
    answer = CompletionResponse.of(
        "so",
        tool_calls=[call],
        reasoning="hm",
        usage=Usage(input_tokens=3, output_tokens=2, total_cost=0.5),
        wasted=Usage(input_tokens=1),
        cached=True,
        attempts=2,
        request_id="req_1",
        fallback_from=("a/b",),
        lineage={"key": "k", "age": 3},
        facts={"service_tier": "flex"},
    )
    answer.choices += (Choice(message=Message.assistant(refusal="no"), index=1),)
    await journal.on(ScriptedProvider([answer]))(request)
    assert journal.records() == [
        header("request", request)
        | {
            "target": {
                "provider": "openai",
                "dialect": "openai",
                "model": "gpt",
                "address": "http://host/v1",
                "account": "abcd",
            },
            "params": {"temperature": 0.0, "stop": ["a", "b"]},
            "extra_body": {"top_k": 3},
            "tools": ["add", "sub", "web"],
            "response_model": "dict",
            "sample": 0,
            "stream": False,
            "agent": "ann",
            "tags": ["red", "blue"],
            "messages": [
                {"role": "system", "content": "Be brief"},
                {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            ],
        },
        header("response", request)
        | {
            "latency_ms": 0.0,
            "cached": True,
            "attempts": 2,
            "provider_request_id": "req_1",
            "fallback_from": ["a/b"],
            "finish_reason": "stop",
            "content": "so",
            "reasoning": "hm",
            "tool_calls": [call.to_dict()],
            "others": [{"refusal": "no"}],
            "usage": answer.usage.to_dict() if answer.usage else None,
            "wasted": answer.wasted.to_dict() if answer.wasted else None,
            "cost": 0.5,
            "lineage": {"key": "k", "age": 3},
            "facts": {"service_tier": "flex"},
        },
    ]


async def test_a_layer_below_may_answer_by_itself(journal: Journal) -> None:
    async def short(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        return CompletionResponse.of("mine")

    await stack([journal.layer, short], ScriptedProvider([]))(REQUEST)
    assert [record["type"] for record in journal.records()] == ["request", "response"]


async def test_an_error_is_written_and_raised(journal: Journal) -> None:
    failure = RateLimitError(
        "slow down",
        provider="openai",
        model="m",
        status_code=429,
        code="requests",
        request_id="req_1",
        retry_after=2.0,
    )
    failure.attempts = 3
    with pytest.raises(RateLimitError) as caught:
        await journal.on(ScriptedProvider([failure]))(REQUEST)
    assert caught.value is failure
    assert journal.records()[1] == header("error") | {
        "latency_ms": 0.0,
        "error_type": "RateLimitError",
        "message": str(failure),
        "status_code": 429,
        "code": "requests",
        "retryable": True,
        "attempts": 3,
        "retry_after": 2.0,
        "provider": "openai",
        "provider_request_id": "req_1",
    }


async def test_a_bug_below_is_written_too(journal: Journal) -> None:
    with pytest.raises(KeyError):
        await journal.on(ScriptedProvider([KeyError("a bug")]))(REQUEST)
    assert journal.records()[1] == header("error") | {
        "latency_ms": 0.0,
        "error_type": "KeyError",
        "message": "'a bug'",
    }


async def test_the_request_goes_down_as_it_came(journal: Journal) -> None:
    provider = ScriptedProvider(["hello"])
    await journal.on(provider)(REQUEST)
    assert provider.requests[0] is REQUEST


async def test_a_stream_is_written_when_it_is_complete(journal: Journal) -> None:
    response = await journal.on(streaming("Hel", "lo"))(REQUEST.with_(stream=True))
    journal.logger.flush()
    assert [record["type"] for record in read_log(journal.path)] == ["request"]
    async for _ in response.events():
        pass
    asked, answered = journal.records()
    assert (asked["stream"], answered["type"], answered["content"]) == (True, "response", "Hello")
    assert answered["latency_ms"] == round((response.latency or 0) * 1000, 3)


async def test_a_reader_who_stops_early_leaves_an_error_with_what_had_arrived(
    journal: Journal,
) -> None:
    response = await journal.on(streaming("Hel", "lo"))(REQUEST.with_(stream=True))
    async with aclosing(response.events()) as events:
        await anext(events)
    record = journal.records()[1]
    assert (record["type"], record["error_type"]) == ("error", "StreamInterruptedError")
    assert record["message"] == "openai/openai/m: the stream was not read to its end"
    assert record["content"] == "Hel"


async def test_a_stream_that_breaks_leaves_an_error(journal: Journal) -> None:
    broken = streaming("Hel", end=APIConnectionError("gone"))
    response = await journal.on(broken)(REQUEST.with_(stream=True))
    with pytest.raises(StreamInterruptedError):
        async for _ in response.events():
            pass
    record = journal.records()[1]
    assert (record["error_type"], record["content"]) == ("StreamInterruptedError", "Hel")


async def test_a_stream_that_is_dropped_unread_leaves_an_error(journal: Journal) -> None:
    response = await journal.on(streaming("Hello"))(REQUEST.with_(stream=True))
    del response
    gc.collect()
    for _ in range(3):  # the loop closes a stream that it finds dropped
        await asyncio.sleep(0)
    assert [record["type"] for record in journal.records()] == ["request", "error"]


async def test_a_cancelled_call_leaves_a_record(journal: Journal) -> None:
    begun = asyncio.Event()

    async def never(request: CompletionRequest) -> CompletionResponse:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    task = asyncio.ensure_future(journal.on(never)(REQUEST))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert journal.records()[1] == header("cancelled") | {"latency_ms": 0.0}


async def test_a_hundred_calls_at_once_have_their_own_records_in_order(journal: Journal) -> None:
    requests = [
        CompletionRequest(model="mock/echo", messages=(Message.user(str(n)),)) for n in range(100)
    ]
    await asyncio.gather(*map(journal.on(MockProvider("echo")), requests))
    records = journal.records()
    for request in requests:
        asked, answered = [r for r in records if r["request_id"] == request.id]
        assert (asked["type"], answered["type"]) == ("request", "response")
        assert asked["messages"][0]["content"] == answered["content"]


async def test_messages_and_content_can_be_left_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log", include_messages=False, include_content=False)
    answer = CompletionResponse.of(
        "secret text", tool_calls=[ToolCall("c", "add", {"a": "secret text"})], reasoning="secret"
    )
    request = REQUEST.with_(messages=(Message.user("secret text"),))
    await journal.on(ScriptedProvider([answer]))(request)
    assert "secret" not in journal.text()
    assert journal.records()[1]["tool_calls"] == ["add"]


SECRETS = {
    "the key": {"api_key": CANARY},
    "a header": {"extra_headers": {"Authorization": f"Bearer {CANARY}"}},
    "a header of one's own": {"extra_headers": {"X-My-Token": CANARY}},
    "a member of the body": {"extra_body": {"api_key": CANARY}},
    "a member deep in the body": {"extra_body": {"a": [{"credentials": [{"value": CANARY}]}]}},
    "an address": {"base_url": f"http://me:{CANARY}@host/v1"},
    "a query": {"base_url": f"http://host/v1?key={CANARY}"},
}


@pytest.mark.parametrize("given", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("max_text", [10_000, None, 25])
async def test_no_secret_is_in_any_line(
    tmp_path: Path, given: dict[str, Any], max_text: int | None
) -> None:
    journal = Journal(tmp_path / "log", max_text=max_text)
    told = f"my key is {CANARY}, {CANARY}!"
    request = REQUEST.with_(
        messages=(
            Message.user(told),
            Message.user([text_part(told)]),
            Message({"role": "assistant", "content": None, CANARY: [{CANARY: told}]}),
        ),
        params={"user": told},
        tags=(CANARY,),
        target=Target(provider="p", dialect="d", model="m", address=f"http://u:{CANARY}@h/v1"),
        **given,
    )
    call = ToolCall("c", "log_in", {"password": CANARY})
    answer = CompletionResponse.of(told, tool_calls=[call], facts={"echo": told})
    failure = RateLimitError(told, code=CANARY, request_id=CANARY)
    bug = KeyError(told)
    provider = ScriptedProvider([answer, failure, bug])
    await journal.on(provider)(request)
    with pytest.raises(RateLimitError):
        await journal.on(provider)(request)
    with pytest.raises(KeyError):
        await journal.on(provider)(request)
    assert "sk-can" not in journal.text()
    records = journal.records()
    assert len(records) == 6
    assert records[0]["messages"][0]["content"].startswith("my key is ***, ***!")


@pytest.mark.parametrize("key", ['quo"ted\\key', "käse-schlüssel", "tab\tbed-key", "12345678"])
async def test_a_secret_that_json_writes_otherwise_is_struck_out_too(
    journal: Journal, key: str
) -> None:
    call = ToolCall("c", "f", {"x": f"<{key}>"})
    answer = CompletionResponse.of(f"<{key}>", tool_calls=[call])
    request = REQUEST.with_(api_key=key, params={"seed": 123456789})
    await journal.on(ScriptedProvider([answer]))(request)
    asked, answered = journal.records()
    assert asked["params"] == {"seed": 123456789}
    assert answered["content"] == "<***>"
    assert answered["tool_calls"][0]["function"]["arguments"] == '{"x": "<***>"}'


async def test_what_only_sounds_secret_stays(journal: Journal) -> None:
    request = REQUEST.with_(
        extra_body={"max_tokens": 5, "auth": {"user": "x", "on": True}, "mode": "fast"}
    )
    await journal.on(ScriptedProvider(["none of it"]))(request)
    asked, answered = journal.records()
    assert asked["extra_body"] == {
        "max_tokens": 5,
        "auth": {"user": "***", "on": True},
        "mode": "fast",
    }
    assert answered["content"] == "none of it"  # a key of four letters is no secret


async def test_media_are_replaced_by_a_note(journal: Journal) -> None:
    parts = [
        text_part("look"),
        image_part("data:image/png;base64,iVBORw0KGgo="),
        image_part("https://example.org/a.png"),
        audio_part("A" * 5000, format="wav"),
    ]
    tool_result = Message.tool_result("c", [image_part("data:image/png;base64,iVBORw0KGgo=")])
    request = REQUEST.with_(messages=(Message.user(parts), tool_result))
    answer = CompletionResponse.of("data:image/png;base64,iVBORw0KGgo=")
    await journal.on(ScriptedProvider([answer]))(request)
    asked, answered = journal.records()
    note = "<base64-data-removed>"
    assert asked["messages"][0]["content"] == [
        text_part("look"),
        image_part(note),
        image_part("https://example.org/a.png"),
        audio_part(note, format="wav"),
    ]
    assert asked["messages"][1]["content"] == [image_part(note)]
    assert answered["content"] == note


async def test_a_long_text_is_cut_and_says_by_how_much(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log", max_text=10)
    request = REQUEST.with_(messages=(Message.user("x" * 10), Message.user("x" * 2010)))
    await journal.on(ScriptedProvider(["y" * 11]))(request)
    asked, answered = journal.records()
    assert [message["content"] for message in asked["messages"]] == [
        "x" * 10,
        "x" * 10 + "… (2,000 more characters)",
    ]
    assert answered["content"] == "y" * 10 + "… (1 more characters)"


async def test_without_a_limit_nothing_is_cut(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log", max_text=None)
    await journal.on(ScriptedProvider(["y" * 100_000]))(REQUEST)
    assert journal.records()[1]["content"] == "y" * 100_000


async def test_messages_are_written_as_they_were_when_the_call_began(journal: Journal) -> None:
    message = Message.user([text_part("before")])
    request = REQUEST.with_(messages=(message,))

    async def change(request: CompletionRequest) -> CompletionResponse:
        message["content"][0]["text"] = "after"
        return CompletionResponse.of("ok")

    await journal.on(change)(request)
    assert journal.records()[0]["messages"][0]["content"][0]["text"] == "before"


class Colour(Enum):
    RED = object()


async def test_what_is_no_json_never_costs_the_answer(journal: Journal) -> None:
    endless: dict[str, Any] = {}
    endless["self"] = [endless]
    params = {
        "half": "\ud83d",
        "huge": 2**70,
        "bytes": b"x",
        "type": Colour,
        "member": Colour.RED,
        "role": Role.USER,
        "proxy": MappingProxyType({1: "a"}),
        "call": ToolCall("c", "f", {}),
        "endless": endless,
    }
    await journal.on(ScriptedProvider(["ok"]))(REQUEST.with_(params=params))
    asked, _ = journal.records()
    deep = json.dumps(asked["params"].pop("endless"))
    assert 10 < deep.count("self") < 60
    assert "<nested too deeply>" in deep
    assert asked["params"] == {
        "half": "\ud83d",
        "huge": 2**70,
        "bytes": "<bytes>",
        "type": "<Colour>",
        "member": "<Colour>",
        "role": "user",
        "proxy": {"1": "a"},
        "call": ToolCall("c", "f", {}).to_dict(),
    }


async def test_without_a_file_records_go_to_pythons_log(caplog: pytest.LogCaptureFixture) -> None:
    logger = StructuredLogger()
    handler = stack([Log(logger)], ScriptedProvider(["one", "two"]))
    await handler(REQUEST)  # nobody listens at this level
    with caplog.at_level(logging.INFO, logger="flashlite.requests"):
        await handler(REQUEST.with_(api_key=CANARY, messages=(Message.user(CANARY),)))
    logger.flush()
    logger.close()
    await logger.aclose()
    records = [json.loads(said.getMessage()) for said in caplog.records]
    assert [record["type"] for record in records] == ["request", "response"]
    assert records[0]["messages"] == [{"role": "user", "content": "***"}]
    assert records[1]["content"] == "two"


async def test_a_log_that_cannot_be_written_costs_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = StructuredLogger(tmp_path)  # a folder
    handler = stack([Log(logger)], ScriptedProvider(["one", "two"]))
    assert [(await handler(REQUEST)).content for _ in range(2)] == ["one", "two"]
    await logger.aclose()
    assert len(caplog.records) == 1


async def test_anything_can_be_written_beside_the_calls(journal: Journal) -> None:
    journal.logger.write({"type": "note", "messages": ["free"], "text": CANARY}, secrets=(CANARY,))
    await journal.logger.aclose()
    assert journal.records() == [{"type": "note", "messages": ["free"], "text": "***"}]


SCRIPT = """
import asyncio, logging, sys
logging.getLogger("asyncio").setLevel(logging.ERROR)  # says what is slow on a busy machine
from flashlite.middleware import stack
from flashlite.middleware.log import Log, StructuredLogger
from flashlite.providers import MockProvider
from flashlite.types import CompletionRequest, Message

handler = stack([Log(StructuredLogger(sys.argv[1]))], MockProvider("echo"))

async def ask(number):
    message = Message.user(f"{sys.argv[2]} {number} " + "x" * number)
    return await handler(CompletionRequest(model="mock/echo", messages=(message,)))

async def main():
    await asyncio.gather(*map(ask, range(300)))

"""


def start(path: Path, name: str, code: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", SCRIPT + code, str(path), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("names", [("a",), ("a", "b")])
def test_processes_that_end_at_once_leave_all_their_records(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    path = tmp_path / "log"
    scripts = [start(path, name, "asyncio.run(main())") for name in names]
    ends = [(*script.communicate(timeout=60), script.returncode) for script in scripts]
    assert ends == [("", "", 0)] * len(names)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 600 * len(names)
    answers = {record["content"].strip("x") for record in lines if record["type"] == "response"}
    assert answers == {f"{name} {number} " for name in names for number in range(300)}


def test_a_program_that_ends_in_the_middle_of_a_call_says_nothing_and_logs_it(
    tmp_path: Path,
) -> None:
    code = """
async def never(request):
    await asyncio.Event().wait()

handler = stack([Log(StructuredLogger(sys.argv[1]))], never)

async def main():
    task = asyncio.create_task(ask(1))
    await asyncio.sleep(0)

asyncio.run(main())
"""
    script = start(tmp_path / "log", "a", code)
    assert (*script.communicate(timeout=60), script.returncode) == ("", "", 0)
    assert [record["type"] for record in read_log(tmp_path / "log")] == ["request", "cancelled"]


def test_an_open_answer_at_the_end_of_the_program_is_logged_in_silence(tmp_path: Path) -> None:
    code = """
from flashlite.types import CompletionResponse, StreamEvent, StreamEventType

async def events(response):
    response.error = "the stream was not read to its end"
    yield StreamEvent(StreamEventType.TOKEN, "Hi")

async def opening(request):
    return await CompletionResponse.open(events)

handler = stack([Log(StructuredLogger(sys.argv[1]))], opening)
response = asyncio.run(ask(1))
"""
    script = start(tmp_path / "log", "a", code)
    assert (*script.communicate(timeout=60), script.returncode) == ("", "", 0)
    assert [record["type"] for record in read_log(tmp_path / "log")] == ["request", "error"]


def test_reading_leaves_out_what_is_no_record(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'{"a":1}\n\n{"b":\n[2]\n\xff\n{"c":"\\ud83d"}\n{"d":4')
    assert list(read_log(path)) == [{"a": 1}, {"c": "\ud83d"}]
    assert [said.getMessage() for said in caplog.records] == [
        f"{path}: line {number} is no record" for number in (3, 4, 5)
    ]


def test_a_last_line_that_lacks_only_its_end_is_a_record(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b'{"a":1}\n{"b":2}')
    assert list(read_log(tmp_path / "log")) == [{"a": 1}, {"b": 2}]


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError):
        StructuredLogger(max_text=-1)
    with pytest.raises(ConfigError):
        Log("./log.jsonl")  # type: ignore[arg-type]
