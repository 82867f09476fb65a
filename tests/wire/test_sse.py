import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flashlite.wire import SSEParser, SSEvent


def parse(*chunks: bytes) -> list[SSEvent]:
    parser = SSEParser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return [*events, *parser.close()]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: hello\n\n", [SSEvent(b"hello")]),
        (b"data: a\n\ndata: b\n\n", [SSEvent(b"a"), SSEvent(b"b")]),
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [SSEvent(b"YHOO\n+2\n10")]),
        (b"data:no space\n\n", [SSEvent(b"no space")]),
        (b"data:  two spaces \n\n", [SSEvent(b" two spaces ")]),
        (b"data: a: b\n\n", [SSEvent(b"a: b")]),
        (b"data\n\n", [SSEvent(b"")]),
        (b"data:\n\n", [SSEvent(b"")]),
        (b"data\ndata\n\n", [SSEvent(b"\n")]),
        (b": a comment\n\n:\n\ndata: a\n: another\n\n", [SSEvent(b"a")]),
        (b"\n\n\ndata: a\n\n\n\n", [SSEvent(b"a")]),
        (b"event: ping\n\ndata: a\n\n", [SSEvent(b"a")]),
        (b"event: ping\ndata: a\n\ndata: b\n\n", [SSEvent(b"a", "ping"), SSEvent(b"b")]),
        (b"event: x\nevent: y\ndata: a\n\n", [SSEvent(b"a", "y")]),
        (b"event:\ndata: a\n\n", [SSEvent(b"a", "message")]),
        ("event: Gr\u00fc\u00dfe\ndata: a\n\n".encode(), [SSEvent(b"a", "Gr\u00fc\u00dfe")]),
        (b"event: \xff\ndata: a\n\n", [SSEvent(b"a", "\ufffd")]),
        (b"id: 1\ndata: a\n\ndata: b\n\n", [SSEvent(b"a", id="1"), SSEvent(b"b", id="1")]),
        (b"id: 1\ndata: a\n\nid\ndata: b\n\n", [SSEvent(b"a", id="1"), SSEvent(b"b", id="")]),
        (b"id: 1\n\ndata: a\n\n", [SSEvent(b"a", id="1")]),
        (b"id: 1\x002\ndata: a\n\n", [SSEvent(b"a")]),
        (b"retry: 250\ndata: a\n\ndata: b\n\n", [SSEvent(b"a", retry=250), SSEvent(b"b")]),
        (b"retry: soon\ndata: a\n\n", [SSEvent(b"a")]),
        (b"retry: -1\ndata: a\n\n", [SSEvent(b"a")]),
        (b"retry: " + b"9" * 5000 + b"\ndata: a\n\n", [SSEvent(b"a")]),
        (b"Data: a\ndatum: b\n data: c\n\n", []),
        (b"\xef\xbb\xbfdata: a\n\n", [SSEvent(b"a")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
        (b"data: \xef\xbb\xbfa\n\n\xef\xbb\xbfdata: b\n\n", [SSEvent(b"\xef\xbb\xbfa")]),
        (b"data: a\rdata: b\r\r", [SSEvent(b"a\nb")]),
        (b"data: a\r\ndata: b\r\n\r\n", [SSEvent(b"a\nb")]),
        (b"data: a\r\n\ndata: b\n\rdata: c\r\r\n", [SSEvent(b"a"), SSEvent(b"b"), SSEvent(b"c")]),
        (b"data: a\n\r\ndata: b\n\n", [SSEvent(b"a"), SSEvent(b"b")]),
        (b"", []),
    ],
)  # fmt: skip
def test_a_stream_means_what_the_standard_says(stream: bytes, events: list[SSEvent]) -> None:
    assert parse(stream) == events


@pytest.mark.parametrize("end", [b"", b"\n", b"\r", b"\r\n"])
def test_an_event_without_its_closing_blank_line_is_still_given_out(end: bytes) -> None:
    assert parse(b"data: a\n\ndata: b" + end) == [SSEvent(b"a"), SSEvent(b"b")]


@pytest.mark.parametrize("blank", [b"\n\n", b"\r\n\r\n"])
def test_an_event_is_given_out_with_the_chunk_that_completes_it(blank: bytes) -> None:
    parser = SSEParser()
    assert [list(parser.feed(chunk)) for chunk in (b"da", b"ta: a", blank, b"data: b")] == [
        [],
        [],
        [SSEvent(b"a")],
        [],
    ]


def test_an_event_that_ends_with_cr_is_given_out_with_the_next_chunk() -> None:
    parser = SSEParser()
    assert [list(parser.feed(chunk)) for chunk in (b"data: a\r\r", b"data: b", b"\r\r", b":")] == [
        [],
        [SSEvent(b"a")],
        [],
        [SSEvent(b"b")],
    ]


def test_closing_twice_gives_nothing_more() -> None:
    parser = SSEParser()
    assert list(parser.feed(b"data: a")) == []
    assert [list(parser.close()), list(parser.close())] == [[SSEvent(b"a")], []]


@pytest.mark.timeout(10)
def test_a_line_of_many_megabytes_takes_no_longer_than_its_bytes() -> None:
    """An image; put together anew with each chunk it took 20 seconds, it takes a fifth of one."""
    image, size = b"x" * 2**24, 2**14
    line = b"data: " + image + b"\n\n"
    chunks = (line[start : start + size] for start in range(0, len(line), size))
    assert parse(*chunks) == [SSEvent(image)]


WORDS = st.sampled_from(
    [
        *(b"data: a", b"data:", b"data", b"event: x", b"event", b"id: 1", b"id", b"retry: 5"),
        *(b": comment", b"\xef\xbb\xbf", b"\xc3\xa4", b"\xff", b"\0", b":", b" ", b"unknown: 1"),
    ]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b""])
STREAMS = st.lists(WORDS | ENDS, max_size=20).map(b"".join) | st.binary(max_size=60)


def by_the_book(stream: bytes) -> list[SSEvent]:
    """Read a whole stream as the standard tells it, line by line."""
    events, data, name, last_id, retry = list[SSEvent](), list[bytes](), "", None, None
    lines = re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf"))
    for line in [*lines, b""]:
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if not line:
            if data:
                events.append(SSEvent(b"\n".join(data), name or "message", last_id, retry))
            data, name, retry = [], "", None
        elif field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode(errors="replace")
        elif field == b"id" and b"\0" not in value:
            last_id = value.decode(errors="replace")
        elif field == b"retry" and re.fullmatch(rb"[0-9]+", value):
            retry = int(value)
    return events


@settings(max_examples=200)
@given(STREAMS)
def test_any_bytes_are_read_by_the_book(stream: bytes) -> None:
    assert parse(stream) == by_the_book(stream)


@settings(max_examples=200)
@given(STREAMS)
@example(b"data: a\r\ndata: b\r\n\r\n")
@example(b"\xef\xbb\xbfdata: \xf0\x9f\x98\x80\n\n")
@example(b"data: a\n\n\xef\xbb\xbfdata: b\n\n")
def test_bytes_one_by_one_give_the_same_events(stream: bytes) -> None:
    assert parse(*(bytes([byte]) for byte in stream)) == parse(stream)


@settings(max_examples=200)
@given(STREAMS, st.lists(st.integers(0, 80), max_size=8))
@example(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [9])
def test_bytes_cut_anywhere_give_the_same_events(stream: bytes, places: list[int]) -> None:
    edges = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(edges)]
    assert parse(*chunks) == parse(stream)
