from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashlite.errors import StreamInterruptedError
from flashlite.types import (
    Choice,
    Delta,
    Message,
    StreamAccumulator,
    StreamEvent,
    StreamEventType,
    ToolCall,
    ToolCallDelta,
    Usage,
)

TOKEN, REASONING, START, PIECE, END = (
    StreamEventType.TOKEN,
    StreamEventType.REASONING,
    StreamEventType.TOOL_CALL_START,
    StreamEventType.TOOL_CALL_DELTA,
    StreamEventType.TOOL_CALL_END,
)
STOP = Delta(finish_reason="stop")


def piece(index: int, id: str = "", name: str = "", arguments: str = "") -> Delta:
    return Delta(tool_call=ToolCallDelta(index, id, name, arguments))


def answer(*deltas: Delta) -> tuple[list[StreamEvent], tuple[Choice, ...]]:
    parts = StreamAccumulator()
    events = [event for delta in deltas for event in parts.feed(delta)]
    return events, parts.choices()


def test_text_becomes_tokens_and_one_message() -> None:
    assert answer(Delta(text="Hel"), Delta(text="lo"), STOP) == (
        [StreamEvent(TOKEN, "Hel"), StreamEvent(TOKEN, "lo")],
        (Choice(message=Message.assistant("Hello"), finish_reason="stop"),),
    )


def test_a_whole_call_takes_the_next_place_and_an_id_by_it() -> None:
    calls = [ToolCall("", "f", '{"a": 1}'), ToolCall("c2", "f", "{}"), ToolCall("", "g", "{}")]
    _, (choice,) = answer(*(Delta(tool_call=call) for call in calls), STOP)
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls == [
        ToolCall("call_0", "f", '{"a": 1}'),
        ToolCall("c2", "f", "{}"),
        ToolCall("call_2", "g", "{}"),
    ]


def test_reasoning_comes_before_the_text_of_the_same_piece() -> None:
    assert answer(Delta(text="4", reasoning="2+2"), Delta(reasoning="!"), STOP) == (
        [StreamEvent(REASONING, "2+2"), StreamEvent(TOKEN, "4"), StreamEvent(REASONING, "!")],
        (Choice(message=Message.assistant("4", reasoning_content="2+2!"), finish_reason="stop"),),
    )


def test_a_refusal_is_part_of_the_answer_and_no_event() -> None:
    assert answer(Delta(refusal="I "), Delta(refusal="won't."), STOP) == (
        [],
        (Choice(message=Message.assistant(refusal="I won't."), finish_reason="stop"),),
    )


def test_log_probabilities_are_put_one_after_the_other() -> None:
    events, choices = answer(
        Delta(text="a", logprobs={"content": [{"token": "a"}], "refusal": None}),
        Delta(text="b", logprobs={"content": [{"token": "b"}]}),
        STOP,
    )
    assert [choice.logprobs for choice in choices] == [
        {"content": [{"token": "a"}, {"token": "b"}], "refusal": []}
    ]
    assert events == [StreamEvent(TOKEN, "a"), StreamEvent(TOKEN, "b")]


def test_an_answer_without_anything_has_no_content() -> None:
    assert answer(Delta(), STOP) == (
        [],
        (Choice(message=Message.assistant(), finish_reason="stop"),),
    )


def test_choices_are_kept_apart_and_come_in_their_order() -> None:
    events, choices = answer(
        Delta(index=1, text="B"),
        Delta(index=0, text="A"),
        Delta(index=1, text="b", finish_reason="length"),
        Delta(index=0, finish_reason="stop"),
    )
    assert events == [
        StreamEvent(TOKEN, "B", index=1),
        StreamEvent(TOKEN, "A", index=0),
        StreamEvent(TOKEN, "b", index=1),
    ]
    assert choices == (
        Choice(message=Message.assistant("A"), finish_reason="stop", index=0),
        Choice(message=Message.assistant("Bb"), finish_reason="length", index=1),
    )


def test_a_call_starts_gains_arguments_and_ends() -> None:
    call = ToolCall("c1", "add", '{"a":1}')
    assert answer(
        piece(0, "c1", "add"),
        piece(0, arguments='{"a"'),
        piece(0, arguments=":1}"),
        Delta(finish_reason="tool_calls"),
    ) == (
        [
            StreamEvent(START, ToolCallDelta(0, "c1", "add")),
            StreamEvent(PIECE, ToolCallDelta(0, "c1", "add", '{"a"')),
            StreamEvent(PIECE, ToolCallDelta(0, "c1", "add", ":1}")),
            StreamEvent(END, call),
        ],
        (Choice(message=Message.assistant(tool_calls=[call]), finish_reason="tool_calls"),),
    )


def test_pieces_of_parallel_calls_may_come_in_turns() -> None:
    add, sub = ToolCall("c1", "add", '{"a":1}'), ToolCall("c2", "sub", '{"b":2}')
    assert answer(
        piece(0, "c1", "add", '{"a"'),
        piece(1, "c2", "sub", '{"b"'),
        piece(0, arguments=":1}"),
        piece(1, arguments=":2}"),
        Delta(finish_reason="tool_calls"),
    ) == (
        [
            StreamEvent(START, ToolCallDelta(0, "c1", "add")),
            StreamEvent(PIECE, ToolCallDelta(0, "c1", "add", '{"a"')),
            StreamEvent(START, ToolCallDelta(1, "c2", "sub")),
            StreamEvent(PIECE, ToolCallDelta(1, "c2", "sub", '{"b"')),
            StreamEvent(PIECE, ToolCallDelta(0, "c1", "add", ":1}")),
            StreamEvent(PIECE, ToolCallDelta(1, "c2", "sub", ":2}")),
            StreamEvent(END, add),
            StreamEvent(END, sub),
        ],
        (Choice(message=Message.assistant(tool_calls=[add, sub]), finish_reason="tool_calls"),),
    )


def test_calls_come_in_the_order_of_their_positions() -> None:
    _, (choice,) = answer(
        piece(1, "c2", "sub"), piece(0, "c1", "add"), Delta(finish_reason="tool_calls")
    )
    assert choice.message.tool_calls == [ToolCall("c1", "add"), ToolCall("c2", "sub")]


@pytest.mark.parametrize(
    "deltas",
    [
        [piece(0, "c1", "", '{"a"'), piece(0, "", "add", ":1}")],
        [piece(0, "", "", '{"a"'), piece(0, "", "", ":1}"), piece(0, "c1", "add")],
    ],
)
def test_a_call_whose_name_comes_late_starts_with_its_name(deltas: list[Delta]) -> None:
    events, _ = answer(*deltas, STOP)
    assert events == [
        StreamEvent(START, ToolCallDelta(0, "c1", "add")),
        StreamEvent(PIECE, ToolCallDelta(0, "c1", "add", '{"a":1}')),
        StreamEvent(END, ToolCall("c1", "add", '{"a":1}')),
    ]


def test_calls_that_share_an_index_are_told_apart_by_their_ids() -> None:
    parts = StreamAccumulator()
    pieces = [
        ToolCallDelta(0, "a", "add", '{"x":'),
        ToolCallDelta(0, "", "", "1}"),
        ToolCallDelta(0, "b", "mul", '{"x":'),
        ToolCallDelta(0, "b", "", "2}"),
    ]
    for piece in pieces:
        list(parts.feed(Delta(tool_call=piece)))
    list(parts.feed(Delta(finish_reason="tool_calls")))
    assert parts.choices()[0].message.tool_calls == [
        ToolCall("a", "add", '{"x":1}'),
        ToolCall("b", "mul", '{"x":2}'),
    ]


def test_a_call_that_never_gets_a_name_starts_before_it_ends() -> None:
    events, _ = answer(piece(0, "c1", "", "{}"), STOP)
    assert events == [
        StreamEvent(START, ToolCallDelta(0, "c1", "")),
        StreamEvent(PIECE, ToolCallDelta(0, "c1", "", "{}")),
        StreamEvent(END, ToolCall("c1", "", "{}")),
    ]


def test_a_call_ends_once_when_the_reason_is_given_twice() -> None:
    events, _ = answer(piece(0, "c1", "now"), STOP, STOP)
    assert [event.type for event in events] == [START, END]


def test_arguments_that_are_no_json_are_the_models_mistake_and_no_error() -> None:
    events, (choice,) = answer(piece(0, "c1", "add", '{"a'), STOP)
    assert events[-1] == StreamEvent(END, ToolCall("c1", "add", '{"a'))
    assert choice.message.tool_calls == [ToolCall("c1", "add", '{"a')]


@pytest.mark.parametrize(
    "deltas",
    [
        [],
        [Delta(index=None, usage=Usage(input_tokens=1))],
        [Delta(text="cut of")],
        [STOP, Delta(index=1, text="the other one was not finished")],
    ],
)
def test_a_stream_without_every_finish_reason_is_no_answer(deltas: list[Delta]) -> None:
    with pytest.raises(StreamInterruptedError) as caught:
        answer(*deltas)
    assert str(caught.value) == "the stream ended before the answer was finished"


def test_what_has_arrived_can_be_had_before_the_end() -> None:
    parts = StreamAccumulator()
    for delta in (Delta(text="cut "), piece(0, "c1", "add", '{"a')):
        list(parts.feed(delta))
    assert parts.so_far() == (
        Choice(message=Message.assistant("cut ", tool_calls=[ToolCall("c1", "add", '{"a')])),
    )


def test_facts_are_collected_and_the_later_one_counts() -> None:
    parts = StreamAccumulator()
    for facts in ({"id": "1", "tier": "slow"}, {"tier": "fast"}, None):
        list(parts.feed(Delta(index=None, facts=facts)))
    assert (parts.facts, parts.so_far()) == ({"id": "1", "tier": "fast"}, ())


def cut(text: str, data: st.DataObject) -> list[str]:
    """Cut a text into pieces anywhere; empty pieces come along."""
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    edges = [0, *sorted(places), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def interleave(queues: list[list[Any]], data: st.DataObject) -> list[Any]:
    """Merge lists in any way that keeps the order within each."""
    merged, queues = [], [list(queue) for queue in queues if queue]
    while queues:
        queue = queues[data.draw(st.integers(0, len(queues) - 1))]
        merged.append(queue.pop(0))
        queues = [queue for queue in queues if queue]
    return merged


CALLS = st.lists(st.tuples(st.text("ab", min_size=1), st.text(max_size=12)), max_size=3)
ANSWER = {"text": st.text(max_size=12), "reasoning": st.text(max_size=12), "calls": CALLS}
CHOICES = st.lists(st.fixed_dictionaries(ANSWER), min_size=1, max_size=2)


def whole(index: int, choice: dict[str, Any]) -> Choice:
    calls = [ToolCall(f"c{n}", name, text) for n, (name, text) in enumerate(choice["calls"])]
    extra = {"reasoning_content": choice["reasoning"]} if choice["reasoning"] else {}
    return Choice(
        message=Message.assistant(choice["text"] or None, tool_calls=calls, **extra),
        finish_reason="stop",
        index=index,
    )


def in_pieces(index: int, choice: dict[str, Any], data: st.DataObject) -> list[Delta]:
    queues = [
        [Delta(index=index, text=text) for text in cut(choice["text"], data)],
        [Delta(index=index, reasoning=text) for text in cut(choice["reasoning"], data)],
    ]
    for n, (name, arguments) in enumerate(choice["calls"]):
        pieces = [ToolCallDelta(n, arguments=text) for text in cut(arguments, data)]
        queues.append(
            [Delta(index=index, tool_call=p) for p in (ToolCallDelta(n, f"c{n}", name), *pieces)]
        )
    return [*interleave(queues, data), Delta(index=index, finish_reason="stop")]


@settings(max_examples=60)
@given(CHOICES, st.data())
def test_pieces_cut_anywhere_give_the_same_answer(
    choices: list[dict[str, Any]], data: st.DataObject
) -> None:
    deltas = interleave([in_pieces(n, choice, data) for n, choice in enumerate(choices)], data)
    events, result = answer(*deltas)
    assert result == tuple(whole(n, choice) for n, choice in enumerate(choices))
    for n, choice in enumerate(choices):
        told = [event for event in events if event.index == n]
        assert "".join(e.data for e in told if e.type is TOKEN) == choice["text"]
        assert "".join(e.data for e in told if e.type is REASONING) == choice["reasoning"]


@settings(max_examples=60)
@given(CHOICES, st.data())
def test_every_call_starts_then_gains_its_arguments_then_ends(
    choices: list[dict[str, Any]], data: st.DataObject
) -> None:
    deltas = interleave([in_pieces(n, choice, data) for n, choice in enumerate(choices)], data)
    events, _ = answer(*deltas)
    for n, choice in enumerate(choices):
        for position, (name, arguments) in enumerate(choice["calls"]):
            call = ToolCall(f"c{position}", name, arguments)
            start, *pieces, end = [
                event
                for event in events
                if event.index == n
                and event.type in (START, PIECE, END)
                and event.data.id == call.id
            ]
            assert start == StreamEvent(START, ToolCallDelta(position, call.id, name), index=n)
            assert {piece.type for piece in pieces} <= {PIECE}
            assert "".join(piece.data.arguments for piece in pieces) == arguments
            assert end == StreamEvent(END, call, index=n)
