"""Two messages that are one answer are the answer that one request would have brought."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flashlite.providers.anthropic.answers import parse_message
from flashlite.types import Message, continued

CITATION = {"type": "web_search_result_location", "url": "https://x.org", "title": "X"}
BLOCKS: list[dict[str, Any]] = [
    {"type": "text", "text": "One. "},
    {"type": "text", "text": "Two, as X says.", "citations": [CITATION]},
    {"type": "thinking", "thinking": "A", "signature": "s1"},
    {"type": "redacted_thinking", "data": "d"},
    {"type": "server_tool_use", "id": "w", "name": "web_search", "input": {"query": "x"}},
    {"type": "web_search_tool_result", "tool_use_id": "w", "content": []},
    {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}},
    {"type": "tool_use", "id": "c", "name": "f", "input": {}, "caller": {"type": "code"}},
]


def message(blocks: list[dict[str, Any]]) -> Message:
    return parse_message({"content": blocks, "stop_reason": "end_turn"}).message


@given(st.lists(st.lists(st.sampled_from(BLOCKS), max_size=5), min_size=2, max_size=3))
def test_an_answer_in_parts_is_what_it_would_be_in_one(parts: list[list[dict[str, Any]]]) -> None:
    whole = Message.assistant()
    before = json.dumps([message(blocks) for blocks in parts])
    for blocks in parts:
        whole = continued(whole, message(blocks))
    assert whole == message([block for blocks in parts for block in blocks])
    assert json.dumps([message(blocks) for blocks in parts]) == before
