"""From what a model wrote to a value, and to the complaint that it reads if that fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .shapes import shape_of

if TYPE_CHECKING:
    from pydantic import ValidationError

T = TypeVar("T")

MOST_PROBLEMS = 10
_BRACKET = re.compile(r"[{\[]")
_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[{}\[\]]', re.DOTALL)
_DEPTH = {"{": 1, "[": 1, "}": -1, "]": -1}
_NUMBER = "0123456789.eE+-"


class InvalidAnswer(ValueError):
    """An answer does not fit; the message is for the model: one line for each problem."""


def validate(model: type[T], text: str) -> T:
    """Return the instance that an answer is.

    JSON is looked for in the whole text, then in fences, then anywhere in it. Raises InvalidAnswer.
    """
    from pydantic import ValidationError

    shape = shape_of(model)
    text = text.encode("utf-8", "replace").decode()  # half an emoji is nothing that JSON can say
    try:
        return cast("T", shape.read(text))
    except ValidationError as error:
        if not _is_no_json(error):
            raise InvalidAnswer(complaint(error)) from error
    unfit = dict[int, ValidationError]()
    for candidate in _inside(text):
        try:
            return cast("T", shape.read(candidate))
        except ValidationError as error:
            if not _is_no_json(error):
                unfit.setdefault(len(candidate), error)
    if unfit:  # the longest is most likely what was meant
        raise InvalidAnswer(complaint(unfit[max(unfit)])) from unfit[max(unfit)]
    raise InvalidAnswer(_no_json(text))


def partial(model: type[Any], text: str) -> Any:
    """Return an unfinished answer as plain JSON, as far as it is written; None while it is nothing.

    A number at the very end is left out, because digits may follow.
    """
    from pydantic_core import from_json

    is_wrapped = shape_of(model).is_wrapped
    start = _BRACKET.search(text) if is_wrapped else re.search("{", text)
    if start is None:
        return None
    written = text[start.start() :]
    settled = written.rstrip(_NUMBER)
    if settled.endswith((":", ",", "[", " ", "\n", "\t")):
        written = settled
    try:
        value = from_json(written, allow_partial="trailing-strings")
    except (TypeError, ValueError):  # prose with a bracket in it, or half an emoji
        return None
    return value.get("value") if is_wrapped and isinstance(value, Mapping) else value


def _inside(text: str) -> Iterator[str]:
    for fence in _FENCE.finditer(text):
        yield fence[1]
    for written in _balanced(text):
        # Raw line breaks in a text are a mistake that leaves no doubt about what was meant.
        with suppress(ValueError, RecursionError):
            yield json.dumps(json.loads(written, strict=False))


def _balanced(text: str) -> Iterator[str]:
    """Yield what stands from a bracket to the one that closes it; never what stands inside.

    A part of a broken answer may look like a whole one.
    """
    end = 0
    while bracket := _BRACKET.search(text, end):
        start, depth = bracket.start(), 0
        for token in _TOKEN.finditer(text, start):
            depth += _DEPTH.get(token[0], 0)
            if depth == 0:
                break
        else:
            return
        end = token.end()
        yield text[start:end]


def _is_no_json(error: ValidationError) -> bool:
    first = error.errors(include_url=False, include_context=False)[0]
    return first["type"] == "json_invalid" and not first["loc"]


def _no_json(text: str) -> str:
    from pydantic_core import from_json

    start = _BRACKET.search(text)
    if start is None:
        return "there is no JSON in the answer" if text.strip() else "the answer is empty"
    try:
        from_json(text[start.start() :])
    except ValueError as error:
        return f"the answer is not JSON: {error}"
    return "the answer is not JSON"  # pragma: no cover - what one parser takes, so does the other


def complaint(error: ValidationError, *, whole: str = "the answer") -> str:
    """Return what is wrong, for the model: one line for each problem; `whole` names what it is."""
    problems = error.errors(include_url=False, include_context=False)
    lines = [_line(problem, whole) for problem in problems[:MOST_PROBLEMS]]
    if len(problems) > MOST_PROBLEMS:
        lines.append(f"and {len(problems) - MOST_PROBLEMS} more")
    return "\n".join(lines)


def _line(problem: Mapping[str, Any], whole: str) -> str:
    """Say where the problem is, what it is and what stands there."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"])
    got = problem["input"]
    is_short = problem["type"] != "missing" and isinstance(got, str | int | float | None)
    shown = f"; got {json.dumps(got, ensure_ascii=False)[:80]}" if is_short else ""
    message = " ".join(problem["msg"].removeprefix("Value error, ").split())
    return f"{path.removeprefix('.') or whole}: {message}{shown}"
