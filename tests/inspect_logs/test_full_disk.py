"""Samples that could not be written: they wait for room, and what is missing in the end is said."""

from __future__ import annotations

import logging
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.log import EvalLog

from flashlite import Flashlite, InspectLogger, StoreError
from flashlite.inspect_logs import recover
from flashlite.inspect_logs.ended import Backlog, Ended

from .logs import read, samples, the_log

LONG = os.urandom(100_000).hex()
TOO_LARGE = "[Errno 27] File too large"


@contextmanager
def full_at(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes for a while, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(autouse=True)
def warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "flashlite.inspect_logs")


def end_of(log: EvalLog) -> tuple[str, str | None, int, int, float]:
    """What a log says of its end: status, error, samples, those of them that completed, mean."""
    results = log.results
    assert results is not None
    mean = results.scores[0].metrics["mean"].value
    error = log.error.message if log.error else None
    return log.status, error, results.total_samples, results.completed_samples, mean


def test_samples_wait_for_room_on_the_disk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with InspectLogger(tmp_path, live=False) as logger:
        logger.log("x", "y", 0, score=1)
        with full_at(50_000):
            for number in (1, 2, 3):
                with logger.sample(number, input=LONG) as sample:
                    sample.score("score", 0)
        logger.log("x", "y", 4, score=1)
    assert len(logger.results()) == 5
    log = read(tmp_path)
    assert end_of(log) == ("success", None, 5, 5, 0.4)
    assert sorted(int(sample.id) for sample in log.samples or ()) == [0, 1, 2, 3, 4]
    assert [record.message for record in caplog.records if "line_writer" not in record.name] == [
        f"the log cannot be written (said once): {tmp_path}: {TOO_LARGE}"
    ]


def test_samples_that_wait_are_written_when_the_log_is_shown_or_closed(tmp_path: Path) -> None:
    with InspectLogger(tmp_path, live=False) as logger:
        logger.log("x", "y", 0)
        with full_at(50_000):
            logger.log(LONG, "y", 1)
        assert len(logger.results()) == 2
        with full_at(150_000):
            logger.log(LONG, "y", 2)
    assert [sample.id for sample in samples(tmp_path)] == [0, 1, 2]


def test_a_log_that_lacks_samples_counts_them_and_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with full_at(50_000):
        with InspectLogger(tmp_path, live=False) as logger:
            for number in range(10):  # short and long ones in turns: none holds another up
                logger.log(LONG if number % 2 else "x", "y", number, score=number % 2)
        assert len(logger.results()) == 5
    loss = f"5 samples could not be written: {TOO_LARGE}"
    log = read(tmp_path)
    assert end_of(log) == ("error", f"StoreError: {loss}", 10, 5, 0.0)
    assert [sample.id for sample in log.samples or ()] == [0, 2, 4, 6, 8]
    assert caplog.messages == [
        f"the log cannot be written (said once): {tmp_path}: {TOO_LARGE}",
        f"the log is not complete: {tmp_path}: {loss}",
        "5 of 10 samples are not in the results: they could not be written",
    ]


def test_what_ended_the_run_is_told_beside_what_is_missing(tmp_path: Path) -> None:
    def work() -> None:
        with InspectLogger(tmp_path, live=False) as logger:
            logger.log("x", "y", score=1)
            logger.log(LONG, "y", score=0)
            raise KeyboardInterrupt

    with full_at(50_000), pytest.raises(KeyboardInterrupt):
        work()
    told = f"KeyboardInterrupt('') (1 sample could not be written: {TOO_LARGE})"
    assert end_of(read(tmp_path)) == ("error", told, 2, 1, 1.0)


def test_what_is_missing_is_raised_where_logs_are_wanted_strictly(tmp_path: Path) -> None:
    logger = InspectLogger(tmp_path, live=False, strict=True)
    logger.log("x", "y", score=1)
    with full_at(50_000):
        logger.sample("running", input=LONG).open()
        with pytest.raises(StoreError, match=f"{tmp_path}: the log cannot be written: "):
            logger.log(LONG, "y", score=0)
        with pytest.raises(StoreError, match="the log is not complete: 2 samples could not be"):
            logger.close()
    assert end_of(read(tmp_path))[2:] == (3, 1, 1.0)


def test_a_block_that_is_not_entered_is_no_sample(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("no folder")
    logger = InspectLogger(tmp_path / "logs", strict=True)
    with pytest.raises(StoreError), logger.sample("s"):
        raise AssertionError("unreachable")
    (tmp_path / "logs").unlink()
    logger.log("x", "y", "t")
    logger.close()
    assert [sample.id for sample in samples(tmp_path / "logs")] == ["t"]


def test_what_happens_before_a_log_can_be_made_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.write_text("no folder")
    with InspectLogger(folder) as logger:
        logger.log("x", "y", "over", score=1)
        with logger.sample("running", input="x") as sample:
            sample.model("x", "before")
            folder.unlink()
            sample.model("x", "after")
            sample.score("score", 0)
        assert len(logger.results()) == 2
    log = read(folder)
    assert end_of(log) == ("success", None, 2, 2, 0.5)
    said = {
        sample.id: [e.output.completion for e in sample.events if e.event == "model"]
        for sample in log.samples or ()
    }
    assert said == {"running": ["before", "after"], "over": ["y"]}


def test_a_sample_that_runs_where_no_log_can_be_made_is_missed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "logs").write_text("no folder")
    logger = InspectLogger(tmp_path / "logs")
    logger.attach(Flashlite("mock/echo").conversation())
    logger.close()
    said = f"the log is not complete: {tmp_path / 'logs'}: 1 sample could not be written: [Errno"
    assert caplog.messages[-1].startswith(said)
    (tmp_path / "logs").unlink()
    logger.close()
    assert (read(tmp_path / "logs").status, len(samples(tmp_path / "logs"))) == ("success", 1)


@pytest.mark.parametrize("error", [None, ValueError("no")])
def test_a_log_that_could_not_be_finished_is_closed_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception | None
) -> None:
    logger = InspectLogger(tmp_path, live=False)
    logger.log("x", "y", 1, score=1)
    [part] = tmp_path.glob(".*.part")
    with full_at(part.stat().st_size):
        logger.log("x", "y", 2, score=0)
        logger.close(error)
    said = "the log is not complete: {}: 1 sample and its end could not be written: {}; close it"
    assert caplog.messages[-1].startswith(said.format(tmp_path, TOO_LARGE))
    logger.close()
    why = ("error", "ValueError: no") if error else ("success", None)
    assert end_of(read(tmp_path)) == (*why, 2, 2, 0.5)
    assert list(tmp_path.iterdir()) == [logger.path]


def test_a_log_without_room_for_its_json_is_an_eval(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = InspectLogger(tmp_path, live=False, format="json")
    logger.log("x" * 100_000, "y", score=1)
    with full_at(50_000):
        logger.close()
        assert len(logger.results()) == 1
    path = the_log(tmp_path)
    [said] = caplog.messages
    assert said.endswith(f"it is {path}, and no .json: {TOO_LARGE}")
    assert (read(tmp_path).status, list(tmp_path.iterdir())) == ("success", [path])


TINY = """
import os, sys
from pathlib import Path
from flashlite import InspectLogger
folder = Path(sys.argv[1])
with InspectLogger(folder / "logs") as logger:
    for number in range(30):
        if number == 5:
            logger.flush()
            try:
                with (folder / "fill").open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(256))
            except OSError:
                pass
        with logger.sample(number, input=os.urandom(1000).hex()) as sample:
            sample.model("x", os.urandom(500).hex())
            sample.score("a", number < 5)
[path] = (folder / "logs").iterdir()
from inspect_ai.log import read_eval_log
log = read_eval_log(str(path))
results = log.results
print(log.error.message, log.status, results.total_samples, results.completed_samples, sep="|")
print(*(sample.id for sample in log.samples))
"""


def test_a_disk_that_stays_full_has_a_log_that_is_finished(tmp_path: Path) -> None:
    mounted = f'mount -t tmpfs -o size=256k tmpfs {tmp_path} && exec "$@"'
    private = ["unshare", "--mount", "--map-root-user", "sh", "-c", mounted, "sh"]
    if not shutil.which("unshare") or subprocess.run([*private, "true"]).returncode:
        pytest.skip("no small disk can be made here")
    command = [*private, sys.executable, "-c", TINY, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    end, ids = done.stdout.splitlines()
    there = len(ids.split())
    assert 5 <= there < 30
    loss = f"{30 - there} samples could not be written: [Errno 28] No space left on device"
    assert end == f"StoreError: {loss}|error|30|{there}"


KILLED = """
import os, resource, sys
from pathlib import Path
from flashlite import InspectLogger
logger = InspectLogger(sys.argv[1])
logger.log(os.urandom(50_000).hex(), "y", "whole")
[part] = Path(sys.argv[1]).glob(".*.part")
resource.setrlimit(resource.RLIMIT_FSIZE, (part.stat().st_size,) * 2)
with logger.sample("waits", input="x") as sample:
    sample.model("x", "y")
journals = lambda: Path(sys.argv[1]).glob(".*.running.jsonl")
while not any(b'"model"' in journal.read_bytes() for journal in journals()):
    pass  # they are written some hundredths of a second later
os._exit(9)
"""


def test_a_sample_that_waits_when_its_process_is_killed_is_recovered(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], timeout=60).returncode == 9
    recover(tmp_path)
    assert {sample.id: bool(sample.error) for sample in samples(tmp_path)} == {
        "whole": False,
        "waits": True,
    }


def ended(number: int, size: int) -> Ended:
    """A sample of so many bytes."""
    known: Any = {"summary": b"", "models": frozenset()}
    return Ended(uuid=str(number), name=str(number), document=bytes(size), **known)


def test_what_waits_has_bounds_and_what_is_beyond_them_counts() -> None:
    backlog, written = Backlog(most=100), list[str]()
    for number, size in enumerate([60, 60, 40]):
        backlog.keep(ended(number, size), OSError("full"))
    assert str(backlog.loss()) == "3 samples could not be written: full"
    backlog.write(lambda sample: written.append(sample.name))
    assert (written, str(backlog.loss())) == (["0", "2"], "1 sample could not be written: full")
    backlog.keep(ended(3, 100), OSError("full again"))
    assert str(backlog.loss()) == "2 samples could not be written: full again"


def test_a_sample_that_cannot_be_written_lets_others_be_tried_first() -> None:
    backlog, tried = Backlog(), list[str]()

    def add(sample: Ended) -> None:
        tried.append(sample.name)
        if sample.name == "0":
            raise OSError("too large")

    for number in range(3):
        backlog.keep(ended(number, 1), OSError("full"))
    for _ in range(2):
        with pytest.raises(OSError, match="too large"):
            backlog.write(add)
    assert (tried, len(backlog)) == (["0", "1", "2", "0"], 1)
