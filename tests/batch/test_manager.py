"""`BatchManager`: any items, any function."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from flashlite import (
    BatchManager,
    CompletionRequest,
    CompletionResponse,
    ConfigError,
    Flashlite,
    QuotaExceededError,
    RequestManager,
    StoreError,
    normalize_messages,
)

from .files import folder, kinds, lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


class Doubling:
    """A processor that knows what it was given."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    async def __call__(self, item: Any) -> Any:
        self.given.append(item)
        await asyncio.sleep(0)
        return {"twice": [item, item]}


def test_the_other_name_is_the_same() -> None:
    assert RequestManager is BatchManager


@pytest.mark.parametrize("is_kept", [True, False])
async def test_results_come_in_the_order_of_the_items(path: Path, is_kept: bool) -> None:
    manager = BatchManager(max_workers=3, checkpoint_file=path if is_kept else None)
    results = await manager.process_batch(range(10), Doubling(), desc="Doubling")
    assert results == [{"twice": [n, n]} for n in range(10)]
    assert (path in folder(path)) is is_kept


async def test_what_is_in_the_checkpoint_is_not_asked_for_again(path: Path) -> None:
    manager, processor = BatchManager(checkpoint_file=path), Doubling()
    await manager.process_batch([{"a": 1, "b": 2}, "x"], processor)
    await manager.process_batch(["x", {"b": 2, "a": 1}, "y"], processor)
    assert processor.given == [{"a": 1, "b": 2}, "x", "y"]


async def test_a_result_may_be_an_answer(path: Path) -> None:
    client, manager = Flashlite("mock/echo"), BatchManager(checkpoint_file=path)
    [first] = await manager.process_batch(["Hi"], client.complete)
    [second] = await manager.process_batch(["Hi"], client.complete)
    assert isinstance(second, CompletionResponse)
    assert second.to_dict() == first.to_dict()


async def test_a_result_that_tells_of_an_error_is_tried_again(path: Path) -> None:
    answers = iter([{"output": None, "error": "429"}, {"output": "ok", "error": None}])

    async def processor(_: str) -> Any:
        return next(answers)

    manager = BatchManager(checkpoint_file=path)
    assert await manager.process_batch(["x"], processor) == [{"output": None, "error": "429"}]
    assert await manager.process_batch(["x"], processor) == [{"output": "ok", "error": None}]
    assert await manager.process_batch(["x"], processor) == [{"output": "ok", "error": None}]
    assert kinds(path) == ["intent", "failure", "intent", "answer"]


@pytest.mark.parametrize("is_kept", [True, False])
async def test_an_exception_stops_nothing_and_is_raised_at_the_end(
    path: Path, is_kept: bool
) -> None:
    async def processor(item: int) -> int:
        return 10 // item

    manager = BatchManager(checkpoint_file=path if is_kept else None)
    with pytest.raises(ZeroDivisionError) as raised:
        await manager.process_batch([2, 0, 5], processor)
    assert raised.value.answers == {0: 5, 2: 2}  # type: ignore[attr-defined]
    five, error, two = await manager.process_batch([2, 0, 5], processor, return_exceptions=True)
    assert (five, type(error), two) == (5, ZeroDivisionError, 2)


async def test_an_exception_is_on_file_with_its_type(path: Path) -> None:
    async def processor(_: int) -> int:
        raise KeyError("x")

    await BatchManager(checkpoint_file=path).process_batch([1], processor, return_exceptions=True)
    assert lines(path)[1]["error"] == {"type": "KeyError", "message": "'x'"}


async def test_a_result_that_is_no_json_ends_the_batch_and_is_not_lost(path: Path) -> None:
    given: list[int] = []

    async def processor(item: int) -> Any:
        given.append(item)
        return {item}

    manager = BatchManager(max_workers=1, checkpoint_file=path)
    with pytest.raises(StoreError, match=r"item 0 is no JSON .*: return JSON") as e:
        await manager.process_batch([1, 2, 3], processor)
    assert (given, e.value.answers) == ([1], {0: {1}})


async def test_an_unread_stream_is_no_result(path: Path) -> None:
    client = Flashlite("mock/echo")

    async def processor(text: str) -> CompletionResponse:
        messages = tuple(normalize_messages(text))
        request = CompletionRequest(model="mock/echo", messages=messages, stream=True)
        return await client.handle(request)

    with pytest.raises(StoreError, match="a stream that nobody has read") as raised:
        await BatchManager(checkpoint_file=path).process_batch(["Hi"], processor)
    await raised.value.answers[0].aclose()


async def test_items_that_are_no_json_need_a_key(path: Path) -> None:
    manager, processor = BatchManager(checkpoint_file=path), Doubling()
    with pytest.raises(ConfigError, match=r"pass key=\.\.\."):
        await manager.process_batch([object()], processor)
    assert processor.given == []

    async def name(item: complex) -> str:
        processor.given.append(item)
        return str(item)

    for _ in range(2):
        results = await manager.process_batch([1j, 2j], name, key=str)
        assert results == ["1j", "2j"]
    assert processor.given == [1j, 2j]


async def test_an_answer_that_was_given_up_is_a_failure(path: Path) -> None:
    async def processor(_: str) -> CompletionResponse:
        return CompletionResponse(error="the stream broke")

    [answer] = await BatchManager(checkpoint_file=path).process_batch(["x"], processor)
    assert not answer.ok
    assert lines(path)[1]["error"] == {"type": "CompletionResponse", "message": "the stream broke"}


async def test_what_was_begun_is_waited_for_when_the_batch_stops(path: Path) -> None:
    empty = asyncio.Event()
    done: list[str] = []

    async def processor(item: str) -> str:
        if item == "empty":
            empty.set()
            raise QuotaExceededError("no credit", status_code=429)
        await empty.wait()
        await asyncio.sleep(0)
        done.append(item)
        return item

    manager = BatchManager(max_workers=2, checkpoint_file=path)
    with pytest.raises(QuotaExceededError) as raised:
        await manager.process_batch(["a", "empty", "b", "c"], processor)
    assert (done, raised.value.answers) == (["a"], {0: "a"})


async def test_the_arguments_are_checked(path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        await BatchManager(max_workers=0, checkpoint_file=path).process_batch([1], Doubling())
