"""Agents: every turn is remembered, every call has a result, no failure is taken for an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from pydantic import BaseModel

from flashlite import (
    Agent,
    AgentConfig,
    AgentResult,
    AuthenticationError,
    CompletionError,
    CompletionResponse,
    ConfigError,
    Flashlite,
    Message,
    StreamEvent,
    StreamEventType,
    StreamInterruptedError,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    TurnResult,
    Usage,
    quick_agent,
    tool,
)
from flashlite.conversation import Conversation
from flashlite.testing import ScriptedProvider

from .virtual_time import now, virtual_time


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
async def wait(seconds: float) -> float:
    """Wait."""
    await asyncio.sleep(seconds)
    return now()


@tool
def broken() -> None:
    """Fail."""
    raise RuntimeError("password: 123")


USAGE = Usage(input_tokens=10, output_tokens=2, input_cost=1.0, output_cost=0.5, total_cost=1.5)
ONE, TWO = ToolCall("1", "add", {"a": 1, "b": 2}), ToolCall("2", "add", {"a": 3, "b": 4})
LIMIT = "Error: not run: the limit of 1 rounds of calls is reached"


def calls(*wanted: ToolCall, content: str | None = None, **fields: Any) -> CompletionResponse:
    return CompletionResponse.of(
        content, tool_calls=list(wanted), finish_reason="tool_calls", usage=USAGE, **fields
    )


def says(text: str, **fields: Any) -> CompletionResponse:
    return CompletionResponse.of(text, usage=USAGE, **fields)


def scripted(*answers: Any) -> tuple[Flashlite, ScriptedProvider]:
    provider = ScriptedProvider(answers)
    return Flashlite("m", provider=provider), provider


def result_of(call: ToolCall, text: str) -> Message:
    return Message.tool_result(call.id, text, name=call.name)


def results(agent: Agent) -> dict[str, Any]:
    """Return what the model reads for each call."""
    messages = agent.conversation.messages
    return {str(m.tool_call_id): m.content for m in messages if m["role"] == "tool"}


async def test_an_agent_calls_tools_until_it_answers_and_remembers_it_all() -> None:
    client, provider = scripted(asked := calls(ONE, TWO), answer := says("3 and 7"), says("Yes"))
    agent = Agent(client=client, tools=[add], system_message="Be brief.", temperature=0)

    result = await agent.run("How much?")

    history = [
        Message.system("Be brief."),
        Message.user("How much?"),
        asked.message,
        result_of(ONE, "3"),
        result_of(TWO, "7"),
        answer.message,
    ]
    ran = [
        ToolResult(content=3, name="add", call_id="1"),
        ToolResult(content=7, name="add", call_id="2"),
    ]
    assert result == AgentResult(
        turns=[
            TurnResult(response=asked, tool_results=ran),
            TurnResult(response=answer, tool_results=[]),
        ],
        conversation=agent.conversation,
        status="success",
        total_usage=USAGE + USAGE,
        total_cost=3.0,
    )
    assert (result.content, result.num_turns) == ("3 and 7", 2)
    assert (result.all_tool_calls, result.parsed) == ([ONE, TWO], None)
    first = result.turns[0]
    assert (first.content, first.tool_calls, first.usage) == ("", [ONE, TWO], USAGE)
    assert agent.conversation.messages == history

    assert await agent.chat("Sure?") == "Yes"
    assert [list(request.messages) for request in provider.requests] == [
        history[:2],
        history[:5],
        [*history, Message.user("Sure?")],
    ]
    assert provider.requests[1].tools == (add.to_openai(),)
    assert provider.requests[1].params == {"temperature": 0}


async def test_options_of_a_run_go_before_those_of_the_agent() -> None:
    client, provider = scripted("a", "b")
    agent = Agent("Ann", client=client, model="one", temperature=0, seed=1, tags=["x"])
    await agent.run("Hi")
    await agent.run("Hi", model="two", temperature=1, max_tokens=5)
    told = [(r.model, r.agent, r.tags, r.params) for r in provider.requests]
    assert told == [
        ("one", "Ann", ("x",), {"temperature": 0, "seed": 1}),
        ("two", "Ann", ("x",), {"temperature": 1, "seed": 1, "max_tokens": 5}),
    ]
    assert client.get_cost_report()["by_agent"].keys() == {"Ann"}


async def test_reasoning_stays_in_the_history() -> None:
    thought = {"type": "thinking", "thinking": "Hm", "signature": "s"}
    asked = calls(ONE, reasoning="Hm")
    asked.message["thinking_blocks"] = [thought]
    client, provider = scripted(asked, says("3"))
    await Agent(client=client, tools=[add]).run("Hi")
    sent = provider.requests[1].messages[1]
    assert (sent["reasoning_content"], sent["thinking_blocks"]) == ("Hm", [thought])


async def test_a_prompt_may_be_parts_or_a_message() -> None:
    client, provider = scripted("a", "b")
    parts = [{"type": "text", "text": "Hi"}]
    agent = Agent(client=client)
    await agent.run(parts)
    await agent.run(Message.user("Ho", name="bob"))
    assert provider.requests[1].messages == (
        Message.user(parts),
        Message.assistant("a"),
        Message.user("Ho", name="bob"),
    )


# The fields of AgentConfig.


async def test_max_turns_end_a_run_and_it_can_be_gone_on_with() -> None:
    client, provider = scripted(calls(ONE), calls(TWO, content="Wait"), says("ok"))
    agent = Agent(client=client, tools=[add], config=AgentConfig(max_turns=2))
    result = await agent.run("Hi")
    assert (result.status, result.num_turns, result.content) == ("max_turns", 2, "Wait")
    assert result.error == "no answer within max_turns=2"
    assert results(agent) == {"1": "3", "2": LIMIT}

    assert (await agent.run()).content == "ok"
    assert [message["role"] for message in provider.requests[2].messages] == [
        *("user", "assistant", "tool", "assistant", "tool")
    ]


@pytest.mark.parametrize("most", [1, 3])
async def test_max_turns_may_be_said_for_the_agent_and_for_a_run(most: int) -> None:
    for own, of_run in ((most, {}), (7, {"max_turns": most})):
        client, provider = scripted(*[calls(ONE)] * most)
        result = await Agent(client=client, tools=[add], max_turns=own).run("Hi", **of_run)
        assert (result.status, len(provider.requests)) == ("max_turns", most)


async def test_max_tool_calls_per_turn() -> None:
    client, _ = scripted(calls(ONE, TWO), says("ok"))
    agent = Agent(client=client, tools=[add], config=AgentConfig(max_tool_calls_per_turn=1))
    await agent.run("Hi")
    assert results(agent) == {"1": "3", "2": "Error: not run: at most 1 calls at a time"}


@pytest.mark.parametrize(("parallel", "end"), [(True, 5), (False, 7)])
def test_parallel_tool_execution(parallel: bool, end: int) -> None:
    @virtual_time
    async def test() -> None:
        asked = calls(*(ToolCall(str(n), "wait", {"seconds": n}) for n in (5, 2)))
        client, _ = scripted(asked, says("ok"))
        config = AgentConfig(parallel_tool_execution=parallel)
        await Agent(client=client, tools=[wait], config=config).run("Hi")
        assert now() == end

    test()


@virtual_time
async def test_tool_timeout() -> None:
    client, _ = scripted(calls(ToolCall("1", "wait", {"seconds": 60})), says("ok"))
    agent = Agent(client=client, tools=[wait], config=AgentConfig(tool_timeout=5))
    await agent.run("Hi")
    assert (now(), results(agent)) == (5, {"1": "Error: it took longer than 5 s"})


async def test_max_tokens_and_reserve_tokens_bound_the_prompt_and_not_the_memory() -> None:
    def agent(reserve: int) -> tuple[Agent, ScriptedProvider]:
        client, provider = scripted(*"abcd")
        config = AgentConfig(max_tokens=250, reserve_tokens=reserve)
        return Agent(client=client, system_prompt="Be brief.", config=config), provider

    read: dict[int, list[int]] = {}
    for reserve in (0, 170):
        one, provider = agent(reserve)
        for number in range(4):
            await one.run(f"{number} " + "word " * 40)
        read[reserve] = [len(request.messages) for request in provider.requests]
        assert len(one.conversation) == 9
        assert all(request.messages[0]["role"] == "system" for request in provider.requests)
    assert read == {0: [2, 4, 6, 8], 170: [2, 2, 2, 2]}


async def test_a_run_leaves_out_calls_only_with_their_results_and_counts_the_tools() -> None:
    rounds = [calls(ToolCall(str(n), "add", {"a": n, "b": n})) for n in range(8)]
    client, provider = scripted(*rounds, says("ok"))
    config = AgentConfig(max_tokens=200, reserve_tokens=0)
    await Agent(client=client, tools=[add], config=config).run("Hi")
    last = provider.requests[-1].messages
    assert last[0] == Message.user("Hi")
    assert 3 <= len(last) < 17
    asked = [call.id for message in last for call in message.tool_calls or ()]
    assert asked == [message.tool_call_id for message in last if message["role"] == "tool"]
    assert asked[-1] == "7"


async def test_stop_on_tool_error() -> None:
    client, _ = scripted(calls(ONE, ToolCall("2", "broken")))
    config = AgentConfig(stop_on_tool_error=True)
    agent = Agent(client=client, tools=[add, broken], config=config)
    result = await agent.run("Hi")
    assert (result.status, result.error) == ("error", "broken: RuntimeError: password: 123")
    assert results(agent) == {"1": "3", "2": "Error: RuntimeError: password: 123"}


@pytest.mark.parametrize(
    ("included", "read"),
    [(True, "Error: RuntimeError: password: 123"), (False, "Error: the call failed")],
)
async def test_include_tool_errors_in_context(included: bool, read: str) -> None:
    client, _ = scripted(calls(ToolCall("1", "broken")), says("ok"))
    config = AgentConfig(include_tool_errors_in_context=included)
    agent = Agent(client=client, tools=[broken], config=config)
    result = await agent.run("Hi")
    assert results(agent) == {"1": read}
    assert result.turns[0].tool_results[0].error == "RuntimeError: password: 123"


@pytest.mark.parametrize("streamed", [True, False])
async def test_stream_tool_calls(streamed: bool) -> None:
    client, _ = scripted(calls(ONE), says("ok"))
    agent = Agent(client=client, tools=[add], config=AgentConfig(stream_tool_calls=streamed))
    kinds = {event.type async for event in agent.stream("Hi")}
    assert (StreamEventType.TOOL_CALL_START in kinds) is streamed
    assert (StreamEventType.TOOL_CALL_DELTA in kinds) is streamed
    assert (StreamEventType.TOOL_CALL_END in kinds) is streamed
    assert StreamEventType.META in kinds


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_turns": 0}, "max_turns is a whole number from 1 on; got 0"),
        ({"max_turns": "3"}, "max_turns is a whole number from 1 on; got '3'"),
        (
            {"max_tool_calls_per_turn": 0},
            "max_tool_calls_per_turn is a whole number from 1 on; got 0",
        ),
        ({"tool_timeout": 0}, "a timeout is a positive number of seconds or None; got 0"),
        ({"max_tokens": 0}, "max_tokens is a whole number from 1 on; got 0"),
        ({"reserve_tokens": -1}, "reserve_tokens is a whole number from 0 on; got -1"),
        ({"max_tokens": 2000}, "reserve_tokens=2000 leaves nothing of max_tokens=2000"),
    ],
)
def test_a_config_that_cannot_be_is_refused(fields: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AgentConfig(**fields)


A_CLIENT = "a client is what completes, such as Flashlite(...); got"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"max_steps": 5}, "Agent has no argument 'max_steps': write max_turns=..."),
        ({"max_iterations": 5}, "Agent has no argument 'max_iterations': write max_turns=..."),
        ({"system": "Be brief."}, "Agent has no argument 'system': write system_prompt=..."),
        ({"instructions": "Add."}, "Agent has no argument 'instructions': write system_prompt=..."),
        ({"system_msg": "Add."}, "Agent has no argument 'system_msg': write system_prompt=..."),
        ({"max_turn": 5}, "Agent has no argument 'max_turn': did you mean 'max_turns'?"),
        (
            {"response_model": int},
            "Agent has no argument 'response_model': "
            "it is for one run: run(..., response_model=...)",
        ),
        ({"client": "mock/echo"}, f"{A_CLIENT} 'mock/echo'"),
        ({"client": Flashlite}, f"{A_CLIENT} {Flashlite!r}"),
        ({"provider": 5}, f"{A_CLIENT} 5"),
        ({"conversation": []}, "conversation is Conversation(...); got []"),
        ({"config": {"max_turns": 3}}, "config is AgentConfig(...); got {'max_turns': 3}"),
    ],
)
def test_an_agent_with_a_wrong_argument_is_not_created(arguments: Any, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Agent("Ann", **arguments)
    assert str(caught.value) == sentence


async def test_options_that_only_a_client_knows_are_left_to_it() -> None:
    class Counting:
        """A client with an option of its own."""

        async def complete(self, messages: Any, *, count_to: int) -> CompletionResponse:
            return says(str(count_to))

    assert await Agent(client=Counting(), count_to=3).chat("Hi") == "3"


# Failures.


async def test_a_run_that_fails_before_its_first_answer_leaves_no_trace() -> None:
    agent = Agent(client=scripted(AuthenticationError("no"))[0])
    with pytest.raises(AuthenticationError) as caught:
        await agent.run("Hi")
    assert (caught.value.messages, caught.value.usage) == ((Message.user("Hi"),), None)
    assert agent.conversation.messages == []


async def test_a_run_that_fails_later_keeps_what_was_paid_and_goes_on() -> None:
    client, _ = scripted(calls(ONE), AuthenticationError("the key ran out"), says("3"))
    agent = Agent(client=client, tools=[add])
    with pytest.raises(AuthenticationError) as caught:
        await agent.run("How much?")
    assert caught.value.usage == USAGE
    assert list(caught.value.messages) == agent.conversation.messages
    assert agent.conversation.messages == [
        Message.user("How much?"),
        calls(ONE).message,
        result_of(ONE, "3"),
    ]
    assert (await agent.run()).content == "3"


async def test_chat_never_returns_what_is_no_answer() -> None:
    client, _ = scripted(calls(ONE, content="Wait"))
    agent = Agent(client=client, tools=[add], max_turns=1)
    with pytest.raises(CompletionError, match="no answer: no answer within max_turns=1") as caught:
        await agent.chat("Hi")
    assert caught.value.usage == USAGE
    assert list(caught.value.messages) == agent.conversation.messages


async def test_there_has_to_be_something_to_answer_and_somebody_to_do_it() -> None:
    client, provider = scripted("ok")
    agent = Agent(client=client)
    with pytest.raises(ConfigError, match="there is nothing to answer"):
        await agent.run()
    await agent.run("Hi")
    with pytest.raises(ConfigError, match="there is nothing to answer"):
        await agent.run()
    with pytest.raises(ConfigError, match="tools belong to the agent"):
        await agent.run("Hi", tools=[add])
    with pytest.raises(ConfigError, match="max_turns is a whole number from 1 on; got 0"):
        await agent.run("Hi", max_turns=0)
    with pytest.raises(ConfigError, match="this agent has nobody to ask"):
        await Agent("Ann").run("Hi")
    with pytest.raises(ConfigError, match="client and provider are the same"):
        Agent(client=client, provider=client)
    assert len(provider.requests) == 1


@virtual_time
async def test_a_second_run_meanwhile_is_refused_and_a_fork_does_it() -> None:
    client, _ = scripted(calls(ToolCall("1", "wait", {"seconds": 5})), says("b"), says("a"))
    agent = Agent(client=client, tools=[wait])
    running = asyncio.create_task(agent.run("Hi"))
    await asyncio.sleep(1)
    conversation = agent.conversation
    for refused in (agent.run("Ho"), anext(agent.stream("Ho")), conversation.say("Ho")):
        with pytest.raises(ConfigError, match=r"waits for an answer: .*fork\(\)"):
            await refused
    for change in (agent.reset, conversation.rollback, lambda: conversation.add_user("Ho")):
        with pytest.raises(ConfigError, match="waits for an answer"):
            change()
    assert (await agent.fork().run("Ho")).content == "b"
    assert (await running).content == "a"


@virtual_time
async def test_cancellation_leaves_no_tool_running_and_no_call_unanswered() -> None:
    asked = calls(ToolCall("1", "wait", {"seconds": 60}), ToolCall("2", "wait", {"seconds": 1}))
    client, _ = scripted(asked, says("ok"))
    agent = Agent(client=client, tools=[wait])
    running = asyncio.create_task(agent.run("Hi"))
    await asyncio.sleep(5)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert len(asyncio.all_tasks()) == 1
    assert results(agent) == {"1": "Error: the call was broken off", "2": "1.0"}
    assert (await agent.run("And now?")).content == "ok"


async def test_what_a_client_calls_fatal_is_no_result() -> None:
    class Limit(Exception):
        pass

    @tool
    def spend() -> None:
        raise Limit("no more")

    client: Any = scripted(calls(ToolCall("1", "spend")))[0]
    client.fatal = (Limit,)
    agent = Agent(client=client, tools=[spend])
    with pytest.raises(Limit, match="no more"):
        await agent.run("Hi")
    assert results(agent) == {"1": "Error: the call was broken off"}


# Shapes, approvals, forks.


class Sum(BaseModel):
    value: int


async def test_the_answer_may_have_a_shape() -> None:
    client, _ = scripted(calls(ONE), says("no JSON"), says('{"value": 3}'))
    result = await Agent(client=client, tools=[add]).run("Hi", response_model=Sum)
    assert (result.parsed, result.status, result.total_cost) == (Sum(value=3), "success", 4.5)


async def test_a_refusal_is_no_answer_with_a_shape() -> None:
    refusal = CompletionResponse.of(None)
    refusal.message["refusal"] = "I would rather not"
    client, _ = scripted(refusal)
    result = await Agent(client=client).run("Hi", response_model=Sum)
    assert (result.status, result.parsed) == ("error", None)
    assert result.error == "the answer has no Sum: I would rather not"


async def test_a_refusal_is_no_answer_to_a_chat() -> None:
    refusal = CompletionResponse.of(None)
    refusal.message["refusal"] = "I would rather not"
    client, _ = scripted(refusal, CompletionResponse.of("", finish_reason="content_filter"))
    for reason in ("I would rather not", "content_filter"):
        with pytest.raises(CompletionError, match=f"the agent has no answer: {reason}"):
            await Agent(client=client).chat("Hi")


async def test_calls_may_be_refused() -> None:
    client, _ = scripted(calls(ONE, TWO), says("ok"))
    agent = Agent(client=client, tools=[add])
    await agent.run("Hi", approve=lambda call: call.id == "2" or "ask my boss")
    assert results(agent) == {"1": "Error: ask my boss", "2": "7"}


async def test_a_choice_that_forces_a_call_does_so_once() -> None:
    client, provider = scripted(calls(ONE), says("ok"))
    await Agent(client=client, tools=[add], tool_choice="required").run("Hi")
    assert [r.params.get("tool_choice") for r in provider.requests] == ["required", None]


async def test_a_fork_goes_its_own_way() -> None:
    client, _ = scripted("a", "b")
    agent = Agent("Ann", client=client, tools=[add], system_prompt="Be brief.", temperature=0)
    await agent.run("Hi")
    fork = agent.fork()
    fork.tools.register(wait)
    fork.options["temperature"] = 1
    await fork.run("Ho")
    assert (len(agent.conversation), len(fork.conversation)) == (3, 5)
    assert (agent.tools.names, agent.options) == (["add"], {"temperature": 0})
    assert fork.conversation.id != agent.conversation.id


async def test_reset_keeps_the_system_message() -> None:
    client, _ = scripted("a")
    agent = Agent(client=client, system_message="Be brief.")
    await agent.run("Hi")
    agent.reset()
    assert agent.conversation.messages == [Message.system("Be brief.")]


async def test_a_conversation_is_gone_on_with() -> None:
    client, provider = scripted("a", "b")
    conversation = Conversation("Be brief.", client=client, model="own", temperature=0)
    await conversation.say("Hi")
    agent = Agent(conversation=conversation, system_prompt="Be long.", max_tokens=9000)
    assert (agent.system_prompt, agent.system_message) == ("Be long.", "Be long.")
    result = await agent.run("Ho")
    assert result.conversation is conversation
    assert (conversation.config.max_tokens, conversation.config.reserve_tokens) == (9000, 2000)
    assert (provider.requests[1].model, provider.requests[1].params) == ("own", {"temperature": 0})
    assert provider.requests[1].messages[0] == Message.system("Be long.")


async def test_an_agent_needs_no_client_before_it_is_asked() -> None:
    agent = Agent(name="Ann", system_prompt="Be brief.", model="m", tools=[add], temperature=0)
    assert (agent.name, agent.system_prompt, agent.model) == ("Ann", "Be brief.", "m")
    assert (list(agent.tools), agent.options, agent.client) == ([add], {"temperature": 0}, None)
    assert repr(agent) == "Agent('Ann', model='m', tools=['add'])"


async def test_an_agent_for_one_question() -> None:
    client, provider = scripted(calls(ONE), says("3"))
    result = await quick_agent("Hi", tools=[add], model="n", client=client, system_message="Brief.")
    assert (result.content, provider.requests[0].model) == ("3", "n")
    assert provider.requests[0].messages[0] == Message.system("Brief.")
    assert (await quick_agent("Hi", model="mock/echo")).content == "Hi"
    client, _ = scripted('{"value": 3}')
    assert (await quick_agent("Hi", provider=client, response_model=Sum)).parsed == Sum(value=3)
    with pytest.raises(ConfigError, match="client and provider are the same"):
        await quick_agent("Hi", client=client, provider=client)


# Streams.


def meta(event: str, **facts: Any) -> StreamEvent:
    return StreamEvent(StreamEventType.META, {"event": event, **facts})


def ran(call: ToolCall, content: str, error: str | None = None) -> StreamEvent:
    return meta(
        "tool_result",
        tool_name=call.name,
        tool_call_id=call.id,
        content=content,
        success=error is None,
        error=error,
    )


async def test_a_stream_shows_turns_calls_results_and_the_end() -> None:
    client, _ = scripted(calls(ONE), answer := says("3"))
    agent = Agent(client=client, tools=[add])
    *events, last = [event async for event in agent.stream("How much?")]
    start, text = ToolCallDelta(0, "1", "add"), ToolCallDelta(0, "1", "add", ONE.arguments_json)
    assert events == [
        meta("turn_start", turn=1),
        StreamEvent(StreamEventType.TOOL_CALL_START, start),
        StreamEvent(StreamEventType.TOOL_CALL_DELTA, text),
        StreamEvent(StreamEventType.TOOL_CALL_END, ONE),
        StreamEvent(StreamEventType.USAGE, USAGE),
        ran(ONE, "3"),
        meta("turn_start", turn=2),
        StreamEvent(StreamEventType.TOKEN, "3"),
        StreamEvent(StreamEventType.USAGE, USAGE),
    ]
    assert last.type is StreamEventType.DONE
    assert (last.data.content, last.data.status, last.data.num_turns) == ("3", "success", 2)
    assert agent.conversation.messages[-1] == answer.message


@virtual_time
async def test_results_come_as_soon_as_they_are_there() -> None:
    slow, fast = ToolCall("1", "wait", {"seconds": 5}), ToolCall("2", "wait", {"seconds": 2})
    client, _ = scripted(calls(slow, fast), says("ok"))
    seen = [
        (now(), event.data["tool_call_id"])
        async for event in Agent(client=client, tools=[wait]).stream("Hi")
        if event.type is StreamEventType.META and event.data["event"] == "tool_result"
    ]
    assert seen == [(2, "2"), (5, "1")]


async def test_the_agent_is_free_again_when_done_is_handed_out() -> None:
    client, _ = scripted("a", "b")
    agent = Agent(client=client)
    async with aclosing(agent.stream("Hi")) as events:
        async for event in events:
            if event.type is StreamEventType.DONE:
                assert (await agent.run("Ho")).content == "b"


async def test_a_streamed_answer_may_have_a_shape() -> None:
    client, _ = scripted('{"value": 3}')
    events = [event async for event in Agent(client=client).stream("Hi", response_model=Sum)]
    assert (events[-1].data.parsed, events[-1].data.status) == (Sum(value=3), "success")


@virtual_time
async def test_a_reader_who_stops_leaves_a_history_that_can_be_gone_on_with() -> None:
    wanted = [ToolCall("1", "wait", {"seconds": 60}), ToolCall("2", "wait", {"seconds": 1})]
    client, _ = scripted(calls(*wanted), says("ok"))
    agent = Agent(client=client, tools=[wait])
    async with aclosing(agent.stream("Hi")) as events:
        async for event in events:
            if event.type is StreamEventType.META and event.data["event"] == "tool_result":
                break
    assert (now(), len(asyncio.all_tasks())) == (1, 1)
    assert results(agent) == {"1": "Error: the call was broken off", "2": "1.0"}
    assert (await agent.run()).content == "ok"


@pytest.mark.parametrize("position", range(9))
async def test_wherever_a_reader_stops_every_call_has_a_result(position: int) -> None:
    client, _ = scripted(calls(ONE), says("3"), says("4"))
    agent = Agent(client=client, tools=[add])
    async with aclosing(agent.stream("Hi")) as events:
        for _ in range(position + 1):
            await anext(events)
    messages = agent.conversation.messages
    asked = [call.id for message in messages for call in message.tool_calls or ()]
    assert asked == list(results(agent))
    assert len(asyncio.all_tasks()) == 1
    assert (await agent.run("Go on")).status == "success"


async def test_a_stream_that_fails_is_raised_with_what_was_paid() -> None:
    client, _ = scripted(calls(ONE), AuthenticationError("cut"))
    agent = Agent(client=client, tools=[add])
    with pytest.raises(AuthenticationError, match="cut") as caught:
        [event async for event in agent.stream("Hi")]
    assert (caught.value.usage, len(caught.value.messages)) == (USAGE, 3)
    assert list(caught.value.messages) == agent.conversation.messages


class Whole:
    """A completer that has no stream."""

    async def complete(self, messages: Any, **options: Any) -> CompletionResponse:
        return says("whole")


class Streaming(Whole):
    """A completer whose stream yields these events."""

    def __init__(self, *events: StreamEvent) -> None:
        self.all = events

    async def stream(self, messages: Any, **options: Any) -> AsyncGenerator[StreamEvent]:
        for event in self.all:
            yield event


async def test_any_completer_will_do() -> None:
    assert await Agent(client=Whole()).chat("Hi") == "whole"
    kinds = [event.type async for event in Agent(client=Whole()).stream("Hi")]
    assert kinds == [
        StreamEventType.META,
        StreamEventType.TOKEN,
        StreamEventType.USAGE,
        StreamEventType.DONE,
    ]
    with pytest.raises(ConfigError, match="a response_model needs a client that has ask"):
        await Agent(client=Whole()).run("Hi", response_model=Sum)


async def test_a_stream_without_an_end_and_one_that_tells_an_error_are_no_answers() -> None:
    token = StreamEvent(StreamEventType.TOKEN, "a")
    agent = Agent(client=Streaming(token))
    with pytest.raises(StreamInterruptedError, match="without its last event"):
        [event async for event in agent.stream("Hi")]
    told = StreamEvent(StreamEventType.ERROR, {"status": 500, "error": "overloaded"})
    for event, reason in ((told, "overloaded"), (StreamEvent(StreamEventType.ERROR), "an error")):
        agent = Agent(client=Streaming(token, event))
        with pytest.raises(CompletionError, match=reason):
            [one async for one in agent.stream("Hi")]
    assert agent.conversation.messages == []


async def test_tools_work_over_the_wire(mock_server: Any) -> None:
    client = Flashlite("openai/tools", base_url=mock_server.base_url)
    agent = Agent(client=client, tools=[add])
    result = await agent.run("Hi")
    assert result.content == f"The tools said: {result.turns[0].tool_results[0].content}"
    agent.reset()
    events = [event async for event in agent.stream("Hi")]
    assert events[-1].data.content == result.content
    await client.aclose()
