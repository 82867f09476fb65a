"""A loopback server that speaks the batch APIs of OpenAI, Anthropic and Gemini."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Self

from aiohttp import web

from flashlite.loop_thread import LoopThread

Fate = Literal["answer", "refuse", "expire", "hiccup"]
Dialect = Literal["openai", "anthropic", "google"]


@dataclass(kw_only=True)
class Job:
    """A job as the server has it; `results` are its requests' ids and what became of them."""

    id: str
    dialect: Dialect
    lines: list[dict[str, Any]]
    name: str | None = None
    file: str | None = None
    looks_left: int = 0
    is_cancelled: bool = False
    refused: str | None = None
    created: float = field(default_factory=time.time)
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self.looks_left <= 0


class BatchServer:
    """Jobs are over when they were looked at `looks` times.

    `fate` decides what becomes of a prompt, given how often the server has had it, and `says` what
    an answer to it is. `bill` counts the answers to each prompt: what is paid for. `cut` is called
    with the method and the path of each request when its work is done: if it returns True, the
    connection breaks before the answer. `refusals` are the codes with which the next jobs are
    refused after they were created.
    """

    def __init__(
        self,
        *,
        looks: int = 2,
        fate: Callable[[str, int], Fate] = lambda prompt, time: "answer",
        says: Callable[[str], str] = str.upper,
        cut: Callable[[str, str], bool] = lambda method, path: False,
        status: Callable[[str, str], int] = lambda method, path: 200,
        refusals: tuple[str, ...] = (),
        page: int = 100,
    ) -> None:
        self.looks, self.fate, self.cut, self.status = looks, fate, cut, status
        self.says = says
        self.refusals, self.page = list(refusals), page
        self.jobs: list[Job] = []
        self.files: dict[str, bytes] = {}
        self.bill: Counter[str] = Counter()
        self.had: Counter[str] = Counter()
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self._thread = LoopThread("batch-server")

    def __enter__(self) -> Self:
        self._runner, port = self._thread.run_sync(self._start())
        self.root = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.run_sync(self._runner.cleanup())
        self._thread.stop()

    def address(self, dialect: str) -> str:
        """Return the base URL for a dialect."""
        return f"{self.root}/v1beta" if dialect == "google" else f"{self.root}/v1"

    async def _start(self) -> tuple[web.AppRunner, int]:
        application = web.Application(client_max_size=2**30)
        application.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, runner.addresses[0][1]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body, path = await request.read(), request.path
        self.paths.append(f"{request.method} {path}")
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        status = self.status(request.method, path)
        if status != 200:
            message = f"not now, {request.headers.get('Authorization', '')}"
            return web.json_response({"error": {"message": message}}, status=status)
        for pattern, serve in _ROUTES:
            found = re.fullmatch(pattern, f"{request.method} {path}")
            if found is not None:
                response: web.Response = serve(self, found, request, body)
                break
        else:
            response = web.json_response({"error": {"message": "no such path"}}, status=404)
        if self.cut(request.method, path) and request.transport is not None:
            request.transport.abort()
        return response

    def _submit(self, dialect: Dialect, lines: list[dict[str, Any]], **about: Any) -> Job:
        number = len(self.jobs) + 1
        id = f"batches/b{number}" if dialect == "google" else f"batch_{number}"
        job = Job(id=id, dialect=dialect, lines=lines, looks_left=self.looks, **about)
        self.jobs.append(job)
        if self.refusals:
            job.refused = self.refusals.pop(0)
        if not job.refused:
            job.results = [self._result(dialect, line) for line in lines]
        return job

    def _result(self, dialect: Dialect, line: dict[str, Any]) -> dict[str, Any]:
        prompt = _prompt(dialect, line)
        self.had[prompt] += 1
        fate = self.fate(prompt, self.had[prompt])
        if fate == "answer":
            self.bill[prompt] += 1
        return _RESULTS[dialect](line, self.says(prompt), fate)

    def _job(self, id: str) -> Job:
        for job in self.jobs:
            if job.id == id:
                return job
        raise web.HTTPNotFound

    def _look(self, id: str) -> Job:
        job = self._job(id)
        job.looks_left -= 1
        return job

    # OpenAI

    def _upload(self, _: Any, request: web.Request, body: bytes) -> web.Response:
        content_type = request.headers["Content-Type"]
        boundary = content_type.partition("boundary=")[2].encode()
        parts = [part for part in body.split(b"--" + boundary) if part.strip(b"\r\n-")]
        assert parts[0].endswith(b'name="purpose"\r\n\r\nbatch\r\n')
        id = f"file-{len(self.files) + 1}"
        self.files[id] = parts[-1].partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        return web.json_response({"id": id, "object": "file"})

    def _create_openai(self, _: Any, request: web.Request, body: bytes) -> web.Response:
        wanted = json.loads(body)
        assert wanted["completion_window"] == "24h"
        lines = [json.loads(line) for line in self.files[wanted["input_file_id"]].splitlines()]
        assert {line["url"] for line in lines} == {wanted["endpoint"]}
        name, file = next(iter(wanted["metadata"].values())), wanted["input_file_id"]
        return web.json_response(_openai(self._submit("openai", lines, name=name, file=file)))

    def _fetch_openai(self, found: Any, request: web.Request, body: bytes) -> web.Response:
        return web.json_response(_openai(self._look(found[1])))

    def _cancel_openai(self, found: Any, request: web.Request, body: bytes) -> web.Response:
        return web.json_response(_openai(self._cancel(found[1])))

    def _list_openai(self, _: Any, request: web.Request, body: bytes) -> web.Response:
        return self._listed("openai", request.query.get("after"), _openai)

    def _content(self, found: Any, request: web.Request, body: bytes) -> web.Response:
        kind, _, id = found[1].partition("-of-")
        results = self._job(id).results
        ok = [line for line in results if (line.get("response") or {}).get("status_code") == 200]
        wanted = ok if kind == "out" else [line for line in results if line not in ok]
        return web.Response(body=b"".join(json.dumps(line).encode() + b"\n" for line in wanted))

    # Anthropic

    def _create_anthropic(self, _: Any, request: web.Request, body: bytes) -> web.Response:
        assert request.headers["anthropic-version"]
        lines = json.loads(body)["requests"]
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", line["custom_id"]) for line in lines)
        return web.json_response(_anthropic(self._submit("anthropic", lines)))

    def _fetch_anthropic(self, found: Any, request: web.Request, body: bytes) -> web.Response:
        return web.json_response(_anthropic(self._look(found[1])))

    def _cancel_anthropic(self, found: Any, request: web.Request, body: bytes) -> web.Response:
        return web.json_response(_anthropic(self._cancel(found[1])))

    def _list_anthropic(self, _: Any, request: web.Request, body: bytes) -> web.Response:
        return self._listed("anthropic", request.query.get("after_id"), _anthropic)

    def _results_anthropic(self, found: Any, request: web.Request, body: bytes) -> web.Response:
        results = self._job(found[1]).results
        return web.Response(body=b"\n".join(json.dumps(line).encode() for line in results))

    # Gemini

    def _upload_google(self, _: Any, request: web.Request, body: bytes) -> web.Response:
        said = request.headers
        if said["X-Goog-Upload-Command"] == "start":
            assert said["X-Goog-Upload-Protocol"] == "resumable"
            size = said["X-Goog-Upload-Header-Content-Length"]
            place = f"{self.root}{request.path}?upload_id={size}"
            return web.json_response({}, headers={"X-Goog-Upload-URL": place})
        assert (said["X-Goog-Upload-Command"], said["X-Goog-Upload-Offset"]) == (
            "upload, finalize",
            "0",
        )
        assert request.query["upload_id"] == said["Content-Length"] == str(len(body))
        id = f"files/f{len(self.files) + 1}"
        self.files[id] = body
        return web.json_response({"file": {"name": id}})

    def _create_google(self, _: Any, request: web.Request, body: bytes) -> web.Response:
        wanted = json.loads(body)["batch"]
        file = wanted["inputConfig"]["fileName"]
        lines = [json.loads(line) for line in self.files[file].splitlines()]
        job = self._submit("google", lines, name=wanted["displayName"], file=file)
        return web.json_response(_google(job))

    def _fetch_google(self, found: Any, request: web.Request, body: bytes) -> web.Response:
        return web.json_response(_google(self._look(found[1])))

    def _cancel_google(self, found: Any, request: web.Request, body: bytes) -> web.Response:
        self._cancel(found[1])
        return web.json_response({})

    def _list_google(self, _: Any, request: web.Request, body: bytes) -> web.Response:
        jobs = [job for job in self.jobs if job.dialect == "google"]
        start = int(request.query.get("pageToken", "0"))
        end = start + self.page
        page: dict[str, Any] = {"operations": [_google(job) for job in jobs[start:end]]}
        return web.json_response(page | ({"nextPageToken": str(end)} if end < len(jobs) else {}))

    def _download(self, found: Any, request: web.Request, body: bytes) -> web.Response:
        assert request.query["alt"] == "media"
        results = self._job(f"batches/{found[1]}").results
        return web.Response(body=b"\n".join(json.dumps(line).encode() for line in results))

    def _cancel(self, id: str) -> Job:
        """Cancel a job: every second of its requests was answered by then."""
        job = self._job(id)
        job.is_cancelled, job.looks_left = True, 1
        for number, line in enumerate(job.lines):
            if number % 2:
                prompt = _prompt(job.dialect, line)
                self.bill[prompt] -= 1
                job.results[number] = _RESULTS[job.dialect](line, "", "cancel")
        return job

    def _listed(
        self, dialect: str, after: str | None, told: Callable[[Job], dict[str, Any]]
    ) -> web.Response:
        jobs = [job for job in reversed(self.jobs) if job.dialect == dialect]
        start = 0 if after is None else [job.id for job in jobs].index(after) + 1
        page = jobs[start : start + self.page]
        has_more = start + self.page < len(jobs)
        last = page[-1].id if page else None
        return web.json_response(
            {"data": [told(job) for job in page], "has_more": has_more, "last_id": last}
        )


def _prompt(dialect: Dialect, line: dict[str, Any]) -> str:
    if dialect == "google":
        text: str = line["request"]["contents"][-1]["parts"][0]["text"]
        return text
    message = line["body" if dialect == "openai" else "params"]["messages"][-1]
    content = message["content"]
    return content if isinstance(content, str) else content[0]["text"]


def _openai(job: Job) -> dict[str, Any]:
    status = "in_progress"
    if job.is_over:
        status = "failed" if job.refused else "cancelled" if job.is_cancelled else "completed"
    told: dict[str, Any] = {
        "id": job.id,
        "object": "batch",
        "status": status,
        "input_file_id": job.file,
        "created_at": int(job.created),
        "metadata": {"flashlite_job": job.name},
        "request_counts": {"total": len(job.lines), "completed": 0, "failed": 0},
    }
    if status == "failed":
        problem = {"code": job.refused, "message": "refused", "line": None, "param": None}
        told["errors"] = {"object": "list", "data": [problem]}
    elif job.is_over:
        told |= {"output_file_id": f"out-of-{job.id}", "error_file_id": f"err-of-{job.id}"}
    return told


def _openai_result(line: dict[str, Any], text: str, fate: str) -> dict[str, Any]:
    told: dict[str, Any] = {"id": "r", "custom_id": line["custom_id"]}
    told |= {"response": None, "error": None}
    if fate in ("expire", "cancel"):
        code = {"expire": "batch_expired", "cancel": "batch_cancelled"}[fate]
        return told | {"error": {"code": code, "message": code}}
    if fate == "hiccup":
        body: dict[str, Any] = {"error": {"message": "overloaded", "type": "server_error"}}
        return told | {"response": {"status_code": 503, "request_id": "q", "body": body}}
    if fate == "refuse":
        body = {"error": {"message": "no", "type": "invalid_request_error", "code": None}}
        return told | {"response": {"status_code": 400, "request_id": "q", "body": body}}
    message = {"role": "assistant", "content": text}
    body = {
        "id": "c",
        "model": line["body"]["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }
    return told | {"response": {"status_code": 200, "request_id": "q", "body": body}}


def _anthropic(job: Job) -> dict[str, Any]:
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    counts["succeeded" if job.is_over else "processing"] = len(job.lines)
    status = "ended" if job.is_over else "canceling" if job.is_cancelled else "in_progress"
    return {
        "id": job.id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": counts,
        "created_at": datetime.fromtimestamp(job.created, UTC).isoformat(),
        "results_url": f"https://elsewhere.invalid/{job.id}" if job.is_over else None,
    }


def _anthropic_result(line: dict[str, Any], text: str, fate: str) -> dict[str, Any]:
    told: dict[str, Any] = {"custom_id": line["custom_id"]}
    if fate in ("expire", "cancel"):
        return told | {"result": {"type": {"expire": "expired", "cancel": "canceled"}[fate]}}
    if fate in ("refuse", "hiccup"):
        kind = {"refuse": "invalid_request_error", "hiccup": "overloaded_error"}[fate]
        error = {"type": "error", "error": {"type": kind, "message": "no"}}
        return told | {"result": {"type": "errored", "error": error}}
    message = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": line["params"]["model"],
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1000, "output_tokens": 100, "service_tier": "batch"},
    }
    return told | {"result": {"type": "succeeded", "message": message}}


def _google(job: Job) -> dict[str, Any]:
    state = "BATCH_STATE_RUNNING"
    if job.is_over:
        end = "FAILED" if job.refused else "CANCELLED" if job.is_cancelled else "SUCCEEDED"
        state = f"BATCH_STATE_{end}"
    metadata = {
        "state": state,
        "displayName": job.name,
        "createTime": datetime.fromtimestamp(job.created, UTC).isoformat().replace("+00:00", "Z"),
        "batchStats": {"requestCount": str(len(job.lines))},
    }
    told: dict[str, Any] = {"name": job.id, "metadata": metadata, "done": job.is_over}
    if job.is_over and job.refused:
        code = int(job.refused) if job.refused.isdecimal() else 8
        return told | {"error": {"code": code, "message": "refused"}}
    if job.is_over:
        told["response"] = {"responsesFile": f"files/{job.id.partition('/')[2]}"}
    return told


def _google_result(line: dict[str, Any], text: str, fate: str) -> dict[str, Any]:
    codes = {"expire": 4, "cancel": 1, "refuse": 3, "hiccup": 14}
    if fate in codes:
        return {"key": line["key"], "error": {"code": codes[fate], "message": fate}}
    content = {"role": "model", "parts": [{"text": text}]}
    response = {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 1000,
            "candidatesTokenCount": 100,
            "totalTokenCount": 1100,
        },
        "modelVersion": "gemini-2.5-flash",
    }
    return {"key": line["key"], "response": response}


_RESULTS: dict[str, Callable[[dict[str, Any], str, str], dict[str, Any]]] = {
    "openai": _openai_result,
    "anthropic": _anthropic_result,
    "google": _google_result,
}
_ROUTES: list[tuple[str, Any]] = [
    (r"POST /v1/files", BatchServer._upload),
    (r"POST /v1/batches", BatchServer._create_openai),
    (r"GET /v1/batches", BatchServer._list_openai),
    (r"GET /v1/batches/([^/]+)", BatchServer._fetch_openai),
    (r"POST /v1/batches/([^/]+)/cancel", BatchServer._cancel_openai),
    (r"GET /v1/files/([^/]+)/content", BatchServer._content),
    (r"POST /v1/messages/batches", BatchServer._create_anthropic),
    (r"GET /v1/messages/batches", BatchServer._list_anthropic),
    (r"GET /v1/messages/batches/([^/]+)", BatchServer._fetch_anthropic),
    (r"POST /v1/messages/batches/([^/]+)/cancel", BatchServer._cancel_anthropic),
    (r"GET /v1/messages/batches/([^/]+)/results", BatchServer._results_anthropic),
    (r"POST /upload/v1beta/files", BatchServer._upload_google),
    (r"POST /v1beta/models/[^/]+:batchGenerateContent", BatchServer._create_google),
    (r"GET /v1beta/batches", BatchServer._list_google),
    (r"GET /v1beta/(batches/[^/]+)", BatchServer._fetch_google),
    (r"POST /v1beta/(batches/[^/]+):cancel", BatchServer._cancel_google),
    (r"GET /download/v1beta/files/([^/]+):download", BatchServer._download),
]
