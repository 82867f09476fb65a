"""Answering from what was answered before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, create_model

from flashlite import (
    APITimeoutError,
    AuthenticationError,
    CacheMiss,
    CompletionRequest,
    CompletionResponse,
    DiskCache,
    Flashlite,
    FSCache,
    InternalServerError,
    MemoryCache,
    Message,
    StoreError,
    StreamEventType,
    StructuredOutputError,
    ToolCall,
    Usage,
)
from flashlite.middleware import RetryConfig
from flashlite.middleware.cache_key import canonical, differences
from flashlite.providers import Router
from flashlite.stores import Entry, Store, StoreStats
from flashlite.testing import MockServer, ReplayTransport, Reply, ScriptedProvider
from flashlite.types import Choice, Target

ONCE = RetryConfig(max_attempts=1)
PAID = Usage(input_tokens=10, output_tokens=5, total_cost=0.5, input_cost=0.2, output_cost=0.3)
FREE = Usage(input_tokens=10, output_tokens=5, total_cost=0.0, input_cost=0.0, output_cost=0.0)


def client(*answers: Any, store: Store | None = None) -> tuple[Flashlite, ScriptedProvider]:
    provider = ScriptedProvider(answers)
    cached = Flashlite(
        "m", provider=provider, cache=store or MemoryCache(), retry=ONCE, temperature=0
    )
    return cached, provider


@pytest.fixture(params=["memory", "disk", "files"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    stores: dict[str, Callable[[], Store]] = {
        "memory": MemoryCache,
        "disk": lambda: DiskCache(tmp_path / "cache.db"),
        "files": lambda: FSCache(tmp_path / "cache"),
    }
    made = stores[request.param]()
    yield made
    await made.aclose()


async def test_the_same_call_is_asked_once(store: Store) -> None:
    engine, provider = client("hello", store=store)
    first, second = [await engine.complete("Hi") for _ in range(2)]
    assert (first.content, second.content) == ("hello", "hello")
    assert (first.cached, second.cached, len(provider.requests)) == (False, True, 1)


async def test_a_hit_is_the_whole_answer_and_costs_nothing(store: Store) -> None:
    message = Message.assistant(
        "Sum: ",
        tool_calls=[ToolCall("c1", "add", '{"x": 1 }')],
        reasoning_content="Hm.",
        thinking_blocks=[{"type": "thinking", "thinking": "Hm.", "signature": "c2lnbg=="}],
    )
    choice = Choice(
        message=message,
        finish_reason="tool_calls",
        logprobs={"content": [{"token": "S", "logprob": -0.5, "top_logprobs": []}]},
    )
    answer = CompletionResponse(
        choices=(choice, Choice(message=Message.assistant("b"), finish_reason="stop", index=1)),
        model="m-2026",
        provider="p",
        id="a1",
        request_id="r1",
        usage=PAID,
        facts={"system_fingerprint": "fp"},
    )
    engine, _ = client(answer, store=store)
    await engine.complete("Hi")
    hit = await engine.complete("Hi")
    assert hit.to_dict() == {**answer.to_dict(), "usage": FREE.to_dict()}
    assert hit.tool_calls == message.tool_calls
    assert (hit.cost, hit.lineage and hit.lineage["cost"]) == (0.0, 0.5)


async def test_a_hit_is_a_fresh_object() -> None:
    engine, _ = client("hello")
    await engine.complete("Hi")
    (await engine.complete("Hi")).message["content"] = "spoiled"
    assert (await engine.complete("Hi")).content == "hello"


@pytest.mark.parametrize(
    "change",
    [
        {"messages": "Ho"},
        {"temperature": 0.5},
        {"max_tokens": 5},
        {"tools": [{"name": "add"}]},
        {"extra_body": {"top_a": 1}},
        {"extra_headers": {"anthropic-beta": "x"}},
        {"sample": 1},
        {"model": "n"},
        {"cache_collection": "other"},
    ],
)
async def test_what_decides_the_answer_is_part_of_the_key(change: dict[str, Any]) -> None:
    engine, provider = client("a", "b")
    await engine.complete("Hi")
    await engine.complete(**{"messages": "Hi", **change})
    assert len(provider.requests) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"timeout": 5},
        {"api_key": "another-key"},
        {"extra_headers": {"Authorization": "Bearer x", "traceparent": "00-1"}},
        {"tags": ["t"], "agent": "a", "priority": 3},
        {"temperature": 0.0},
        {"messages": [{"content": "Hi", "role": "user"}]},
    ],
)
async def test_what_does_not_decide_the_answer_is_not(change: dict[str, Any]) -> None:
    engine, provider = client("a")
    await engine.complete("Hi")
    assert (await engine.complete(**{"messages": "Hi", **change})).cached
    assert len(provider.requests) == 1


async def test_two_addresses_never_share_an_answer() -> None:
    with MockServer("echo") as one, MockServer("echo") as other:
        engine = Flashlite("openai/m", cache=MemoryCache(), temperature=0)
        for server in (one, other, one, other):
            await engine.complete("Hi", base_url=server.base_url)
        assert (len(one.requests), len(other.requests)) == (1, 1)


async def test_five_epochs_are_five_answers_and_a_second_run_asks_nobody() -> None:
    engine, provider = client(*"abcde")
    runs = [[(await engine.complete("Hi", sample=n)).content for n in range(5)] for _ in range(2)]
    assert (runs, len(provider.requests)) == ([list("abcde")] * 2, 5)


@pytest.mark.parametrize("count", [100])
async def test_identical_calls_at_once_share_one(store: Store, count: int) -> None:
    with MockServer("echo", latency=0.05) as server:
        engine = Flashlite("openai/m", base_url=server.base_url, cache=store, temperature=0)
        answers = await asyncio.gather(*(engine.complete("Hi") for _ in range(count)))
        assert len(server.requests) == 1
    assert [answer.content for answer in answers] == ["Hi"] * count
    assert sum(not answer.cached for answer in answers) == 1


class Gate:
    """A provider whose answers wait until they are let through."""

    def __init__(self) -> None:
        self.asked = 0
        self.came = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        self.asked += 1
        self.came.set()
        await self.open.wait()
        return CompletionResponse.of("hello")


async def test_a_follower_takes_over_when_the_leader_is_cancelled() -> None:
    gate = Gate()
    engine = Flashlite("m", provider=gate, cache=MemoryCache(), temperature=0)
    leader, *followers = [asyncio.create_task(engine.complete("Hi")) for _ in range(4)]
    await gate.came.wait()
    leader.cancel()
    gate.open.set()
    answers = await asyncio.gather(*followers)
    assert ([answer.content for answer in answers], gate.asked) == (["hello"] * 3, 2)
    assert leader.cancelled()


async def test_a_follower_who_gives_up_leaves_the_others_waiting() -> None:
    gate = Gate()
    engine = Flashlite("m", provider=gate, cache=MemoryCache(), temperature=0)
    leader, quitter, follower = [asyncio.create_task(engine.complete("Hi")) for _ in range(3)]
    await gate.came.wait()
    quitter.cancel()
    quitter.cancel()
    gate.open.set()
    assert [(await leader).content, (await follower).content] == ["hello", "hello"]
    assert (quitter.cancelled(), gate.asked) == (True, 1)


async def test_a_failure_is_shared_by_those_who_wait_and_not_stored() -> None:
    script = ScriptedProvider([InternalServerError("down", status_code=500), "hello"])

    async def provider(request: CompletionRequest) -> CompletionResponse:
        await asyncio.sleep(0)
        return await script(request)

    engine = Flashlite("m", provider=provider, cache=MemoryCache(), retry=ONCE, temperature=0)
    failures = await asyncio.gather(
        *(engine.complete("Hi") for _ in range(10)), return_exceptions=True
    )
    assert {str(failure) for failure in failures} == {"down (status 500)"}
    assert len({id(failure) for failure in failures}) == 10
    assert ((await engine.complete("Hi")).content, len(script.requests)) == ("hello", 2)


@pytest.mark.parametrize(
    "answer",
    [
        CompletionResponse.of("no", finish_reason="content_filter"),
        CompletionResponse.of("half", finish_reason=None),
        CompletionResponse(
            choices=(
                Choice(message=Message.assistant(refusal="I will not."), finish_reason="stop"),
            )
        ),
    ],
)
async def test_refusals_and_halves_are_not_stored(answer: CompletionResponse) -> None:
    engine, provider = client(answer, "hello")
    await engine.complete("Hi")
    assert ((await engine.complete("Hi")).content, len(provider.requests)) == ("hello", 2)


async def test_refresh_asks_anew_and_replaces_what_is_read_next(store: Store) -> None:
    engine, _ = client("old", "new", store=store)
    modes = ["on", "refresh", "on"]
    said = [(await engine.complete("Hi", cache=mode)).content for mode in modes]  # type: ignore[arg-type]
    assert said == ["old", "new", "new"]


async def test_off_neither_reads_nor_writes() -> None:
    engine, provider = client("a", "b", "c")
    said = [(await engine.complete("Hi", cache=mode)).content for mode in ("off", "on", "off")]  # type: ignore[arg-type]
    assert (said, len(provider.requests)) == (["a", "b", "c"], 3)


async def test_only_asks_nobody_and_names_what_differs(store: Store) -> None:
    engine, provider = client("hello", store=store)
    await engine.complete("Hi", seed=7)
    assert (await engine.complete("Hi", seed=7, cache="only")).content == "hello"
    said: list[str] = []
    for options in ({"seed": 8}, {"seed": 8, "top_p": 1.0}, {"cache_collection": "mine"}):
        with pytest.raises(CacheMiss) as caught:
            await engine.complete("Hi", cache="only", **options)  # type: ignore[arg-type]
        said.append(str(caught.value).removeprefix("no stored answer for this request to m"))
    assert said == [
        "; the nearest one differs in 1 field: params.seed: 8 here, 7 stored",
        "; the nearest one differs in 2 fields, first: params.seed: 8 here, 7 stored",
        " in collection 'mine'; nothing is stored there",
    ]
    assert len(provider.requests) == 1


async def test_explain_compares_with_the_nearest_stored_request(store: Store) -> None:
    engine, _ = client("a", "b", store=store)
    await engine.complete("Hi", seed=7)
    await engine.complete("Something else", seed=7, max_tokens=5)
    assert await engine.explain("Hi", seed=7) == []
    assert await engine.explain("Ho", seed=7) == ['messages[0].content: "Ho" here, "Hi" stored']
    assert await engine.explain("Hi", cache_collection="new") == [
        "nothing is stored in this collection"
    ]


async def test_stats_count_hits_and_misses_for_every_store(store: Store) -> None:
    engine, _ = client("a", "b", store=store)
    for text in ("Hi", "Hi", "Ho", "Hi"):
        await engine.complete(text)
    stats = await engine.cache_stats()
    assert stats.pop("bytes") > 100
    assert stats == {
        "hits": 2,
        "misses": 2,
        "hit_rate": 0.5,
        "shared": 0,
        "stored": 2,
        "entries": 2,
    }
    assert await engine.clear_cache() == 2


class Broken(MemoryCache):
    """A store that is down."""

    async def get(self, key: str, *, collection: str = "") -> Entry | None:
        raise StoreError("the disk is gone")

    async def put(self, entry: Entry, *, collection: str = "") -> None:
        raise StoreError("the disk is gone")

    async def stats(self) -> StoreStats:
        raise StoreError("the disk is gone")


class Faulty(MemoryCache):
    """A store of one's own that has a mistake."""

    async def get(self, key: str, *, collection: str = "") -> Entry | None:
        raise OSError("no such table")


async def test_a_mistake_of_a_store_of_ones_own_costs_no_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, _ = client("a", store=Faulty())
    with caplog.at_level(logging.ERROR, "flashlite.cache"):
        assert (await engine.complete("Hi")).content == "a"
    assert caplog.messages == ["a stored answer of m could not be looked up"]


async def test_a_store_that_is_down_is_a_miss_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, provider = client("a", "b", store=Broken())
    with caplog.at_level(logging.WARNING, "flashlite.cache"):
        assert [(await engine.complete("Hi")).content for _ in range(2)] == ["a", "b"]
    assert len(provider.requests) == 2
    assert caplog.messages == ["the cache cannot be used, every call is asked: the disk is gone"]


class Required(MemoryCache):
    """A store that a caller cannot do without, and whose disk is full."""

    required = True

    async def put(self, entry: Entry, *, collection: str = "") -> None:
        raise StoreError("the disk is full")


async def test_without_a_required_store_nothing_is_sent_and_nothing_paid_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, provider = client("a", "b", store=Required())
    assert (await engine.complete("Hi")).content == "a"  # paid for, though it cannot be stored
    with pytest.raises(StoreError, match="the disk is full"):
        await engine.complete("Ho")
    assert len(provider.requests) == 1
    assert (await engine.complete("Ho")).content == "b"  # the disk may have room again
    assert set(caplog.messages) == {
        "the cache cannot be used, and it is required: the disk is full"
    }


async def test_a_required_file_that_cannot_be_opened_stops_the_call(tmp_path: Path) -> None:
    (tmp_path / "answers.db").write_bytes(b"no database" * 100)
    engine, provider = client("a", store=DiskCache(tmp_path / "answers.db", required=True))
    with pytest.raises(StoreError, match="not a database"):
        await engine.complete("Hi")
    assert provider.requests == []


class Full(MemoryCache):
    """A store that finds at the end that the disk is full."""

    async def aclose(self) -> None:
        raise StoreError("the disk is full")


async def test_a_disk_that_is_full_at_the_end_costs_no_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, _ = client("a", store=Full())
    async with engine:
        answer = await engine.complete("Hi")
    assert answer.content == "a"
    assert caplog.messages == ["not all could be stored: the disk is full"]
    with pytest.raises(StoreError, match="the disk is full"):
        await engine.aclose()


async def test_an_infinite_logprob_is_stored_as_it_came() -> None:
    impossible: dict[str, Any] = {"content": [{"token": "x", "logprob": float("-inf")}]}
    choice = Choice(message=Message.assistant("x"), finish_reason="stop", logprobs=impossible)
    engine, _ = client(CompletionResponse(choices=(choice,)))
    first, second = [await engine.complete("Hi") for _ in range(2)]
    assert (first.cached, second.cached) == (False, True)
    assert first.logprobs == second.logprobs == impossible


async def test_an_entry_that_cannot_be_read_is_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = MemoryCache()
    engine, _ = client("a", "b", store=store)
    await engine.complete("Hi")
    [entry] = [entry async for entry in store.entries()]
    torn = Entry(key=entry.key, request=entry.request, response=b"{}", created=entry.created)
    await store.put(torn)
    assert (await engine.complete("Hi")).content == "b"
    assert caplog.messages == [
        "a stored answer cannot be read and is asked for again: KeyError('choices')"
    ]


async def test_repetition_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    provider = ScriptedProvider("abcd")
    engine = Flashlite("m", provider=provider, cache=MemoryCache())
    for number in range(3):
        await engine.complete(f"Hi {number}")
    await engine.complete("Hi", sample=0)
    assert [message.partition(":")[0] for message in caplog.messages] == ["cached answers repeat"]


WHOLE = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
STREAM = [
    {"choices": [{"delta": {"content": "Hel"}}]},
    {"choices": [{"delta": {"content": "lo"}}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
]


async def test_a_stream_is_stored_when_it_is_whole_and_played_to_the_next() -> None:
    transport = ReplayTransport([Reply.stream(STREAM)])
    engine = Flashlite(
        "openai/m", api_key="k", transport=transport, cache=MemoryCache(), temperature=0
    )
    texts = [
        [e.data async for e in engine.stream("Hi") if e.type is StreamEventType.TOKEN]
        for _ in range(2)
    ]
    assert texts == [["Hel", "lo"], ["Hello"]]
    assert (await engine.complete("Hi")).content == "Hello"


async def test_a_reader_who_stops_early_stores_nothing_and_nobody_waits_for_him() -> None:
    transport = ReplayTransport([Reply.stream(STREAM), Reply.of(WHOLE)])
    engine = Flashlite(
        "openai/m", api_key="k", transport=transport, cache=MemoryCache(), temperature=0
    )
    async with aclosing(engine.stream("Hi")) as events:
        await anext(events)
        assert (await engine.complete("Hi")).content == "Hello"
    assert len(transport.requests) == 2


async def test_a_follower_waits_no_longer_than_its_own_timeout() -> None:
    gate = Gate()
    engine = Flashlite("m", provider=gate, cache=MemoryCache(), temperature=0, timeout=0.05)
    leader, follower = [asyncio.create_task(engine.complete("Hi")) for _ in range(2)]
    failures = await asyncio.gather(leader, follower, return_exceptions=True)
    assert {type(failure) for failure in failures} == {APITimeoutError}


async def test_only_calls_alike_share_a_failure() -> None:
    asked = list[str | None]()

    async def provider(request: CompletionRequest) -> CompletionResponse:
        asked.append(request.api_key)
        await asyncio.sleep(0)
        if request.api_key == "bad":
            raise AuthenticationError("wrong key", status_code=401)
        return CompletionResponse.of("hello")

    provider.target = lambda request: Target(  # type: ignore[attr-defined]
        provider="p", dialect="d", model=request.model, account=request.api_key or ""
    )
    engine = Flashlite("m", provider=provider, cache=MemoryCache(), temperature=0)
    bad, good = await asyncio.gather(
        *(engine.complete("Hi", api_key=key) for key in ("bad", "good")), return_exceptions=True
    )
    assert (type(bad), getattr(good, "content", None)) == (AuthenticationError, "hello")


async def test_a_failure_that_is_shared_is_paid_once() -> None:
    async def provider(request: CompletionRequest) -> CompletionResponse:
        await asyncio.sleep(0)
        return CompletionResponse.of("no JSON", usage=PAID)

    engine = Flashlite("m", provider=provider, cache=MemoryCache(), temperature=0)
    calls = [engine.ask("Hi", response_model=int, structured_retries=0) for _ in range(10)]
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(failure) for failure in failures} == {StructuredOutputError}
    assert (engine.total_cost, engine.ledger.total.failed) == (0.5, 10)


async def test_models_of_one_schema_and_different_rules_do_not_share_an_answer() -> None:
    def at_most(limit: int) -> type[Any]:
        def check(value: int) -> int:
            assert value <= limit
            return value

        return create_model("Score", value=(Annotated[int, AfterValidator(check)], ...))

    provider = ScriptedProvider(['{"value": 7}', '{"value": 2}'])

    async def slow(request: CompletionRequest) -> CompletionResponse:
        await asyncio.sleep(0)
        return await provider(request)

    engine = Flashlite("m", provider=slow, cache=MemoryCache(), temperature=0)
    lax, strict = await asyncio.gather(
        *(engine.complete("Hi", response_model=at_most(limit)) for limit in (10, 3))
    )
    assert (lax.value, strict.value) == (7, 2)


async def test_what_a_caller_changes_later_changes_no_key_and_no_call() -> None:
    parts = [{"type": "text", "text": "one"}]
    gate = Gate()
    engine = Flashlite("m", provider=gate, cache=MemoryCache(), temperature=0)
    call = asyncio.create_task(engine.complete([{"role": "user", "content": parts}]))
    await gate.came.wait()
    parts[0]["text"] = "two"
    gate.open.set()
    await call
    assert (
        await engine.explain([{"role": "user", "content": [{"type": "text", "text": "one"}]}]) == []
    )


async def test_providers_that_may_answer_differently_do_not_share_an_answer() -> None:
    store = MemoryCache()
    one, other = (
        Flashlite("m", provider=ScriptedProvider([answer]), cache=store, temperature=0)
        for answer in ("a", "b")
    )
    assert [(await engine.complete("Hi")).content for engine in (one, other)] == ["a", "b"]


def test_no_secret_of_an_address_or_a_body_is_in_a_key() -> None:
    request = CompletionRequest(
        model="openai/m",
        messages=(Message.user("Hi"),),
        base_url="http://user:hunter22@127.0.0.1:9/v1?api_key=hunter22",
        extra_headers={"X-Password": "hunter22", "X-Signature": "hunter22"},
        extra_body={"api_key": "hunter22"},
    )
    target = Flashlite("openai/m").target(request)
    assert b"hunter22" not in canonical(request, target)


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("ban_eos_token", True, False),
        ("author", "Poe", "Kafka"),
        ("stop_token", "</s>", "<end>"),
        ("stop_token", "\ud83d", "\ude00"),
    ],
)
def test_a_field_that_is_called_like_a_secret_decides_the_answer(
    name: str, one: Any, other: Any
) -> None:
    request = CompletionRequest(model="openai/m", messages=(Message.user("Hi"),))
    target = Flashlite("openai/m").target(request)
    assert canonical(request.with_(extra_body={name: one}), target) != canonical(
        request.with_(extra_body={name: other}), target
    )


def test_a_field_that_says_who_asks_does_not() -> None:
    request = CompletionRequest(model="openai/m", messages=(Message.user("Hi"),))
    target = Flashlite("openai/m").target(request)
    bodies = [{}, {"api_key": "a"}, {"access_token": "b"}, {"authorization": "c"}]
    assert len({canonical(request.with_(extra_body=body), target) for body in bodies}) == 1


def test_what_may_be_a_secret_all_the_same_goes_into_the_key_by_its_digest() -> None:
    request = CompletionRequest(
        model="openai/m", messages=(Message.user("Hi"),), extra_body={"hf_token": "hunter22"}
    )
    target = Flashlite("openai/m").target(request)
    assert b"hunter22" not in canonical(request, target)


class Leasing(MemoryCache):
    """A store of several machines: one at a time asks for an entry."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = asyncio.Lock()
        self.leases = 0

    @asynccontextmanager
    async def lease(self, key: str, *, collection: str = "") -> AsyncIterator[Entry | None]:
        async with self.lock:
            self.leases += 1
            yield await self.get(key, collection=collection)


class Known(ScriptedProvider):
    """A provider that answers alike in every process."""

    def target(self, request: CompletionRequest) -> Target:
        return Target(provider="p", dialect="openai", model=request.model)

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        await asyncio.sleep(0)
        return await super().__call__(request)


async def test_clients_of_a_store_that_leases_ask_once() -> None:
    store = Leasing()
    provider = Known(["hello"])
    engines = [Flashlite("m", provider=provider, cache=store, temperature=0) for _ in range(3)]
    answers = await asyncio.gather(*(engine.complete("Hi") for engine in engines))
    assert [answer.content for answer in answers] == ["hello"] * 3
    assert (len(provider.requests), store.leases) == (1, 3)
    hits = [(await engine.cache_stats())["hits"] for engine in engines]
    assert sorted(hits) == [0, 1, 1]


async def test_a_lease_ends_with_a_failure_and_is_not_taken_where_none_is_needed() -> None:
    store = Leasing()
    failing, _ = client(InternalServerError("no"), "hello", store=store)
    with pytest.raises(InternalServerError):
        await failing.complete("Hi")
    assert not store.lock.locked()
    assert (await failing.complete("Hi")).content == "hello"
    assert (await failing.complete("Hi")).cached
    assert store.leases == 2
    engine, _ = client("new", store=store)
    await engine.complete("Hi", cache="refresh")
    with pytest.raises(CacheMiss):
        await engine.complete("Ho", cache="only")
    assert store.leases == 2


async def test_nobody_waits_for_a_lease_longer_than_the_timeout_or_for_a_stream() -> None:
    store = Leasing()
    engine, _ = client("hello", "there", store=store)
    async with aclosing(engine.stream("Hi")) as events:
        await anext(events)
        assert not store.lock.locked()
    async with store.lock:
        with pytest.raises(APITimeoutError, match="same call by somebody else"):
            await engine.complete("Ho", timeout=0.01)


async def test_the_request_is_left_as_it_was() -> None:
    seen: list[CompletionRequest] = []

    async def provider(request: CompletionRequest) -> CompletionResponse:
        seen.append(request)
        return CompletionResponse.of("x")

    engine = Flashlite("m", provider=provider, cache=MemoryCache(), temperature=0)
    await engine.complete("Hi")
    assert seen[0].params == {"temperature": 0}
    assert seen[0].messages == (Message.user("Hi"),)


def test_a_store_serves_one_loop_after_another(tmp_path: Path) -> None:
    provider = ScriptedProvider(["hello"])
    engine = Flashlite("m", provider=provider, cache=DiskCache(tmp_path / "c.db"), temperature=0)

    async def ask() -> str:
        answer = (await engine.complete("Hi")).content
        await engine.aclose()
        return answer

    assert [asyncio.run(ask()) for _ in range(3)] == ["hello"] * 3
    assert len(provider.requests) == 1


def test_no_key_is_in_the_file(tmp_path: Path) -> None:
    canary = "sk-canary-0123456789"
    with MockServer("echo") as server:
        engine = Flashlite(
            "openai/m",
            base_url=server.base_url,
            api_key=canary,
            extra_headers={"x-api-key": canary},
            cache=DiskCache(tmp_path / "c.db"),
        )
        engine.complete_sync("Hi")

    async def close() -> None:
        await engine.aclose()

    asyncio.run(close())
    assert b"Hi" in (tmp_path / "c.db").read_bytes()
    assert canary.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_the_address_that_litellm_finds_in_the_environment_tells_answers_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    router = Router(ReplayTransport([]))
    request = CompletionRequest(model="volcengine/m", messages=(Message.user("Hi"),))
    at_home = canonical(request, router.target(request))
    monkeypatch.setenv("VOLCENGINE_API_BASE", "https://proxy.example/v1")
    elsewhere = canonical(request, router.target(request))
    assert differences(elsewhere, at_home) == [
        'address: "https://proxy.example/v1" here, "" stored'
    ]
