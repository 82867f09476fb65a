"""The template filters that flashlite adds to Jinja's own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count, islice
from typing import Any

_TAG = re.compile(r"[^\W\d][\w.:-]*")


def to_json(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON: `{{ data | json }}`, `{{ data | json(indent=2) }}`.

    Also takes what pydantic can serialize (models, dataclasses, dates). Nothing is escaped beyond
    what JSON requires: `<`, `&` and letters of any alphabet stay as they are.
    """
    from pydantic_core import to_jsonable_python

    plain = to_jsonable_python(value, fallback=_refuse)
    return json.dumps(plain, indent=indent, ensure_ascii=False)


def truncate_words(content: Any, limit: int, end: str = "...") -> str:
    """Return the first `limit` words of a text, spaced as they are, with `end` if it has more."""
    text = str(content)
    words = list(islice(re.finditer(r"\S+", text), _checked(limit) + 1))
    return text if len(words) <= limit else text[: words[limit - 1].end()] + end


def truncate_chars(content: Any, limit: int, end: str = "...") -> str:
    """Return at most `limit` characters of a text, including `end` if it was cut."""
    text = str(content)
    if len(text) <= _checked(limit):
        return text
    return text[: max(limit - len(end), 0)] + end[:limit]


def bullet_list(items: Iterable[Any], bullet: str = "-") -> str:
    """Return a bulleted line for each item; further lines of an item are indented."""
    return "\n".join(_item(f"{bullet} ", line) for line in _lines(items))


def numbered_list(items: Iterable[Any], start: int = 1) -> str:
    """Return a numbered line for each item; further lines of an item are indented."""
    numbered = zip(count(start), _lines(items), strict=False)
    return "\n".join(_item(f"{number}. ", line) for number, line in numbered)


def wrap_xml(content: Any, tag: str) -> str:
    """Return the content between an opening and a closing tag, each on its own line.

    The content is not escaped, so that the model reads code and markup as they were written. For
    content that must not close the tag, escape it: `{{ content | e | wrap_xml("tag") }}`.
    """
    if not _TAG.fullmatch(tag):
        raise ValueError(f"{tag!r} is not the name of a tag")
    return f"<{tag}>\n{content!s}\n</{tag}>"


FILTERS: Mapping[str, Callable[..., str]] = {
    "json": to_json,
    "tojson": to_json,  # Jinja's own is for HTML: it writes < as \u003c
    "truncate_words": truncate_words,
    "truncate_chars": truncate_chars,
    "bullet_list": bullet_list,
    "numbered_list": numbered_list,
    "wrap_xml": wrap_xml,
}


def _refuse(value: Any) -> Any:
    from jinja2 import Undefined

    if isinstance(value, Undefined):
        str(value)  # raises an error that names what is undefined
    raise TypeError(f"JSON cannot say a {type(value).__name__}")


def _checked(limit: int) -> int:
    if limit < 1:
        raise ValueError(f"a limit is 1 or more; got {limit}")
    return limit


def _lines(items: Iterable[Any]) -> Iterator[str]:
    if isinstance(items, str):
        raise TypeError("a list is made of a list; got a text")
    if isinstance(items, Mapping):
        return (f"{key}: {value}" for key, value in items.items())
    return map(str, items)


def _item(mark: str, text: str) -> str:
    return mark + text.replace("\n", "\n" + " " * len(mark))
