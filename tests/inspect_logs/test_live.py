"""Running samples, where Inspect looks for them: the canary of a format that is not its API."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from inspect_ai.log import recover_eval_log, recoverable_eval_logs

from flashlite import InspectLogger
from flashlite.types import Message, image_part, text_part

from .logs import the_log


def test_inspect_itself_finds_what_runs(tmp_path: Path) -> None:
    folder, copy = tmp_path / "logs", tmp_path / "copy"
    history = [
        Message.user("Hi"),
        Message.assistant("there"),
        Message.user([text_part("See"), image_part("data:image/png;base64,AAAA")]),
    ]
    with InspectLogger(folder, "live") as logger:
        logger.log("a", "b", 1)
        with logger.sample("running", input="Go.", target="x") as s:
            s.model("Hi", "there")
            logger.flush()
            s.model(history, "ok")
            logger.flush()
            s.model("not", "shown yet")
            shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.part", "*.jsonl"))
    [found] = recoverable_eval_logs(str(copy))
    assert (found.flushed_samples, found.in_progress_samples) == (1, 1)
    done, running = recover_eval_log(str(the_log(copy))).samples or ()
    assert [message.text for message in done.messages] == ["a", "b"]
    calls = [event for event in running.events if event.event == "model"]
    assert [len(call.input) for call in calls] == [1, 3]
    assert [message.text for message in running.messages] == ["Hi", "there", "See", "ok"]


def test_what_is_over_is_shown_no_more(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        with logger.sample("a") as first:
            first.model("1", "1")
            logger.flush()
        with logger.sample("b") as second:
            second.model("2", "2")
            logger.flush()
            [folder] = (tmp_path / ".buffer").iterdir()
            manifest = json.loads((folder / "manifest.json").read_text())
            assert [sample["summary"]["id"] for sample in manifest["samples"]] == ["b"]
            assert sorted(path.name for path in folder.iterdir()) == [
                "manifest.json", "segment.2.zip"
            ]  # fmt: skip


def test_nothing_is_shown_where_that_is_not_wanted(tmp_path: Path) -> None:
    with InspectLogger(tmp_path, live=False) as logger, logger.sample("a") as s:
        s.model("1", "1")
        logger.flush()
        assert not (tmp_path / ".buffer").exists()
