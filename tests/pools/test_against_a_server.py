"""Four clients in four processes, one pool, and a server that counts by itself."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
import time
from collections import deque
from typing import Any

import pytest
from aiohttp import web

from .places import Place

REQUESTS, TOKENS = 300, 30_000
RESERVED, USED = 110, 60  # tokens of a request: by estimate at least, and really


class StrictServer:
    """Allows so many requests and tokens in any minute, and counts what it had to refuse."""

    def __init__(self) -> None:
        self.taken = deque[float]()
        self.tokens = deque[tuple[float, int]]()
        self.refused: list[tuple[float, int, int]] = []
        self.began = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        now = time.monotonic()
        in_minute = sum(moment > now - 60 for moment in self.taken)
        tokens = sum(count for moment, count in self.tokens if moment > now - 60)
        if in_minute >= REQUESTS or tokens + USED > TOKENS:
            self.refused.append((now - self.taken[0], in_minute, tokens))
            return web.json_response({"error": {"message": "too many"}}, status=429)
        self.taken.append(now)
        self.began.set()
        self.tokens.append((now, USED))
        await asyncio.sleep(0.02)
        usage = {"prompt_tokens": 10, "completion_tokens": USED - 10, "total_tokens": USED}
        message = {"role": "assistant", "content": "ok"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response({"id": "1", "model": "m", "choices": [choice], "usage": usage})


CHILD = f"""
import asyncio, sys, time
from flashlite import (
    APIConnectionError, Flashlite, RateLimit, RateLimitConfig, RetryConfig
)
from flashlite.middleware import open_pool

config = RateLimitConfig(requests_per_minute={REQUESTS}, tokens_per_minute={TOKENS})
limit = RateLimit(config, pool=open_pool(sys.argv[1], name=sys.argv[2]))
client = Flashlite(
    "openai/m", base_url=sys.argv[3], api_key="k", rate_limit=limit,
    retry=RetryConfig(max_attempts=1), timeout=300,
)

async def work(end):
    while time.monotonic() < end:
        await client.complete("Hi", max_tokens=90)

async def main():
    # What a first call loads takes longer than a minute may be late on a busy machine.
    try:
        await client.complete("Hi", max_tokens=1, base_url="http://127.0.0.1:1/v1")
    except APIConnectionError:
        pass
    end = time.monotonic() + float(sys.argv[4])
    tasks = [asyncio.create_task(work(end)) for _ in range(20)]
    await asyncio.wait(tasks, timeout=float(sys.argv[4]))
    failed = [task.exception() for task in tasks if task.done() and task.exception()]
    assert not failed, failed
    for task in tasks:
        task.cancel()

asyncio.run(main())
"""


@pytest.mark.services  # it takes more than a minute
async def test_the_server_never_refuses_and_its_allowance_is_used(place: Place) -> None:
    server = StrictServer()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [socket] = site._server.sockets  # type: ignore[union-attr]
    url = f"http://127.0.0.1:{socket.getsockname()[1]}/v1"
    arguments: list[Any] = ["-c", CHILD, place.address, secrets.token_hex(4), url, "75"]
    children = [await asyncio.create_subprocess_exec(sys.executable, *arguments) for _ in range(4)]
    await server.began.wait()
    start = time.monotonic()
    await asyncio.sleep(20)
    children[0].send_signal(signal.SIGKILL)
    codes = [await child.wait() for child in children]
    assert server.refused == []
    assert codes == [-signal.SIGKILL, 0, 0, 0]
    second_minute = sum(start + 60 < moment <= start + 75 for moment in server.taken)
    assert second_minute >= 0.95 * REQUESTS
    await runner.cleanup()
