"""Batches of requests: what is on file is never asked for again."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from flashlite import (
    AuthenticationError,
    BadRequestError,
    BatchManager,
    CompletionRequest,
    CompletionResponse,
    ConfigError,
    Flashlite,
    FlashliteError,
    RetryConfig,
    run_batch,
)
from flashlite.testing import ScriptedProvider

from .files import kinds, lines, read, write


class Counting:
    """A provider that says what it was asked, and how often it was."""

    def __init__(self, failing: dict[str, Exception] | None = None) -> None:
        self.asked: list[str] = []
        self.failing = failing or {}

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        text = request.messages[-1].text
        self.asked.append(text)
        if text in self.failing:
            raise self.failing[text]
        return CompletionResponse.of(text.upper(), model=request.model, provider="counting")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture
def provider() -> Counting:
    return Counting()


@pytest.fixture
def client(provider: Counting) -> Flashlite:
    return Flashlite("m", provider=provider, retry=RetryConfig(max_attempts=1))


def contents(answers: list[Any]) -> list[str]:
    return [answer.content for answer in answers]


async def test_a_second_run_gives_the_same_answers_and_asks_for_nothing(
    client: Flashlite, provider: Counting, path: Path
) -> None:
    requests = [f"q{n}" for n in range(30)]
    first = await run_batch(client, requests, checkpoint=path)
    batch = run_batch(client, requests, checkpoint=path)
    second = await batch
    assert contents(first) == [request.upper() for request in requests]
    assert [answer.to_dict() for answer in second] == [answer.to_dict() for answer in first]
    assert (len(provider.asked), batch.restored, batch.lost) == (30, 30, 0)


async def test_usage_cost_and_provenance_are_those_of_the_first_time(path: Path) -> None:
    client = Flashlite("mock/echo")
    [first] = await run_batch(client, ["Hi"], checkpoint=path)
    [second] = await run_batch(client, ["Hi"], checkpoint=path)
    for name in ("usage", "cost", "latency", "duration", "attempts", "cached", "model", "id"):
        assert getattr(second, name) == getattr(first, name)
    assert second.usage is not None
    assert second.cost == 0.0


async def test_a_request_is_known_by_its_content_wherever_it_stands(
    client: Flashlite, provider: Counting, path: Path
) -> None:
    await run_batch(client, ["a", "b", "c"], checkpoint=path)
    answers = await run_batch(client, ["x", "c", {"messages": "a"}], checkpoint=path)
    assert contents(answers) == ["X", "C", "A"]
    assert sorted(provider.asked) == ["a", "b", "c", "x"]


async def test_equal_requests_have_an_answer_each(
    client: Flashlite, provider: Counting, path: Path
) -> None:
    await run_batch(client, ["a"] * 3, checkpoint=path)
    batch = run_batch(client, ["a"] * 5, checkpoint=path)
    assert contents(await batch) == ["A"] * 5
    assert (len(provider.asked), batch.restored) == (5, 3)
    assert contents(await run_batch(client, ["a"] * 2, checkpoint=path)) == ["A"] * 2
    assert len(provider.asked) == 5


async def test_of_equal_requests_each_keeps_its_own_answer(path: Path) -> None:
    first_may_go = asyncio.Event()
    count = 0

    async def provider(request: CompletionRequest) -> CompletionResponse:
        nonlocal count
        count += 1
        number = count
        if number == 1:
            await first_may_go.wait()
        if number == 3:
            first_may_go.set()
        return CompletionResponse.of(f"answer {number}")

    client = Flashlite("m", provider=provider)
    first = await run_batch(client, ["a"] * 3, checkpoint=path, max_concurrency=2)
    assert contents(first) == ["answer 1", "answer 2", "answer 3"]
    assert contents(await run_batch(client, ["a"] * 3, checkpoint=path)) == contents(first)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"temperature": 0.5},
        {"sample": 1},
        {"base_url": "http://localhost:1"},
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "a"},
            ]
        },
    ],
)
async def test_whatever_decides_the_answer_makes_another_request(
    client: Flashlite, provider: Counting, path: Path, change: dict[str, Any]
) -> None:
    await run_batch(client, ["a"], checkpoint=path)
    await run_batch(client, [{"messages": "a"} | change], checkpoint=path)
    assert len(provider.asked) == 2


async def test_how_it_is_fetched_makes_no_other_request(
    client: Flashlite, provider: Counting, path: Path
) -> None:
    await run_batch(client, ["a"], checkpoint=path)
    request = {"messages": "a", "tags": ["t"], "timeout": 5, "api_key": "k", "agent": "x"}
    await run_batch(client, [request], checkpoint=path)
    assert len(provider.asked) == 1


async def test_a_failure_stops_nothing_and_is_raised_at_the_end(path: Path) -> None:
    provider = Counting({"b": BadRequestError("no")})
    client = Flashlite("m", provider=provider)
    with pytest.raises(BadRequestError) as raised:
        await run_batch(client, ["a", "b", "c"], checkpoint=path)
    assert {n: answer.content for n, answer in raised.value.answers.items()} == {0: "A", 2: "C"}
    [failure] = [line for line in lines(path) if line["kind"] == "failure"]
    assert failure["error"] == {
        "type": "BadRequestError",
        "message": str(raised.value),
        "attempts": 1,
        "retryable": False,
        "may_be_billed": False,
    }
    assert (failure["position"], failure["request"]) == (1, "m: b")


async def test_a_failure_may_stand_in_its_place_and_is_tried_again_by_the_next_run(
    path: Path,
) -> None:
    provider = Counting({"b": BadRequestError("no")})
    client = Flashlite("m", provider=provider)
    answers = await run_batch(client, ["a", "b"], checkpoint=path, return_exceptions=True)
    assert isinstance(answers[1], BadRequestError)
    provider.failing.clear()
    assert contents(await run_batch(client, ["a", "b"], checkpoint=path)) == ["A", "B"]
    assert provider.asked == ["a", "b", "b"]


async def test_what_no_other_request_would_survive_stops_the_batch(path: Path) -> None:
    provider = Counting({"b": AuthenticationError("bad key", status_code=401)})
    client = Flashlite("m", provider=provider)
    with pytest.raises(AuthenticationError) as raised:
        await run_batch(
            client,
            ["a", "b", "c", "d"],
            checkpoint=path,
            max_concurrency=1,
            return_exceptions=True,
        )
    assert provider.asked == ["a", "b"]
    assert raised.value.answers[0].content == "A"


async def test_a_request_that_cannot_work_is_a_failure_of_its_own(
    client: Flashlite, path: Path
) -> None:
    requests: list[Any] = ["a", {"temperature": 0}, {"messages": "c", "temprature": 0}]
    answers = await run_batch(client, requests, checkpoint=path, return_exceptions=True)
    assert answers[0].content == "A"
    assert [type(answer) for answer in answers[1:]] == [ConfigError, ConfigError]
    assert kinds(path).count("failure") == 2


async def test_answers_are_read_one_by_one_in_the_order_of_the_requests(path: Path) -> None:
    release = asyncio.Event()

    async def provider(request: CompletionRequest) -> CompletionResponse:
        text = request.messages[-1].text
        if text == "0":
            await release.wait()
        if text == "5":
            release.set()
        return CompletionResponse.of(text)

    client = Flashlite("m", provider=provider)
    requests = [str(n) for n in range(6)]
    batch = run_batch(client, requests, checkpoint=path, max_concurrency=2)
    assert [(n, a.content) async for n, a in batch] == [(n, str(n)) for n in range(6)]
    written = [line["position"] for line in lines(path) if line["kind"] == "answer"]
    assert written[-1] == 0


async def test_answers_may_be_read_as_they_come(path: Path) -> None:
    release = asyncio.Event()

    async def provider(request: CompletionRequest) -> CompletionResponse:
        text = request.messages[-1].text
        await (release.wait() if text == "0" else asyncio.sleep(0))
        release.set()
        return CompletionResponse.of(text)

    client = Flashlite("m", provider=provider)
    batch = run_batch(client, ["0", "1"], checkpoint=path, order="completion")
    assert [(n, a.content) async for n, a in batch] == [(1, "1"), (0, "0")]


async def test_any_source_will_do(client: Flashlite, tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[str]:
        n = 0
        while True:
            yield f"q{n}"
            n += 1

    got = []
    async with aclosing(run_batch(client, endless(), checkpoint=tmp_path / "a")) as batch:
        async for _, answer in batch:
            got.append(answer.content)
            if len(got) == 25:
                break
    assert got == [f"Q{n}" for n in range(25)]
    answers = await run_batch(client, (f"q{n}" for n in range(25)), checkpoint=tmp_path / "a")
    assert contents(answers) == got


async def test_a_source_that_fails_ends_the_batch_with_what_was_asked_kept(
    client: Flashlite, path: Path
) -> None:
    def source() -> Iterator[str]:
        yield "a"
        raise OSError("the disk went away")

    with pytest.raises(OSError, match="went away") as raised:
        await run_batch(client, source(), checkpoint=path)
    assert raised.value.answers[0].content == "A"  # type: ignore[attr-defined]
    assert kinds(path) == ["intent", "answer"]


@pytest.mark.parametrize("requests", ["text", {"messages": "x"}, 5])
async def test_a_batch_wants_a_list(client: Flashlite, path: Path, requests: Any) -> None:
    with pytest.raises(ConfigError, match="a batch takes a list"):
        run_batch(client, requests, checkpoint=path)


async def test_an_unknown_order_and_no_seat_are_refused(client: Flashlite, path: Path) -> None:
    with pytest.raises(ConfigError, match="order is 'input' or 'completion'"):
        run_batch(client, [], checkpoint=path, order="random")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least 1"):
        await run_batch(client, ["a"], checkpoint=path, max_concurrency=0)


class Verdict(BaseModel):
    score: int


async def test_instances_of_a_response_model_come_back_as_such(path: Path) -> None:
    provider = ScriptedProvider(['{"score": 3}'])
    client = Flashlite("m", provider=provider)
    request = {"messages": "Judge.", "response_model": Verdict}
    first = await run_batch(client, [request], checkpoint=path)
    second = await run_batch(client, [request], checkpoint=path)
    assert first == second == [Verdict(score=3)]


async def test_an_answer_that_no_longer_fits_is_asked_for_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    provider = ScriptedProvider(['{"score": 3}', '{"score": 4}'])
    client = Flashlite("m", provider=provider)
    request = {"messages": "Judge.", "response_model": Verdict}
    await run_batch(client, [request], checkpoint=path)
    write(path, read(path).replace('score\\": 3', 'grade\\": 3'))
    assert await run_batch(client, [request], checkpoint=path) == [Verdict(score=4)]
    assert "does not fit and is asked for again" in caplog.text


async def test_files_in_messages_count_by_what_is_in_them(
    client: Flashlite, provider: Counting, path: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "x.png"
    part = {"type": "image_url", "image_url": {"url": picture.as_uri()}}
    request = {"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, part]}]}
    for content in (b"\x89PNG\r\n\x1a\n1", b"\x89PNG\r\n\x1a\n1", b"\x89PNG\r\n\x1a\n2"):
        picture.write_bytes(content)
        await run_batch(client, [request], checkpoint=path)
    assert len(provider.asked) == 2


async def test_hostile_text_comes_back_as_it_was(path: Path) -> None:
    text = "half an emoji \ud83d, a NUL \0, a line\nfeed, \u2028 and 中文"
    client = Flashlite("m", provider=ScriptedProvider([text]))
    [first] = await run_batch(client, ["Hi"], checkpoint=path)
    [second] = await run_batch(client, ["Hi"], checkpoint=path)
    assert first.content == second.content == text


async def test_every_request_on_the_wire_has_its_intent_on_file_before(path: Path) -> None:
    seen: list[list[str]] = []

    async def provider(request: CompletionRequest) -> CompletionResponse:
        seen.append(kinds(path))
        if len(seen) == 1:
            raise ConnectionError
        return CompletionResponse.of("ok")

    async def flaky(request: CompletionRequest) -> CompletionResponse:
        from flashlite import APIConnectionError

        try:
            return await provider(request)
        except ConnectionError as error:
            raise APIConnectionError("broken") from error

    client = Flashlite("m", provider=flaky, retry=RetryConfig(max_attempts=2, initial_delay=0))
    await run_batch(client, ["a"], checkpoint=path)
    assert seen == [["intent"], ["intent", "intent"]]
    assert kinds(path) == ["intent", "intent", "answer"]


async def test_an_answer_from_the_cache_needs_no_intent(provider: Counting, path: Path) -> None:
    from flashlite import MemoryCache

    client = Flashlite("m", provider=provider, cache=MemoryCache())
    await client.complete("a")
    [answer] = await run_batch(client, ["a"], checkpoint=path)
    [again] = await run_batch(client, ["a"], checkpoint=path)
    assert kinds(path) == ["answer"]
    assert (answer.cached, answer.lineage) == (again.cached, again.lineage)
    assert answer.cached


async def test_a_cancelled_batch_keeps_what_is_done_and_says_what_may_be_paid_for(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begun = asyncio.Event()
    asked: list[str] = []

    async def provider(request: CompletionRequest) -> CompletionResponse:
        text = request.messages[-1].text
        asked.append(text)
        if text == "slow" and asked.count("slow") == 1:
            begun.set()
            await asyncio.Event().wait()
        return CompletionResponse.of(text)

    client = Flashlite("m", provider=provider)
    requests = ["a", "b", "slow", "c"]
    task = asyncio.ensure_future(
        collected(run_batch(client, requests, checkpoint=path, max_concurrency=1))
    )
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asked == ["a", "b", "slow"]
    with caplog.at_level(logging.WARNING):
        batch = run_batch(client, requests, checkpoint=path)
        assert contents(await batch) == requests
    assert (batch.restored, batch.lost) == (2, 1)
    assert "1 requests were sent by a run that ended before they left an answer" in caplog.text
    assert asked == ["a", "b", "slow", "slow", "c"]
    [lost] = [line for line in lines(path) if line["kind"] == "lost"]
    assert lost["position"] == 2


async def test_what_was_lost_are_all_requests_of_a_killed_run_without_an_answer_on_file(
    path: Path,
) -> None:
    hanging, asked = asyncio.Event(), 0

    async def provider(request: CompletionRequest) -> CompletionResponse:
        nonlocal asked
        asked += 1
        if asked == 3:
            hanging.set()
            await asyncio.Event().wait()
        return CompletionResponse.of("no JSON" if asked < 3 else '{"score": 3}')

    client = Flashlite("m", provider=provider)
    requests = [{"messages": "Judge.", "response_model": Verdict}]
    task = asyncio.ensure_future(collected(run_batch(client, requests, checkpoint=path)))
    await hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    told = []
    for _ in range(3):
        batch = run_batch(client, requests, checkpoint=path)
        assert await batch == [Verdict(score=3)]
        told.append((batch.restored, batch.lost))
    assert told == [(0, 3), (1, 3), (1, 3)]
    assert kinds(path) == ["intent"] * 3 + ["lost"] * 3 + ["intent", "answer"]


async def collected(batch: Any) -> list[Any]:
    return list(await batch)


async def test_a_stopped_batch_waits_for_what_was_sent(path: Path) -> None:
    asked: list[str] = []
    client = Flashlite("m")

    async def provider(request: CompletionRequest) -> CompletionResponse:
        asked.append(request.messages[-1].text)
        batch.stop()
        await asyncio.sleep(0)
        return CompletionResponse.of("done")

    client = Flashlite("m", provider=provider)
    batch = run_batch(client, ["a", "b", "c"], checkpoint=path, max_concurrency=1)
    with pytest.raises(FlashliteError, match=r"was stopped; what is done is in .*run\.jsonl"):
        await batch
    assert asked == ["a"]
    assert kinds(path) == ["intent", "answer"]


async def test_two_batches_do_not_share_a_checkpoint(client: Flashlite, path: Path) -> None:
    async with aclosing(run_batch(client, ["a", "b"], checkpoint=path)) as first:
        async for _ in first:
            with pytest.raises(ConfigError, match="is being written by another batch"):
                await run_batch(client, ["a"], checkpoint=path)
            break
    assert contents(await run_batch(client, ["a"], checkpoint=path)) == ["A"]


@pytest.mark.parametrize("content", ['{"messages": "a"}\n', "just text", '{"kind": "x"}\n', "[]"])
async def test_a_file_that_is_no_checkpoint_stays_as_it_is(
    client: Flashlite, provider: Counting, path: Path, content: str
) -> None:
    write(path, content)
    with pytest.raises(ConfigError, match="is no checkpoint of flashlite"):
        await run_batch(client, ["a"], checkpoint=path)
    assert (read(path), provider.asked) == (content, [])


async def test_a_checkpoint_of_a_newer_version_is_refused(client: Flashlite, path: Path) -> None:
    write(path, '{"kind": "checkpoint", "version": 2}\n')
    with pytest.raises(ConfigError, match="saved by a newer flashlite"):
        await run_batch(client, ["a"], checkpoint=path)


_ODD = '{"kind":"answer","item":"00","position":"x","response":{}}\n'


async def test_a_spoilt_line_costs_its_own_answer_only(
    client: Flashlite, provider: Counting, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await run_batch(client, ["a", "b", "c"], checkpoint=path, max_concurrency=1)
    content = read(path).splitlines(keepends=True)
    content[4] = content[4][:30] + "\n"
    write(path, "".join([*content, "null\n", '{"kind":"answer"}\n', _ODD]))
    assert contents(await run_batch(client, ["a", "b", "c"], checkpoint=path)) == ["A", "B", "C"]
    assert provider.asked == ["a", "b", "c", "b"]
    assert "4 lines cannot be read and do not count" in caplog.text


async def test_a_checkpoint_that_cannot_be_written_is_said_before_anything_is_sent(
    client: Flashlite, provider: Counting, tmp_path: Path
) -> None:
    from flashlite import StoreError

    (tmp_path / "file").write_text("")
    for place in (tmp_path, tmp_path / "file" / "x", Path("/dev/full")):
        with pytest.raises((StoreError, ConfigError)):
            await run_batch(client, ["a"], checkpoint=place)
    assert provider.asked == []


async def test_lines_say_what_they_are(client: Flashlite, path: Path) -> None:
    await run_batch(client, ["What is 2 + 2?"], checkpoint=path)
    intent, answer = lines(path)
    assert list(intent) == ["kind", "item", "position", "at"]
    assert list(answer) == ["kind", "item", "position", "request", "response", "at"]
    assert answer["request"] == "m: What is 2 + 2?"
    assert answer["item"] == intent["item"]
    assert len(answer["item"]) == 64
    assert CompletionResponse.from_dict(answer["response"]).content == "WHAT IS 2 + 2?"
    assert json.loads(read(path).splitlines()[0]) == {"kind": "checkpoint", "version": 1}


async def test_a_bar_is_drawn_in_a_terminal(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    client = Flashlite("mock/echo")
    await run_batch(client, ["a", "b", "c"], checkpoint=path, progress=True)
    assert "3/3" in capsys.readouterr().err
    await BatchManager(checkpoint_file=path).process_batch([1, 2], _itself, desc="Some [work]")
    drawn = capsys.readouterr().err
    assert "2/2" in drawn
    assert "Some [work]" in drawn


async def _itself(item: int) -> int:
    return item
