"""Every dialect's streams: the events and the answer that they end in, however bytes are cut."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashlite.testing import Reply

from .cases import load, plain
from .streams import SPEAKERS, Speaker

CASES = [
    pytest.param(speaker, case.values[0], id=f"{dialect} {case.id}")
    for dialect, speaker in SPEAKERS.items()
    for case in load(f"{dialect}_stream")
]


@pytest.mark.parametrize(("speaker", "case"), CASES)
async def test_a_stream_is_its_events_and_its_answer(
    speaker: Speaker, case: dict[str, Any]
) -> None:
    await check(speaker, case, speaker.wire(case["reply"]))


@settings(max_examples=400)
@given(one=st.sampled_from(CASES), data=st.data())
async def test_bytes_cut_anywhere_are_the_same_stream(one: Any, data: st.DataObject) -> None:
    speaker, case = one.values
    reply = speaker.wire(case["reply"])
    whole = b"".join(chunk for chunk in reply.chunks if isinstance(chunk, bytes))
    broken = [chunk for chunk in reply.chunks if not isinstance(chunk, bytes)]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)))))
    pieces = [whole[start:end] for start, end in pairwise([0, *cuts, len(whole)])]
    await check(speaker, case, replace(reply, chunks=(*pieces, *broken)))


@pytest.mark.parametrize(("speaker", "case"), CASES)
async def test_bytes_that_come_one_by_one_are_the_same_stream(
    speaker: Speaker, case: dict[str, Any]
) -> None:
    reply = speaker.wire(case["reply"])
    single = [
        [bytes([byte]) for byte in chunk] if isinstance(chunk, bytes) else [chunk]
        for chunk in reply.chunks
    ]
    await check(speaker, case, replace(reply, chunks=tuple(chain(*single))))


async def check(speaker: Speaker, case: dict[str, Any], reply: Reply) -> None:
    """Fail unless a reply is the events of a case, and ends in its answer or its error."""
    events, error = await speaker.read(reply, **case.get("request", {}))
    assert [plain(event) for event in events] == case["events"]
    if "error" in case:
        expected = {"status_code": None, "code": None, "retryable": True, **case["error"]}
        assert error is not None
        assert {name: getattr(error, name) for name in expected if name != "type"} | {
            "type": type(error).__name__
        } == expected
        assert f"{error.provider}/{error.model}" == speaker.model
    else:
        assert error is None
        assert plain(events[-1].data) == case["response"]
