"""Tool calls in the text of an answer: found however it is cut, and text stays text."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flashlite import Flashlite, Message, StreamEventType, ToolCall
from flashlite.providers.hosts import HOSTS
from flashlite.providers.text_tool_calls import OPEN, TextToolCalls, WrittenCall, pieces_of
from flashlite.testing import ReplayTransport, Reply

from .cases import plain

TOOLS = [{"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}]
CALL = '<tool_call>\n{"name": "search", "arguments": {"query": ["q"]}}\n</tool_call>'
SEARCH = WrittenCall("search", '{"query": ["q"]}')

READ: dict[str, tuple[str, list[str | WrittenCall]]] = {
    "a call alone": (CALL, [SEARCH]),
    "a call behind words": (f"I'll search.\n{CALL}", ["I'll search.\n", SEARCH]),
    "words behind a call": (f"{CALL}\n\nDone. ", [SEARCH, "Done. "]),
    "two calls": (f"{CALL}\n{CALL}", [SEARCH, SEARCH]),
    "two calls in one tag": (
        '<tool_call>{"name": "a", "arguments": {}}\n{"name": "b", "arguments": {}}</tool_call>',
        [WrittenCall("a", "{}"), WrittenCall("b", "{}")],
    ),
    "no arguments": ('<tool_call>{"name": "now"}</tool_call>', [WrittenCall("now", "")]),
    "null for arguments": (
        '<tool_call>{"name": "now", "arguments": null}</tool_call>',
        [WrittenCall("now", "")],
    ),
    "arguments first": (
        '<tool_call>{"arguments": {"q": 1}, "name": "a"}</tool_call>',
        [WrittenCall("a", '{"q": 1}')],
    ),
    "arguments as text": (
        r'<tool_call>{"name": "a", "arguments": "{\"q\": 1}"}</tool_call>',
        [WrittenCall("a", '{"q": 1}')],
    ),
    "parameters for arguments": (
        '<tool_call>{"name": "a", "parameters": {"q":1}}</tool_call>',
        [WrittenCall("a", '{"q":1}')],
    ),
    "an end tag in the arguments": (
        '<tool_call>{"name": "a", "arguments": {"q": "\\"</tool_call>"}}</tool_call>.',
        [WrittenCall("a", '{"q": "\\"</tool_call>"}'), "."],
    ),
    "no end tag": (CALL.removesuffix("</tool_call>"), [SEARCH]),
    "no end tag before the next call": (
        f"{CALL.removesuffix('</tool_call>')}{CALL}",
        [SEARCH, SEARCH],
    ),
    "a brace too few": (
        '<tool_call>{"name": "a", "arguments": {"q": 1}</tool_call>',
        [WrittenCall("a", '{"q": 1}')],
    ),
    "a brace too many": (
        '<tool_call>{"name": "a", "arguments": {"q": 1}}}</tool_call>',
        [WrittenCall("a", '{"q": 1}')],
    ),
    "a comma too many": (
        '<tool_call>{"name": "a", "arguments": {"q": 1,}}</tool_call>.',
        [WrittenCall("a", '{"q": 1,}'), "."],
    ),
    "a comma too many, and the name behind it": (
        '<tool_call>{"arguments": {"q": 1,}, "name": "a"}</tool_call>',
        [WrittenCall("a", '{"q": 1,}')],
    ),
    "single quotes": (
        "<tool_call>{'name': 'a', 'arguments': {'q': 1}}</tool_call>",
        [WrittenCall("a", "{'q': 1}")],
    ),
    "a broken call before a good one": (
        f'<tool_call>{{"name": "a", "arguments": {{"q": "}}}}</tool_call>\n{CALL}',
        [WrittenCall("a", '{"q": "}'), SEARCH],
    ),
    "cut in the arguments": (
        '<tool_call>{"name": "a", "arguments": {"q": "par',
        [WrittenCall("a", '{"q": "par')],
    ),
    "cut before the arguments": (
        '<tool_call>{"name": "a", "argu',
        [WrittenCall("a", ', "argu')],
    ),
    "words inside the tag": (
        '<tool_call>{"name": "a", "arguments": {}} now</tool_call>',
        [WrittenCall("a", "{}"), "now</tool_call>"],
    ),
}


@pytest.mark.parametrize(("text", "pieces"), READ.values(), ids=READ)
def test_calls_are_read_out_of_a_text(text: str, pieces: list[str | WrittenCall]) -> None:
    assert list(pieces_of(text)) == pieces


ONLY_TEXT = {
    "no tag": "1 < 2 and 3 > 2",
    "words about the tag": "Write <tool_call> and then {",
    "a tag that is never finished": "so <tool_ca",
    "an end tag": "that is it</tool_call>",
    "no name": '<tool_call>{"arguments": {"name": "Bob"}}</tool_call>',
    "a name that is no text": '<tool_call>{"name": 1, "arguments": {}}</tool_call>',
    "an example": "<tool_call>\n{...}\n</tool_call>",
    "cut in the name": '<tool_call>{"name": "sea',
    "cut behind the name": '<tool_call>{"name": "search"',
    "cut before the arguments begin": '<tool_call>{"name": "search", "arguments": ',
    "another language": "<tool_call>\n<function=search>\n</function>\n</tool_call>",
    "a list": "<tool_call>[1]</tool_call>",
}


@pytest.mark.parametrize("text", ONLY_TEXT.values(), ids=ONLY_TEXT)
def test_what_only_looks_like_a_call_stays_text(text: str) -> None:
    assert "".join(as_text(list(pieces_of(text)))) == text


@pytest.mark.parametrize("name", ["a comma too many", "single quotes", "cut in the arguments"])
def test_malformed_arguments_say_what_is_wrong_with_them(name: str) -> None:
    call = next(piece for piece in READ[name][1] if isinstance(piece, WrittenCall))
    read = ToolCall("", *call)
    assert (read.arguments, read.arguments_json) == ({}, call.arguments)
    assert read.parse_error is not None


def test_an_unfinished_call_does_not_hide_a_whole_one_behind_it() -> None:
    text = f'<tool_call>{{"arguments": 1}} {CALL}'
    assert list(pieces_of(text))[-1] == SEARCH


PIECES = st.sampled_from(
    [
        *(text for text, _ in READ.values()),
        *ONLY_TEXT.values(),
        *("<tool_call>", "</tool_call>", '{"name": "a"', '"', "'", "{", "}", "\\", "<", " ", "\n"),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=6).map("".join)


@given(text=TEXTS, data=st.data())
def test_a_text_cut_anywhere_is_read_as_if_it_were_whole(text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8).map(sorted))
    places = [0, *cuts, len(text)]
    assert joined(fed(text[start:end] for start, end in pairwise(places))) == joined(
        pieces_of(text)
    )


@given(text=TEXTS)
def test_a_text_in_single_characters_is_read_as_if_it_were_whole(text: str) -> None:
    assert joined(fed(text)) == joined(pieces_of(text))


@given(text=TEXTS, data=st.data())
def test_a_mutated_call_is_never_an_error(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    more = data.draw(st.text(max_size=3))
    dropped = data.draw(st.integers(0, 5))
    for piece in pieces_of(text[:at] + more + text[at + dropped :]):
        assert isinstance(piece, str) or piece.name


@given(text=st.text() | TEXTS.filter(lambda text: OPEN not in text))
@example("a < b <tool <tool_call")
def test_a_text_without_tags_is_passed_on_at_once(text: str) -> None:
    parser, seen = TextToolCalls(), ""
    for end in range(1, len(text) + 1):
        seen += "".join(as_text(list(parser.feed(text[end - 1]))))
        held = text[len(seen) : end]
        assert text.startswith(seen)
        assert OPEN.startswith(held)
    assert seen + "".join(as_text(list(parser.close()))) == text


SPACE = " \n" * 50_000


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("<tool_call>{" * 20_000 + "</tool_call>", []),
        ('<tool_call>{"' * 20_000 + "</tool_call>", []),
        (f"<tool_call>{SPACE}{{}}", []),
        (f'<tool_call>{{"name": "a"{SPACE}x</tool_call>', [WrittenCall("a", f"{SPACE}x")]),
        (
            f'<tool_call>{{"arguments": {{x,{SPACE}x}}, "name": "a"{SPACE}}}</tool_call>',
            [WrittenCall("a", f"{{x,{SPACE}x}}")],
        ),
        ('<tool_call>{"arguments": {}, "name": "a"}' * 5_000, [WrittenCall("a", "{}")] * 5_000),
    ],
    ids=["beginnings", "quotes", "space behind a tag", "space", "space before a name", "calls"],
)
def test_what_a_looping_model_writes_is_read_in_no_time(
    text: str, calls: list[WrittenCall]
) -> None:
    """Each would take minutes, were any part of it read again and again."""
    cut = [text[start : start + 1000] for start in range(0, len(text), 1000)]
    for pieces in (list(pieces_of(text)), fed(cut)):
        assert [piece for piece in pieces if isinstance(piece, WrittenCall)] == calls
        assert calls or "".join(as_text(pieces)) == text


def test_a_deep_nest_of_braces_is_no_error() -> None:
    text = '<tool_call>{"name": "a", "arguments": ' + '{"a":' * 100_000
    (call,) = pieces_of(text)
    assert isinstance(call, WrittenCall)
    assert ToolCall("", *call).parse_error is not None


def client(reply: Reply, model: str = "lightllm/m") -> Flashlite:
    return Flashlite(model, transport=ReplayTransport([reply]))


def answer(content: Any, **message: Any) -> Reply:
    said = {"role": "assistant", "content": content, **message}
    return Reply.of({"choices": [{"message": said, "finish_reason": "stop"}]})


def stream(texts: Any, finish_reason: str = "stop") -> Reply:
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason}]}
    return Reply.stream([*chunks, last])


def test_the_servers_that_may_leave_calls_in_the_text() -> None:
    assert {host.name for host in HOSTS if host.reads_text_calls} == {
        "lightllm",
        "llamacpp",
        "lmstudio",
        "ollama",
        "sglang",
        "vllm",
    }


async def test_a_whole_answer_gets_its_calls() -> None:
    response = await client(answer(f"I'll search.\n{CALL}")).complete("Hi", tools=TOOLS)
    (call,) = response.tool_calls or ()
    assert (response.content, response.finish_reason) == ("I'll search.\n", "tool_calls")
    assert (call.name, call.arguments) == ("search", {"query": ["q"]})
    assert re.fullmatch("call_[0-9a-f]{16}", call.id)


async def test_an_answer_of_calls_alone_has_no_content() -> None:
    response = await client(answer(CALL)).complete("Hi", tools=TOOLS)
    assert response.message["content"] is None


async def test_the_ids_of_two_answers_differ() -> None:
    ids = [
        call.id
        for _ in range(2)
        for call in (await client(answer(CALL * 2)).complete("Hi", tools=TOOLS)).tool_calls or ()
    ]
    assert len(set(ids)) == 4


async def test_a_stream_gets_its_calls() -> None:
    reply = stream(f"Hm <\n{CALL}")
    events = [event async for event in client(reply).stream("Hi", tools=TOOLS)]
    (end,) = [e.data for e in events if e.type is StreamEventType.TOOL_CALL_END]
    said = "".join(e.data for e in events if e.type is StreamEventType.TOKEN)
    whole = events[-1].data
    assert said == whole.content == "Hm <\n"
    assert (end.name, end.arguments_json) == ("search", '{"query": ["q"]}')
    assert (whole.tool_calls, whole.finish_reason) == ([end], "tool_calls")
    assert [e.type.value for e in events[-4:]] == [
        "tool_call_start",
        "tool_call_delta",
        "tool_call_end",
        "done",
    ]


async def test_a_stream_of_text_alone_is_left_as_it_is() -> None:
    reply = stream(["Hello", " <", "b>"])
    events = [event async for event in client(reply).stream("Hi", tools=TOOLS)]
    assert [plain(event) for event in events] == [
        ["token", "Hello", 0],
        ["token", " ", 0],
        ["token", "<b>", 0],
        ["done"],
    ]
    assert events[-1].data.finish_reason == "stop"


async def test_an_answer_that_was_cut_off_says_so() -> None:
    reply = stream([CALL[:-20]], finish_reason="length")
    events = [event async for event in client(reply).stream("Hi", tools=TOOLS)]
    response = events[-1].data
    assert response.finish_reason == "length"
    assert response.tool_calls[0].parse_error is not None


async def test_every_choice_of_a_stream_has_its_own_calls() -> None:
    texts = {0: CALL, 1: "no < call", 2: f"{CALL}{CALL}"}
    chunks = [
        {"choices": [{"index": index, "delta": {"content": text[place]}}]}
        for place in range(200)
        for index, text in texts.items()
        if place < len(text)
    ]
    ends = [{"choices": [{"index": n, "delta": {}, "finish_reason": "stop"}]} for n in texts]
    events = client(Reply.stream([*chunks, *ends])).stream("Hi", tools=TOOLS, n=3)
    response = [event async for event in events][-1].data
    assert [len(choice.message.tool_calls or ()) for choice in response.choices] == [1, 0, 2]
    assert [choice.message.text for choice in response.choices] == ["", "no < call", ""]


OWN = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": "{}"}}


async def test_where_the_server_gives_calls_the_text_is_text() -> None:
    response = await client(answer(CALL, tool_calls=[OWN])).complete("Hi", tools=TOOLS)
    assert (response.content, [call.id for call in response.tool_calls or ()]) == (CALL, ["c1"])


async def test_where_a_streaming_server_gives_calls_the_text_behind_them_is_text() -> None:
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": "a <tool"}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, **OWN}]}}]},
        {"choices": [{"index": 0, "delta": {"content": CALL}, "finish_reason": "tool_calls"}]},
    ]
    events = [event async for event in client(Reply.stream(chunks)).stream("Hi", tools=TOOLS)]
    response = events[-1].data
    assert response.content == f"a <tool{CALL}"
    assert [call.id for call in response.tool_calls] == ["c1"]


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("lightllm/m", {}),
        ("lightllm/m", {"tools": TOOLS, "tool_choice": "none"}),
        ("openai/m", {"tools": TOOLS, "api_key": "a-test-key"}),
    ],
    ids=["no tools", "no tool may be called", "a host that reads calls itself"],
)
async def test_where_nobody_asked_for_calls_the_text_is_text(model: str, options: Any) -> None:
    whole = await client(answer(CALL), model).complete("Hi", **options)
    events = [e async for e in client(stream([CALL]), model).stream("Hi", **options)]
    for response in (whole, events[-1].data):
        assert (response.content, response.tool_calls) == (CALL, None)


async def test_an_answer_goes_back_with_its_call_once() -> None:
    transport = ReplayTransport([answer(f"Well.{CALL}"), answer("Done.")])
    talk = Flashlite("vllm/m", transport=transport)
    first = await talk.complete("Hi", tools=TOOLS)
    (call,) = first.tool_calls or ()
    await talk.complete(["Hi", first.message, Message.tool_result(call.id, "found")], tools=TOOLS)
    sent = transport.requests[1].json["messages"]
    assert sent[1:] == [
        {"role": "assistant", "content": "Well.", "tool_calls": [call.to_dict()]},
        {"role": "tool", "content": "found", "tool_call_id": call.id},
    ]
    assert json.dumps(sent).count("query") == 1


def fed(chunks: Any) -> list[str | WrittenCall]:
    parser = TextToolCalls()
    return [*(piece for chunk in chunks for piece in parser.feed(chunk)), *parser.close()]


def joined(pieces: Any) -> list[str | WrittenCall]:
    """Put neighbouring texts together."""
    whole: list[Any] = []
    for piece in pieces:
        if whole and isinstance(piece, str) and type(whole[-1]) is str:
            whole[-1] += piece
        else:
            whole.append(piece)
    return whole


def as_text(pieces: list[str | WrittenCall]) -> list[str]:
    assert all(isinstance(piece, str) for piece in pieces)
    return [str(piece) for piece in pieces]
