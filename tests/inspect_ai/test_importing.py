"""Logs become entries of a cache: what was paid for once is not asked again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task, eval
from inspect_ai.agent import Agent, AgentState, agent
from inspect_ai.dataset import Sample
from inspect_ai.event import ModelEvent
from inspect_ai.log import (
    EvalLog,
    ProvenanceData,
    invalidate_samples,
    read_eval_log,
    write_eval_log,
)
from inspect_ai.model import (
    ChatMessageUser,
    Content,
    ContentImage,
    ContentText,
    GenerateConfig,
    ModelOutput,
    ResponseSchema,
    get_model,
)
from inspect_ai.scorer import Scorer, includes, match, model_graded_qa
from inspect_ai.solver import generate, use_tools
from inspect_ai.tool import Tool, tool
from inspect_ai.util import json_schema

from flashlite import DiskCache, Flashlite, InspectLogger, MemoryCache
from flashlite.errors import ConfigError, StoreError
from flashlite.inspect_ai import Imported, import_logs
from flashlite.inspect_ai._completer import to_response
from flashlite.inspect_ai._logged_answers import is_the_same
from flashlite.inspect_ai._output import to_output
from flashlite.providers.dialects import adapter_for
from flashlite.stores import Store
from flashlite.testing import MockServer, ScriptedProvider
from flashlite.types import Choice, CompletionResponse, Message, ToolCall

from .loopback import ANSWERS, MODELS, Loopback
from .running import INSPECTS_OWN, calling, saying, spoken
from .test_round_trips import DIALECTS
from .test_round_trips import _logged as logged
from .test_round_trips import _replies as replies

pytestmark = INSPECTS_OWN

UNKNOWN = "were not to be cached, or do not say all that decided their answers"
OTHERWISE = "would be given back otherwise than they were given"
KEY = "sk-canary-0123456789"
PNG = "data:image/png;base64,iVBORw0KGgo="
SUMS = [Sample(input=f"What is {n}+{n}?", target=str(2 * n)) for n in range(3)]


@pytest.fixture
def server() -> Iterator[MockServer]:
    """A server that never gives the same answer twice."""
    numbers = count(1)
    with MockServer("script", answers=lambda _: f"answer {next(numbers)}") as server:
        yield server


def _task(scorer: Scorer | None = None, **options: Any) -> Task:
    given: dict[str, Any] = {"dataset": SUMS, "solver": generate(), "scorer": scorer or includes()}
    return Task(**given | options)


def _run(task: Task, model: Any, **options: Any) -> EvalLog:
    [log] = eval(task, model=model, display="none", log_format="eval", **options)
    return read_eval_log(log.location)


def _of(server: MockServer, **arguments: Any) -> dict[str, Any]:
    """How a run asks a server."""
    return {
        "model": "flashlite/openai/gpt-4o",
        "model_base_url": server.base_url,
        "model_args": arguments,
    }


def _import(log: EvalLog, cache: Path, **options: Any) -> Imported:
    return asyncio.run(import_logs([log.location], f"disk:{cache}", **options))


def _stored(number: int, known: int = 0, **left_out: int) -> Imported:
    return Imported(stored=number, known=known, left_out=left_out)


def _outcome(log: EvalLog) -> list[Any]:
    """What a run came to: who said what in each sample, and how it was scored."""
    assert log.status == "success", log.error
    samples = sorted(log.samples or (), key=lambda sample: (sample.id, sample.epoch))
    return [
        (
            spoken(sample.messages),
            {name: (score.value, score.answer) for name, score in (sample.scores or {}).items()},
        )
        for sample in samples
    ]


def _errors(log: EvalLog) -> list[str]:
    return [sample.error.message for sample in log.samples or () if sample.error]


@tool
def weather() -> Tool:
    async def execute(city: str) -> str:
        """Tell the weather.

        Args:
            city: Where.
        """
        return f"rain in {city}"

    return execute


@agent
def asker(last: str) -> Agent:
    """Asks two questions, the second of which may differ."""

    async def execute(state: AgentState) -> AgentState:
        for question in ("Who are you?", last):
            state.messages.append(ChatMessageUser(content=question))
            state.output = await get_model().generate(state.messages)
            state.messages.append(state.output.message)
        return state

    return execute


def test_five_epochs_are_given_again_as_five_answers(server: MockServer, tmp_path: Path) -> None:
    cache = tmp_path / "c.db"
    first = _run(_task(), **_of(server), epochs=5)
    assert _import(first, cache) == _stored(15)
    again = _run(_task(), **_of(server, cache=f"disk:{cache}", cache_only=True), epochs=5)
    assert _outcome(again) == _outcome(first)
    assert len({sample.output.completion for sample in again.samples or ()}) == 15
    assert len(server.requests) == 15


def test_what_is_known_stays_as_it_is(server: MockServer, tmp_path: Path) -> None:
    first = _run(_task(), **_of(server))
    assert _import(first, tmp_path / "c.db") == _stored(3)
    assert _import(first, tmp_path / "c.db") == _stored(0, known=3)


def test_the_first_of_two_answers_to_one_question_stays(server: MockServer, tmp_path: Path) -> None:
    first, second = _run(_task(), **_of(server)), _run(_task(), **_of(server))
    _import(first, tmp_path / "c.db")
    assert _import(second, tmp_path / "c.db") == Imported(
        stored=0,
        known=0,
        left_out={"had been asked, and answered otherwise: the first answer stays": 3},
    )
    cached = _run(_task(), **_of(server, cache=f"disk:{tmp_path / 'c.db'}", cache_only=True))
    assert _outcome(cached) == _outcome(first)


def test_a_changed_scorer_costs_nothing(server: MockServer, tmp_path: Path) -> None:
    first = _run(_task(includes()), **_of(server))
    _import(first, tmp_path / "c.db")
    again = _run(_task(match()), **_of(server, cache=f"disk:{tmp_path / 'c.db'}"))
    assert [spoken(s.messages) for s in again.samples or ()] == [
        spoken(s.messages) for s in first.samples or ()
    ]
    assert list((again.samples or [])[0].scores or {}) == ["match"]
    assert len(server.requests) == 3


def test_a_changed_end_of_an_agent_is_all_that_is_paid(server: MockServer, tmp_path: Path) -> None:
    first = _run(_task(solver=asker("And why?")), **_of(server))
    assert _import(first, tmp_path / "c.db") == _stored(6)
    cached = _of(server, cache=f"disk:{tmp_path / 'c.db'}")
    _run(_task(solver=asker("And how?")), **cached)
    told = [request.body["messages"][-1]["content"] for request in server.requests[6:]]
    assert told == ["And how?"] * 3


def test_a_miss_names_the_field_that_differs(server: MockServer, tmp_path: Path) -> None:
    first = _run(_task(), **_of(server), temperature=0.5)
    _import(first, tmp_path / "c.db")
    only = _of(server, cache=f"disk:{tmp_path / 'c.db'}", cache_only=True)
    again = _run(_task(), **only, temperature=0.75)
    assert again.status == "error"
    assert _errors(again)[0] == (
        "no stored answer for this request to openai/gpt-4o; the nearest one differs in 1 field: "
        "params.temperature: 0.75 here, 0.5 stored"
    )
    assert len(server.requests) == 3


def test_only_a_cache_can_answer_alone() -> None:
    with pytest.raises(Exception, match="cache_only answers from a cache: say -M cache"):
        get_model("flashlite/mock/echo", cache_only=True, memoize=False)


def test_all_that_decides_an_answer_is_found_again(server: MockServer, tmp_path: Path) -> None:
    schema = ResponseSchema(name="answer", json_schema=json_schema(dict[str, int]))
    config = GenerateConfig(
        temperature=1, top_p=0.5, max_tokens=50, seed=3, stop_seqs=["."], logit_bias={7: 1.5},
        response_schema=schema, extra_body={"custom": True}, system_message="Be brief.",
        reasoning_effort="low", parallel_tool_calls=False, timeout=60, max_retries=1,
    )  # fmt: skip
    seen: list[Content] = [ContentText(text="Look. " * 50), ContentImage(image=PNG, detail="low")]
    samples = [Sample(input=[ChatMessageUser(content=seen)], target="x")]
    task = _task(dataset=samples, solver=[use_tools(weather()), generate()], config=config)
    first = _run(task, **_of(server, service_tier="flex"))
    assert _import(first, tmp_path / "c.db") == _stored(1)
    only = _of(server, service_tier="flex", cache=f"disk:{tmp_path / 'c.db'}", cache_only=True)
    assert _outcome(_run(task, **only)) == _outcome(first)


@pytest.mark.parametrize("dialect", MODELS)
def test_every_dialect_is_replayed(dialect: str, tmp_path: Path) -> None:
    task = _task(solver=[use_tools(weather()), asker("And why?")], dataset=SUMS[:1])
    with Loopback(ANSWERS[dialect]) as server:
        to: Any = {"model": f"flashlite/{MODELS[dialect]}", "model_base_url": server.base_url}
        said = {"api_key": "k"} | ({"responses_api": True} if dialect == "responses" else {})
        first = _run(task, **to, model_args=said)
        assert _import(first, tmp_path / "c.db") == _stored(2)
        only = {"cache": f"disk:{tmp_path / 'c.db'}", "cache_only": True}
        assert _outcome(_run(task, **to, model_args=said | only)) == _outcome(first)
        assert len(server.bodies) == 2


@pytest.mark.parametrize(
    ("dialect", "reply"), [case for dialect in DIALECTS for case in replies(dialect)]
)
def test_every_answer_is_given_back_as_it_was_or_known_not_to_be(dialect: str, reply: Any) -> None:
    response = adapter_for(dialect).parse_response(json.dumps(reply).encode())
    output = logged(to_output(response, model="m", dialect=dialect))
    again = to_output(to_response(output, dialect=dialect), model="m", dialect=dialect)
    unread = any(call.parse_error for call in output.message.tool_calls or ())
    assert is_the_same(output, again) is not unread


def test_a_grader_is_asked_no_more_either(server: MockServer, tmp_path: Path) -> None:
    def role(**more: Any) -> Any:
        grader = "flashlite/openai/gpt-4o-mini"
        made = get_model(grader, base_url=server.base_url, memoize=False, top_p=0.5, **more)
        return {"grader": made}

    task = _task(model_graded_qa(model_role="grader"))
    first = _run(task, **_of(server), model_roles=role())
    assert _import(first, tmp_path / "c.db") == _stored(6)
    only = {"cache": f"disk:{tmp_path / 'c.db'}", "cache_only": True}
    again = _run(task, **_of(server, **only), model_roles=role(**only))
    assert _outcome(again) == _outcome(first)
    assert len(server.requests) == 6


def test_the_log_of_another_provider_is_asked_under_a_new_name(tmp_path: Path) -> None:
    def task() -> Task:
        return _task(solver=[use_tools(weather()), generate()], dataset=SUMS[:1])

    first = _run(task(), saying(calling(("weather", {"city": "Köln"})), "It rains, 0."))
    models = {"mockllm/m": "flashlite/openai/gpt-4o"}
    assert _import(first, tmp_path / "c.db", models=models) == _stored(2)
    cached = {"cache": f"disk:{tmp_path / 'c.db'}", "cache_only": True}
    again = _run(task(), "flashlite/openai/gpt-4o", model_args={"api_key": "k", **cached})
    assert _outcome(again) == _outcome(first)


def test_nothing_is_asked_for_a_call_that_was_made_in_a_batch(tmp_path: Path) -> None:
    first = _run(_task(dataset=SUMS[:1]), saying("0"), batch=True)
    models = {"mockllm/m": "openai/gpt-4o"}
    assert _import(first, tmp_path / "c.db", models=models) == _stored(1)


def test_a_model_that_flashlite_does_not_know_is_named(tmp_path: Path) -> None:
    first = _run(_task(dataset=SUMS[:1]), saying("0"))
    [(why, number)] = _import(first, tmp_path / "c.db").left_out.items()
    assert (why, number) == (
        "are of mockllm/m, which flashlite cannot ask: it has no provider of that name: say by "
        "which name it will be asked",
        1,
    )


def test_the_arguments_of_the_run_to_come_may_be_said(server: MockServer, tmp_path: Path) -> None:
    first = _run(_task(), **_of(server))
    _import(first, tmp_path / "c.db", base_url="http://127.0.0.1:9/v1", service_tier="flex")
    cached = {"cache": f"disk:{tmp_path / 'c.db'}", "cache_only": True, "service_tier": "flex"}
    again = _run(
        _task(),
        "flashlite/openai/gpt-4o",
        model_base_url="http://127.0.0.1:9/v1",
        model_args=cached,
    )
    assert _outcome(again) == _outcome(first)


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (ModelOutput.from_content("m", "no", stop_reason="content_filter"), "were refused"),
        (
            ModelOutput.from_content("m", [ContentText(text="I won't", refusal=True)]),
            "were refused",
        ),
        (
            ModelOutput.from_content("m", "too long", stop_reason="model_length"),
            "were not answered to the end",
        ),
        (
            ModelOutput.from_content("m", "?", stop_reason="unknown"),
            "were not answered to the end",
        ),
        (ModelOutput(model="m"), "have no answer"),
        (
            ModelOutput.from_content("m", [ContentImage(image="https://x.example/a.png")]),
            None,
        ),
        (ModelOutput.from_content("m", "cut", stop_reason="max_tokens"), None),
    ],
)
def test_what_no_cache_keeps_is_left_out_and_counted(
    output: ModelOutput, why: str | None, tmp_path: Path
) -> None:
    log = _run(_task(dataset=SUMS[:1]), saying(output))
    found = _import(log, tmp_path / "c.db", models={"mockllm/m": "openai/gpt-4o"})
    expected = {} if why is None else {why: 1}
    assert found == Imported(stored=int(why is None), known=0, left_out=expected)


def test_an_answer_that_would_be_given_back_otherwise_is_left_out(tmp_path: Path) -> None:
    call = calling(("weather", {}))
    assert call.choices[0].message.tool_calls
    call.choices[0].message.tool_calls[0].parse_error = "no JSON"
    log = _run(_task(dataset=SUMS[:1], solver=generate(tool_calls="none")), saying(call))
    found = _import(log, tmp_path / "c.db", models={"mockllm/m": "openai/gpt-4o"})
    assert found == Imported(
        stored=0, known=0, left_out={"would be given back otherwise than they were given": 1}
    )


def test_errors_are_left_out(tmp_path: Path) -> None:
    with MockServer("echo", status=400) as server:
        log = _run(_task(dataset=SUMS[:1]), **_of(server))
    assert _import(log, tmp_path / "c.db").left_out == {"ended in an error": 1}


def test_media_that_the_log_left_out_are_not_made_up(server: MockServer, tmp_path: Path) -> None:
    task = _task(dataset=[Sample(input=[ChatMessageUser(content=[ContentImage(image=PNG)])])])
    log = _run(task, **_of(server), log_images=False)
    assert _import(log, tmp_path / "c.db").left_out == {
        "have media or texts that the log left out": 1
    }


def test_answers_of_a_cache_are_not_taken_for_answers_of_their_own(
    server: MockServer, tmp_path: Path
) -> None:
    cached = _of(server, cache=f"disk:{tmp_path / 'old.db'}")
    _run(_task(), **cached)
    again = _run(_task(), **cached)
    assert _import(again, tmp_path / "c.db").left_out == {
        "came from a cache: import the log of the run that asked": 3
    }


def test_a_calls_retry_does_not_hide_its_answer(tmp_path: Path) -> None:
    with MockServer("calculator", status=500, times=1, retry_after=0) as server:
        log = _run(_task(), **_of(server))
        assert _import(log, tmp_path / "c.db").stored == 3


def test_a_plain_script_finds_the_answers_of_an_eval(server: MockServer, tmp_path: Path) -> None:
    log = _run(_task(), **_of(server), epochs=2)
    _import(log, tmp_path / "c.db")

    async def ask(epoch: int) -> str:
        client = Flashlite(
            "openai/gpt-4o", base_url=server.base_url, cache=DiskCache(tmp_path / "c.db")
        )
        async with client:
            answer = await client.complete("What is 1+1?", sample=epoch, cache="only")
            return answer.content

    said = [asyncio.run(ask(epoch)) for epoch in (1, 2)]
    samples = [sample for sample in log.samples or () if sample.input == "What is 1+1?"]
    assert said == [sample.output.completion for sample in samples]


def test_a_script_is_replayed_from_its_own_log(tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    tools = [{"type": "function", "function": {"name": "add", "parameters": {"oneOf": [{}]}}}]

    async def script(client: Flashlite, cache: Any) -> list[Any]:
        options: Any = {"cache": cache, "tools": tools, "stop": "."}
        ann = {"role": "user", "name": "Ann", "content": "Add."}
        first = await client.complete(["Be brief.", ann], **options)
        result = {"role": "tool", "tool_call_id": "c1", "content": "2"}
        second = await client.complete([ann, first.message, result], **options)
        third = await client.complete("Hi", sample=2, cache=cache, cache_collection="mine")
        return [first.message, second.message, third.message]

    async def both(address: str) -> tuple[list[Any], Imported, list[Any]]:
        model: Any = {"default_model": "openai/gpt-4o", "base_url": address}
        with InspectLogger(tmp_path / "logs") as logger:
            async with Flashlite(**model, inspect_logger=logger) as client:
                paid = await script(client, "on")
        found = await import_logs([logger.path], f"disk:{tmp_path / 'c.db'}")
        async with Flashlite(**model, cache=DiskCache(tmp_path / "c.db")) as client:
            return paid, found, await script(client, "only")

    with MockServer("script", answers=[{"tool_calls": [call]}, "2", "hello"]) as server:
        paid, found, again = asyncio.run(both(server.base_url))
    assert found == _stored(3)
    assert again == paid


def test_what_a_script_logged_by_hand_is_left_out(tmp_path: Path) -> None:
    with InspectLogger(tmp_path / "logs") as logger:
        logger.log("What is 1+1?", "2")
    found = asyncio.run(import_logs([logger.path], f"disk:{tmp_path / 'c.db'}"))
    assert found == Imported(stored=0, known=0, left_out={UNKNOWN: 1})


async def _from_script(
    folder: Path, provider: ScriptedProvider, work: Callable[[Flashlite], Any], **options: Any
) -> Imported:
    """Let a script log what it is answered; return what became of it."""
    with InspectLogger(folder / "logs") as logger:
        await work(Flashlite("m", provider=provider, inspect_logger=logger, **options))
    return await import_logs([logger.path], f"disk:{folder / 'c.db'}")


async def test_calls_of_tools_that_share_an_id_keep_their_own_letters(tmp_path: Path) -> None:
    def add(text: str) -> CompletionResponse:
        return CompletionResponse.of(None, tool_calls=[ToolCall("call_0", "add", text)])

    async def work(client: Flashlite) -> None:
        result = {"role": "tool", "tool_call_id": "call_0", "content": "?"}
        history: list[Any] = [{"role": "user", "content": "Add."}]
        with client.log_sample("s"):
            for _ in range(4):
                history += [(await client.ask(history)).message, result]

    provider = ScriptedProvider([add('{"a":1}'), add('{"a": 2 }'), add("[oops"), "3"])
    live, imported = MemoryCache(), DiskCache(tmp_path / "c.db")
    assert await _from_script(tmp_path, provider, work, cache=live) == _stored(4)
    assert await _entries(imported) == await _entries(live)
    await imported.aclose()


async def _entries(store: Store) -> dict[str, Any]:
    """Return what was asked and answered, by the keys."""
    return {
        entry.key: (entry.request, json.loads(entry.response)["choices"])
        async for entry in store.entries()
    }


async def test_streamed_calls_of_tools_keep_their_letters(tmp_path: Path) -> None:
    call = ToolCall("c", "add", '{"a":1}')

    async def work(client: Flashlite) -> None:
        async with aclosing(client.stream("Add.")) as events:
            assert [event async for event in events]

    answer = CompletionResponse.of(None, tool_calls=[call], finish_reason="tool_calls")
    assert await _from_script(tmp_path, ScriptedProvider([answer]), work) == _stored(1)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (CompletionResponse.of("cut", finish_reason=None), "were not answered to the end"),
        (CompletionResponse.of(f"Your key is {KEY}."), OTHERWISE),
        (CompletionResponse.of("half \ud83d an emoji"), OTHERWISE),
        (
            CompletionResponse(
                choices=(
                    Choice(
                        message=Message.assistant("Hi"),
                        finish_reason="stop",
                        logprobs={"content": [{"token": "Hi", "logprob": -1.0, "bytes": [72]}]},
                    ),
                )
            ),
            OTHERWISE,
        ),
        (
            CompletionResponse(
                choices=(
                    Choice(
                        message=Message.assistant("Hi", annotations=[{"type": "x"}]),
                        finish_reason="stop",
                    ),
                )
            ),
            OTHERWISE,
        ),
    ],
)
async def test_what_the_log_of_a_script_does_not_hold_as_it_was_is_left_out(
    answer: CompletionResponse, why: str, tmp_path: Path
) -> None:
    provider = ScriptedProvider([answer])
    found = await _from_script(tmp_path, provider, lambda client: client.ask("Hi"), api_key=KEY)
    assert found == Imported(stored=0, known=0, left_out={why: 1})


async def test_what_a_script_kept_out_of_the_cache_stays_out(tmp_path: Path) -> None:
    provider = ScriptedProvider(["5"])
    found = await _from_script(tmp_path, provider, lambda client: client.ask("Dice?", cache="off"))
    assert found == Imported(stored=0, known=0, left_out={UNKNOWN: 1})


async def test_answers_that_somebody_edited_in_the_log_are_left_out(tmp_path: Path) -> None:
    with InspectLogger(tmp_path / "logs") as logger:
        provider = ScriptedProvider(["4", "5"])
        client = Flashlite("openai/gpt-4o", provider=provider, inspect_logger=logger)
        await client.complete("1")
        await client.complete("2")
    log = await asyncio.to_thread(read_eval_log, str(logger.path), resolve_attachments="full")
    assert log.samples
    [event] = [event for event in log.samples[0].events if isinstance(event, ModelEvent)]
    event.output.choices[0].message.content = "[redacted]"
    await asyncio.to_thread(write_eval_log, log, str(tmp_path / "edited.eval"))
    found = await import_logs([tmp_path / "edited.eval"], f"disk:{tmp_path / 'c.db'}")
    assert found == Imported(stored=1, known=0, left_out={OTHERWISE: 1})


def test_samples_that_were_invalidated_are_left_out(server: MockServer, tmp_path: Path) -> None:
    log = _run(_task(), **_of(server))
    assert log.samples
    why = ProvenanceData(author="me", reason="a broken tool")
    write_eval_log(invalidate_samples(log, [log.samples[0].uuid or ""], why), log.location)
    assert _import(log, tmp_path / "c.db") == Imported(
        stored=2, known=0, left_out={"are of samples that were invalidated": 1}
    )


def test_answers_that_no_cache_keeps_are_named_as_such(tmp_path: Path) -> None:
    config = GenerateConfig(prompt_logprobs=1)
    log = _run(_task(dataset=SUMS[:1], config=config), saying("0"))
    models = {"mockllm/m": "vllm/m"}
    found = _import(log, tmp_path / "c.db", models=models, base_url="http://127.0.0.1:9/v1")
    assert found == Imported(stored=0, known=0, left_out={"ask for what no cache keeps": 1})


async def test_an_entry_that_cannot_be_read_is_replaced(tmp_path: Path) -> None:
    store = MemoryCache()
    with InspectLogger(tmp_path / "logs") as logger:
        provider = ScriptedProvider(["4"])
        client = Flashlite("m", provider=provider, inspect_logger=logger, cache=store)
        await client.complete("2+2")
    [entry] = [entry async for entry in store.entries()]
    await store.put(replace(entry, response=b"{"))
    assert await import_logs([logger.path], store) == _stored(1)
    assert (await client.complete("2+2", cache="only")).content == "4"


def test_only_logs_and_caches_of_known_kinds_are_taken(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no \.eval log: inspect log convert --to eval"):
        asyncio.run(import_logs(["run.json"], f"disk:{tmp_path / 'c.db'}"))
    with pytest.raises(ConfigError, match="is a folder: name the logs in it, "):
        asyncio.run(import_logs([tmp_path], f"disk:{tmp_path / 'c.db'}"))
    with pytest.raises(ConfigError, match="no cache is named c: write disk:<file>"):
        asyncio.run(import_logs([], "c"))


def test_a_cache_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory"):
        asyncio.run(import_logs([], "disk:/proc/x/c.db"))
    with pytest.raises(ConfigError, match="is a folder: name a file in it"):
        asyncio.run(import_logs([], f"disk:{tmp_path}"))
