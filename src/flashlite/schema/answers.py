"""Reading a model's text as a value, or as a complaint for the model if that fails."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .shapes import Shape, shape_of

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
    """An answer does not fit; the message is for the model, with one line per problem."""


def validate(model: type[T], text: str) -> T:
    """Return an answer as an instance of the model; raises InvalidAnswer if it does not fit.

    JSON is searched for in the whole text, then in code fences, then anywhere in it, but not in the
    thinking that some servers leave before an answer. If different values in a text fit, such as an
    example and the verdict, InvalidAnswer is raised too, because it is unclear which one is meant.
    """
    from pydantic import ValidationError

    shape = shape_of(model)
    text = text.encode("utf-8", "replace").decode()  # half an emoji is not valid JSON
    try:
        return cast("T", shape.read(text))
    except ValidationError as error:
        if not _is_no_json(error):
            raise InvalidAnswer(complaint(error)) from error
    return cast("T", _read_inside(shape, text))


def _read_inside(shape: Shape, text: str) -> Any:
    """Return the only value in a text that fits; raises InvalidAnswer for none or several."""
    from pydantic import ValidationError

    fitting, unfit = list[Any](), dict[int, ValidationError]()
    answer = _without_thinking(text)
    for candidate in _inside(answer):
        try:
            value = shape.read(candidate)
        except ValidationError as error:
            if not _is_no_json(error):
                unfit.setdefault(len(candidate), error)
        else:
            if value not in fitting:
                fitting.append(value)
    if len(fitting) > 1:
        raise InvalidAnswer(f"{len(fitting)} different JSON values in the answer fit: give one")
    if fitting:
        return fitting[0]
    if unfit:  # the longest is most likely the answer
        raise InvalidAnswer(complaint(unfit[max(unfit)])) from unfit[max(unfit)]
    raise InvalidAnswer(_no_json(answer) if answer.strip() else "the answer is empty")


def partial(model: type[Any], text: str) -> Any:
    """Return an unfinished answer as plain JSON, as far as it is written; None if it has none yet.

    A number at the very end is left out, because digits may follow.
    """
    from pydantic_core import from_json

    is_wrapped, text = shape_of(model).is_wrapped, _without_thinking(text)
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


def _without_thinking(text: str) -> str:
    """Return the text after any thinking that a server left in it, "" if that has not ended."""
    begun = text.lstrip()
    if begun.startswith(("{", "[")):
        return text
    thinking, _, answer = begun.rpartition("</think>")
    if thinking:
        return answer
    return "" if begun.startswith("<think>") else text


def _inside(text: str) -> Iterator[str]:
    for fence in _FENCE.finditer(text):
        yield fence[1]
    for written in _balanced(text):
        # Raw line breaks in a string are invalid, but their meaning is clear.
        with suppress(ValueError, RecursionError):
            yield json.dumps(json.loads(written, strict=False))


def _balanced(text: str) -> Iterator[str]:
    """Yield each outermost piece of text from a bracket to the one that closes it.

    Inner pieces are never yielded, because a part of a broken answer may look like a whole one.
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
        return "there is no JSON in the answer"
    try:
        from_json(text[start.start() :])
    except ValueError as error:
        return f"the answer is not JSON: {error}"
    return "the answer is not JSON"  # pragma: no cover - both parsers accept the same


def complaint(error: ValidationError, *, whole: str = "the answer") -> str:
    """Return one line per problem, for the model; `whole` names what was validated."""
    problems = error.errors(include_url=False, include_context=False)
    lines = [_line(problem, whole) for problem in problems[:MOST_PROBLEMS]]
    if len(problems) > MOST_PROBLEMS:
        lines.append(f"and {len(problems) - MOST_PROBLEMS} more")
    return "\n".join(lines)


def _line(problem: Mapping[str, Any], whole: str) -> str:
    """Return where a problem is, what it is and the value there."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"])
    got = problem["input"]
    is_short = problem["type"] != "missing" and isinstance(got, str | int | float | None)
    shown = f"; got {json.dumps(got, ensure_ascii=False)[:80]}" if is_short else ""
    message = " ".join(problem["msg"].removeprefix("Value error, ").split())
    return f"{path.removeprefix('.') or whole}: {message}{shown}"
