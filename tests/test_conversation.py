"""A conversation: it remembers what was answered and nothing else, and can be copied and kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from flashlite import (
    GPT5,
    Agent,
    AuthenticationError,
    CompletionError,
    CompletionResponse,
    ConfigError,
    Conversation,
    ConversationConfig,
    ConversationState,
    Flashlite,
    Message,
    MultiAgentChat,
    StoreError,
    StreamEvent,
    StreamEventType,
    StreamInterruptedError,
    StructuredOutputError,
    ToolCall,
    estimate_tokens,
    tool,
)
from flashlite.testing import ScriptedProvider

CALL = ToolCall("call_1", "search", '{"q": "python"}')
CALLING = CompletionResponse.of(tool_calls=[CALL], finish_reason="tool_calls")


def talking(*answers: Any, **arguments: Any) -> tuple[Conversation, ScriptedProvider]:
    provider = ScriptedProvider(answers)
    client = Flashlite(default_model="openai/gpt-4o", provider=provider)
    return Conversation(client=client, **arguments), provider


def said(messages: Any) -> list[str]:
    return [f"{message['role'][0]} {message['content']}" for message in messages]


class Waiting:
    """A client that answers when it is told to."""

    def __init__(self) -> None:
        self.may_answer, self.is_asked = asyncio.Event(), asyncio.Event()

    async def complete(self, messages: Any, **options: Any) -> CompletionResponse:
        self.is_asked.set()
        await self.may_answer.wait()
        return CompletionResponse.of("at last")

    async def stream(self, messages: Any, **options: Any) -> AsyncIterator[StreamEvent]:
        yield StreamEvent(StreamEventType.TOKEN, "at ")
        await self.may_answer.wait()
        yield StreamEvent(StreamEventType.TOKEN, "last")
        yield StreamEvent(StreamEventType.DONE, CompletionResponse.of("at last"))


# Saying


async def test_every_answer_is_given_in_the_light_of_all_before_it() -> None:
    conversation, provider = talking("4", "12", system="You are a tutor.")
    first = await conversation.say("What is 2 + 2?")
    second = await conversation.say("And times 3?")
    assert (first.content, second.content) == ("4", "12")
    assert said(provider.requests[1].messages) == [
        "s You are a tutor.",
        "u What is 2 + 2?",
        "a 4",
        "u And times 3?",
    ]
    assert said(conversation.messages) == [*said(provider.requests[1].messages), "a 12"]


async def test_options_hold_for_all_answers_and_are_overruled_by_those_of_one() -> None:
    conversation, provider = talking("a", "b", "c", model="openai/gpt-4o-mini", temperature=0.5)
    await conversation.say("1")
    await conversation.say("2", model="openai/gpt-4.1", temperature=1, top_p=0.5)
    await conversation.say("3", temperature=None)
    assert [(request.model, dict(request.params)) for request in provider.requests] == [
        ("openai/gpt-4o-mini", {"temperature": 0.5}),
        ("openai/gpt-4.1", {"temperature": 1, "top_p": 0.5}),
        ("openai/gpt-4o-mini", {}),
    ]


async def test_a_model_may_be_given_as_its_profile() -> None:
    conversation, provider = talking("a", "b", model=GPT5)
    await conversation.say("1")
    await conversation.say("2", model=GPT5)
    assert [request.model for request in provider.requests] == ["openai/gpt-5"] * 2


async def test_parts_and_whole_messages_can_be_said() -> None:
    conversation, _ = talking("a", "b")
    await conversation.say([{"type": "text", "text": "Look."}])
    await conversation.say({"role": "user", "content": "Hello", "name": "Ann"})
    assert conversation.messages[::2] == [
        {"role": "user", "content": [{"type": "text", "text": "Look."}]},
        {"role": "user", "content": "Hello", "name": "Ann"},
    ]


async def test_calls_are_answered_by_results_and_the_model_goes_on() -> None:
    conversation, provider = talking(CALLING, "Ten.")
    response = await conversation.say("How many?", tools=iter([search]))
    assert response.tool_calls == [CALL]
    with pytest.raises(ConfigError, match="the calls call_1 have no results: add_tool_result"):
        await conversation.say("Well?")
    conversation.add_tool_result("call_1", "10", name="search")
    assert (await conversation.say()).content == "Ten."
    assert [message.role for message in provider.requests[1].messages] == [
        "user",
        "assistant",
        "tool",
    ]
    assert len(provider.requests[0].tools) == 1


@tool
def search(q: str) -> str:
    """Search."""
    return q


async def test_reasoning_stays_in_the_history_as_it_came() -> None:
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": "abc"}]
    message = Message.assistant("Yes.", reasoning_content="Hm.", thinking_blocks=blocks)
    answer = CompletionResponse.of("Yes.")
    answer.choices = (type(answer.choices[0])(message=message, finish_reason="stop"),)
    conversation, _ = talking(answer)
    await conversation.say("Sure?")
    assert conversation.get_last_assistant_message() == message


class Sentiment(BaseModel):
    label: str


async def test_an_answer_can_have_a_shape() -> None:
    conversation, provider = talking('{"label": "good"}', '{"label": "bad"}')
    value: Sentiment = await conversation.say("I like it.", response_model=Sentiment)
    response = await conversation.ask("I don't.", response_model=Sentiment)
    assert (value, response.parsed) == (Sentiment(label="good"), Sentiment(label="bad"))
    assert said(conversation.messages)[1] == 'a {"label": "good"}'
    assert len(provider.requests[1].messages) == 3


async def test_a_call_instead_of_the_shape_is_an_error_for_say_and_an_answer_for_ask() -> None:
    conversation, _ = talking(CALLING, CALLING)
    with pytest.raises(StructuredOutputError, match="the model called tools instead"):
        await conversation.say("Hm.", response_model=Sentiment, tools=[search])
    assert conversation.messages == []
    response = await conversation.ask("Hm.", response_model=Sentiment, tools=[search])
    assert (response.tool_calls, len(conversation)) == ([CALL], 2)


def test_a_shape_is_not_for_all_answers() -> None:
    with pytest.raises(ConfigError, match="a response_model is for one answer"):
        Conversation(response_model=Sentiment)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"system_prompt": "Hi"}, "Conversation has no argument 'system_prompt': write system=..."),
        ({"instructions": "Hi"}, "Conversation has no argument 'instructions': write system=..."),
        ({"mesages": []}, "Conversation has no argument 'mesages': did you mean 'messages'?"),
        (
            {"client": "mock/echo"},
            "a client is what completes, such as Flashlite(...); got 'mock/echo'",
        ),
        ({"config": {"max_tokens": 3}}, "config is ConversationConfig(...); got {'max_tokens': 3}"),
    ],
)
def test_a_conversation_with_a_wrong_argument_is_not_created(arguments: Any, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Conversation(**arguments)
    assert str(caught.value) == sentence


async def test_a_call_needs_a_result_of_its_own_right_behind_it() -> None:
    conversation, provider = talking("fine")
    for answer in ("Ten.", None):  # this server numbers the calls of every answer anew
        conversation.add_user("How many?")
        conversation.add_assistant_with_tools(None, [CALL])
        if answer:
            conversation.add_tool_result("call_1", "10")
            conversation.add_assistant(answer)
    with pytest.raises(ConfigError, match="the calls call_1 have no results"):
        await conversation.say("And now?")
    late = conversation.fork()
    late.add_user("Wait.")
    late.add_tool_result("call_1", "10")
    with pytest.raises(ConfigError, match="the calls call_1 have no results"):
        await late.say("And now?")
    with pytest.raises(ConfigError, match="the calls call_1 have no results"):
        await Agent(conversation=conversation).run("And now?")
    conversation.add_tool_result("call_1", "10")
    assert (await conversation.say("And now?")).content == "fine"
    assert len(provider.requests) == 1


@pytest.mark.parametrize("streams", [False, True])
async def test_a_call_that_cannot_be_read_is_remembered_as_one_that_can(streams: bool) -> None:
    call = ToolCall("call_1", "search", '{"q": "pyth')
    answer = CompletionResponse.of(tool_calls=[call], finish_reason="length")
    conversation, _ = talking(answer)
    if streams:
        response = [event async for event in conversation.stream("How many?")][-1].data
    else:
        response = await conversation.say("How many?")
    assert response.tool_calls == [call]
    assert conversation[-1].tool_calls == [ToolCall("call_1", "search", "{}")]


async def test_a_conversation_has_one_system_message() -> None:
    with pytest.raises(ConfigError, match="system_message and system are the same: give one"):
        Conversation("a", system="b")


async def test_the_reason_of_a_stream_that_breaks_is_told() -> None:
    class Broken:
        async def complete(self, messages: Any, **options: Any) -> None: ...

        async def stream(self, messages: Any, **options: Any) -> AsyncIterator[StreamEvent]:
            yield StreamEvent(StreamEventType.TOKEN, "a")
            yield StreamEvent(StreamEventType.ERROR, {"error": "overloaded"})

    conversation = Conversation(client=Broken())
    with pytest.raises(CompletionError, match="overloaded"):
        [event async for event in conversation.stream("Hi")]
    assert conversation.messages == []


async def test_a_client_that_only_completes_will_do_but_for_a_response_model() -> None:
    class Plain:
        async def complete(self, messages: Any, **options: Any) -> CompletionResponse:
            return CompletionResponse.of(f"{len(messages)} {options}")

    conversation = Conversation(client=Plain())
    assert (await conversation.say("Hi")).content == "1 {}"
    with pytest.raises(ConfigError, match="a response_model needs a client that has ask"):
        await conversation.say("Hi", response_model=Sentiment)
    with pytest.raises(ConfigError, match="a response_model needs a client that has ask"):
        await anext(conversation.stream("Hi", response_model=Sentiment))
    *_, last = [event async for event in conversation.stream("Hi")]
    assert (last.type, last.data.content) == (StreamEventType.DONE, "3 {}")
    assert said(conversation.messages) == ["u Hi", "a 1 {}", "u Hi", "a 3 {}"]
    with pytest.raises(ConfigError, match="this conversation has nobody to answer"):
        await Conversation().say("Hi")


# No trace


async def test_a_failure_leaves_no_trace() -> None:
    conversation, _ = talking(AuthenticationError("no key"), "Hello", system="Be brief.")
    with pytest.raises(AuthenticationError):
        await conversation.say("Hi")
    assert said(conversation.messages) == ["s Be brief."]
    await conversation.say("Hi")
    assert said(conversation.messages) == ["s Be brief.", "u Hi", "a Hello"]


async def test_a_response_that_is_no_answer_is_a_failure() -> None:
    conversation, _ = talking(CompletionResponse(status=500, error="overloaded"))
    with pytest.raises(CompletionError, match="overloaded"):
        await conversation.say("Hi")
    assert conversation.messages == []


@pytest.mark.parametrize("way", ["say", "stream"])
async def test_cancelling_leaves_no_trace(way: str) -> None:
    client = Waiting()
    conversation = Conversation(client=client)

    async def read() -> None:
        if way == "say":
            await conversation.say("Hi")
        else:
            async with aclosing(conversation.stream("Hi")) as events:
                async for _ in events:
                    client.is_asked.set()

    task = asyncio.create_task(read())
    await client.is_asked.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert conversation.messages == []
    client.may_answer.set()
    assert (await conversation.say("Hi")).content == "at last"


async def test_while_an_answer_is_under_way_nothing_else_is_said_or_changed() -> None:
    client = Waiting()
    conversation = Conversation(client=client, messages=[Message.user("a")])
    task = asyncio.create_task(conversation.say("Hi"))
    await client.is_asked.wait()
    changes: list[Callable[[], Any]] = [
        lambda: conversation.add_user("b"),
        lambda: conversation.extend([Message.user("b")]),
        lambda: conversation.rollback(),
        lambda: conversation.clear(),
        lambda: setattr(conversation, "system_message", "b"),
        lambda: setattr(conversation, "_messages", []),
    ]
    for change in changes:
        with pytest.raises(ConfigError, match=r"waits for an answer: await it first.*fork\(\)"):
            change()
    with pytest.raises(ConfigError, match="waits for an answer"):
        await conversation.say("b")
    fork = conversation.fork()
    client.may_answer.set()
    assert (await fork.say("c")).content == (await task).content == "at last"
    assert said(conversation.messages) == ["u a", "u Hi", "a at last"]
    assert said(fork.messages) == ["u a", "u c", "a at last"]


# Streaming


async def test_a_stream_adds_both_messages_before_its_last_event() -> None:
    conversation, _ = talking("Hello", "again")
    async for event in conversation.stream("Hi"):
        if event.type is StreamEventType.DONE:
            assert event.data.content == "Hello"
            break
        assert conversation.messages == []
    assert said(conversation.messages) == ["u Hi", "a Hello"]
    assert (await conversation.say("Hi")).content == "again"


async def test_a_stream_with_a_shape_has_its_instance() -> None:
    conversation, _ = talking('{"label": "good"}')
    events = [event async for event in conversation.stream("Hi", response_model=Sentiment)]
    assert events[-1].data.parsed == Sentiment(label="good")


async def test_a_stream_that_is_given_up_leaves_no_trace() -> None:
    client = Waiting()
    conversation = Conversation(client=client)
    async with aclosing(conversation.stream("Hi")) as events:
        assert (await anext(events)).data == "at "
        with pytest.raises(ConfigError, match="close its stream"):
            conversation.add_user("b")
    assert conversation.messages == []
    client.may_answer.set()
    await conversation.say("Hi")


async def test_a_stream_that_ends_without_its_last_event_is_an_error() -> None:
    class Cut:
        complete = Waiting.complete

        async def stream(self, messages: Any, **options: Any) -> AsyncIterator[StreamEvent]:
            yield StreamEvent(StreamEventType.TOKEN, "at ")

    conversation = Conversation(client=Cut())  # type: ignore[arg-type]
    with pytest.raises(StreamInterruptedError, match="without its last event"):
        [event async for event in conversation.stream("Hi")]
    assert conversation.messages == []


# The prompt


def long(turns: int = 10, **arguments: Any) -> Conversation:
    conversation = Conversation(**arguments)
    for turn in range(turns):
        conversation.add_user(f"q{turn}")
        conversation.add_assistant(f"a{turn}")
    return conversation


async def test_the_prompt_is_cut_and_the_history_stays_whole() -> None:
    conversation, provider = talking("yes", system="S", max_tokens=40, reserve_tokens=10)
    conversation.extend(long().messages)
    await conversation.say("q10")
    [request] = provider.requests
    assert said(request.messages) == ["s S", "u q9", "a a9", "u q10"]
    assert estimate_tokens(request.messages) <= 30
    assert len(conversation) == 23


def test_config_sets_the_limits_and_shortcuts_overrule_it() -> None:
    config = ConversationConfig(max_tokens=100, truncation_strategy="drop_middle")
    assert Conversation(config=config, max_tokens=50, reserve_tokens=5).config == (
        ConversationConfig(max_tokens=50, truncation_strategy="drop_middle", reserve_tokens=5)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"truncation_strategy": "newest"}, "is one of sliding, drop_oldest, drop_middle, summ"),
        ({"max_tokens": 10, "reserve_tokens": 10}, "reserve_tokens=10 leaves nothing of max_"),
        ({"max_tokens": -1}, "max_tokens is a whole number from 1 on"),
        ({"messages": [{"content": "x"}]}, "a message needs a role"),
    ],
)
def test_settings_that_cannot_be_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Conversation(**arguments)


async def test_what_does_not_fit_is_not_sent() -> None:
    conversation, provider = talking(max_tokens=20)
    with pytest.raises(ConfigError, match="and 20 may be used"):
        await conversation.say("word " * 20)
    assert (provider.requests, conversation.messages) == ([], [])


def test_the_models_window_is_a_limit_where_it_is_known() -> None:
    conversation = Conversation(model="gpt-4")
    conversation.add_user("word " * 5000)
    conversation.add_assistant("word " * 5000)
    conversation.add_user("Go on.")
    assert said(conversation.get_messages()) == ["u Go on."]
    assert len(conversation.get_messages(GPT5)) == 3
    assert len(conversation.get_messages("nobody/knows-it")) == 3
    assert conversation.count_tokens() == conversation.count_tokens("gpt-4") > 10_000


def test_tools_take_room_in_the_view_too() -> None:
    conversation = long(max_tokens=100)
    assert len(conversation.get_messages(tools=[search])) < len(conversation.get_messages())


# Summaries


ROOM = 600


def summing(*answers: Any, turns: int = 10, **config: Any) -> tuple[Conversation, ScriptedProvider]:
    conversation, provider = talking(
        *answers, system="S", max_tokens=ROOM, truncation_strategy="summarize", **config
    )
    for turn in range(turns):
        conversation.add_user(f"q{turn}" + " word" * 20)
        conversation.add_assistant(f"a{turn}" + " word" * 20)
    return conversation, provider


def first_words(messages: Any) -> list[str]:
    return [message["content"].split()[0] for message in messages]


LONG = " word" * 100


async def test_a_summary_takes_the_place_of_what_is_left_out() -> None:
    conversation, provider = summing("They counted.", "yes", temperature=0.3, tags=["t"])
    assert (await conversation.say("q10" + LONG)).content == "yes"
    asked, answered = provider.requests
    assert asked.messages[0].text.startswith("The beginning of a conversation has to make room")
    assert [line[:14] for line in asked.messages[1].text.splitlines()[:2]] == [
        "user: q0 word ",
        "assistant: a0 ",
    ]
    assert (dict(asked.params), asked.tags) == ({}, ("t",))
    assert answered.messages[1].text == "Summary of the conversation so far:\n\nThey counted."
    assert first_words(answered.messages) == [
        "S",
        "Summary",
        "q7",
        "a7",
        "q8",
        "a8",
        "q9",
        "a9",
        "q10",
    ]
    assert estimate_tokens(answered.messages) <= ROOM
    assert len(conversation) == 23
    assert conversation.get_messages()[:9] == list(answered.messages)


async def test_a_summary_is_used_until_it_no_longer_does_and_then_goes_into_the_next() -> None:
    conversation, provider = summing("First.", *["yes"] * 3, "Second.", "yes")
    for turn in range(10, 14):
        await conversation.say(f"q{turn}" + LONG)
    last = [request.messages[-1].text for request in provider.requests]
    assert [text.split()[:2] for text in last] == [
        ["user:", "q0"],
        ["q10", "word"],
        ["q11", "word"],
        ["q12", "word"],
        ["Summary", "of"],
        ["q13", "word"],
    ]
    assert last[4].startswith(
        "Summary of the conversation so far:\n\nFirst.\n\nWhat follows it:\n\nuser: q7 "
    )
    assert first_words(provider.requests[-1].messages)[:2] == ["S", "Summary"]
    assert provider.requests[-1].messages[1].text.endswith("Second.")


async def test_a_summary_that_fails_fails_the_answer_without_a_trace() -> None:
    conversation, provider = summing(AuthenticationError("no key"), " ", "Short.", "yes")
    before = conversation.messages
    with pytest.raises(AuthenticationError):
        await conversation.say("q10" + LONG)
    with pytest.raises(CompletionError, match="the model wrote no summary: an empty answer"):
        await conversation.say("q10" + LONG)
    assert conversation.messages == before
    assert (await conversation.say("q10" + LONG)).content == "yes"
    assert len(provider.requests) == 4


async def test_a_summary_outlives_the_failure_of_the_answer() -> None:
    conversation, _ = summing("Short.", AuthenticationError("no key"), "yes")
    with pytest.raises(AuthenticationError):
        await conversation.say("q10" + LONG)
    assert (await conversation.say("q10" + LONG)).content == "yes"


async def test_a_summary_that_is_too_long_is_an_error() -> None:
    conversation, _ = summing("word " * 600)
    with pytest.raises(
        ConfigError, match="the summary leaves no room for the last messages in 600"
    ):
        await conversation.say("q10" + LONG)


async def test_what_does_not_fit_beside_a_summary_is_an_error_before_one_is_made() -> None:
    conversation, provider = summing()
    with pytest.raises(ConfigError, match="and 600 may be used"):
        await conversation.say("q10" + LONG * 6)
    assert provider.requests == []


async def test_who_answers_with_a_memory_writes_its_summary_too() -> None:
    memory, _ = summing()
    memory.client = None
    provider = ScriptedProvider(["Short.", "yes"])
    agent = Agent("Ann", client=Flashlite("openai/gpt-4o", provider=provider), conversation=memory)
    assert await agent.chat("q10" + LONG) == "yes"
    assert first_words(provider.requests[1].messages)[:2] == ["S", "Summary"]


async def test_an_agent_that_sums_up_may_speak_in_a_chat() -> None:
    memory = Conversation("S", max_tokens=ROOM, truncation_strategy="summarize")
    provider = ScriptedProvider(["one", "Short.", "two", "three"])
    chat = MultiAgentChat(Flashlite("openai/gpt-4o", provider=provider), introduction="")
    chat.add_agent(Agent("Ann", conversation=memory))
    chat.add_message("Moderator", "a" + LONG * 3)
    await chat.speak("Ann")
    chat.add_message("Moderator", "b" + LONG * 3)
    assert await chat.speak("Ann") == "two"
    assert first_words(provider.requests[2].messages)[:2] == ["S", "Summary"]
    assert await chat.speak("Ann") == "three"  # nothing is summed up twice
    assert provider.requests[3].messages[1] == provider.requests[2].messages[1]


async def test_another_model_may_write_the_summary() -> None:
    config = ConversationConfig(summary_model="openai/gpt-4o-mini")
    conversation, provider = summing("Short.", "yes", config=config)
    await conversation.say("q10" + LONG)
    models = [request.model for request in provider.requests]
    assert models == ["openai/gpt-4o-mini", "openai/gpt-4o"]


async def test_a_long_beginning_is_summed_up_passage_by_passage() -> None:
    conversation, provider = summing("One.", "Two.", "Three.", "yes", turns=20)
    await conversation.say("q10")
    *summaries, answered = provider.requests
    told = "".join(request.messages[-1].text for request in summaries)
    assert first_words(answered.messages)[:3] == ["S", "Summary", "q15"]
    assert [f"user: q{n} " in told for n in range(16)] == [True] * 15 + [False]
    assert all(estimate_tokens(request.messages) < ROOM for request in provider.requests)


async def test_in_a_long_turn_calls_are_summed_up_and_the_task_stays() -> None:
    conversation, provider = summing("Found nothing.", "yes", turns=0)
    conversation.add_user("task")
    for n in range(6):
        call = ToolCall(f"call_{n}", "search", {"q": "word"})
        conversation.add_assistant_with_tools(f"c{n}", [call])
        conversation.add_tool_result(f"call_{n}", f"r{n}" + " word" * 80)
    await conversation.say()
    assert first_words(provider.requests[1].messages) == [
        "S",
        "Summary",
        "task",
        "c4",
        "r4",
        "c5",
        "r5",
    ]
    assert first_words(conversation.messages)[:4] == ["S", "task", "c0", "r0"]


async def test_a_summary_goes_with_copies_and_files_and_not_with_another_history() -> None:
    conversation, _ = summing("Short.", "yes")
    await conversation.say("q10" + LONG)
    seen = conversation.get_messages()
    loaded = Conversation.from_json(conversation.to_json(), client=conversation.client)
    assert seen[1].text.endswith("Short.")
    assert conversation.fork().get_messages() == loaded.get_messages() == seen
    loaded.rollback(11)
    loaded.add_user("Something else")
    assert said(loaded.get_messages()) == ["s S", "u Something else"]
    assert loaded.save().summary is None


# Reading and changing


def test_a_conversation_is_read_like_a_list() -> None:
    conversation = long(2, system="S")
    assert (len(conversation), conversation[0].content, conversation[-1].content) == (5, "S", "a1")
    assert conversation.get_last_message() == Message.assistant("a1")
    assert conversation.get_last_user_message() == Message.user("q1")
    assert conversation.get_last_assistant_message() == Message.assistant("a1")
    assert conversation.iteration == 2
    assert conversation.get_messages_dict() == [dict(message) for message in conversation.messages]
    empty = Conversation()
    assert (len(empty), bool(empty), empty.get_last_message(), empty.get_messages()) == (
        0,
        True,
        None,
        [],
    )
    assert (empty.get_last_user_message(), empty.get_last_assistant_message()) == (None, None)


def test_the_list_that_is_handed_out_is_not_the_history() -> None:
    conversation = long(1)
    conversation.messages.clear()
    assert len(conversation) == 2


def test_what_comes_in_is_copied() -> None:
    message = {"role": "user", "content": "a", "tags": ["x"]}
    conversation = Conversation(messages=[message])
    conversation.add(message)
    message["tags"] = ["y"]
    assert [kept["tags"] for kept in conversation.messages] == [["x"], ["x"]]


def test_of_several_messages_none_is_added_if_one_is_wrong() -> None:
    conversation = Conversation()
    with pytest.raises(ConfigError):
        conversation.extend([Message.user("a"), {"role": "nobody"}])
    assert conversation.messages == []


def test_the_system_message_can_be_set_replaced_and_removed() -> None:
    conversation = long(1, system_message="S")
    conversation.system_prompt = "T"
    assert said(conversation.messages) == ["s T", "u q0", "a a0"]
    conversation.system_message = None
    assert (conversation.system_message, said(conversation.messages)) == (None, ["u q0", "a a0"])
    conversation.system_message = "S"
    conversation.add_system("later")
    assert said(conversation.messages) == ["s S", "u q0", "a a0", "s later"]
    assert conversation.system_prompt == "S"


def test_messages_that_are_set_without_a_system_message_keep_the_one_there_is() -> None:
    conversation = long(1, system="S")
    conversation._messages = [{"role": "user", "content": "a"}]  # type: ignore[list-item]
    assert said(conversation.messages) == ["s S", "u a"]
    conversation._messages = [Message.system("T"), Message.user("a")]
    assert said(conversation.messages) == ["s T", "u a"]


def test_turns_are_taken_back_from_the_end() -> None:
    conversation = long(3, system="S")
    assert said(conversation.rollback()) == ["u q2", "a a2"]
    assert conversation.rollback(0) == []
    assert said(conversation.rollback(turns=2)) == ["u q0", "a a0", "u q1", "a a1"]
    with pytest.raises(ConfigError, match="there are 0 turns to take back; got turns=1"):
        conversation.rollback()
    assert said(conversation.messages) == ["s S"]


def test_clearing_keeps_the_system_message() -> None:
    conversation = long(3, system="S")
    conversation.clear()
    assert said(conversation.messages) == ["s S"]


def test_the_history_is_written_out_to_read() -> None:
    conversation = Conversation("Be brief.")
    conversation.add_user([{"type": "text", "text": "Look:"}, {"type": "image_url"}], name="Ann")
    conversation.add_assistant_with_tools("Hm.", [CALL])
    conversation.add_tool_result("call_1", "10 results", name="search")
    assert conversation.format_history() == (
        "system: Be brief.\n"
        "user (Ann): Look: [image_url]\n"
        'assistant: Hm. [calls search({"q": "python"})]\n'
        "tool (search): 10 results"
    )
    assert conversation.format_history(max_messages=1) == "tool (search): 10 results"
    assert conversation.format_history(max_messages=0) == ""


# Copies


async def test_a_fork_goes_its_own_way() -> None:
    conversation, _ = talking("a", "b", system="S", metadata={"tags": ["x"]}, temperature=0)
    fork = conversation.fork()
    await fork.say("one")
    await conversation.say("two")
    fork.metadata["tags"].append("y")
    fork[0]["content"] = "T"
    assert said(fork.messages) == ["s T", "u one", "a a"]
    assert said(conversation.messages) == ["s S", "u two", "a b"]
    assert conversation.metadata == {"tags": ["x"]}
    assert fork.id != conversation.id
    assert fork.options == conversation.options


def test_a_branch_has_the_first_messages_only() -> None:
    conversation = long(3, system="S")
    assert said(conversation.branch(from_index=3).messages) == ["s S", "u q0", "a a0"]
    assert conversation.branch(0).messages == []
    with pytest.raises(ConfigError, match="from_index is 0 to 7; got 8"):
        conversation.branch(8)


# Keeping


def full() -> Conversation:
    conversation = Conversation(
        "Be brief.",
        model="openai/gpt-4o",
        max_tokens=8000,
        reserve_tokens=500,
        truncation_strategy="drop_middle",
        metadata={"run": 7, "name": "Zoë \ud800"},
        temperature=0.5,
        tags=["a"],
    )
    conversation.add_user([{"type": "text", "text": "Look."}], name="Ann")
    conversation.add(
        Message.assistant(
            None,
            tool_calls=[CALL],
            reasoning_content="Hm.",
            thinking_blocks=[{"type": "thinking", "thinking": "Hm.", "signature": "s"}],
        )
    )
    conversation.add_tool_result("call_1", "10", name="search")
    return conversation


def test_a_file_brings_everything_back(tmp_path: Path) -> None:
    conversation = full()
    path = tmp_path / "new" / "conversation.json"
    state = conversation.save(path)
    loaded = Conversation.load(path)
    assert isinstance(state, ConversationState)
    assert json.loads(path.read_text()) == state.model_dump() == loaded.to_dict()
    assert [one.name for one in path.parent.iterdir()] == ["conversation.json"]
    assert loaded.messages == conversation.messages
    assert (loaded.id, loaded.model, loaded.config, loaded.options, loaded.metadata) == (
        conversation.id,
        conversation.model,
        conversation.config,
        conversation.options,
        conversation.metadata,
    )
    assert loaded[2].tool_calls == [CALL]


async def test_a_loaded_conversation_goes_on_with_a_client(tmp_path: Path) -> None:
    conversation, _ = talking("a", temperature=0.5)
    await conversation.say("one")
    conversation.save(tmp_path / "c.json")
    provider = ScriptedProvider(["b"])
    client = Flashlite("openai/gpt-4o", provider=provider)
    loaded = Conversation.load(tmp_path / "c.json", client=client, top_p=0.1)
    await loaded.say("two")
    assert said(provider.requests[0].messages) == ["u one", "a a", "u two"]
    assert dict(provider.requests[0].params) == {"temperature": 0.5, "top_p": 0.1}


def test_what_is_said_at_loading_goes_before_what_was_saved(tmp_path: Path) -> None:
    state = full().save(tmp_path / "c.json")
    other = ConversationConfig(max_tokens=7)
    loaded = Conversation.load(tmp_path / "c.json", model="openai/o3", config=other, metadata={})
    assert (loaded.model, loaded.config, loaded.metadata) == ("openai/o3", other, {})
    assert loaded.save().messages == state.messages


def test_a_state_does_not_change_with_its_conversation() -> None:
    conversation = full()
    state = conversation.save()
    before = state.model_dump()
    conversation.metadata.clear()
    conversation.clear()
    assert state.model_dump() == before


def test_keys_and_what_is_no_json_are_not_written_down() -> None:
    conversation = Conversation(
        api_key="sk-secret", extra_headers={"authorization": "secret"}, tools=[search], top_p=0.1
    )
    assert conversation.save().options == {"top_p": 0.1}
    assert "secret" not in conversation.to_json()
    assert conversation.fork().options == conversation.options


def test_a_conversation_of_a_newer_flashlite_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps(full().to_dict() | {"version": 2}))
    with pytest.raises(ConfigError, match=r"c\.json: .*saved by a newer flashlite \(form 2; "):
        Conversation.load(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "{}",
        '{"messages": {}}',
        '{"messages": [1]}',
        '{"messages": [{"role": "king"}]}',
        '{"messages": [], "config": 1}',
        '{"messages": [], "config": {"max_tokens": "many"}}',
        '{"messages": [], "version": "one"}',
        '{"messages": [], "summary": {"text": "x"}}',
        '{"messages": [], "summary": 1}',
        "[" * 100_000,
    ],
)
def test_what_is_no_saved_conversation_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(ConfigError):
        Conversation.from_json(text)
    with pytest.raises(ConfigError):
        Conversation.load(tmp_path / "c.json")


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none\.json: No such file"):
        Conversation.load(tmp_path / "none.json")
    (tmp_path / "taken").write_text("")
    with pytest.raises(StoreError, match=r"c\.json: "):
        full().save(tmp_path / "taken" / "c.json")
    with pytest.raises(ConfigError, match="a conversation is saved as JSON"):
        Conversation(metadata={"at": object()}).save(tmp_path / "c.json")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_state_with_a_system_prompt_alone_begins_with_it() -> None:
    assert said(Conversation.from_dict({"system_prompt": "S", "messages": []}).messages) == ["s S"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
messages = st.lists(
    st.builds(
        lambda said, extra: {**extra, "role": said[0], "content": said[1]},
        st.tuples(st.sampled_from(["assistant", "tool"]), st.none())
        | st.tuples(
            st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
            st.text(max_size=9) | st.just([{"type": "text", "text": "x"}]),
        ),
        st.dictionaries(st.sampled_from(["name", "refusal", "reasoning_content"]), values),
    ),
    max_size=8,
)


@given(messages, st.dictionaries(st.text(max_size=5), values, max_size=3))
def test_any_history_comes_back_as_it_was(history: list[Any], metadata: dict[str, Any]) -> None:
    conversation = Conversation(messages=history, metadata=metadata)
    loaded = Conversation.from_json(conversation.to_json())
    assert (loaded.messages, loaded.metadata) == (conversation.messages, metadata)
    assert loaded.messages == history


@given(messages, values)
def test_whatever_is_changed_in_a_fork_the_original_stays(history: list[Any], value: Any) -> None:
    conversation = Conversation(messages=history)
    fork = conversation.fork()
    for message in fork._messages:
        if isinstance(message.get("content"), list):
            message["content"][0]["text"] = value
        message["name"] = value
    fork.clear()
    assert conversation.messages == history
