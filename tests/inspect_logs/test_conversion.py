"""What a StructuredLogger wrote becomes a log of Inspect."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.event import ModelEvent, SpanBeginEvent
from inspect_ai.log import EvalLog, EvalSample

from flashlite import Flashlite, StructuredLogger
from flashlite.errors import BadRequestError, ConfigError
from flashlite.inspect_logs import convert
from flashlite.inspect_logs.files import take_over
from flashlite.testing import ScriptedProvider
from flashlite.types import CompletionResponse, Usage

from .logs import read

BEGUN = {
    "type": "request",
    "time": "2026-05-01T10:00:00.000+00:00",
    "request_id": "r1",
    "model": "openai/gpt-4o",
    "messages": [{"role": "user", "content": "Hi"}],
}
ENDED = {
    "type": "response",
    "time": "2026-05-01T10:00:02.000+00:00",
    "request_id": "r1",
    "model": "openai/gpt-4o",
    "latency_ms": 1500.0,
    "cached": False,
    "attempts": 3,
    "model_served": "gpt-4o-2024",
    "finish_reason": "stop",
    "content": "Hello",
    "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7, "total_cost": 0.25},
}


def _converted(folder: Path, *records: Mapping[str, Any] | str, **options: Any) -> EvalLog:
    file = folder / "run.jsonl"
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    file.write_text("\n".join(lines) + ("" if isinstance(records[-1], str) else "\n"))
    convert(file, folder / "logs", **options)
    return read(folder / "logs")


def _sample(folder: Path, *records: Mapping[str, Any]) -> EvalSample:
    [sample] = _converted(folder, *records).samples or []
    return sample


def _call(sample: EvalSample) -> ModelEvent:
    [event] = [event for event in sample.events if isinstance(event, ModelEvent)]
    return event


def _at(second: int, record: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {**record, "time": f"2026-05-01T10:00:{second:02}.000+00:00", **changes}


def test_a_call_is_a_sample_with_its_answer_times_tries_and_costs(tmp_path: Path) -> None:
    log = _converted(tmp_path, BEGUN, ENDED)
    [sample] = log.samples or []
    event = _call(sample)
    assert (log.status, log.eval.task, log.eval.model) == ("success", "run", "openai/gpt-4o")
    assert log.stats.started_at == "2026-05-01T10:00:00+00:00"
    assert log.stats.completed_at == "2026-05-01T10:00:02+00:00"
    assert (sample.id, sample.input, sample.output.completion) == (1, "Hi", "Hello")
    assert (sample.total_time, event.working_time, event.retries) == (2.0, 1.5, 2)
    assert event.output.model == "gpt-4o-2024"
    assert sample.model_usage["openai/gpt-4o"].total_cost == 0.25


async def test_what_a_client_writes_is_read(tmp_path: Path) -> None:
    logger = StructuredLogger(tmp_path / "run.jsonl")
    answers = [
        CompletionResponse.of("4", reasoning="2+2", usage=Usage(input_tokens=10), model="m"),
        BadRequestError("no", status_code=400),
    ]
    options: Any = {"provider": ScriptedProvider(answers), "structured_logger": logger}
    async with Flashlite("openai/gpt-4o", **options) as client:
        await client.complete("What is 2+2?", temperature=0.5)
        with pytest.raises(BadRequestError):
            await client.complete("And 3+3?")
    await asyncio.to_thread(convert, tmp_path / "run.jsonl", tmp_path / "logs")
    first, second = read(tmp_path / "logs").samples or []
    content = _call(first).output.message.content
    assert not isinstance(content, str)
    assert [part.type for part in content] == ["reasoning", "text"]
    assert _call(first).config.temperature == 0.5
    assert second.error is not None
    assert second.error.message == "BadRequestError: no (status 400)"
    assert second.metadata == {"stream": False, "status_code": 400, "retryable": False}


def test_a_cancelled_call_is_one(tmp_path: Path) -> None:
    cancelled = _at(1, BEGUN, type="cancelled", latency_ms=1000.0)
    sample = _sample(tmp_path, BEGUN, cancelled)
    assert sample.error is not None
    assert (sample.error.message, sample.total_time) == ("CancelledError('')", 1.0)


def test_a_stream_that_broke_has_what_came_and_the_error(tmp_path: Path) -> None:
    broken = {**ENDED, "type": "error", "error_type": "StreamInterruptedError", "message": "gone"}
    sample = _sample(tmp_path, BEGUN, broken)
    assert sample.error is not None
    assert (sample.output.completion, sample.error.message) == (
        "Hello",
        "StreamInterruptedError: gone",
    )


def test_an_answer_from_a_cache_is_marked_and_costs_nothing(tmp_path: Path) -> None:
    sample = _sample(tmp_path, BEGUN, {**ENDED, "cached": True})
    assert _call(sample).cache == "read"
    assert sample.model_usage["openai/gpt-4o"].total_tokens == 0


def test_lines_of_several_processes_may_be_mixed(tmp_path: Path) -> None:
    second = {**BEGUN, "request_id": "r2", "messages": [{"role": "user", "content": "Bye"}]}
    log = _converted(
        tmp_path, BEGUN, second, {**ENDED, "request_id": "r2", "content": "See you"}, ENDED
    )
    said = [(sample.input, sample.output.completion) for sample in log.samples or ()]
    assert said == [("Bye", "See you"), ("Hi", "Hello")]


def test_a_torn_last_line_and_foreign_records_are_left_out(tmp_path: Path) -> None:
    log = _converted(tmp_path, {"type": "note", "text": "?"}, BEGUN, ENDED, '{"type": "requ')
    assert (log.status, len(log.samples or ())) == ("success", 1)


def test_a_call_without_an_end_is_an_error_of_the_log(tmp_path: Path) -> None:
    log = _converted(tmp_path, BEGUN)
    [sample] = log.samples or []
    assert log.error is not None
    assert sample.error is not None
    assert (log.status, log.error.message, sample.error.message) == (
        "error",
        "RuntimeError: 1 calls have no end in the record",
        "RuntimeError: the record has no end of this call: its process was killed, or it still "
        "runs",
    )


def test_an_end_without_a_beginning_is_kept(tmp_path: Path) -> None:
    sample = _sample(tmp_path, ENDED)
    assert (sample.input, sample.output.completion) == ("<not recorded>", "Hello")
    assert sample.metadata == {"not_recorded": ["messages"]}
    assert sample.total_time == 1.5


def test_what_was_not_recorded_is_marked(tmp_path: Path) -> None:
    begun = {name: value for name, value in BEGUN.items() if name != "messages"}
    ended = {name: value for name, value in ENDED.items() if name != "content"}
    sample = _sample(tmp_path, begun, {**ended, "tool_calls": ["add"]})
    assert (sample.input, sample.output.completion) == ("<not recorded>", "<not recorded>")
    assert [call.function for call in sample.output.message.tool_calls or ()] == ["add"]
    assert sample.metadata == {"not_recorded": ["messages", "answer"]}


def test_an_empty_answer_is_not_taken_for_one_that_was_left_out(tmp_path: Path) -> None:
    empty = {name: value for name, value in ENDED.items() if name != "content"}
    second = {"request_id": "r2"}
    log = _converted(tmp_path, BEGUN, ENDED, {**BEGUN, **second}, {**empty, **second})
    assert [sample.output.completion for sample in log.samples or ()] == ["Hello", ""]


def test_calls_with_one_tag_are_one_sample_with_a_lane_for_each_agent(tmp_path: Path) -> None:
    records: list[Mapping[str, Any]] = []
    for place, agent in enumerate(("ann", "bob", "ann")):
        who = {"request_id": f"r{place}", "tags": ["x", "sample:q7"], "agent": agent}
        records += [_at(2 * place, BEGUN, **who), _at(2 * place + 1, ENDED, request_id=f"r{place}")]
    alone = [{**BEGUN, "request_id": "z"}, {**ENDED, "request_id": "z"}]
    log = _converted(tmp_path, *records[:3], *alone, *records[3:])
    samples = {sample.id: sample for sample in log.samples or ()}
    assert list(samples) == [1, "q7"]
    lanes = [e.name for e in samples["q7"].events if isinstance(e, SpanBeginEvent)]
    assert lanes == ["solvers", "run", "ann", "bob", "ann"]
    assert list(samples["q7"].role_usage or ()) == ["ann", "bob"]
    assert samples["q7"].total_time == 5.0


def test_embeddings_are_no_samples(tmp_path: Path) -> None:
    other = {"request_id": "e"}
    vectors = {"type": "response", "embeddings": 3, "latency_ms": 1.0}
    log = _converted(tmp_path, {**BEGUN, **other}, {**BEGUN, **other, **vectors}, BEGUN, ENDED)
    assert [sample.output.completion for sample in log.samples or ()] == ["Hello"]


def test_texts_that_were_cut_or_struck_out_stay_so(tmp_path: Path) -> None:
    begun = {**BEGUN, "messages": [{"role": "user", "content": "aaaa… (6 more characters)"}]}
    sample = _sample(tmp_path, begun, {**ENDED, "content": "my key is ***"})
    assert (sample.input, sample.output.completion) == (
        "aaaa… (6 more characters)",
        "my key is ***",
    )


def test_a_file_is_converted_into_a_folder_once(tmp_path: Path) -> None:
    file, folder = tmp_path / "run.jsonl", tmp_path / "logs"
    _converted(tmp_path, BEGUN, ENDED)
    [log] = folder.iterdir()
    said = "run.jsonl was already converted to {}: delete it first, or pass another folder"
    with file.open("a") as lines:
        lines.writelines(json.dumps({**r, "request_id": "r2"}) + "\n" for r in (BEGUN, ENDED))
    with pytest.raises(ConfigError, match=re.escape(said.format(log))):
        convert(file, folder, task="another")
    moved = file.rename(tmp_path / "old-run.jsonl")
    with pytest.raises(ConfigError, match=re.escape(said.format(log))):
        convert(moved, folder)
    assert list(folder.iterdir()) == [log]
    log.unlink()
    assert [convert(moved, folder).exists(), convert(moved, tmp_path / "x").exists()] == [True] * 2


def test_another_run_in_a_file_of_the_same_name_is_another_log(tmp_path: Path) -> None:
    _converted(tmp_path, BEGUN, ENDED)
    file = tmp_path / "run.jsonl"
    file.write_text(file.read_text().replace('"r1"', '"r2"'))
    convert(file, tmp_path / "logs")
    assert len(list((tmp_path / "logs").iterdir())) == 2


def test_a_conversion_that_was_killed_is_done_anew_and_one_that_runs_left_alone(
    tmp_path: Path,
) -> None:
    _converted(tmp_path, BEGUN, ENDED)
    [log] = (tmp_path / "logs").iterdir()
    part = log.rename(tmp_path / "logs" / f".{log.name.replace('run', 'mine')}.part")
    with (
        take_over(part) or pytest.fail("it has an owner"),
        pytest.raises(ConfigError, match=r"run\.jsonl is being converted to .*logs by another"),
    ):
        convert(tmp_path / "run.jsonl", tmp_path / "logs")
    assert convert(tmp_path / "run.jsonl", tmp_path / "logs") == log
    assert list((tmp_path / "logs").iterdir()) == [log]


def test_a_file_without_calls_is_none(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(
        ConfigError, match=r"run\.jsonl has no calls: it is no file of a Structured"
    ):
        convert(tmp_path / "run.jsonl", tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"time": "yesterday"},
        {"messages": 5},
        {"tags": 5},
        {"target": "there"},
        {"params": [1]},
        {"tool_calls": 5},
        {"others": [1]},
        {"usage": 5},
        {"latency_ms": "long"},
        {"type": "error", "error_type": "\0"},
    ],
)
def test_a_record_that_cannot_be_read_leaves_no_log_behind(
    wrong: Mapping[str, Any], tmp_path: Path
) -> None:
    is_asked = wrong.keys() <= {"time", "messages", "tags", "target", "params"}
    strange = {**(BEGUN if is_asked else ENDED), **wrong, "request_id": "r2"}
    with pytest.raises(ConfigError, match=r"run\.jsonl has a record that cannot be read"):
        _converted(tmp_path, BEGUN, ENDED, strange, {**ENDED, "request_id": "r2"})
    assert list(tmp_path.rglob("*.*")) == [tmp_path / "run.jsonl"]
