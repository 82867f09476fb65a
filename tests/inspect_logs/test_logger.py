"""The logger: what a script writes is what Inspect reads."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import subprocess
import sys
import time
from datetime import datetime
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import score
from inspect_ai.log import (
    list_eval_logs,
    read_eval_log,
    read_eval_log_sample_summaries,
    recompute_metrics,
)
from inspect_ai.scorer import includes, match

from flashlite import InspectLogger
from flashlite.errors import ConfigError, StoreError
from flashlite.inspect_logs import current_sample
from flashlite.types import Message, ToolCall

from .logs import REQUEST, answer, members, missing, read, samples, the_log


def test_one_call_is_one_sample(tmp_path: Path) -> None:
    with InspectLogger(log_dir=tmp_path, eval_id="my-eval") as logger:
        logger.log(REQUEST, answer(), sample_id=0)
    [sample] = samples(tmp_path)
    said = [(message.role, message.text) for message in sample.messages]
    assert said == [("system", "Be brief."), ("user", "What is 2+2?"), ("assistant", "4")]
    assert (sample.id, sample.epoch, sample.output.completion) == (0, 1, "4")
    assert sample.model_usage["openai/gpt-4o"].total_cost == 0.001
    assert sample.error is None


def test_the_header_says_what_the_run_was(tmp_path: Path) -> None:
    options: dict[str, Any] = {"metadata": {"who": "me"}, "tags": ["a"], "config": {"k": 1}}
    with InspectLogger(tmp_path, "my_eval", task="riddles", **options) as logger:
        logger.log(REQUEST, answer(), 7)
        logger.log(REQUEST, answer(), 7)
    log = read_eval_log(str(the_log(tmp_path)), header_only=True)
    assert (log.status, log.eval.task, log.eval.model) == ("success", "riddles", "openai/gpt-4o")
    assert log.eval.metadata == {"eval_id": "my_eval", "who": "me"}
    assert (log.eval.tags, log.eval.task_args) == (["a"], {"k": 1})
    assert (log.eval.dataset.samples, log.eval.dataset.sample_ids) == (1, [7])
    assert log.eval.config.epochs == 2
    assert log.stats.model_usage["openai/gpt-4o"].output_tokens == 4
    assert the_log(tmp_path).name.endswith(f"_riddles_{log.eval.task_id}.eval")


def test_a_text_and_a_list_of_messages_will_do(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        logger.log("Hi", "there")
        logger.log([Message.user("Ho"), Message.assistant("?"), Message.user("!")], "ok")
    assert [(s.id, len(s.messages)) for s in samples(tmp_path)] == [(1, 2), (2, 4)]


def test_an_id_that_comes_again_is_its_next_epoch(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        for id in ("a", "a", 1, "1"):
            logger.log("Hi", "there", id)
    assert {(str(s.id), s.epoch) for s in samples(tmp_path)} == {
        ("a", 1), ("a", 2), ("1", 1), ("1", 2)
    }  # fmt: skip


def test_an_epoch_that_is_there_is_the_callers_mistake(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        logger.log("Hi", "there", "a", epoch=3)
        with pytest.raises(ConfigError, match="sample 'a' of epoch 3: leave `epoch` out"):
            logger.log("Hi", "there", "a", epoch=3)
        for epoch in (0, 10**30):
            with pytest.raises(ConfigError, match=f"a whole number from 1; got {epoch}"):
                logger.log("Hi", "there", "a", epoch=epoch)


def test_scores_have_the_metrics_that_inspect_works_out(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        for number, letter in enumerate("CIPC"):
            score = {"right": letter, "length": number, "parts": {"x": number, "y": 1.5}}
            logger.log(REQUEST, answer(), number // 2, target="4", score=score)
    log = read(tmp_path)
    ours = log.results
    recompute_metrics(log)
    assert ours is not None
    assert log.results is not None
    shown = [(score.name, score.metrics) for score in ours.scores]
    assert shown == [(score.name, score.metrics) for score in log.results.scores]
    assert [name for name, _ in shown] == ["right", "length", "x", "y"]
    assert ours.headline == log.results.headline


def test_a_single_score_needs_no_name(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        logger.log(REQUEST, answer(), score=float("nan"))
        logger.log(REQUEST, answer(), score=True)
        with pytest.raises(ConfigError, match="a score is a number"):
            logger.log(REQUEST, answer(), score=object())
    [score] = read(tmp_path).results.scores  # type: ignore[union-attr]
    assert (score.name, score.scored_samples, score.unscored_samples) == ("score", 1, 1)


def test_a_sample_is_a_block(tmp_path: Path) -> None:
    call = ToolCall("c1", "add", {"a": 2, "b": 2})
    with InspectLogger(tmp_path) as logger:
        with logger.sample("sum", input="Add.", target="4", metadata={"level": 1}) as s:
            assert current_sample() is s
            s.model(REQUEST, answer(None, tool_calls=[call], finish_reason="tool_calls"))
            s.tool(call, 4, seconds=0.25)
            s.model([*REQUEST.messages, Message.tool_result("c1", "4")], answer("It is 4."))
            s.info({"note": "done"}, source="script")
            s.store["seen"] = 1
            s.score("right", 1.0, answer="4", explanation="It is.")
        assert current_sample() is None
    [sample] = samples(tmp_path)
    assert [event.event for event in sample.events] == [
        "sample_init", "span_begin", "span_begin", "model", "tool", "model", "info",
        "span_end", "span_end", "span_begin", "span_begin", "score", "span_end", "span_end",
    ]  # fmt: skip
    assert (sample.input, sample.target, sample.metadata) == ("Add.", "4", {"level": 1})
    assert (sample.store, sample.turn_count) == ({"seen": 1}, 2)
    assert sample.output.completion == "It is 4."
    assert sample.scores is not None
    assert (sample.scores["right"].value, sample.scores["right"].answer) == (1.0, "4")


def test_an_exception_is_the_samples_error_and_goes_on(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        with pytest.raises(KeyError), logger.sample("bad", input="x"):
            raise KeyError("oops")
        logger.log(REQUEST, error=ValueError("no"), sample_id="failed")
    errors = {s.id: s.error.message for s in samples(tmp_path) if s.error}
    assert errors == {"bad": "KeyError: 'oops'", "failed": "ValueError: no"}
    assert read(tmp_path).status == "success"


def test_each_agent_has_its_lane(tmp_path: Path) -> None:
    with InspectLogger(tmp_path, task="chat") as logger, logger.sample("s", input="Go.") as s:
        for name in ("alice", "bob"):
            with s.agent(name, description=f"this is {name}"):
                s.model(f"You are {name}.", answer(f"I am {name}."))
    [sample] = samples(tmp_path)
    spans = [event for event in sample.events if event.event == "span_begin"]
    solvers, main, alice, bob = spans
    assert [(span.name, span.type) for span in spans] == [
        ("solvers", "solvers"), ("chat", "agent"), ("alice", "agent"), ("bob", "agent")
    ]  # fmt: skip
    assert [main.parent_id, alice.parent_id, bob.parent_id] == [solvers.id, main.id, main.id]
    models = [event for event in sample.events if event.event == "model"]
    assert [(event.role, event.span_id) for event in models] == [
        ("alice", alice.id), ("bob", bob.id)
    ]  # fmt: skip
    assert [m.text for m in sample.messages] == [
        "You are alice.", "[alice] I am alice.", "[bob] I am bob."
    ]  # fmt: skip
    assert {name: usage.output_tokens for name, usage in sample.role_usage.items()} == {
        "alice": 2, "bob": 2
    }  # fmt: skip


async def test_tasks_have_their_own_agents(tmp_path: Path) -> None:
    async def turn(name: str) -> None:
        sample = current_sample()
        assert sample is not None
        with sample.agent(name):
            await asyncio.sleep(0)
            sample.model(f"You are {name}.", answer(f"I am {name}."))
            await asyncio.sleep(0)

    async with InspectLogger(tmp_path) as logger, logger.sample("s", input="Go."):
        await asyncio.gather(*[turn(name) for name in "abc"])
    sample = await asyncio.to_thread(lambda: samples(tmp_path)[0])
    begun = {e.id: e.name for e in sample.events if e.event == "span_begin"}
    placed = [(e.role, begun[e.span_id or ""]) for e in sample.events if e.event == "model"]
    assert sorted(placed) == [("a", "a"), ("b", "b"), ("c", "c")]


def test_the_scripts_own_messages_stand_for_the_sample(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger, logger.sample("s", input="Go.") as s:
        s.model(REQUEST, answer())
        s.messages = [Message.user("Go."), Message.assistant("Gone.")]
        s.output = "Gone."
    [sample] = samples(tmp_path)
    assert [message.text for message in sample.messages] == ["Go.", "Gone."]
    assert sample.output.completion == "Gone."


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("no"), "error"), (KeyboardInterrupt(), "cancelled")]
)
def test_the_status_is_what_ended_the_run(
    tmp_path: Path, error: BaseException, status: str
) -> None:
    def work() -> None:
        with InspectLogger(tmp_path) as logger:
            logger.log("Hi", "there")
            raise error

    with pytest.raises(type(error)):
        work()
    log = read_eval_log(str(the_log(tmp_path)), header_only=True)
    assert log.status == status
    assert log.error is not None
    assert log.error.message.startswith(type(error).__name__)


def test_a_log_that_is_written_is_started(tmp_path: Path) -> None:
    logger = InspectLogger(tmp_path)
    logger.log(REQUEST, answer(), 1)
    logger.flush()
    log = read_eval_log(str(the_log(tmp_path)))
    assert (log.status, log.eval.model) == ("started", "openai/gpt-4o")
    assert [s.id for s in log.samples or ()] == [1]
    [summary] = read_eval_log_sample_summaries(str(the_log(tmp_path)))
    assert (summary.id, summary.completed) == (1, True)
    logger.close()
    assert read(tmp_path).status == "success"


def test_a_sample_that_runs_when_the_log_is_closed_is_cancelled(tmp_path: Path) -> None:
    logger = InspectLogger(tmp_path)
    with logger.sample("late", input="x") as s:
        s.model("Hi", "there")
        logger.close()
        s.model("Still", "here")
    log = read(tmp_path)
    [sample] = log.samples or ()
    assert log.status == "cancelled"
    assert sample.error is not None
    assert "closed before this sample ended" in sample.error.message
    assert sample.turn_count == 1
    with pytest.raises(ConfigError, match="the log is closed"):
        logger.log("Hi", "there")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"metadata": ["x"]}, "metadata is a dict; got ['x']"),
        ({"tags": "abc"}, "tags is a list of texts; got 'abc'"),
        ({"config": "a"}, "config is a dict; got 'a'"),
    ],
)
def test_a_logger_with_a_wrong_argument_is_not_created(
    tmp_path: Path, arguments: Any, sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        InspectLogger(tmp_path, **arguments)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"response": 5}, "an answer is a CompletionResponse or a text; got 5"),
        (
            {"response": {"content": "a"}},
            "an answer is a CompletionResponse or a text; got {'content': 'a'}",
        ),
        ({"error": "bad"}, "an error is an exception; got 'bad'"),
        ({"response": "a", "metadata": ["x"]}, "metadata is a dict; got ['x']"),
        (
            {"response": "a", "target": {"a": 1}},
            "target is a text, a number or a list of these; got {'a': 1}",
        ),
    ],
)
def test_a_call_that_cannot_be_logged_takes_no_number(
    tmp_path: Path, arguments: Any, sentence: str
) -> None:
    with InspectLogger(tmp_path) as logger:
        with pytest.raises(ConfigError) as caught:
            logger.log("q", **arguments)
        logger.log("q", "a")
    assert str(caught.value) == sentence
    assert [sample.id for sample in samples(tmp_path)] == [1]


def test_what_is_no_error_is_not_told_to_a_sample(tmp_path: Path) -> None:
    wrong: Any = "bad"
    wrong_answer: Any = 5
    with InspectLogger(tmp_path) as logger, logger.sample("s") as sample:
        with pytest.raises(ConfigError, match="an error is an exception; got 'bad'"):
            sample.error(wrong)
        with pytest.raises(ConfigError, match="an answer is a CompletionResponse or a text; got 5"):
            sample.model("q", wrong_answer)
    assert samples(tmp_path)[0].error is None


def test_a_number_is_a_target_as_its_text(tmp_path: Path) -> None:
    targets: list[Any] = [5, 0, 2.5, [5, "six"]]
    with InspectLogger(tmp_path) as logger:
        for target in targets:
            logger.log("q", "a", target=target)
    assert [sample.target for sample in samples(tmp_path)] == ["5", "0", "2.5", ["5", "six"]]


def test_a_score_outside_of_the_block_is_refused(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        sample = logger.sample("s")
        with pytest.raises(ConfigError, match=r"'s' is not begun, .*: score inside the with block"):
            sample.score("right", True)
        with sample:
            sample.model("q", "a")
        with pytest.raises(ConfigError, match=r"'s' is over, .*: score inside the with block"):
            sample.score("right", True)
    assert samples(tmp_path)[0].scores is None


def test_two_runs_of_one_name_are_two_logs(tmp_path: Path) -> None:
    for _ in range(2):
        with InspectLogger(tmp_path, "same") as logger:
            logger.log("Hi", "there", 1)
    logs = [read_eval_log(info, header_only=True) for info in list_eval_logs(str(tmp_path))]
    assert len({log.eval.eval_id for log in logs}) == 2
    assert len({log.eval.task_id for log in logs}) == 2
    assert len({log.eval.run_id for log in logs}) == 2


def test_nothing_is_written_before_there_is_something(tmp_path: Path) -> None:
    with InspectLogger(tmp_path / "new") as logger:
        assert logger.path.parent == tmp_path / "new"
        logger.flush()
    assert list(tmp_path.iterdir()) == []


def test_only_the_log_is_left(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        with logger.sample("s", input="x") as s:
            s.model("Hi", "there")
            logger.flush()
            assert (tmp_path / ".buffer").is_dir()
        path = logger.path
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("format", "suffixes"), [("json", [".json"]), ("both", [".eval", ".json"])]
)
def test_the_log_is_json_where_that_is_wanted(
    tmp_path: Path, format: Any, suffixes: list[str]
) -> None:
    with InspectLogger(tmp_path, format=format) as logger:
        logger.log(REQUEST, answer(), score=1.0)
        logger.log(REQUEST, answer(), score=0.0)
    paths = sorted(tmp_path.iterdir())
    assert [path.suffix for path in paths] == suffixes
    log = read_eval_log(str(paths[-1]))
    assert read_eval_log(str(paths[-1]), header_only=True).status == "success"
    assert [s.output.completion for s in log.samples or ()] == ["4", "4"]
    assert log.results is not None
    assert log.results.scores[0].metrics["mean"].value == 0.5


def test_inspects_command_line_reads_it(tmp_path: Path) -> None:
    with InspectLogger(tmp_path, task="riddles") as logger:
        logger.log(REQUEST, answer(), score=1.0)
    command = [str(Path(sys.executable).with_name("inspect")), "log", "dump"]
    done = subprocess.run(
        [*command, str(the_log(tmp_path))], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["eval"]["task"] == "riddles"


def test_inspects_scorers_score_it_again(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        logger.log(REQUEST, answer(), 1, target="4", score={"mine": 1.0})
        logger.log(REQUEST, answer(), 2, target="5")
    log = score(read(tmp_path), [includes(), match()], model="mockllm/model", display="none")
    values = {
        s.id: {name: s.value for name, s in (s.scores or {}).items()} for s in log.samples or ()
    }
    assert values == {
        1: {"mine": 1.0, "includes": "C", "match": "C"},
        2: {"includes": "I", "match": "I"},
    }


def test_no_key_of_ours_is_dropped(tmp_path: Path) -> None:
    call = ToolCall("c1", "add", {"a": 2})
    with InspectLogger(tmp_path) as logger, logger.sample("s", input="x", target="y") as s:
        with s.agent("alice", description="d"):
            s.model(REQUEST, answer(reasoning="hm", raw={"id": "x"}, id="r1"))
            s.tool(call, ValueError("no"))
        s.score("right", "C", answer="4", explanation="e", metadata={"m": 1})
    written = members(the_log(tmp_path))
    document = written["samples/s_epoch_1.json"]
    [sample] = read_eval_log(str(the_log(tmp_path))).samples or ()
    kept = json.loads(sample.model_dump_json(exclude_none=True))
    assert missing(document, kept, "sample") <= {
        "sample.events_data",  # Inspect puts the pools back where they belong
        "sample.events[4].input_refs",
    }
    header = read_eval_log(str(the_log(tmp_path)), header_only=True)
    assert missing(written["header.json"], json.loads(header.model_dump_json()), "log") == set()


def test_a_folder_that_cannot_be_written_costs_the_log_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING), InspectLogger(tmp_path / "file") as logger:
        logger.log("Hi", "there")
        with logger.sample("s") as s:
            s.model("Hi", "there")
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "the log cannot be written (said once)",
        "the log is not complete",
    ]
    strict = InspectLogger(tmp_path / "file", strict=True)
    with pytest.raises(StoreError, match="the log cannot be written"):
        strict.log("Hi", "there")
    with pytest.raises(StoreError, match="the log is not complete: 1 sample could not be written"):
        strict.close()


def test_a_folder_that_is_removed_costs_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    with InspectLogger(folder, live=False) as logger:
        logger.log("Hi", "there", 1)
        folder.rename(gone := tmp_path / "gone")  # at one stroke: the thread writes there
        shutil.rmtree(gone)
        logger.log("Hi", "there", 2)
    assert [s.id for s in samples(folder)] == [1, 2]


def test_results_are_a_table(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        logger.log(REQUEST, answer(), "a", score={"right": 1.0, "parts": {"x": 2}}, target="4")
        logger.log(REQUEST, error=ValueError("no"), sample_id="b")
    table = logger.results()
    columns = [name for name in table if name != "total_time"]
    assert table[columns].astype(object).where(table.notna(), None).to_dict("records") == [
        {
            "id": "a", "epoch": 1, "target": "4", "error": None, "models": "openai/gpt-4o",
            "input_tokens": 10, "output_tokens": 2, "total_tokens": 12, "total_cost": 0.001,
            "score_right": 1.0, "score_parts_x": 2,
        },
        {
            "id": "b", "epoch": 1, "target": "", "error": "ValueError: no",
            "models": "openai/gpt-4o", "input_tokens": 0, "output_tokens": 0, "total_tokens": 0,
            "total_cost": 0, "score_right": None, "score_parts_x": None,
        },
    ]  # fmt: skip


def test_results_say_what_they_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with InspectLogger(tmp_path) as logger:
        logger.log("x", "y")
        with pytest.raises(ConfigError, match="pip install pandas"):
            logger.results()


def test_a_run_of_several_models_names_none(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        for model in ("openai/a", "openai/b"):
            logger.log(REQUEST.with_(model=model), answer())
            logger.flush()
    log = read_eval_log(str(the_log(tmp_path)), header_only=True)
    assert log.eval.model == "none/none"
    assert set(log.stats.model_usage) == {"openai/a", "openai/b"}


def test_a_format_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='"eval", "json" or "both"'):
        InspectLogger(tmp_path, format="xml")  # type: ignore[arg-type]


def test_a_sample_is_one_block_and_begins_when_it_is_entered(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        sample = logger.sample("s")
        made = time.time()
        with sample:
            sample.model("x", "y")
        with pytest.raises(ConfigError, match="one block"), sample:
            raise AssertionError("unreachable")
    log = read(tmp_path)
    assert log.status == "success"
    [written] = log.samples or []
    assert written.started_at is not None
    assert datetime.fromisoformat(written.started_at).timestamp() >= made - 0.000_001


def test_a_call_happens_inside_of_its_spans(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        logger.log(REQUEST, answer(latency=0.5))
    [sample] = samples(tmp_path)
    moments = [event.timestamp for event in sample.events]
    assert moments == sorted(moments)


def test_an_output_that_is_no_text_is_written_as_one(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger, logger.sample("s") as sample:
        sample.output = 42  # type: ignore[assignment]
    assert samples(tmp_path)[0].output.completion == "42"


def test_an_id_that_no_archive_takes_is_refused_and_costs_no_other_sample(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        with pytest.raises(ConfigError, match="name it shorter"):
            logger.log("x", "y", "q" * 70_000)
        logger.log("x", "y", "q" * 30_000)
    assert len(samples(tmp_path)) == 1


def test_words_for_yes_and_no_count_as_in_inspect(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        for said in ("yes", "no", "true", "False"):
            logger.log("x", "y", score=said)
    results = read(tmp_path).results
    assert results is not None
    assert results.scores[0].metrics["accuracy"].value == 0.5


@pytest.mark.parametrize("header_only", [True, False])
def test_a_score_that_no_sample_has_is_no_number(tmp_path: Path, header_only: bool) -> None:
    with InspectLogger(tmp_path, format="both") as logger:
        logger.log("x", "y", score=float("nan"))
    for path in tmp_path.iterdir():
        results = read_eval_log(str(path), header_only=header_only).results
        assert results is not None
        [score] = results.scores
        assert (score.scored_samples, score.unscored_samples) == (0, 1)
        assert all(isnan(metric.value) for metric in score.metrics.values())
