"""What was submitted to a provider, and what a file tells of it when a run has ended early."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_hex
from typing import Any

from ...errors import ConfigError
from ...types import json_bytes
from ...wire import WireRequest

_KEY = 32  # hexadecimal digits of a hash, so that an id has 64 characters at most


def key_of(request: WireRequest) -> str:
    """Return what a request on the wire is known by: who is asked, and all that is asked."""
    try:
        body = json_bytes.dumps(request.json, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"the request is not JSON: {error}") from error
    return sha256(request.url.encode() + b"\n" + body).hexdigest()[:_KEY]


@dataclass(slots=True, kw_only=True, eq=False)
class Submission:
    """Requests that travel together as one job.

    `name` is our own name for the job, which its provider keeps where it can; `ids` name the
    requests, `file` what was uploaded, `job` the job as its provider calls it, None until that is
    known. `at` is when it was submitted, in seconds since 1970.
    """

    name: str = field(default_factory=lambda: token_hex(6))
    ids: list[str] = field(default_factory=list[str])
    file: str | None = None
    job: str | None = None
    at: float = 0.0

    def next_id(self, key: str) -> str:
        """Return the id of one more request, which tells what it asks and where it is."""
        return f"{self.name}-{len(self.ids)}-{key}"

    def add(self, key: str) -> str:
        """Take one more request in and return its id."""
        self.ids.append(self.next_id(key))
        return self.ids[-1]

    @property
    def count(self) -> int:
        return len(self.ids)

    def to_dict(self) -> dict[str, Any]:
        """Return what a file has to tell of it before it is submitted."""
        return {"name": self.name, "file": self.file, "at": self.at, "requests": self.ids}

    def has(self, custom_id: str) -> bool:
        """Whether an id is of a request of this submission."""
        return custom_id.startswith(f"{self.name}-")


class Submissions:
    """The submissions that a file has, and what is still to be had of them.

    Its lines are `submission`, written before a job is submitted, `job`, when its provider has told
    its name, and `closed`, when all that came of it is on file too.
    """

    def __init__(self) -> None:
        self._by_name: dict[str, Submission] = {}
        self._taken = set[str]()
        self._left: dict[str, list[tuple[Submission, str]]] | None = None

    @property
    def open(self) -> int:
        """How many submissions have something that nobody took."""
        return len({submission.name for kept in self._all().values() for submission, _ in kept})

    def read(self, line: Mapping[str, Any]) -> None:
        """Take a line in; raises KeyError or TypeError for what is none."""
        kind, name = line["kind"], line["name"]
        if kind == "submission":
            ids: Iterable[str] = line["requests"]
            self._by_name[name] = Submission(
                name=name, ids=list(ids), file=line.get("file"), at=line["at"]
            )
        elif kind == "job":
            self._by_name[name].job = line["job"]
        else:
            self._by_name.pop(name, None)

    def note_taken(self, *custom_ids: object) -> None:
        """Note that what came of these requests is on file, as far as they are requests of jobs."""
        for custom_id in custom_ids:
            if isinstance(custom_id, str) and custom_id.partition("-")[0] in self._by_name:
                self._taken.add(custom_id)

    def take(self, key: str) -> tuple[Submission, str] | None:
        """Return a submission that has the same request, and its id there; each is had once."""
        kept = self._all().get(key)
        return kept.pop() if kept else None

    def is_taken(self, custom_id: str) -> bool:
        """Whether what came of this request is on file."""
        return custom_id in self._taken

    def known(self) -> list[str]:
        """Return the jobs whose names are known."""
        return [s.job for s in self._by_name.values() if s.job is not None]

    def _all(self) -> dict[str, list[tuple[Submission, str]]]:
        """Sort what is left by what was asked; of equal requests the first comes last."""
        if self._left is None:
            self._left = {}
            for submission in reversed(self._by_name.values()):
                for custom_id in reversed(submission.ids):
                    if custom_id not in self._taken:
                        key = custom_id.rpartition("-")[2]
                        self._left.setdefault(key, []).append((submission, custom_id))
        return self._left
