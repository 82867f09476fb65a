"""The options of a mock model, and reading them from text or arguments."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from ...errors import ConfigError

Answer = str | Mapping[str, Any]
"""An answer of a script: its text, or a message in OpenAI's form with an optional finish_reason."""

MALFORMED = ("json", "empty", "html", "choices")


@dataclass(frozen=True, slots=True, kw_only=True)
class MockOptions:
    """The options of a mock model.

    `skill` is the share of prompts that `calculator` answers correctly; `seed` selects which.
    `answers` are the turns of `script`, in the order of requests: a list, a JSON file's path, or a
    function of the request's body. Faults: `status` answers with that status (300 to 599),
    `malformed` (one of json, empty, html, choices) with a broken body; together they give a broken
    body with that status. `cut` breaks the connection: in the middle of a whole answer, or in a
    stream after that many chunks (a shorter stream stays whole). `times` limits faults to the first
    requests; `retry_after` is sent with a status. `latency` is the delay before an answer,
    `chunk_latency` before each chunk of a stream, both in seconds.
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
        if self.status is not None and not 300 <= self.status <= 599:
            raise ConfigError(f"mock option status is from 300 to 599; got {self.status}")
        for name in ("cut", "times", "retry_after", "latency", "chunk_latency"):
            value = getattr(self, name)
            if value is not None and not value >= 0:  # this form also refuses NaN
                raise ConfigError(f"mock option {name} is a number from 0 up; got {value!r}")
        if isinstance(self.answers, str):
            object.__setattr__(self, "answers", _read_answers(self.answers))
        if not callable(self.answers):
            _check_answers(self.answers)

    def at(self, number: int) -> Self:
        """Return the options for a request number, counted from 0, without faults that are over."""
        if self.times is None or number < self.times:
            return self
        return replace(self, status=None, malformed=None, cut=None, retry_after=None)

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """Read options by name; convert text to the option's type, and ignore None.

        Raises ConfigError for a name or a value that does not fit.
        """
        unknown = given.keys() - _CONVERT.keys()
        if unknown:
            raise ConfigError(
                f"unknown mock option {', '.join(sorted(unknown))}: there are {', '.join(_CONVERT)}"
            )
        # An Inspect log stores a function as None, and scoring the log again creates the model
        # again.
        told = {name: value for name, value in given.items() if value is not None}
        return cls(**{name: _convert(name, value) for name, value in told.items()})


_NUMBERS = {"skill": float, "retry_after": float, "latency": float, "chunk_latency": float}
_CONVERT: dict[str, Callable[[Any], Any]] = {
    field.name: _NUMBERS.get(field.name, int) for field in fields(MockOptions)
} | {"malformed": str, "answers": lambda answers: answers}


def json_fault(answer: Any) -> str | None:
    """Return what is wrong with a script's answer, or None."""
    if not isinstance(answer, str | Mapping):
        return f"an answer is a text or a message; got {answer!r}"
    try:
        json.dumps(answer)
    except (TypeError, ValueError, RecursionError) as error:
        return f"an answer has to be JSON: {error}"
    return None


def _convert(name: str, value: Any) -> Any:
    if value == "":
        raise ConfigError(f"mock option {name} has no value: write {name}=..., or leave it out")
    try:
        return _CONVERT[name](value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"mock option {name} cannot be {value!r}") from error


def _read_answers(text: str) -> list[Answer]:
    """Parse a JSON list, given as text or in a file."""
    try:
        answers = json.loads(text if text.lstrip().startswith("[") else Path(text).read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"mock option answers is a JSON list or a file with one: {error}"
        ) from error
    if not isinstance(answers, list):
        raise ConfigError("mock option answers is a JSON list or a file with one")
    return answers


def _check_answers(answers: Any) -> None:
    if not isinstance(answers, Sequence):
        raise ConfigError(f"mock option answers is a list or a function; got {answers!r}")
    for answer in answers:
        if fault := json_fault(answer):
            raise ConfigError(f"mock option answers: {fault}")
