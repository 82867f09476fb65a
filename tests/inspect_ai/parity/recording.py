"""An eval of all samples on one model, and what went over the wire and into the log.

It runs in two environments, with flashlite in one of them only.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import web
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalSample, read_eval_log
from inspect_ai.solver import Generate, Solver, TaskState, solver

from .cases import CASES, Case
from .replies import Reply, chunks

KEY = "a-test-key-0123456789"

# What no two runs have in common, or what Inspect puts there whatever the provider does.
_RUN = frozenset(
    {
        "completed",
        "duration",
        "message_id",
        "parent_id",
        "pending",
        "request_ids",
        "span_id",
        "timestamp",
        "traceback",
        "traceback_ansi",
        "uuid",
        "working_start",
        "working_time",
        "x-irid",
    }
)
_KEPT = {"messages", "output", "model_usage", "error", "limit", "events"}
_EVENTS = frozenset({"model", "tool", "error", "sample_limit", "info"})
_MEDIA = frozenset({"data", "file_data", "url"})
_OF_ONE_RUN = re.compile(r"(?<=0x)[0-9a-f]+|(?<=\"x-irid\": \")\w+")
_HEADERS = ("authorization", "content-type")


async def recorded(model: str, **model_args: Any) -> dict[str, Any]:
    """Run all samples, one after the other; return for each its requests and its log."""
    recorder = Recorder()
    dataset = [Sample(id=name, input=list(case.input)) for name, case in CASES.items()]
    async with recorder.serving() as url:
        # In a thread: on a running loop Inspect would patch asyncio for good.
        samples = await asyncio.to_thread(_run, recorder, dataset, model, url, model_args)
    return {
        name: {"requests": requests, "sample": _logged(sample, requests, CASES[name], model)}
        for sample in samples
        for name in [str(sample.id)]
        for requests in [recorder.requests.get(name, [])]
    }


def _run(
    recorder: Recorder, dataset: list[Sample], model: str, url: str, model_args: dict[str, Any]
) -> Sequence[EvalSample]:
    with TemporaryDirectory() as folder:
        [log] = eval(
            Task(dataset=dataset, solver=_asked(recorder)),
            model=model,
            model_base_url=url,
            model_args={"api_key": KEY, **model_args},
            max_samples=1,
            fail_on_error=False,
            max_retries=0,
            display="none",
            log_dir=str(Path(folder)),
        )
        log = read_eval_log(log.location, resolve_attachments=True)
    assert log.samples is not None, log.error
    return log.samples


class Recorder:
    """A server that knows which sample is running, since there is one at a time."""

    def __init__(self) -> None:
        self.requests: dict[str, list[dict[str, Any]]] = {}
        self._name = ""
        self._replies: list[Reply] = []

    def begin(self, name: str, case: Case) -> None:
        self._name, self._replies = name, list(case.replies)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        application = web.Application()
        application.router.add_post("/v1/{path:.*}", self._answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        custom = CASES[self._name].config.extra_headers or {}
        asked = {
            "path": request.path,
            "headers": {n: request.headers.get(n) for n in (*_HEADERS, *custom)},
            "body": await request.json(),
        }
        self.requests.setdefault(self._name, []).append(asked)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if not asked["body"].get("stream"):
            return web.json_response(reply.body, status=reply.status)
        lines = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks(reply))
        return web.Response(text=lines + "data: [DONE]\n\n", content_type="text/event-stream")


@solver
def _asked(recorder: Recorder) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        name = str(state.sample_id)
        case = CASES[name]
        recorder.begin(name, case)
        state.tools = list(case.tools)
        state.tool_choice = case.tool_choice
        return await generate(state, **case.config.model_dump(exclude_none=True))  # type: ignore[arg-type]

    return solve


def _logged(sample: EvalSample, requests: Any, case: Case, model: str) -> dict[str, Any]:
    """Return what a log says of a sample but for times and ids; the model has no name.

    An output that an event has, and an input that the messages begin with, are not told twice.
    """
    told = sample.model_dump(mode="json", exclude_none=True, include=_KEPT)
    told["events"] = [event for event in told["events"] if event["event"] in _EVENTS]
    told["usage"] = list(told.pop("model_usage", {}).values())
    plain: dict[str, Any] = _plain(told, model)
    if plain["output"] in [event.get("output") for event in plain["events"]]:
        del plain["output"]
    for event in plain["events"]:
        event.pop("tools", None)
        if event.get("input") == plain["messages"][: len(event.get("input", ()))]:
            del event["input"]
        if call := event.get("call"):
            call.get("request", {}).pop("extra_headers", None)  # they are in the requests
            _shorten(call, "request", [request["body"] for request in requests])
            _shorten(call, "response", [reply.body for reply in case.replies])
    return plain


def _shorten(call: dict[str, Any], name: str, bodies: list[Any]) -> None:
    """Write one word for a body that is in the log as it went over the wire, but for media."""
    if _without_media(call.get(name)) in [_without_media(_plain(body, "")) for body in bodies]:
        call[name] = "as on the wire"


def _without_media(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_media(one) for one in value]
    if isinstance(value, dict):
        return {
            name: None if name in _MEDIA else _without_media(one) for name, one in value.items()
        }
    return value


def _plain(value: Any, model: str) -> Any:
    if isinstance(value, list):
        return [_plain(one, model) for one in value]
    if isinstance(value, str):
        return _OF_ONE_RUN.sub("", value.replace(model, "<model>") if model else value)
    if not isinstance(value, dict):
        return value
    drop = set(_RUN)
    if "role" in value or "event" in value:
        drop.add("id")
    if "request" in value or "choices" in value:
        drop.add("time")
    kept = {name: _plain(one, model) for name, one in value.items() if name not in drop}
    return {name: one for name, one in kept.items() if one is not None}
