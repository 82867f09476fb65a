"""What a provider's batch API must know: many requests as one job, cheaper and later; no I/O.

A job's requests go to one model, with the same headers. So each function takes one of them, `like`:
its address and its headers are those of the whole job.
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
    """What one job may have at most; `bytes` are those of its requests as they are sent."""

    requests: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteJob:
    """A job as its provider tells of it.

    `name` is the one that whoever submitted it gave it, and `file` what it was made from, each None
    where the API tells no such thing. `results` are the places where results are, `created` seconds
    since 1970. `error` says why the whole job was refused.
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
    """What came of one request of a job: a status and a body as if it had been sent alone.

    `error` is set instead where the job ended before the request's turn.
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
    """How requests come into a file at the provider, which costs nothing."""

    def begin(self, name: str, lines: Sequence[bytes], like: WireRequest) -> WireRequest | None:
        """Ask for a place to put the requests of a job; None where nobody has to ask."""
        ...

    def read_place(self, headers: Mapping[str, str]) -> str | None:
        """Read the place in the answer's headers; they are in lower case."""
        ...

    def upload(
        self, name: str, lines: Sequence[bytes], *, place: str | None, like: WireRequest
    ) -> WireRequest:
        """Put the requests of a job into a file."""
        ...

    def read_upload(self, body: bytes) -> str:
        """Read what the file is called there."""
        ...


class BatchAdapter(Protocol):
    """A batch API. Everything it does is a pure function of its arguments.

    `files` is None where a job has its requests in it. Readers raise MalformedResponseError for
    what they cannot read.
    """

    @property
    def limits(self) -> BatchLimits: ...

    @property
    def files(self) -> FileAdapter | None: ...

    def line(self, custom_id: str, request: WireRequest) -> bytes:
        """Spell one request as a part of a job; `custom_id` has 64 characters at most."""
        ...

    def create(
        self, name: str, *, file: str | None, lines: Sequence[bytes], like: WireRequest
    ) -> WireRequest:
        """Submit a job, from a file or with its requests: the step that is paid for."""
        ...

    def read_job(self, body: bytes) -> RemoteJob:
        """Read how a job is, in the answer to `create`, to `fetch` and to `cancel`."""
        ...

    def fetch(self, id: str, like: WireRequest) -> WireRequest:
        """Ask how a job is."""
        ...

    def cancel(self, id: str, like: WireRequest) -> WireRequest:
        """Ask that a job does nothing more."""
        ...

    def list_jobs(self, like: WireRequest, *, after: str | None) -> WireRequest:
        """Ask for the account's jobs, a page at a time."""
        ...

    def read_jobs(self, body: bytes) -> tuple[list[RemoteJob], str | None]:
        """Read a page of jobs, and what the next page comes `after`, None for the last one."""
        ...

    def download(self, place: str, like: WireRequest) -> WireRequest:
        """Ask for results."""
        ...

    def read_result(self, line: bytes) -> JobResult:
        """Read one line of results."""
        ...

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        """Read a refusal; returns the error, ready to be raised."""
        ...


_HOMES = {
    "anthropic": "anthropic.batches.AnthropicBatches",
    "google": "google.batches.GoogleBatches",
    "openai": "openai_batches.OpenAIBatches",
}


def batch_adapter_for(api: str) -> BatchAdapter:
    """Return the adapter of a batch API; it is imported when the first request needs it."""
    module, _, name = _HOMES[api].rpartition(".")
    adapter: BatchAdapter = getattr(import_module(f".{module}", __package__), name)()
    return adapter


def separated(lines: Sequence[bytes], separator: bytes) -> list[bytes]:
    """Return lines with a separator between each two, as the pieces of a body."""
    return [piece for line in lines for piece in (separator, line)][1:]


def understood(body: bytes, read: Callable[[Mapping[str, Any]], T], what: str) -> T:
    """Read JSON by a function; raises MalformedResponseError where that cannot make sense of it."""
    told = load(body)
    try:
        return read(told)
    except NOT_AN_ANSWER as error:
        raise not_an_answer(error, told, what) from error


def page_of(
    told: Mapping[str, Any], read_job: Callable[[Mapping[str, Any]], RemoteJob]
) -> tuple[list[RemoteJob], str | None]:
    """Read a page of jobs; where there are more, the next page comes after its last one."""
    jobs = [read_job(job) for job in told.get("data") or ()]
    return jobs, jobs[-1].id if told.get("has_more") and jobs else None


def id_in(told: Mapping[str, Any], name: str = "id") -> str:
    """Return the id of something; raises TypeError where it has none."""
    id = told.get(name)
    if not isinstance(id, str) or not id:
        raise TypeError(f"{id!r:.80} is no {name}")
    return id


def get(url: str, like: WireRequest) -> WireRequest:
    """Return a GET with the headers of a job's requests."""
    return WireRequest(url=url, method="GET", headers=like.headers)


def seconds_in(moment: Any) -> float | None:
    """Read a moment as seconds since 1970: a number, or a date in the form of RFC 3339."""
    if isinstance(moment, int | float):
        return float(moment)
    try:
        return datetime.fromisoformat(moment).timestamp()
    except (TypeError, ValueError):
        return None


def expired() -> CompletionError:
    """Return the error of a request whose turn did not come in time; it may be sent again."""
    error = APITimeoutError("the job expired before the turn of this request came")
    error.was_sent = False
    return error


def cancelled() -> CompletionError:
    """Return the error of a request whose job was cancelled before its turn."""
    error = CompletionError("the job was cancelled before the turn of this request came")
    error.was_sent = False
    return error
