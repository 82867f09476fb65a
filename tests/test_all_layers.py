"""Every layer at once: what must hold for all of them together."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashlite import (
    APIConnectionError,
    Budget,
    CallbackManager,
    CompletionError,
    CompletionRequest,
    CompletionResponse,
    DiskCache,
    Flashlite,
    MemoryCache,
    RateLimitConfig,
    StructuredLogger,
    Usage,
    read_log,
)
from flashlite.middleware import RetryConfig
from flashlite.testing import MockServer
from flashlite.types import Target

CANARY = "sk-canary-0123456789abcdef"
FAST = RetryConfig(max_attempts=3, initial_delay=0)


def everything(folder: Path, **options: Any) -> dict[str, Any]:
    """Return the options of a client with all layers."""
    callbacks = CallbackManager()
    callbacks.on_response(lambda *_: None)
    return {
        "cache": DiskCache(folder / "cache.db"),
        "rate_limit": RateLimitConfig(requests_per_minute=10_000, tokens_per_minute=10_000_000),
        "max_concurrency": 50,
        "budget_limit": Budget(100, file=folder / "spend.jsonl"),
        "callbacks": callbacks,
        "structured_logger": StructuredLogger(folder / "calls.jsonl"),
        "retry": FAST,
        "temperature": 0,
        "max_tokens": 100,
        **options,
    }


@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        ("status=400", 1),
        ("status=401", 1),
        ("status=403", 1),
        ("status=404", 1),
        ("status=413", 1),
        ("status=422", 1),
        ("status=501", 1),
        ("status=408", 3),
        ("status=409", 3),
        ("status=429", 3),
        ("status=500", 3),
        ("status=502", 3),
        ("status=503", 3),
        ("status=504", 3),
        ("status=529", 3),
        ("malformed=json", 3),
        ("malformed=choices", 3),
        ("cut=0", 3),
    ],
)
async def test_attempts_on_the_wire_are_those_that_were_asked_for(
    fault: str, requests: int, tmp_path: Path
) -> None:
    with MockServer(f"echo?{fault}") as server:
        client = Flashlite("openai/gpt-4o", base_url=server.base_url, **everything(tmp_path))
        with pytest.raises(CompletionError) as caught:
            await client.complete("Hi")
        await client.aclose()
        assert (len(server.requests), caught.value.attempts) == (requests, requests)


async def test_a_hundred_calls_at_once_get_their_own_answers(tmp_path: Path) -> None:
    with MockServer("echo") as server:
        client = Flashlite("openai/gpt-4o", base_url=server.base_url, **everything(tmp_path))
        texts = [str(number) for number in range(100)]
        for cached in (False, True):
            answers = await asyncio.gather(*(client.complete(text) for text in texts))
            assert [answer.content for answer in answers] == texts
            assert {answer.cached for answer in answers} == {cached}
        assert len(server.requests) == 100
        await client.aclose()
    report = client.get_cost_report()
    assert (report["total_requests"], report["cached"], report["failed"]) == (200, 100, 0)
    assert report["saved_usd"] == pytest.approx(report["total_cost_usd"])
    assert len(list(read_log(tmp_path / "calls.jsonl"))) == 400


async def test_a_stream_goes_through_all_layers(tmp_path: Path) -> None:
    with MockServer("echo") as server:
        client = Flashlite("openai/gpt-4o", base_url=server.base_url, **everything(tmp_path))
        async with aclosing(client.stream("Hello, how are you?")) as events:
            *_, last = [event async for event in events]
        assert (last.data.content, last.data.ok) == ("Hello, how are you?", True)
        assert (await client.complete("Hello, how are you?")).cached
        await client.aclose()


async def test_a_key_is_in_no_file_no_error_and_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = everything(tmp_path, api_key=CANARY, extra_headers={"x-api-key": CANARY})
    client = Flashlite("openai/gpt-4o", **options)
    errors = list[BaseException]()
    with caplog.at_level(0):
        for fault in ("status=401", "malformed=html", "latency=30", "cut=3"):
            with MockServer(f"echo?{fault}") as server, pytest.raises(CompletionError) as caught:
                await client.complete(CANARY, base_url=server.base_url, timeout=0.3)
            errors.append(caught.value)
        with MockServer("echo") as server:
            await client.complete(f"my key is {CANARY}", base_url=server.base_url)
        await client.aclose()
    assert CANARY not in caplog.text + "".join(f"{e!s}{e!r}{vars(e)}" for e in errors)
    # What the caller himself said in a prompt is in the cache, or it could not be compared.
    assert CANARY.encode() not in (tmp_path / "calls.jsonl").read_bytes()
    assert CANARY.encode() not in (tmp_path / "spend.jsonl").read_bytes()


class Wire:
    """A provider that takes some turns of the loop, and counts who is on it."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.on_it = 0

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        self.on_it += 1
        try:
            for _ in range(self._chance.randrange(6)):
                await asyncio.sleep(0)
            if self._chance.random() < 0.2:
                raise APIConnectionError("it broke")
            usage = Usage(input_tokens=5, output_tokens=5, total_cost=0.001)
            return CompletionResponse.of(request.messages[0].text, usage=usage)
        finally:
            self.on_it -= 1

    def target(self, request: CompletionRequest) -> Target:
        """Say whose prices hold: without them the budget would let all calls pass by."""
        return Target(provider="openai", dialect="openai", model="gpt-4o")


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_cancelling_anything_at_any_time_leaves_nothing_behind(seed: int) -> None:
    chance = random.Random(seed)

    async def main() -> None:
        wire, budget = Wire(chance), Budget(1000)
        client = Flashlite(
            "openai/gpt-4o",
            provider=wire,
            cache=MemoryCache(),
            rate_limit=RateLimitConfig(requests_per_minute=10_000),
            max_concurrency=3,
            budget_limit=budget,
            retry=RetryConfig(max_attempts=2, initial_delay=0),
            temperature=0,
        )
        calls = [asyncio.create_task(client.complete(str(chance.randrange(5)))) for _ in range(20)]
        while not all(call.done() for call in calls):
            await asyncio.sleep(0)
            for _ in range(chance.randrange(3)):
                chance.choice(calls).cancel()
        for call in calls:
            with suppress(asyncio.CancelledError, CompletionError):
                assert (await call).content in "01234"
        assert (wire.on_it, budget.reserved, len(asyncio.all_tasks())) == (0, 0.0, 1)
        assert (await asyncio.wait_for(client.complete("new"), 5)).content == "new"

    with suppress(CompletionError):  # the last call may be one that breaks, twice
        asyncio.run(main())
