"""What Inspect can do with its own logs, it can do with ours: read, list, tabulate, score, show."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import score
from inspect_ai.analysis import evals_df, events_df, messages_df, samples_df
from inspect_ai.event import ModelEvent
from inspect_ai.log import (
    EvalLog,
    EvalSample,
    list_eval_logs,
    read_eval_log,
    read_eval_log_sample,
    read_eval_log_sample_summaries,
)
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Scorer, includes, match, model_graded_qa

from flashlite import Agent, Flashlite, InspectLogger, MultiAgentChat, tool
from flashlite.inspect_logs.header import buildable
from flashlite.testing import ScriptedProvider
from flashlite.types import CompletionResponse, Message, ToolCall, Usage, image_part, text_part

from .logs import members, missing, the_log

USED = Usage(input_tokens=10, output_tokens=2, reasoning_tokens=1, total_cost=0.01)


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def fail() -> str:
    """Fail."""
    raise ValueError("no")


def said(text: str | None, *calls: ToolCall) -> CompletionResponse:
    return CompletionResponse.of(
        text, tool_calls=list(calls), model="m", provider="own", usage=USED, reasoning="hm"
    )


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with a chat of three, one of them with tools, an image, an error, scores and epochs."""
    folder = tmp_path_factory.mktemp("rich")
    logger = InspectLogger(
        folder, "rich", tags=["a"], metadata={"seed": 1}, config={"rounds": 2}, format="both"
    )

    async def talk() -> None:
        calls = ToolCall("c1", "add", {"a": 1, "b": 2}), ToolCall("c2", "fail", {})
        blue = Flashlite("m", provider=ScriptedProvider([said(None, *calls), said("three")]))
        agents = [Agent("Red"), Agent("Blue", tools=[add, fail], client=blue), Agent("Green")]
        chat = MultiAgentChat(Flashlite("mock/echo", inspect_logger=logger), agents)
        with logger.attach(chat, "chat", target="three") as sample:
            chat.add_message("Judge", "Begin.")
            await chat.round_robin()
            await chat.speak("Green", visible_to="Red")
            sample.score("fair", {"red": 1.0, "blue": 0.5}, answer="three", explanation="e")

    asyncio.run(talk())
    picture = Message.user([text_part("See"), image_part("data:image/png;base64,AAAA")])
    for number in range(2):
        logger.log([picture], said("4"), "sum", target="4", score={"right": number})
    logger.log("Hi", None, "broken", error=ValueError("no"))
    logger.close()
    return the_log(folder)


def test_a_log_is_read_whole_in_part_and_as_json(log: Path) -> None:
    header = read_eval_log(str(log), header_only=True)
    assert (header.status, header.eval.task, header.eval.model) == ("success", "rich", "none/none")
    assert (header.eval.task_args, header.eval.tags) == ({"rounds": 2}, ["a"])
    whole = read_eval_log(str(log), resolve_attachments="full")
    names = [(sample.id, sample.epoch) for sample in whole.samples or ()]
    assert sorted(names) == [("broken", 1), ("chat", 1), ("sum", 1), ("sum", 2)]
    summaries = read_eval_log_sample_summaries(str(log))
    assert sorted((summary.id, summary.epoch) for summary in summaries) == sorted(names)
    chat = read_eval_log_sample(str(log), "chat", 1)
    assert chat.model_dump() == next(
        sample.model_dump()
        for sample in read_eval_log(str(log)).samples or ()
        if sample.id == "chat"
    )
    spelled = read_eval_log(str(log.with_suffix(".json")), resolve_attachments="full")
    assert by_name(spelled) == by_name(whole)
    assert [Path(info.name).name for info in list_eval_logs(str(log.parent))]


def by_name(log: EvalLog) -> dict[Any, dict[str, Any]]:
    return {(sample.id, sample.epoch): sample.model_dump() for sample in log.samples or ()}


def test_no_key_is_dropped_by_inspects_models(log: Path) -> None:
    for name, document in members(log).items():
        if name.startswith("samples/"):
            kept: Any = EvalSample.model_validate(deepcopy(document))  # it puts things into a dict
            known = {"sample.events_data"}  # Inspect puts the pools back where they belong
        elif name == "header.json":
            kept, known = EvalLog.model_validate(deepcopy(document)), set[str]()
        else:
            continue
        kept = json.loads(kept.model_dump_json(exclude_none=True))
        dropped = {re.sub(r"\d+", "n", place) for place in missing(document, kept, "sample")}
        assert dropped - known == set()


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # in what Inspect asks of pandas
def test_the_tables_have_all_rows(log: Path) -> None:
    path = str(log)
    evals: Any = evals_df(path)
    of_samples: Any = samples_df(path)
    assert (len(evals), evals["status"][0], evals["total_samples"][0]) == (1, "success", 4)
    assert sorted(of_samples["id"]) == ["broken", "chat", "sum", "sum"]
    assert of_samples.set_index("id")["error"]["broken"] == "ValueError: no"
    whole = read_eval_log(path)
    rows: Any = events_df(path)
    assert len(rows) == sum(len(sample.events) for sample in whole.samples or ())
    assert dict(rows["event"].value_counts())["model"] == 8
    messages: Any = messages_df(path)
    assert {"user", "assistant", "tool"} <= set(messages["role"])
    # Inspect's messages are those of the calls: what each was asked and answered, once.
    ids = {
        (sample.uuid, message.id)
        for sample in whole.samples or ()
        for event in sample.events
        if isinstance(event, ModelEvent)
        for message in (*event.input, *(choice.message for choice in event.output.choices))
    }
    assert sorted(zip(messages["sample_id"], messages["message_id"], strict=True)) == sorted(ids)


@pytest.mark.filterwarnings("ignore:The 'initial' parameter")  # in what Inspect retries with
def test_scorers_score_it_again_and_the_model_of_the_log_is_built(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        client = Flashlite("mock/echo", inspect_logger=logger)
        for id, target in {"a": "Paris", "b": "Rome"}.items():
            with logger.sample(id, input="Capital?", target=target):
                client.complete_sync("Paris")
    used = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    grades = [ModelOutput.from_content("mock", f"GRADE: {grade}") for grade in "CI"]
    grader = get_model(
        "mockllm/model", custom_outputs=[g.model_copy(update={"usage": used}) for g in grades]
    )
    scorers: list[Scorer] = [match(), includes(), model_graded_qa(model=grader)]
    with ThreadPoolExecutor(1) as pool:
        log = read_eval_log(str(the_log(tmp_path)))
        scored = pool.submit(score, log, scorers, display="none").result()
    assert log.eval.model == "flashlite/mock/echo"
    values = {
        sample.id: [one.as_str() for one in (sample.scores or {}).values()]
        for sample in scored.samples or ()
    }
    assert [values["a"][:2], values["b"][:2]] == [["C", "C"], ["I", "I"]]
    assert sorted(grade[2] for grade in values.values()) == ["C", "I"]
    assert set(log.stats.model_usage) == {"mock/echo"}


@pytest.mark.parametrize(
    ("name", "built"),
    [
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("none/none", "none/none"),
        ("mock/echo", "flashlite/mock/echo"),
        ("flashlite/mock/echo", "flashlite/mock/echo"),
        ("gpt-4o", "flashlite/gpt-4o"),
    ],
)
def test_a_model_is_named_so_that_inspect_can_build_it(name: str, built: str) -> None:
    assert buildable(name) == built


def test_inspects_providers_are_those_that_we_take_for_its_own() -> None:
    spec = find_spec("inspect_ai")
    assert spec is not None
    assert spec.origin is not None
    providers = Path(spec.origin).with_name("model") / "_providers" / "providers.py"
    names = re.findall(r'@modelapi\(name="(.+?)"\)', providers.read_text())
    assert names
    assert [name for name in names if buildable(f"{name}/m") != f"{name}/m"] == []


def inspect(*arguments: object, folder: Path) -> str:
    """Run Inspect's command; return what it wrote."""
    command = [str(Path(sys.executable).with_name("inspect")), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.services  # not for a service, but each command imports all of Inspect
def test_the_command_line_lists_dumps_converts_scores_and_bundles(
    log: Path, tmp_path: Path
) -> None:
    listed = json.loads(
        inspect(
            "log", "list", "--json", "--status", "success", "--log-dir", log.parent, folder=tmp_path
        )
    )
    assert log.name in {Path(info["name"]).name for info in listed}
    dumped = json.loads(inspect("log", "dump", log, folder=tmp_path))
    assert len(dumped["samples"]) == 4
    inspect("log", "convert", log, "--to", "json", "--output-dir", "converted", folder=tmp_path)
    [converted] = (tmp_path / "converted").glob("*.json")
    ours = read_eval_log(str(log), resolve_attachments="full")
    theirs = read_eval_log(str(converted), resolve_attachments="full")
    assert by_name(theirs) == by_name(ours)
    inspect(
        "score",
        log,
        "--scorer",
        "inspect_ai/includes",
        "--action",
        "append",
        "--output-file",
        tmp_path / "scored.eval",
        folder=tmp_path,
    )
    scored = read_eval_log(str(tmp_path / "scored.eval"))
    values = {
        s.id: {n: one.value for n, one in (s.scores or {}).items()} for s in scored.samples or ()
    }
    assert values["chat"] == {"fair": {"red": 1.0, "blue": 0.5}, "includes": "C"}
    inspect("view", "bundle", "--log-dir", log.parent, "--output-dir", "site", folder=tmp_path)
    site = tmp_path / "site"
    assert (site / "index.html").exists()
    assert (site / "logs" / log.name).read_bytes() == log.read_bytes()
    listing = json.loads((site / "logs" / "listing.json").read_text())
    assert listing[log.name]["task"] == "rich"


@pytest.mark.services  # likewise
def test_scout_scans_it(log: Path, tmp_path: Path) -> None:
    script = Path(__file__).with_name("scout.py")
    command = [sys.executable, str(script), str(log), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    scanned = json.loads(done.stdout.splitlines()[-1])
    assert sorted(map(tuple, scanned)) == sorted(
        (str(sample.id), sample.epoch, len(sample.messages), str(len(sample.events)))
        for sample in read_eval_log(str(log)).samples or ()
    )
