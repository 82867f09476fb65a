"""The filters of the seeds, on whatever a prompt is given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from flashlite import ConfigError, Templates


class Person(BaseModel):
    name: str
    born: date


@dataclass
class Point:
    x: int


def filtered(value: Any, filters: str) -> str:
    return Templates().render("{{ value | " + filters + " }}", {"value": value})


@pytest.mark.parametrize(
    ("value", "filters", "text"),
    [
        ({"<b> & 'c'": "é", "d": [1, None]}, "json", """{"<b> & 'c'": "é", "d": [1, null]}"""),
        ({"a": 1}, "json(indent=2)", '{\n  "a": 1\n}'),
        ({"a": "<b>"}, "tojson", '{"a": "<b>"}'),
        ([Person(name="Ada", born=date(1815, 12, 10)), Point(1)], "json",
         '[{"name": "Ada", "born": "1815-12-10"}, {"x": 1}]'),
        ("one two", "truncate_words(2)", "one two"),
        ("one\n two  three", "truncate_words(2)", "one\n two..."),
        ("one two", "truncate_words(1, end=' […]')", "one […]"),
        (12, "truncate_words(1)", "12"),
        ("abcdef", "truncate_chars(6)", "abcdef"),
        ("abcdef", "truncate_chars(5)", "ab..."),
        ("abcdef", "truncate_chars(2)", ".."),
        ("abcdef", "truncate_chars(3, end='')", "abc"),
        (["a", 1], "bullet_list", "- a\n- 1"),
        (["a\nb", "c"], "bullet_list('*')", "* a\n  b\n* c"),
        ({"a": 1}, "bullet_list", "- a: 1"),
        ([], "bullet_list", ""),
        (["a\nb", "c"], "numbered_list", "1. a\n   b\n2. c"),
        (["a", "b"], "numbered_list(start=9)", "9. a\n10. b"),
        ("a < b", "wrap_xml('document')", "<document>\na < b\n</document>"),
        ("</document>", "e | wrap_xml('document')", "<document>\n&lt;/document&gt;\n</document>"),
    ],
)  # fmt: skip
def test_a_filter_gives_the_text_that_a_prompt_needs(value: Any, filters: str, text: str) -> None:
    assert filtered(value, filters) == text


@pytest.mark.parametrize(
    ("value", "filters", "reason"),
    [
        (object(), "json", "TypeError: JSON cannot say a object"),
        ("a", "truncate_words(0)", "ValueError: a limit is 1 or more; got 0"),
        ("abc", "truncate_chars(-1)", "ValueError: a limit is 1 or more; got -1"),
        ("abc", "bullet_list", "TypeError: a list is made of a list; got a text"),
        (5, "numbered_list", "TypeError: 'int' object is not iterable"),
        ("a", "wrap_xml('a b')", "ValueError: 'a b' is not the name of a tag"),
    ],
)
def test_what_a_filter_cannot_do_is_an_error(value: Any, filters: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        filtered(value, filters)
    assert str(caught.value) == f"<template>, line 1: {reason}"


@pytest.mark.parametrize(
    "filters",
    ["json", "truncate_words(1)", "truncate_chars(1)", "bullet_list", "numbered_list",
     "wrap_xml('a')"],
)  # fmt: skip
def test_every_filter_refuses_an_undefined_variable(filters: str) -> None:
    with pytest.raises(ConfigError, match="line 1: 'value' is undefined"):
        Templates().render("{{ value | " + filters + " }}")


@given(st.text(), st.integers(1, 30))
def test_no_text_is_longer_than_its_limit(text: str, limit: int) -> None:
    templates = Templates()
    given = {"text": text, "limit": limit}
    assert len(templates.render("{{ text | truncate_chars(limit) }}", given)) <= limit
    words = templates.render("{{ text | truncate_words(limit, end='') }}", given)
    assert words.split() == text.split()[:limit]
    assert text.startswith(words)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_json_is_read_back_as_it_was(value: Any) -> None:
    assert json.loads(filtered(value, "json")) == value
