"""`flashlite batch`: a file in, a file out, and nothing paid twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from flashlite.testing import MockServer

from ..batch.batch_server import BatchServer
from .commands import run


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def give(*requests: Any) -> None:
    """Write in.jsonl."""
    Path("in.jsonl").write_text("".join(json.dumps(request) + "\n" for request in requests))


def answers(path: str = "out.jsonl") -> list[dict[str, Any]]:
    """Read what was written."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


BATCH = ("batch", "in.jsonl", "-o", "out.jsonl", "--model", "mock/echo")


def test_every_form_of_a_request_is_answered_in_order() -> None:
    give(
        "a text",
        [{"role": "user", "content": "messages"}],
        {"role": "user", "content": "a message"},
        {"id": 7, "messages": "arguments", "temperature": 0},
        {
            "custom_id": "openai-1",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "mock/echo", "messages": [{"role": "user", "content": "a body"}]},
        },
    )
    ran = run(*BATCH)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith("5 answers, ")
    assert ran.err.endswith(" → out.jsonl\n")
    assert [(a["position"], a.get("id"), a["content"]) for a in answers()] == [
        (0, None, "a text"),
        (1, None, "messages"),
        (2, None, "a message"),
        (3, 7, "arguments"),
        (4, "openai-1", "a body"),
    ]
    assert answers()[0]["response"]["usage"]["total_cost"] == 0
    assert sorted(path.name for path in Path().iterdir()) == [
        "in.jsonl",
        "out.jsonl",
        "out.jsonl.checkpoint",
    ]


def test_a_second_run_asks_only_for_what_failed(mock_server: MockServer) -> None:
    give("a", "b", {"messages": "c", "model": "openai/echo?status=400&times=1"})
    arguments = (*BATCH[:-1], "openai/echo", "-M", f"base_url={mock_server.base_url}")
    first = run(*arguments)
    assert (first.code, len(mock_server.requests)) == (1, 3)
    assert "2 answers, 1 failed" in first.err
    assert answers()[2]["error"]["type"] == "BadRequestError"
    second = run(*arguments)
    assert (second.code, len(mock_server.requests)) == (0, 4)
    assert "3 answers (2 from the checkpoint)" in second.err
    assert [answer["content"] for answer in answers()] == ["a", "b", "c"]


def test_templates_and_system_messages_hold_for_every_line(mock_server: MockServer) -> None:
    give({"id": "p", "country": "Peru"}, {"id": "c", "country": "Chile"})
    ran = run(
        *("batch", "in.jsonl", "-o", "out.jsonl", "--model", "openai/echo", "--system", "Brief."),
        *("--template", "Capital of {{ country }}?", "-M", f"base_url={mock_server.base_url}"),
        *("--order", "completion", "--max-concurrency", 1, "--checkpoint", "run.jsonl"),
    )
    assert ran.code == 0
    assert [(a["id"], a["content"]) for a in answers()] == [
        ("p", "Capital of Peru?"),
        ("c", "Capital of Chile?"),
    ]
    assert mock_server.requests[0].body["messages"][0] == {"role": "system", "content": "Brief."}
    assert Path("run.jsonl").exists()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ('"a"\n{"x": \n', "in.jsonl, line 2 is no JSON"),
        ("id,prompt\n", "in.jsonl, line 1 is no JSON; each line is a value of it: "),
        ('"a"\n\n{"temperature": 0}\n', "in.jsonl, line 3 has no messages"),
        ("5\n", "in.jsonl, line 1 has no messages"),
        ('""\n', "in.jsonl, line 1 has no messages"),
        ("\xff", "cannot read in.jsonl"),
    ],
)
def test_a_bad_line_is_named_before_anything_is_sent(content: str, error: str) -> None:
    Path("in.jsonl").write_bytes(content.encode("latin-1"))
    ran = run(*BATCH)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert error in ran.err
    assert [path.name for path in Path().iterdir()] == ["in.jsonl"]


def test_a_template_wants_objects() -> None:
    give("a")
    ran = run(*BATCH, "--template", "{{ x }}")
    assert "line 1 is to be an object: the variables of the template" in ran.err


@pytest.mark.parametrize("place", [("-o", "in.jsonl"), ("--checkpoint", "out.jsonl")])
def test_no_file_is_overwritten_by_another_one_of_the_batch(place: tuple[str, str]) -> None:
    give("a")
    ran = run(*BATCH, *place)
    assert (ran.code, ran.err) == (2, "flashlite: IN, OUT and the checkpoint are three files\n")
    assert Path("in.jsonl").read_text() == '"a"\n'


def test_a_wrong_key_stops_the_batch_and_writes_no_output() -> None:
    give(*(f"q{n}" for n in range(20)))
    ran = run(*BATCH[:-1], "mock/echo?status=401", "--max-concurrency", 1)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert not Path("out.jsonl").exists()
    assert Path("out.jsonl.checkpoint").read_text().count('"failure"') == 1


def test_an_output_that_cannot_be_written_is_an_error() -> None:
    give("a")
    Path("file").write_text("")
    ran = run("batch", "in.jsonl", "-o", "file/out.jsonl", "--model", "mock/echo")
    assert (ran.code, ran.err.count("\n")) == (1, 1)


def start(server: MockServer, latency: float) -> subprocess.Popen[str]:
    """Start a batch of slow requests in a process of its own."""
    model = [f"openai/echo?latency={latency}", "-M", f"base_url={server.base_url}"]
    command = [sys.executable, "-m", "flashlite", *BATCH[:-1], *model, "--max-concurrency", "2"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for_a_request(server: MockServer) -> None:
    """Return when the server has got one."""
    while not server.requests:
        pass


def test_an_interrupt_waits_for_what_was_sent_and_the_next_run_goes_on(
    mock_server: MockServer,
) -> None:
    give(*(f"q{n}" for n in range(6)))
    with start(mock_server, 0.2) as child:
        wait_for_a_request(mock_server)
        child.send_signal(signal.SIGINT)
        _, error = child.communicate()
    assert child.returncode == 1
    assert error.splitlines()[0].startswith("waiting for what was sent")
    assert error.splitlines()[1].startswith("flashlite: the batch was stopped; what is done is in")
    sent = len(mock_server.requests)
    assert sent <= 2
    assert Path("out.jsonl.checkpoint").read_text().count('"kind":"answer"') == sent
    with start(mock_server, 0.2) as child:
        _, error = child.communicate()
    assert error.startswith(f"6 answers ({sent} from the checkpoint), ")
    assert len(mock_server.requests) == 6
    assert [answer["content"] for answer in answers()] == [f"q{n}" for n in range(6)]


def test_a_second_interrupt_ends_it_at_once(mock_server: MockServer) -> None:
    give("a")
    with start(mock_server, 60) as child:
        wait_for_a_request(mock_server)
        assert child.stderr is not None
        child.send_signal(signal.SIGINT)
        assert child.stderr.readline().startswith("waiting for what was sent")
        child.send_signal(signal.SIGINT)
        assert child.stderr.read() == "Aborted!\n"
    assert child.returncode == 1
    assert Path("out.jsonl.checkpoint").read_text().count('"kind":"intent"') == 1


def test_a_second_run_beside_the_first_is_refused_and_harms_nothing(
    mock_server: MockServer,
) -> None:
    give(*(f"q{n}" for n in range(4)))
    with start(mock_server, 0.3) as child:
        wait_for_a_request(mock_server)
        ran = run(*BATCH)
        assert (ran.code, ran.err) == (
            2,
            "flashlite: out.jsonl is being written by another batch: wait for it\n",
        )
        other = run(
            "batch", "in.jsonl", "-o", "other.jsonl", "--checkpoint", "out.jsonl.checkpoint"
        )
        assert other.code == 2
        assert "out.jsonl.checkpoint is being written by another batch" in other.err
        child.communicate()
    assert child.returncode == 0
    assert [answer["content"] for answer in answers()] == [f"q{n}" for n in range(4)]


def test_a_draft_of_a_killed_run_does_not_show_in_the_next_one() -> None:
    give("a")
    Path(".out.jsonl.part").write_text("half a li")
    assert run(*BATCH).code == 0
    assert [answer["content"] for answer in answers()] == ["a"]
    assert not Path(".out.jsonl.part").exists()


def test_jobs_at_a_provider_answer_at_half_the_price() -> None:
    give("a", {"id": 7, "messages": "b"})
    with BatchServer() as server:
        ran = run(*by_jobs(server))
    assert ran.code == 0
    assert ran.err == "2 answers, 2,200 tokens, $0.00021 → out.jsonl\n"
    assert [(a["position"], a.get("id"), a["content"]) for a in answers()] == [
        (0, None, "A"),
        (1, 7, "B"),
    ]
    assert len(server.jobs) == 1


def test_an_interrupt_leaves_the_jobs_at_their_provider_and_the_next_run_collects() -> None:
    give("a", "b")
    with BatchServer(looks=10**9) as server:
        command = [sys.executable, "-m", "flashlite", *by_jobs(server)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
            while not server.jobs:
                time.sleep(0.01)
            child.send_signal(signal.SIGINT)
            assert child.stderr is not None
            said = child.stderr.read()
        assert "jobs go on at the provider; the same command collects" in said
        assert not Path("out.jsonl").exists()
        server.jobs[0].looks_left = 1
        assert run(*by_jobs(server)).code == 0
    assert (len(server.jobs), server.bill) == (1, {"a": 1, "b": 1})


def test_jobs_of_an_earlier_run_can_be_cancelled() -> None:
    give("a", "b", "c")
    with BatchServer(looks=10**9) as server:
        command = [sys.executable, "-m", "flashlite", *by_jobs(server)]
        with subprocess.Popen(command) as child:
            while not server.jobs:
                time.sleep(0.01)
            child.kill()
        ran = run(*by_jobs(server), "--cancel")
        assert (ran.code, [a.get("content") for a in answers()]) == (1, ["A", None, "C"])
        assert len(server.jobs) == 1
    assert run(*BATCH, "--cancel").err == (
        "flashlite: --cancel ends jobs at a provider: say --provider too\n"
    )


def by_jobs(server: BatchServer) -> tuple[str, ...]:
    """Return the command that answers in.jsonl by jobs."""
    whom = ("-M", f"base_url={server.address('openai')}", "-M", "api_key=k")
    return (*BATCH[:-1], "openai/gpt-4o-mini", *whom, "--provider", "--poll-interval", "0.01")
