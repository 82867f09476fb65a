"""Logs that a script wrote with InspectLogger, as their reader sees them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest_asyncio

from flashlite import Agent, InspectLogger, MultiAgentChat
from flashlite.errors import APIConnectionError
from flashlite.inspect_logs import recover
from flashlite.inspect_logs.samples import Sample
from flashlite.types import CompletionRequest, CompletionResponse, Message, ToolCall, Usage

from .viewer import Viewer, serving

CHILD = Path(__file__).parents[1] / "inspect_logs" / "child.py"
LOOK_UP = ToolCall(id="call-1", name="price_of", arguments={"car": "Golf"})


def _request(name: str, *heard: Message | str) -> CompletionRequest:
    said = tuple(Message.user(one) if isinstance(one, str) else one for one in heard)
    return CompletionRequest(
        model="openai/gpt-4o", messages=(Message.system(f"You are {name}."), *said)
    )


async def _answer(text: str, *calls: ToolCall, cost: float) -> CompletionResponse:
    await asyncio.sleep(0.15)  # turns that follow at once would share no lane in the viewer
    used = Usage(input_tokens=100, output_tokens=20, total_cost=cost)
    return CompletionResponse.of(
        text, tool_calls=list(calls), model="gpt-4o", provider="openai", usage=used, latency=0.15
    )


async def _bargain(sample: Sample) -> None:
    """Let Alice whisper to Bob, Bob look something up, and Carol's model fail and try again."""
    with sample.agent("Alice", description="sells a car"):
        opening = await _answer("I would take 700.", cost=0.01)
        sample.model(_request("Alice", "[Chat]: Only Bob will read what you say now."), opening)
    with sample.agent("Bob"):
        heard = "[Alice to Bob]: I would take 700."
        calls = await _answer("Let me look.", LOOK_UP, cost=0.02)
        sample.model(_request("Bob", heard), calls)
        sample.tool(LOOK_UP, "800 is usual", seconds=0.1)
        looked = (calls.message, Message.tool_result(LOOK_UP.id, "800 is usual"))
        offer = await _answer("I offer 650.", cost=0.03)
        sample.model(_request("Bob", heard, *looked), offer)
    with sample.agent("Carol"):
        asked = _request("Carol", "[Bob]: I offer 650.")
        sample.model(asked, error=APIConnectionError("the connection broke"))
        sample.model(asked, await _answer("Who offers more?", cost=0.04))
    with sample.agent("Alice"):
        sample.model(
            _request("Alice", "[Carol]: Who offers more?"), await _answer("Sold.", cost=0.05)
        )


@pytest_asyncio.fixture(loop_scope="session")
async def bargain(logs: Path) -> Path:
    """The log of a sample in which three agents speak."""
    with InspectLogger(logs, "bargain") as logger, logger.sample("car", input="Sell it.") as sample:
        await _bargain(sample)
        sample.score("deal", 1.0, answer="650", explanation="They agreed.")
    return logger.path


async def test_every_agent_has_one_lane_and_turns_are_in_order(
    viewer: Viewer, bargain: Path
) -> None:
    await viewer.open_sample(bargain, "car")
    assert await viewer.lanes() == {
        "main": 600,
        "alice": 240,
        "bob": 240,
        "carol": 120,
        "scoring": 0,
    }
    assert await viewer.turns() == ["alice", "bob", "carol", "alice", "scoring"]
    said = await viewer.text()
    assert "SUB-AGENT: ALICE 120 · 0s sells a car SUB-AGENT: BOB" in said
    assert "SCORE ANSWER 650 EXPLANATION They agreed. SCORE 1" in said


async def test_a_turn_has_what_its_agent_read_said_and_called(
    viewer: Viewer, bargain: Path
) -> None:
    await viewer.open_sample(bargain, "car")
    turns = [await viewer.enter_turn(number) for number in range(4)]
    assert ["[Alice to Bob] I would take 700." in turn for turn in turns] == [
        False, True, False, False
    ]  # fmt: skip
    assert 'Let me look. TOOL: PRICE_OF (0 SEC) price_of car: "Golf" 800 is usual' in turns[1]
    assert turns[1].index("800 is usual") < turns[1].index("I offer 650.")
    assert "1 prior retry" in turns[2]


async def test_all_that_is_said_in_a_chat_is_seen_whatever_markdown_it_is(
    viewer: Viewer, logs: Path
) -> None:
    said = ("https://example.org", "[Bob]: No.", "# No heading", "[a]: https://example.org\nSee.")
    chat = MultiAgentChat(None, [Agent("Ann"), Agent("Bob")])
    with InspectLogger(logs, "chat") as logger, logger.attach(chat, "marked"):
        for text in said:
            chat.add_message("Ann", text, visible_to="Bob")
        chat.add_message("Bob", "## Plan\n```\nx = 1")
    await viewer.open_sample(logger.path, "marked")
    for text in said:
        await viewer.see(f"Ann → Bob: {text}" if "\n" not in text else text.replace("\n", " "))
    await viewer.page.get_by_role("heading", name="Plan").wait_for()
    assert (await viewer.text()).endswith("Bob: Plan x = 1 Search")


async def test_what_every_agent_cost_is_told(viewer: Viewer, bargain: Path) -> None:
    await viewer.open_sample(bargain, "car", "info")
    await viewer.see("Breakdown")
    said = await viewer.text()
    for told in (
        "COST $0.15",
        "Alice 240tokens $0.060",
        "Bob 240tokens $0.050",
        "Carol 120tokens $0.040",
    ):
        assert told in said


async def test_a_failure_is_shown_where_it_happened(viewer: Viewer, logs: Path) -> None:
    failure = APIConnectionError("the connection broke")
    with (
        InspectLogger(logs, "broken") as logger,
        suppress(APIConnectionError),
        logger.sample("car", input="Sell it.") as sample,
        sample.agent("Alice"),
    ):
        sample.model(_request("Alice", "Open."), error=failure)
        raise failure
    await viewer.open_sample(logger.path, "car")
    assert await viewer.turns() == ["alice", "error"]
    assert "APIConnectionError: the connection broke" in await viewer.text()
    turn = await viewer.enter_turn(0)
    assert "MODEL CALL (ALICE): OPENAI/GPT-4O · FAILED" in turn
    assert "ERROR APIConnectionError: the connection broke" in turn


async def test_a_running_sample_is_shown_while_it_runs(viewer: Viewer, logs: Path) -> None:
    with InspectLogger(logs, "live") as logger:
        logger.log("What is 2+2?", "4", "sum")
        async with logger.sample("car", input="Sell it.") as sample:
            with sample.agent("Alice"):
                sample.model(_request("Alice", "Open."), await _answer("I ask 900.", cost=0.01))
            await logger.aflush()
            await viewer.open_log(logger.path)
            await viewer.see("Running (2 samples)")
            await viewer.open_sample(logger.path, "car")
            assert await viewer.turns() == ["alice"]
            with sample.agent("Bob"):
                sample.model(_request("Bob", "And now?"), await _answer("Too much.", cost=0.01))
            await logger.aflush()
            await viewer.see("sub-agent: Bob")
            sample.score("deal", 0.0)
    await viewer.see("Score")
    assert await viewer.turns() == ["alice", "bob", "scoring"]


async def test_a_log_of_a_run_that_was_killed_opens(viewer: Viewer, logs: Path) -> None:
    await asyncio.to_thread(_run_and_kill, logs)
    [log] = recover(logs)
    await viewer.open_log(log)
    await viewer.see("Task Failed")
    await viewer.open_sample(log, "299")
    await viewer.see("an answer")
    await viewer.open_sample(log, "running", "error")
    await viewer.see("the process was killed before this ended")


def _run_and_kill(logs: Path) -> None:
    """Kill a script that logs, with SIGKILL, once 300 samples are safe and one is running."""
    command = [sys.executable, str(CHILD), str(logs), "100"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for _ in range(300):
            child.stdout.readline()
        child.kill()


async def test_a_bundle_opens_from_any_web_server(
    viewer: Viewer, bargain: Path, tmp_path: Path
) -> None:
    site = str(tmp_path / "site")
    bundle = ["inspect", "view", "bundle", "--log-dir", str(bargain.parent), "--output-dir", site]
    await asyncio.to_thread(subprocess.run, bundle, check=True, capture_output=True)
    with serving(sys.executable, "-m", "http.server", "-b", "127.0.0.1", "-d", site) as address:
        await viewer.page.goto(address)
        assert await viewer.turns() == ["alice", "bob", "carol", "alice", "scoring"]
