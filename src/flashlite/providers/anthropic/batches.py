"""Anthropic's Message Batches: a job contains its requests, and has no name.

Source: https://platform.claude.com/docs/en/api/creating-message-batches. A job may mix models;
results can be read when the whole job has ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...errors import CompletionError
from ...wire import WireRequest, to_json
from ..batches import (
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
from ..reading import read_error
from ..refusals import inner_status


class AnthropicBatches:
    """`/messages/batches`."""

    limits = BatchLimits(requests=100_000, bytes=250_000_000)  # 256 MB, with its envelope
    files = None

    def line(self, custom_id: str, request: WireRequest) -> bytes:
        return to_json({"custom_id": custom_id, "params": request.json})

    def create(
        self, name: str, *, file: str | None, lines: Sequence[bytes], like: WireRequest
    ) -> WireRequest:
        pieces = [b'{"requests":[', *separated(lines, b","), b"]}"]
        return replace(like, url=f"{like.url}/batches", json={}, pieces=pieces)

    def read_job(self, body: bytes) -> RemoteJob:
        return understood(body, _job, "a job")

    def fetch(self, id: str, like: WireRequest) -> WireRequest:
        return get(f"{like.url}/batches/{id}", like)

    def cancel(self, id: str, like: WireRequest) -> WireRequest:
        return replace(like, url=f"{like.url}/batches/{id}/cancel", json={})

    def list_jobs(self, like: WireRequest, *, after: str | None) -> WireRequest:
        page = f"&after_id={after}" if after else ""
        return get(f"{like.url}/batches?limit=100{page}", like)

    def read_jobs(self, body: bytes) -> tuple[list[RemoteJob], str | None]:
        return understood(body, lambda told: page_of(told, _job), "a list of jobs")

    def download(self, place: str, like: WireRequest) -> WireRequest:
        # Not `results_url`: the key is sent only where the requests went.
        return get(f"{like.url}/batches/{place}/results", like)

    def read_result(self, line: bytes) -> JobResult:
        return understood(line, _result, "a result of a job")

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        return read_error(status, headers, body)


def _job(told: Mapping[str, Any]) -> RemoteJob:
    id, counts = id_in(told), told.get("request_counts") or {}
    state = str(told.get("processing_status"))
    return RemoteJob(
        id=id,
        state=state,
        is_over=state == "ended",
        count=sum(counts.values()) or None,
        created=seconds_in(told.get("created_at")),
        results=(id,) if state == "ended" else (),
    )


def _result(line: Mapping[str, Any]) -> JobResult:
    custom_id, told = id_in(line, "custom_id"), line["result"]
    match told["type"]:
        case "succeeded":
            return JobResult(custom_id=custom_id, body=to_json(told["message"]))
        case "expired":
            return JobResult(custom_id=custom_id, error=expired())
        case "canceled":
            return JobResult(custom_id=custom_id, error=cancelled())
        case _:
            problem = told["error"]
            status = inner_status(problem.get("error") or problem)
            return JobResult(custom_id=custom_id, status=status, body=to_json(problem))
