"""OpenAI's batch API, which other hosts have too: a file of requests, a job, files of results.

Source: https://platform.openai.com/docs/guides/batch and
https://platform.openai.com/docs/api-reference/batch. A job is for one model and one endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import CompletionError, ConfigError, RateLimitError
from ..types import place_of
from ..wire import WireRequest, to_json
from .batches import (
    BatchLimits,
    JobResult,
    RemoteJob,
    cancelled,
    expired,
    get,
    id_in,
    page_of,
    seconds_in,
    separated,
    understood,
)
from .reading import name_in, read_error
from .refusals import inner_status, refusal

_ENDPOINTS = ("/chat/completions", "/responses")
_OVER = frozenset({"completed", "failed", "expired", "cancelled"})
_NAME = "flashlite_job"
# Too many tokens are queued already: other jobs have to end first.
_LATER = frozenset({"token_limit_exceeded", "rate_limit_exceeded"})


class OpenAIFiles:
    """`/files`."""

    def begin(self, name: str, lines: Sequence[bytes], like: WireRequest) -> None:
        """Do nothing: all files are uploaded to the same address."""

    def read_place(self, headers: Mapping[str, str]) -> str | None:
        return None

    def upload(
        self, name: str, lines: Sequence[bytes], *, place: str | None, like: WireRequest
    ) -> WireRequest:
        base, _ = _split(like.url)
        boundary = f"flashlite-{name}"
        return WireRequest(
            url=f"{base}/files",
            pieces=_form(name, lines, boundary),
            headers={**like.headers, "Content-Type": f"multipart/form-data; boundary={boundary}"},
        )

    def read_upload(self, body: bytes) -> str:
        return understood(body, id_in, "a file")


class OpenAIBatches:
    """`/batches`."""

    limits = BatchLimits(requests=50_000, bytes=200_000_000)
    files = OpenAIFiles()

    def line(self, custom_id: str, request: WireRequest) -> bytes:
        _, endpoint = _split(request.url)
        wanted = {"custom_id": custom_id, "method": "POST", "url": f"/v1{endpoint}"}
        return to_json(wanted | {"body": request.json})

    def create(
        self, name: str, *, file: str | None, lines: Sequence[bytes], like: WireRequest
    ) -> WireRequest:
        base, endpoint = _split(like.url)
        wanted = {
            "input_file_id": file,
            "endpoint": f"/v1{endpoint}",
            "completion_window": "24h",
            "metadata": {_NAME: name},
        }
        return replace(like, url=f"{base}/batches", json=wanted)

    def read_job(self, body: bytes) -> RemoteJob:
        return understood(body, _job, "a job")

    def fetch(self, id: str, like: WireRequest) -> WireRequest:
        return get(f"{_split(like.url)[0]}/batches/{id}", like)

    def cancel(self, id: str, like: WireRequest) -> WireRequest:
        return replace(like, url=f"{_split(like.url)[0]}/batches/{id}/cancel", json={})

    def list_jobs(self, like: WireRequest, *, after: str | None) -> WireRequest:
        page = f"&after={after}" if after else ""
        return get(f"{_split(like.url)[0]}/batches?limit=100{page}", like)

    def read_jobs(self, body: bytes) -> tuple[list[RemoteJob], str | None]:
        return understood(body, lambda told: page_of(told, _job), "a list of jobs")

    def download(self, place: str, like: WireRequest) -> WireRequest:
        return get(f"{_split(like.url)[0]}/files/{place}/content", like)

    def read_result(self, line: bytes) -> JobResult:
        return understood(line, _result, "a result of a job")

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        return read_error(status, headers, body)


def _split(url: str) -> tuple[str, str]:
    """Split a URL into the address of the API and the endpoint."""
    endpoint = next((name for name in _ENDPOINTS if url.endswith(name)), None)
    if endpoint is None:
        raise ConfigError(f"a batch is for {' or '.join(_ENDPOINTS)}, not for {place_of(url)}")
    return url.removesuffix(endpoint), endpoint


def _form(name: str, lines: Sequence[bytes], boundary: str) -> list[bytes]:
    start, part = f"--{boundary}\r\n", "Content-Disposition: form-data; name="
    head = (
        f'{start}{part}"purpose"\r\n\r\nbatch\r\n'
        f'{start}{part}"file"; filename="{name}.jsonl"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    )
    end = f"\n\r\n--{boundary}--\r\n"
    return [head.encode(), *separated(lines, b"\n"), end.encode()]


def _job(told: Mapping[str, Any]) -> RemoteJob:
    state = str(told.get("status")).lower()  # some hosts use upper case
    metadata, counts = told.get("metadata") or {}, told.get("request_counts") or {}
    files = [name_in(told.get(name)) for name in ("output_file_id", "error_file_id")]
    return RemoteJob(
        id=id_in(told),
        state=state,
        is_over=state in _OVER,
        name=name_in(metadata.get(_NAME)),
        file=name_in(told.get("input_file_id")),
        count=counts.get("total") or None,
        created=seconds_in(told.get("created_at")),
        results=tuple(file for file in files if file),
        error=_refused(told) if state == "failed" else None,
    )


def _refused(told: Mapping[str, Any]) -> CompletionError:
    """Return why a job was not started: errors in its lines, or too many queued jobs."""
    errors = told.get("errors") or {}
    listed = (errors.get("data") if isinstance(errors, Mapping) else errors) or [{}]
    first = listed[0] if isinstance(listed[0], Mapping) else {"message": str(listed[0])}
    code, line = name_in(first.get("code")), first.get("line")
    place = f" (line {line} of its file)" if line is not None else ""
    message = f"the job was refused: {first.get('message') or 'no reason is told'}{place}"
    kind = RateLimitError if code in _LATER else None
    return refusal(429 if kind else 400, message, code=code, body=dict(told), kind=kind)


def _result(told: Mapping[str, Any]) -> JobResult:
    custom_id, answer, error = id_in(told, "custom_id"), told.get("response"), told.get("error")
    if answer:
        status = int(answer.get("status_code", 200)) or 500  # 0 means that it was never tried
        return JobResult(custom_id=custom_id, status=status, body=to_json(answer["body"]))
    problem = error if isinstance(error, Mapping) else {"message": str(error)}
    unsent = _UNSENT.get(str(problem.get("code")))
    if unsent is not None:
        return JobResult(custom_id=custom_id, error=unsent())
    return JobResult(
        custom_id=custom_id, status=inner_status(problem), body=to_json({"error": problem})
    )


_UNSENT = {"batch_expired": expired, "batch_cancelled": cancelled}
