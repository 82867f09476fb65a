"""A server with a latency that keeps the bill: `python -m tests.on_ray.server latency`.

It says its port, answers each question with its own text, and tells under `/bill` how often each
question was asked.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import urlopen

from aiohttp import web


class Server:
    """Answers late, and notes every request when it comes."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.bill = Counter[str]()

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        question = body["messages"][0]["content"]
        self.bill[question] += 1
        await asyncio.sleep(self.latency)
        if question == "refuse":
            refusal = {"message": "no such key", "code": "invalid_api_key"}
            return web.json_response({"error": refusal}, status=401)
        message = {"role": "assistant", "content": question}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
        return web.json_response({"id": "1", "model": "m", "choices": [choice], "usage": usage})

    async def tell(self, _: web.Request) -> web.Response:
        return web.json_response(self.bill)


class ServerProcess:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        self.base_url = f"{self.url}/v1"

    @property
    def bill(self) -> Counter[str]:
        """How often each question was asked."""
        with urlopen(f"{self.url}/bill") as answer:
            return Counter(json.load(answer))


@contextmanager
def latency_server(latency: float) -> Iterator[ServerProcess]:
    """Run a server as long as the body runs."""
    command = [sys.executable, "-m", "tests.on_ray.server", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield ServerProcess(process)
        finally:
            process.kill()


async def main(latency: float) -> None:
    """Serve until killed."""
    server = Server(latency)
    application = web.Application()
    application.router.add_post("/v1/chat/completions", server.answer)
    application.router.add_get("/bill", server.tell)
    runner: Any = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
