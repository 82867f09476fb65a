"""Gemini's batch API: a file of requests, a job for one model, a file of results.

Source: https://ai.google.dev/api/batch-mode, and for the upload
https://ai.google.dev/gemini-api/docs/files. Requests could also be inlined in the job, but then its
results lack the keys of their requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin, urlsplit

from ...errors import CompletionError, MalformedResponseError
from ...wire import WireRequest, to_json
from ..batches import (
    BatchLimits,
    JobResult,
    RemoteJob,
    get,
    id_in,
    seconds_in,
    separated,
    understood,
)
from ..reading import name_in
from ..refusals import refusal
from .errors import read_error

_VERB = ":generateContent"
_OVER = frozenset({"succeeded", "partially_succeeded", "failed", "cancelled", "expired"})
# The codes of google.rpc; a request cancelled internally may succeed on a retry.
_STATUS = {1: 503, 3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 11: 400, 12: 501, 16: 401}


class GoogleFiles:
    """The files API: one request gets an address for a single file, another uploads to it."""

    def begin(self, name: str, lines: Sequence[bytes], like: WireRequest) -> WireRequest:
        headers = {
            **like.headers,
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(sum(map(len, _file(lines)))),
            "X-Goog-Upload-Header-Content-Type": "application/jsonl",
        }
        url, about = f"{_beside(like.url, 'upload')}/files", {"file": {"display_name": name}}
        return replace(like, url=url, json=about, headers=headers)

    def read_place(self, headers: Mapping[str, str]) -> str:
        place = headers.get("x-goog-upload-url")
        if not place:
            raise MalformedResponseError("status 200, but no address to put a file at")
        return place

    def upload(
        self, name: str, lines: Sequence[bytes], *, place: str | None, like: WireRequest
    ) -> WireRequest:
        url = urljoin(like.url, place or "")
        # The address is itself a secret; the key is sent only where the requests go.
        headers = dict(like.headers) if _server(url) == _server(like.url) else {}
        headers |= {
            "X-Goog-Upload-Command": "upload, finalize",
            "X-Goog-Upload-Offset": "0",
            "Content-Type": "application/jsonl",
        }
        return replace(like, url=url, pieces=_file(lines), headers=headers)

    def read_upload(self, body: bytes) -> str:
        return understood(body, lambda told: id_in(told["file"], "name"), "a file")


class GoogleBatches:
    """`batchGenerateContent` and its jobs."""

    limits = BatchLimits(requests=50_000, bytes=200_000_000)  # a file may be ten times as large
    files = GoogleFiles()

    def line(self, custom_id: str, request: WireRequest) -> bytes:
        return to_json({"key": custom_id, "request": request.json})

    def create(
        self, name: str, *, file: str | None, lines: Sequence[bytes], like: WireRequest
    ) -> WireRequest:
        url = f"{like.url.removesuffix(_VERB)}:batchGenerateContent"
        wanted = {"batch": {"displayName": name, "inputConfig": {"fileName": file}}}
        return replace(like, url=url, json=wanted)

    def read_job(self, body: bytes) -> RemoteJob:
        return understood(body, _job, "a job")

    def fetch(self, id: str, like: WireRequest) -> WireRequest:
        return get(f"{_base(like.url)}/{id}", like)

    def cancel(self, id: str, like: WireRequest) -> WireRequest:
        return replace(like, url=f"{_base(like.url)}/{id}:cancel", json={})

    def list_jobs(self, like: WireRequest, *, after: str | None) -> WireRequest:
        page = f"&pageToken={after}" if after else ""
        return get(f"{_base(like.url)}/batches?pageSize=100{page}", like)

    def read_jobs(self, body: bytes) -> tuple[list[RemoteJob], str | None]:
        return understood(body, _page, "a list of jobs")

    def download(self, place: str, like: WireRequest) -> WireRequest:
        return get(f"{_beside(like.url, 'download')}/{place}:download?alt=media", like)

    def read_result(self, line: bytes) -> JobResult:
        return understood(line, _result, "a result of a job")

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        return read_error(status, headers, body)


def _file(lines: Sequence[bytes]) -> list[bytes]:
    return [*separated(lines, b"\n"), b"\n"]


def _server(url: str) -> tuple[str, str]:
    return urlsplit(url)[:2]


def _base(url: str) -> str:
    """Return the address of the API, the part before the model."""
    return url.removesuffix(_VERB).rpartition("/")[0].rpartition("/")[0]


def _beside(url: str, what: str) -> str:
    """Return the address for files, which has a segment in front of the API's version."""
    root, _, version = _base(url).rpartition("/")
    return f"{root}/{what}/{version}"


def _page(told: Mapping[str, Any]) -> tuple[list[RemoteJob], str | None]:
    return [_job(job) for job in told.get("operations") or ()], told.get("nextPageToken")


def _result(told: Mapping[str, Any]) -> JobResult:
    key, problem = id_in(told, "key"), told.get("error")
    if problem is None:
        return JobResult(custom_id=key, body=to_json(told["response"]))
    status = _STATUS.get(problem.get("code"), 500)
    return JobResult(custom_id=key, status=status, body=to_json({"error": problem}))


def _job(told: Mapping[str, Any]) -> RemoteJob:
    """Parse an operation, whose `metadata` is the job."""
    metadata, error = told.get("metadata") or {}, told.get("error")
    output = {**(metadata.get("output") or {}), **(told.get("response") or {})}
    state = str(metadata.get("state")).removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_")
    id, file = id_in(told, "name"), name_in(output.get("responsesFile"))
    counts = metadata.get("batchStats") or {}
    return RemoteJob(
        id=id,
        state=state.lower(),
        is_over=state.lower() in _OVER or told.get("done") is True,
        name=name_in(metadata.get("displayName")),
        count=int(counts.get("requestCount") or 0) or None,
        created=seconds_in(metadata.get("createTime")),
        results=(file,) if file else (),
        error=_refused(error) if state == "FAILED" and not file else None,
    )


def _refused(problem: Any) -> CompletionError:
    told = problem if isinstance(problem, Mapping) else {}
    message = f"the job failed: {told.get('message') or 'no reason is told'}"
    return refusal(_STATUS.get(told.get("code", 3), 500), message, body={"error": told})
