"""What can be set on a mock model, and the three ways to write it down."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from ...errors import ConfigError

Answer = str | Mapping[str, Any]
"""An answer of a script: its text, or a message in OpenAI's form with an optional finish_reason."""

MALFORMED = ("json", "empty", "html", "choices")


@dataclass(frozen=True, slots=True, kw_only=True)
class MockOptions:
    """The options of a mock model.

    `skill` is the share of right answers of `calculator`; `seed` picks which ones. `answers` are
    the turns of `script`, in the order of requests: a list, a JSON file's path, or a function of
    the request's body. Faults: `status` answers with that status, `malformed` (one of json,
    empty, html, choices) with a broken body, `cut` breaks a stream off after that many chunks;
    `times` limits a fault to the first requests, `retry_after` goes with a status. `latency` is
    waited before an answer, `chunk_latency` before each chunk of a stream, in seconds.
    """

    skill: float = 1.0
    seed: int = 0
    answers: Sequence[Answer] | Callable[[Mapping[str, Any]], Answer] | str = ()
    status: int | None = None
    malformed: str | None = None
    cut: int | None = None
    times: int | None = None
    retry_after: float | None = None
    latency: float = 0.0
    chunk_latency: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.skill <= 1:
            raise ConfigError(f"mock option skill is a share from 0 to 1; got {self.skill!r}")
        if self.malformed is not None and self.malformed not in MALFORMED:
            raise ConfigError(f"mock option malformed is one of {', '.join(MALFORMED)}")
        if isinstance(self.answers, str):
            object.__setattr__(self, "answers", _read_answers(self.answers))

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """Read options by name; text becomes what the option needs.

        Raises ConfigError for a name or a value that does not fit.
        """
        unknown = given.keys() - _CONVERT.keys()
        if unknown:
            raise ConfigError(
                f"unknown mock option {', '.join(sorted(unknown))}: there are {', '.join(_CONVERT)}"
            )
        return cls(**{name: _convert(name, value) for name, value in given.items()})


_NUMBERS = {"skill": float, "retry_after": float, "latency": float, "chunk_latency": float}
_CONVERT: dict[str, Callable[[Any], Any]] = {
    field.name: _NUMBERS.get(field.name, int) for field in fields(MockOptions)
} | {"malformed": str, "answers": lambda answers: answers}


def _convert(name: str, value: Any) -> Any:
    try:
        return _CONVERT[name](value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"mock option {name} cannot be {value!r}") from error


def _read_answers(text: str) -> list[Answer]:
    """Read a JSON list, written out or in a file."""
    try:
        answers = json.loads(text if text.lstrip().startswith("[") else Path(text).read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"mock option answers is a JSON list or a file with one: {error}"
        ) from error
    if not isinstance(answers, list):
        raise ConfigError("mock option answers is a JSON list or a file with one")
    return answers
