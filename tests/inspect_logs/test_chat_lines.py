"""What was said in a chat is one line to a reader, whatever Markdown is in it."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flashlite.chat import ChatEntry
from flashlite.inspect_logs.chat_lines import as_json, as_markdown

RENDER = MarkdownIt("js-default", {"breaks": True}).render  # as Inspect's viewer does


def said(text: str, *visible_to: str, author: str = "Ann") -> ChatEntry:
    return ChatEntry(author=author, content=text, visible_to=visible_to or None)


def shown(text: str) -> str:
    """Return the words that a reader sees, without what is between them."""
    return re.sub(r"\W", "", unescape(re.sub(r"<[^>]*>", "", RENDER(text))))


def test_a_line_says_who_speaks_to_whom() -> None:
    entries = [
        said("Hello."),
        said("Psst.", "Ben"),
        said("Psst.", "Ann", "Ben", "Cy"),
        ChatEntry(author="Ann", content='{"price": 9}', visible_to=()),
        said(""),
    ]
    assert [as_markdown(entry) for entry in entries] == [
        "**Ann:** Hello.",
        "**Ann → Ben:** Psst.",
        "**Ann → Ben, Cy:** Psst.",
        '**Ann → nobody:** {"price": 9}',
        "**Ann:**",
    ]


def test_programs_read_facts() -> None:
    assert as_json(said(" Psst.\n", "Ann", "Ben")) == {
        "event": "message", "from": "Ann", "to": ["Ben"], "text": " Psst.\n"
    }  # fmt: skip
    assert as_json(said("Hi"))["to"] == "everyone"


@pytest.mark.parametrize(
    "text", ["# Plan", "- one", "1. one", "> quoted", "---", "    code", "~~~"]
)
def test_what_one_line_begins_with_opens_nothing(text: str) -> None:
    html = RENDER(as_markdown(said(text)))
    assert html.startswith("<p><strong>Ann:</strong> ")
    assert unescape(html).endswith(f" {text.strip()}</p>\n")


@pytest.mark.parametrize(
    ("text", "below"),
    [
        ("# Plan\nWe wait.", "<h1>Plan</h1>\n<p>We wait.</p>"),
        ("We wait.\n===", "<h1>We wait.</h1>"),
        ("```python\nx = 1\n```", '<pre><code class="language-python">x = 1\n</code></pre>'),
        ("```\nnever closed", "<pre><code>never closed</code></pre>"),
        ("- one\n- two", "<ul>\n<li>one</li>\n<li>two</li>\n</ul>"),
    ],
)
def test_several_lines_stand_below_as_the_markdown_that_they_are(text: str, below: str) -> None:
    html = RENDER(as_markdown(said(text, "Ben")))
    assert html == f"<p><strong>Ann → Ben:</strong></p>\n{below}\n"


@pytest.mark.parametrize(
    "text",
    [
        "[Ben]: No.",
        "[Ben]: https://example.org",
        "Look:\n\n[note]: https://example.org",
        "- [a\\]b]:https://example.org 'title'\n- x",
    ],
)
def test_nothing_vanishes_as_the_address_of_a_link(text: str) -> None:
    assert shown(as_markdown(said(text))) == re.sub(r"\W", "", "Ann" + text)
    assert "]: " not in as_markdown(said(text))  # which Inspect's viewer shows without the colon


NAMES = st.text("Ab1 *_`~$#!|\\<&.-→", min_size=1, max_size=8).map(str.strip).filter(bool)
TEXTS = st.text("ab1 \n\r\t*_`~#>-=+|[]():!\\.<&", max_size=40)


@given(author=NAMES, reader=NAMES, text=TEXTS)
def test_whatever_is_said_the_head_is_as_it_should_be(author: str, reader: str, text: str) -> None:
    html = RENDER(as_markdown(said(text, reader, author=author)))
    who = f"{author} → {reader if reader != author else 'nobody'}:"
    head = re.match(r"<p><strong>(.*?)</strong>(?: |</p>)", html)
    assert head is not None
    assert unescape(head[1]) == who
