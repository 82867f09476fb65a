"""Requests on their way: how they are gathered, and what a file tells of them afterwards."""

from __future__ import annotations

import asyncio
import gc
from itertools import pairwise
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite.batch.jobs import Jobs, Pace, Submission, Submissions
from flashlite.batch.jobs.gathering import Gathering
from flashlite.batch.jobs.remote import Remote
from flashlite.batch.jobs.results import Results
from flashlite.batch.jobs.stillness import Stillness
from flashlite.batch.jobs.submissions import key_of
from flashlite.errors import APIConnectionError, CompletionError, ConfigError
from flashlite.providers.batches import BatchLimits, batch_adapter_for
from flashlite.providers.openai_batches import OpenAIBatches
from flashlite.testing import ReplayTransport, Reply
from flashlite.wire import WireRequest

from ..virtual_time import now, run

URL = "https://api.openai.com/v1/chat/completions"


def asking(text: str, **more: Any) -> WireRequest:
    return WireRequest(url=URL, json={"model": "m", "messages": [text], **more})


class Small(OpenAIBatches):
    """Jobs of three requests, or a thousand bytes."""

    limits = BatchLimits(requests=3, bytes=1000)


def nobody() -> Remote:
    return Remote(Small(), ReplayTransport([]), asking("like"), provider="openai")


def test_a_request_is_known_by_where_it_goes_and_what_it_asks() -> None:
    same = [
        WireRequest(url=URL, json={"a": 1, "b": 2}, headers={"Authorization": "x"}),
        WireRequest(url=URL, json={"b": 2, "a": 1}, headers={"Authorization": "y"}),
    ]
    assert len({key_of(request) for request in same}) == 1
    other = [asking("a"), asking("b"), asking("a", n=2), asking("a", seed=2**70)]
    other.append(WireRequest(url=URL.replace("api.", "eu."), json=other[0].json))
    other.append(asking("half an emoji \ud83d"))
    assert len({key_of(request) for request in other}) == 6
    assert all(len(key_of(request)) == 32 for request in other)


@pytest.mark.parametrize("value", [object(), {1: object()}])
def test_a_request_that_is_no_json_is_the_callers_mistake(value: Any) -> None:
    with pytest.raises(ConfigError, match="the request is not JSON"):
        key_of(asking("a", value=value))


def test_what_waits_is_no_garbage_and_is_not_looked_through() -> None:
    stillness = Stillness()
    for _ in range(999):
        stillness.add()
    assert gc.get_freeze_count() == 0
    stillness.add()
    assert gc.get_freeze_count() > 0
    stillness.end()
    assert gc.get_freeze_count() == 0


@given(count=st.integers(1, 200_000))
def test_an_id_is_short_enough_for_every_provider(count: int) -> None:
    submission = Submission(ids=["x"] * count)
    custom_id = submission.add(key_of(asking("a")))
    assert len(custom_id) <= 64
    assert submission.has(custom_id)
    assert custom_id.replace("-", "").isalnum()


def gather(pace: Pace, arrivals: list[tuple[float, str]]) -> list[tuple[float, int]]:
    """Return when a gathering was complete and with how many, for texts that come at times."""
    complete: list[tuple[float, int]] = []

    def note(gathering: Gathering) -> None:
        gathering.stop()
        complete.append((round(now(), 3), len(gathering.lines)))

    async def main() -> None:
        gathering = Gathering(nobody(), pace, note)
        for at, text in arrivals:
            await asyncio.sleep(at - now())
            if not complete:
                gathering.add(asking(text), "k")
        await asyncio.sleep(100)
        gathering.close()

    run(main())
    return complete


@pytest.mark.parametrize(
    ("pace", "arrivals", "complete"),
    [
        (Pace(), [(0, "a")], [(1.0, 1)]),
        (Pace(), [(0, "a"), (0.8, "b")], [(1.8, 2)]),
        (Pace(), [(0, "a"), (0.5, "b"), (0.9, "c")], [(0.9, 3)]),
        (Pace(most=2), [(0, "a"), (0.5, "b")], [(0.5, 2)]),
        (Pace(least=2, patience=15), [(0, "a")], [(15.0, 1)]),
        (Pace(least=2, patience=15), [(0, "a"), (10, "b")], [(11.0, 2)]),
        (Pace(least=3, patience=15), [(0, "a"), (14, "b")], [(15.0, 2)]),
        (Pace(idle=inf, patience=3), [(0, "a"), (2.5, "b")], [(3.0, 2)]),
        (Pace(least=2), [(0, "a")], []),
    ],
)
def test_requests_wait_for_one_another(
    pace: Pace, arrivals: list[tuple[float, str]], complete: list[tuple[float, int]]
) -> None:
    assert gather(pace, arrivals) == complete


async def test_a_request_for_which_no_job_has_room_is_refused() -> None:
    remote = nobody()
    gathering = Gathering(remote, Pace(), lambda it: None)
    with pytest.raises(ConfigError, match=r"bytes; a job takes 1,000 at most"):
        gathering.add(asking("x" * 1000), "k")
    gathering.close()


@given(lengths=st.lists(st.integers(0, 800), max_size=12))
def test_a_job_is_never_larger_than_its_provider_allows(lengths: list[int]) -> None:
    async def main() -> list[list[bytes]]:
        remote, full = nobody(), list[list[bytes]]()
        gatherings = [Gathering(remote, Pace(), lambda it: None)]
        for length in lengths:
            if len(gatherings[-1].lines) == 3 or not gatherings[-1].add(asking("x" * length), "k"):
                gatherings.append(Gathering(remote, Pace(), lambda it: None))
                assert gatherings[-1].add(asking("x" * length), "k")
        for gathering in gatherings:
            gathering.close()
            full.append(list(gathering.lines.values()))
        return full

    jobs = run(main())
    assert sum(map(len, jobs)) == len(lengths)
    assert all(len(lines) <= 3 and len(b"\n".join(lines)) <= 1000 for lines in jobs)


async def test_who_gives_up_before_a_job_is_submitted_is_not_in_it() -> None:
    remote = nobody()
    gathering = Gathering(remote, Pace(), lambda it: None)
    ids = [gathering.add(asking(text), "k") for text in "ab"]
    assert ids[0] is not None
    gathering.drop(ids[0])
    gathering.drop(ids[0])
    assert list(gathering.lines) == ids[1:]
    gathering.close()


def test_what_was_not_submitted_is_given_up_within_minutes() -> None:
    away = APIConnectionError("no line")
    away.was_sent = False
    transport = ReplayTransport([away] * 6)

    async def main() -> float:
        jobs = Jobs(transport)
        with pytest.raises(APIConnectionError, match="no line; no job was submitted"):
            await jobs.answer(Small(), asking("a"), provider="openai")
        await jobs.aclose()
        return now()

    assert (round(run(main())), len(transport.requests)) == (124, 6)


def result_of(custom_id: str) -> bytes:
    response = f'{{"status_code": 200, "body": {{"of": "{custom_id}"}}}}'
    return f'{{"custom_id": "{custom_id}", "response": {response}}}'.encode()


async def test_results_wait_for_their_requests_and_requests_for_their_results() -> None:
    results = Results(batch_adapter_for("openai"))
    early = asyncio.ensure_future(results.get("b"))
    await asyncio.sleep(0)
    for custom_id in "abab":
        await results.add(result_of(custom_id))
    undone = CompletionError("not done")
    await results.finish(undone)
    late, missing = await results.get("a"), await results.get("c")
    assert [(await early).body, late.body] == [b'{"of":"b"}', b'{"of":"a"}']
    assert (str(missing.error), missing.error is undone) == ("not done", False)
    assert results.given == {"a", "b", "c"}
    results.close()


async def test_what_kept_us_from_hearing_of_a_job_is_raised_to_each_by_itself() -> None:
    results = Results(batch_adapter_for("openai"))
    early = asyncio.ensure_future(results.get("a"))
    await asyncio.sleep(0)
    results.fail(CompletionError("no line"))
    raised = [
        await asyncio.gather(get, return_exceptions=True) for get in (early, results.get("b"))
    ]
    [[first], [second]] = raised
    assert (str(first), str(second), first is second) == ("no line", "no line", False)
    assert results.given == set()
    results.close()


@given(cuts=st.lists(st.integers(0, 60), max_size=6))
async def test_lines_are_whole_however_they_arrive(cuts: list[int]) -> None:
    content = b"".join(b"line %d\n" % n for n in range(8)) + b"no end"
    ends = sorted({0, len(content), *(min(cut, len(content)) for cut in cuts)})
    chunks = tuple(content[start:end] for start, end in pairwise(ends))
    transport = ReplayTransport([Reply(chunks=chunks)])
    adapter = batch_adapter_for("openai")
    job = adapter.read_job(b'{"id": "b", "status": "completed", "output_file_id": "o"}')
    lines = [
        line
        async for line in Remote(adapter, transport, asking("like"), provider="openai").lines(job)
    ]
    assert lines == content.split(b"\n")


def test_a_file_tells_what_is_left_of_earlier_jobs() -> None:
    submissions = Submissions()
    first, second = Submission(name="one", at=1.0), Submission(name="two", at=2.0)
    ids = [first.add("x"), first.add("x"), second.add("x"), second.add("y")]
    for submission in (first, second):
        submissions.read({"kind": "submission", **submission.to_dict()})
    submissions.read({"kind": "job", "name": "two", "job": "batch_2"})
    submissions.note_taken(ids[0])
    submissions.note_taken("req_of-somebody-else")
    assert (submissions.open, submissions.known()) == (2, ["batch_2"])
    taken = [submissions.take(key) for key in ("x", "x", "x", "y", "z")]
    assert [found and (found[0].name, found[1]) for found in taken] == [
        ("one", ids[1]),
        ("two", ids[2]),
        None,
        ("two", ids[3]),
        None,
    ]


def test_a_closed_job_has_nothing_left() -> None:
    submissions, submission = Submissions(), Submission(name="one")
    submission.add("x")
    submissions.read({"kind": "submission", **submission.to_dict()})
    submissions.read({"kind": "closed", "name": "one"})
    assert (submissions.open, submissions.take("x")) == (0, None)
