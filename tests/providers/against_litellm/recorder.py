"""A server that notes what it is asked, and litellm asking it, on one loop of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from flashlite import Flashlite
from flashlite.errors import CompletionError, ConfigError
from flashlite.loop_thread import LoopThread
from flashlite.middleware import RetryConfig
from flashlite.providers import resolve
from flashlite.providers.litellm.library import library
from flashlite.testing import ReplayTransport, Reply

from .contestants import CONTESTANTS, Contestant

KEY = "a-test-key-0123456789"
NOTHING: Mapping[str, Any] = {"refused": True}
"""What a side asks that will not ask."""


class Recorder:
    """Answers as each contestant would, under `/<contestant>`, and keeps the last request."""

    def __init__(self) -> None:
        self.asked: Mapping[str, Any] = NOTHING
        self.address = ""

    async def answer(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.asked = {"path": request.path_qs, "body": await request.json()}
        return web.json_response(CONTESTANTS[name].answer)

    async def ask_litellm(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what litellm asks, which it may not live to see answered."""
        rival, self.asked = CONTESTANTS[name], NOTHING
        litellm = library()
        options = {"stream_options": {"include_usage": True}} if arguments.get("stream") else {}
        try:
            answer = await litellm.acompletion(
                **json.loads(json.dumps(arguments)),
                **options,
                model=rival.theirs or rival.model,
                api_base=f"{self.address}/{name}{rival.api_base}",
                api_key=KEY,
                num_retries=0,
                max_retries=0,
            )
            if options:
                _ = [chunk async for chunk in answer]
        except litellm.exceptions.UnsupportedParamsError:
            return NOTHING
        except Exception:  # it raises anything, and what it makes of the answer is its affair
            pass
        if self.asked is NOTHING:
            return NOTHING
        path = unquote(self.asked["path"]).removeprefix(f"/{name}{rival.root}")
        return {"path": path, "body": rival.plain(self.asked["body"])}

    async def close(self) -> None:
        litellm = library()
        await litellm.close_litellm_async_clients()
        litellm.in_memory_llm_clients_cache.flush_cache()


@contextmanager
def recording() -> Iterator[Any]:
    """Serve for a while; yields a function from a contestant's name and arguments to a request."""
    recorder, thread = Recorder(), LoopThread("against-litellm")
    runner = thread.run_sync(_serve(recorder))
    try:
        yield lambda name, arguments: thread.run_sync(recorder.ask_litellm(name, arguments))
    finally:
        thread.run_sync(recorder.close())
        thread.run_sync(runner.cleanup())
        thread.stop()


async def _serve(recorder: Recorder) -> web.AppRunner:
    app = web.Application()
    app.router.add_post("/{name}/{path:.*}", recorder.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    recorder.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return runner


async def ask_ourselves(rival: Contestant, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what flashlite asks at the provider's own address, which is not part of the path."""
    transport = ReplayTransport([Reply.of(rival.answer)])
    client = Flashlite(
        rival.model, api_key=KEY, transport=transport, retry=RetryConfig(max_attempts=1)
    )
    options: Any = {name: value for name, value in arguments.items() if name != "stream"}
    try:
        if "stream" in arguments:
            _ = [event async for event in client.stream(**options)]
        else:
            await client.complete(**options)
    except ConfigError:
        return NOTHING
    except CompletionError:
        pass
    host = resolve(rival.model).host
    assert host is not None
    (request,) = transport.requests
    path = unquote(request.url).removeprefix(rival.home or host.home)
    return {"path": path, "body": rival.plain(json.loads(json.dumps(request.json)))}
