"""The context window: tokens are counted right, and what stays of a history makes sense."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite import (
    GPT5,
    ConfigError,
    ContextManager,
    Message,
    Role,
    ToolCall,
    estimate_tokens,
    image_part,
    text_part,
    tool,
    truncate_messages,
)
from flashlite.context import TokenCounter
from flashlite.context.tokens import at_most
from flashlite.models import MEDIA_TOKENS, count_tokens

STRATEGIES = ("sliding", "drop_oldest", "drop_middle")


def words(messages: Sequence[Message]) -> str:
    return " ".join(message.text for message in messages)


def dialogue(text: str) -> list[Message]:
    """Write a history down: s, u, a are roles; `c` calls a tool and `r` is its result."""
    made: list[Message] = []
    for word in text.split():
        kind, rest = word[0], word
        match kind:
            case "s":
                made.append(Message.system(rest))
            case "u":
                made.append(Message.user(rest))
            case "a":
                made.append(Message.assistant(rest))
            case "c":
                call = ToolCall(f"call_{rest[1:]}", "look", {})
                made.append(Message.assistant(rest, tool_calls=[call]))
            case _:
                made.append(Message.tool_result(f"call_{rest[1:].rstrip('xyz')}", rest))
    return made


def cut(text: str, keep: int, strategy: Any = "sliding", **options: Any) -> str:
    """Truncate so that as much stays as the last `keep` messages of the shortest kind take."""
    messages = dialogue(text)
    sizes = TokenCounter().sizes(messages)
    return words(
        truncate_messages(messages, 3 + sum(sorted(sizes)[:keep]), strategy=strategy, **options)
    )


# Counting


def test_openais_own_examples_are_counted_as_openai_does() -> None:
    # "How to count tokens with tiktoken": what the API itself said about these messages.
    messages = [
        Message(
            role="system",
            content="You are a helpful, pattern-following assistant that translates corporate "
            "jargon into plain English.",
        ),
        Message(
            role="system",
            name="example_user",
            content="New synergies will help drive top-line growth.",
        ),
        Message(
            role="system",
            name="example_assistant",
            content="Things working well together will increase revenue.",
        ),
        Message(
            role="system",
            name="example_user",
            content="Let's circle back when we have more bandwidth to touch base on opportunities "
            "for increased leverage.",
        ),
        Message(
            role="system",
            name="example_assistant",
            content="Let's talk later when we're less busy about how to do better.",
        ),
        Message(
            role="user",
            content="This late pivot means we don't have time to boil the ocean for the client "
            "deliverable.",
        ),
    ]
    assert estimate_tokens(messages, "gpt-4-0613") == 129
    assert estimate_tokens(messages, model="gpt-4o") == 124


def test_a_text_alone_is_a_users_message() -> None:
    assert estimate_tokens("Hello") == estimate_tokens([{"role": "user", "content": "Hello"}]) == 8


def test_media_count_by_the_constant_and_texts_beside_them_by_their_tokens() -> None:
    image = Message.user([text_part("Hello"), image_part("data:image/png;base64," + "A" * 9999)])
    assert estimate_tokens([image]) == estimate_tokens("Hello") + MEDIA_TOKENS


def test_calls_count_by_name_and_arguments_and_results_by_their_text() -> None:
    [call, result] = dialogue("c1 r1")
    asked = count_tokens("look") + count_tokens("{}") + 3
    assert estimate_tokens([call]) == estimate_tokens([Message.assistant("c1")]) + asked
    assert estimate_tokens([result]) == estimate_tokens([Message.assistant("r1")])


def test_only_reasoning_that_goes_back_to_the_model_counts() -> None:
    plain = Message.assistant("Hello")
    thought = Message.assistant("Hello", reasoning_content="Hm. " * 50)
    block = {"type": "thinking", "thinking": "Hm.", "signature": "x" * 500}
    signed = Message.assistant("Hello", thinking_blocks=[block])
    assert estimate_tokens([thought]) == estimate_tokens([plain])
    assert estimate_tokens([signed]) == estimate_tokens([plain]) + count_tokens("Hm.")


def test_each_text_is_counted_once_however_long_the_history_grows() -> None:
    counter, history = TokenCounter(), []
    for turn in range(50):
        history += dialogue(f"u{turn} a{turn}")
        assert counter.count(history, "gpt-4o") == estimate_tokens(history, "gpt-4o")
    known = counter._tokens_in.cache_info()
    assert known.misses == known.currsize == 103  # a hundred texts, two roles and no name


# What stays


@pytest.mark.parametrize(
    ("strategy", "stays"),
    [
        ("sliding", "s u4 a4 u5"),
        ("drop_oldest", "s a3 u4 a4 u5"),
        ("drop_middle", "s u1 a1 u5"),
    ],
)
def test_the_strategies_leave_out_different_messages(strategy: Any, stays: str) -> None:
    assert cut("s u1 a1 u2 a2 u3 a3 u4 a4 u5", 5, strategy) == stays


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_fits_stays_as_it_is(strategy: Any) -> None:
    assert cut("s u1 a1 u2", 4, strategy) == "s u1 a1 u2"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_in_a_long_turn_the_task_and_the_last_results_stay(strategy: Any) -> None:
    messages = dialogue("s u1 c1 r1 c2 r2 c3 r3")
    room = estimate_tokens(dialogue("s u1 c2 r2 c3 r3"))
    assert words(truncate_messages(messages, room, strategy=strategy)) == "s u1 c2 r2 c3 r3"


def test_the_middle_goes_before_the_first_turn_does_and_the_first_turn_before_it_fails() -> None:
    messages = dialogue("u1 a1 u2 a2 u3")
    tokens = estimate_tokens(dialogue("u3"))
    assert words(truncate_messages(messages, tokens, strategy="drop_middle")) == "u3"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_all_results_go_with_their_calls_wherever_they_stand(strategy: Any) -> None:
    messages = dialogue("u1 c1 r1x u2 r1y a1 u3")
    room = estimate_tokens(messages) - 1
    kept = words(truncate_messages(messages, room, strategy=strategy)).split()
    assert ("c1" in kept) == ("r1x" in kept) == ("r1y" in kept)


def test_calls_whose_ids_come_again_have_each_their_own_results() -> None:
    messages = dialogue("u1 c1 r1x u2 c1 r1y u3")
    room = estimate_tokens(dialogue("u2 c1 r1y u3"))
    assert words(truncate_messages(messages, room)) == "u2 c1 r1y u3"


def test_without_keep_system_the_system_message_goes_like_any_other() -> None:
    assert cut("s u1 a1 u2", 2, keep_system=False) == "u2"


def test_only_the_system_messages_at_the_beginning_are_kept() -> None:
    assert cut("s1 s2 u1 s3 u2", 3) == "s1 s2 u2"


def test_what_has_to_stay_and_does_not_fit_is_an_error_that_says_the_numbers() -> None:
    messages = [Message.system("Be brief."), Message.user("word " * 100)]
    window = ContextManager(max_tokens=60, reserve_tokens=10)
    with pytest.raises(
        ConfigError, match=r"takes 115 tokens, and 50 may be used \(max_tokens=60, "
    ):
        window.prepare(messages)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_tokens": 0}, "max_tokens is a whole number from 1 on; got 0"),
        ({"max_tokens": 9.5}, "max_tokens is a whole number from 1 on; got 9.5"),
        ({"max_tokens": 9, "reserve_tokens": -1}, "reserve_tokens is a whole number from 0 on"),
        ({"max_tokens": 9, "strategy": "newest"}, "is one of sliding, drop_oldest, drop_middle"),
        ({}, "the context window of None is not known"),
        ({"model": "nobody/knows-it"}, "the context window of 'nobody/knows-it' is not known"),
    ],
)
def test_settings_that_cannot_be_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ContextManager(**arguments)


# A model's window


def test_the_limit_is_the_models_window_without_the_reserve() -> None:
    assert ContextManager("gpt-4").limit == 8192
    assert ContextManager("gpt-4", reserve_tokens=1000).limit == 7192
    assert ContextManager("gpt-4", max_tokens=100_000).limit == 8192
    assert ContextManager(GPT5, max_tokens=8000).limit == 8000
    assert ContextManager("nobody/knows-it", max_tokens=500).limit == 500


def test_a_history_that_surely_fits_is_not_tokenized() -> None:
    window = ContextManager("gpt-4o")
    messages = [Message.user("word " * 1000)]
    assert window.prepare(messages, tools=[_look]) == messages
    assert window._counter._tokens_in.cache_info().misses == 0


@tool
def _look(place: str) -> str:
    """Look somewhere."""
    return place


def test_definitions_of_tools_take_room_too() -> None:
    messages = dialogue("u1 a1 u2")
    definition = count_tokens(json.dumps(_look.to_openai()))
    room = estimate_tokens(messages) + definition
    fitting, tight = ContextManager(max_tokens=room), ContextManager(max_tokens=room - 1)
    assert words(fitting.prepare(messages, tools=[_look])) == "u1 a1 u2"
    assert words(tight.prepare(messages, tools=[_look.to_openai()])) == "u2"
    assert (fitting.fits(messages, tools=[_look]), tight.fits(messages, tools=[_look])) == (
        True,
        False,
    )


# Properties


def turn() -> st.SearchStrategy[list[tuple[str, str]]]:
    text = st.text(max_size=30)
    rounds = st.lists(st.tuples(st.sampled_from(["a", "s", "c", "cc"]), text), max_size=4)
    return st.builds(lambda said, rest: [("u", said), *rest], text, rounds)


@st.composite
def histories(draw: st.DrawFn) -> list[Message]:
    """Histories as they come about: every call has its result."""
    made = [Message.system("Be brief.")] if draw(st.booleans()) else []
    pieces = [
        piece for pieces in draw(st.lists(turn(), min_size=1, max_size=6)) for piece in pieces
    ]
    for number, (kind, text) in enumerate(pieces):
        ids = [f"call_{number}_{n}" for n in range(kind.count("c"))]
        if kind == "u":
            made.append(Message.user(text))
        elif kind == "s":
            made.append(Message.system(text))
        else:
            calls = [ToolCall(id, "look", {"at": text}) for id in ids]
            made.append(Message.assistant(text, tool_calls=calls))
        made += [Message.tool_result(id, text) for id in ids]
    for place, message in enumerate(made):
        message["place"] = place
    return made


@given(histories(), st.integers(1, 300), st.sampled_from(STRATEGIES))
def test_what_stays_fits_is_in_order_and_never_splits_calls_from_results(
    messages: list[Message], room: int, strategy: Any
) -> None:
    try:
        kept = truncate_messages(messages, room, strategy=strategy)
    except ConfigError:
        assert estimate_tokens(_what_must_stay(messages)) > room
        return
    places = [message["place"] for message in kept]
    assert estimate_tokens(kept) <= room
    assert places == sorted(places)
    assert {message["place"] for message in _what_must_stay(messages)} <= set(places)
    assert [call.id for message in kept for call in message.tool_calls or ()] == [
        message.tool_call_id for message in kept if message.role == "tool"
    ]
    assert truncate_messages(kept, room, strategy=strategy) == kept


def _what_must_stay(messages: list[Message]) -> list[Message]:
    roles = [message.role for message in messages]
    last_user = len(roles) - 1 - roles[::-1].index(Role.USER)
    last_call = max((n for n, message in enumerate(messages) if message.tool_calls), default=0)
    start = last_call if messages[-1].role == Role.TOOL else len(messages) - 1
    places = {*range(roles[0] == Role.SYSTEM), last_user, *range(start, len(messages))}
    return [messages[place] for place in sorted(places)]


@given(histories())
def test_the_arithmetic_bound_is_never_below_the_count(messages: list[Message]) -> None:
    assert at_most(messages) >= estimate_tokens(messages)
