"""The protocol of batch APIs: many requests as one job, cheaper and later; no I/O.

A job's requests go to one model, with the same headers. So each method takes one of them as `like`:
its address and its headers apply to the whole job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol, TypeVar

from ..errors import APITimeoutError, CompletionError
from ..wire import WireRequest
from .reading import NOT_AN_ANSWER, load, not_an_answer

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """The maximum size of one job; `bytes` counts its requests as they are sent."""

    requests: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteJob:
    """A job as its provider reports it.

    `name` was given to it on submission, and `file` is its input file; each is None if the API does
    not report it. `results` are the places of its results, `created` is in seconds since 1970.
    `error` tells why the whole job was refused.
    """

    id: str
    state: str
    is_over: bool = False
    name: str | None = None
    file: str | None = None
    count: int | None = None
    created: float | None = None
    results: tuple[str, ...] = ()
    error: CompletionError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """The result of one request of a job: a status and a body as if it had been sent alone.

    `error` is set instead if the job ended before the request's turn.
    """

    custom_id: str
    status: int = 200
    body: bytes = b""
    error: CompletionError | None = None

    @property
    def is_answer(self) -> bool:
        """Whether the request was answered."""
        return self.error is None and self.status == 200


class FileAdapter(Protocol):
    """Uploads of requests to a file at the provider, which are free of charge."""

    def begin(self, name: str, lines: Sequence[bytes], like: WireRequest) -> WireRequest | None:
        """Build the request for an upload address; None if none has to be requested."""
        ...

    def read_place(self, headers: Mapping[str, str]) -> str | None:
        """Return the upload address from the answer's headers, whose names are lower case."""
        ...

    def upload(
        self, name: str, lines: Sequence[bytes], *, place: str | None, like: WireRequest
    ) -> WireRequest:
        """Build the upload of a job's requests to a file."""
        ...

    def read_upload(self, body: bytes) -> str:
        """Return the id of the uploaded file."""
        ...


class BatchAdapter(Protocol):
    """A batch API; its methods are pure functions of their arguments.

    `files` is None if a job contains its requests. Readers raise MalformedResponseError for what
    they cannot parse.
    """

    @property
    def limits(self) -> BatchLimits: ...

    @property
    def files(self) -> FileAdapter | None: ...

    def line(self, custom_id: str, request: WireRequest) -> bytes:
        """Return one request as a line of a job; `custom_id` has at most 64 characters."""
        ...

    def create(
        self, name: str, *, file: str | None, lines: Sequence[bytes], like: WireRequest
    ) -> WireRequest:
        """Build the submission of a job, from a file or with its requests; this step is billed."""
        ...

    def read_job(self, body: bytes) -> RemoteJob:
        """Parse the state of a job from the answer to `create`, `fetch` or `cancel`."""
        ...

    def fetch(self, id: str, like: WireRequest) -> WireRequest:
        """Build the request for a job's state."""
        ...

    def cancel(self, id: str, like: WireRequest) -> WireRequest:
        """Build the request to cancel a job."""
        ...

    def list_jobs(self, like: WireRequest, *, after: str | None) -> WireRequest:
        """Build the request for a page of the account's jobs."""
        ...

    def read_jobs(self, body: bytes) -> tuple[list[RemoteJob], str | None]:
        """Parse a page of jobs; also return the `after` of the next page, None for the last."""
        ...

    def download(self, place: str, like: WireRequest) -> WireRequest:
        """Build the request for results."""
        ...

    def read_result(self, line: bytes) -> JobResult:
        """Parse one line of results."""
        ...

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        """Parse an error response; return the error to be raised."""
        ...


_HOMES = {
    "anthropic": "anthropic.batches.AnthropicBatches",
    "google": "google.batches.GoogleBatches",
    "openai": "openai_batches.OpenAIBatches",
}


def batch_adapter_for(api: str) -> BatchAdapter:
    """Return the adapter of a batch API, imported at its first use."""
    module, _, name = _HOMES[api].rpartition(".")
    adapter: BatchAdapter = getattr(import_module(f".{module}", __package__), name)()
    return adapter


def separated(lines: Sequence[bytes], separator: bytes) -> list[bytes]:
    """Return lines with separators in between, as the pieces of a body."""
    return [piece for line in lines for piece in (separator, line)][1:]


def understood(body: bytes, read: Callable[[Mapping[str, Any]], T], what: str) -> T:
    """Parse JSON with a function; raise MalformedResponseError if it fails."""
    told = load(body)
    try:
        return read(told)
    except NOT_AN_ANSWER as error:
        raise not_an_answer(error, told, what) from error


def page_of(
    told: Mapping[str, Any], read_job: Callable[[Mapping[str, Any]], RemoteJob]
) -> tuple[list[RemoteJob], str | None]:
    """Parse a page of jobs; if there are more, the next page comes after its last one."""
    jobs = [read_job(job) for job in told.get("data") or ()]
    return jobs, jobs[-1].id if told.get("has_more") and jobs else None


def id_in(told: Mapping[str, Any], name: str = "id") -> str:
    """Return the id of an object; raise TypeError if it has none."""
    id = told.get(name)
    if not isinstance(id, str) or not id:
        raise TypeError(f"{id!r:.80} is no {name}")
    return id


def get(url: str, like: WireRequest) -> WireRequest:
    """Return a GET with the headers of a job's requests."""
    return WireRequest(url=url, method="GET", headers=like.headers)


def seconds_in(moment: Any) -> float | None:
    """Return a time as seconds since 1970, from a number or an RFC 3339 date."""
    if isinstance(moment, int | float):
        return float(moment)
    try:
        return datetime.fromisoformat(moment).timestamp()
    except (TypeError, ValueError):
        return None


def expired() -> CompletionError:
    """Return the error of a request whose job expired before its turn; it may be sent again."""
    error = APITimeoutError("the job expired before the turn of this request came")
    error.was_sent = False
    return error


def cancelled() -> CompletionError:
    """Return the error of a request whose job was cancelled before its turn."""
    error = CompletionError("the job was cancelled before the turn of this request came")
    error.was_sent = False
    return error
