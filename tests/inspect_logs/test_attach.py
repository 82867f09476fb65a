"""Attached once, all is logged: conversations, agents and chats, whoever answers for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.event import InfoEvent, ModelEvent, SpanBeginEvent, ToolEvent
from inspect_ai.log import EvalSample

from flashlite import (
    Agent,
    ConfigError,
    Conversation,
    Flashlite,
    InspectLogger,
    MemoryCache,
    MultiAgentChat,
    RetryConfig,
    run_tool_loop,
    tool,
)
from flashlite.chat import chosen_by
from flashlite.errors import AuthenticationError, CompletionError
from flashlite.testing import ReplayTransport, Reply, ScriptedProvider
from flashlite.types import (
    CompletionResponse,
    StreamEvent,
    StreamEventType,
    ToolCall,
    Usage,
)

from .logs import read, samples

KEY = "sk-canary-0123456789"


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def calling(id: str, name: str = "add", **arguments: Any) -> CompletionResponse:
    used = Usage(input_tokens=10, output_tokens=2, total_cost=0.01)
    call = ToolCall(id, name, arguments)
    return CompletionResponse.of(None, tool_calls=[call], model="m", provider="own", usage=used)


def scripted(*answers: Any) -> Flashlite:
    return Flashlite("m", provider=ScriptedProvider(answers))


class Parrot:
    """A completer that is no client of ours: it says what it heard last."""

    async def complete(self, messages: Any, **_: Any) -> CompletionResponse:
        return CompletionResponse.of(f"{messages[-1].text}!", model="parrot-1", provider="zoo")

    async def stream(self, messages: Any, **_: Any) -> AsyncGenerator[StreamEvent]:
        yield StreamEvent(StreamEventType.TOKEN, messages[-1].text)
        yield StreamEvent(StreamEventType.DONE, await self.complete(messages))


class Wrapped:
    """A completer of somebody's own around a client of ours."""

    def __init__(self, client: Flashlite) -> None:
        self._client = client

    async def complete(self, messages: Any, **options: Any) -> CompletionResponse:
        return await self._client.complete(messages, **options)


def logged(folder: Path, work: Callable[[InspectLogger], Any]) -> dict[Any, EvalSample]:
    """Run some work with a logger; return the samples that it logged, by id."""
    with InspectLogger(folder) as logger:
        asyncio.run(work(logger))
    return {sample.id: sample for sample in samples(folder)}


def happened(sample: EvalSample) -> list[Any]:
    """Return calls of models and tools, messages and the agents' lanes, in order."""
    told: list[Any] = []
    for event in sample.events:
        if isinstance(event, ModelEvent):
            told.append(("model", event.role, event.output.completion))
        elif isinstance(event, ToolEvent):
            told.append(("tool", event.function, event.result))
        elif isinstance(event, InfoEvent):
            told.append(("said", event.data))
        elif isinstance(event, SpanBeginEvent) and event.type == "agent":
            told.append(("agent", event.name))
    return told[1:]


def test_a_conversation_is_a_sample_from_when_it_is_attached_to_its_end(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        conversation = Flashlite("mock/echo").conversation(system="Be brief.")
        await conversation.say("Before")
        sample = logger.attach(conversation, "talk", target="Goodbye")
        await conversation.say("Hello")
        await conversation.say("Goodbye")
        sample.score("polite", 1.0)
        sample.end()
        await conversation.say("After")

    [sample] = logged(tmp_path, work).values()
    assert happened(sample) == [("model", None, "Hello"), ("model", None, "Goodbye")]
    assert [message.text for message in sample.messages] == [
        "Be brief.", "Before", "Before", "Hello", "Hello", "Goodbye", "Goodbye"
    ]  # fmt: skip
    assert (sample.output.completion, sample.target, sample.error) == ("Goodbye", "Goodbye", None)


def test_calls_have_attempts_hits_costs_and_what_went_over_the_wire(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    choice = {"index": 0, "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}
    body = {"model": "gpt-4o", "choices": [choice], "usage": usage}

    async def work(logger: InspectLogger) -> None:
        transport = ReplayTransport([Reply.of({}, status=500), Reply.of(body)])
        retry = RetryConfig(max_attempts=2, initial_delay=0)
        options: dict[str, Any] = {"retry": retry, "api_key": KEY, "cache": MemoryCache()}
        client = Flashlite("openai/gpt-4o", transport=transport, **options)
        for id in "ab":
            with logger.attach(talk := client.conversation(temperature=0), id):
                await talk.say("2+2?")

    found = logged(tmp_path, work)
    calls = [event for s in found.values() for event in s.events if isinstance(event, ModelEvent)]
    assert [(call.retries, call.cache, call.config.temperature) for call in calls] == [
        (1, None, 0), (0, "read", 0)
    ]  # fmt: skip
    assert calls[0].call is not None
    assert calls[0].call.request["messages"] == [{"role": "user", "content": "2+2?"}]
    assert calls[0].output.usage is not None
    assert calls[0].output.usage.total_cost == pytest.approx(0.000_045)
    assert KEY not in "".join(sample.model_dump_json() for sample in found.values())


def test_an_agents_tools_are_events_between_its_calls(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        client = scripted(calling("c1", a=1, b=2), calling("c2", "nope"), "three")
        agent = Agent("Ann", tools=[add], client=client)
        logger.attach(agent, "sum", input="Add 1 and 2.")
        await agent.run("1+2?")

    [sample] = logged(tmp_path, work).values()
    assert happened(sample) == [
        ("model", "Ann", ""),
        ("tool", "add", "3"),
        ("model", "Ann", ""),
        ("tool", "nope", ""),
        ("model", "Ann", "three"),
    ]
    assert (sample.input, sample.output.completion) == ("Add 1 and 2.", "three")
    failed = [event for event in sample.events if isinstance(event, ToolEvent)][1]
    assert failed.error is not None
    assert "there is no tool named 'nope'" in failed.error.message
    assert sample.role_usage["Ann"].total_cost == 0.02


def test_what_a_tool_asks_and_runs_is_in_the_sample_too(tmp_path: Path) -> None:
    @tool
    async def consult(question: str) -> str:
        """Ask somebody else."""
        return await Agent("Bob", client=scripted("42")).chat(question)

    async def work(logger: InspectLogger) -> None:
        client = scripted(calling("c", "consult", question="Why?"), "It is 42.")
        with logger.attach(agent := Agent("Ann", tools=[consult], client=client), "s"):
            await agent.run("Why?")

    assert happened(logged(tmp_path, work)["s"]) == [
        ("model", "Ann", ""),
        ("model", "Bob", "42"),
        ("tool", "consult", "42"),
        ("model", "Ann", "It is 42."),
    ]


def test_a_tool_that_is_broken_off_is_told(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        begun = asyncio.Event()

        @tool
        async def wait() -> str:
            """Wait."""
            begun.set()
            return await asyncio.Future()

        agent = Agent("Ann", tools=[wait], client=scripted(calling("c", "wait")))
        logger.attach(agent, "s")
        task = asyncio.create_task(agent.run("Go."))
        await begun.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    [event] = [e for e in logged(tmp_path, work)["s"].events if isinstance(e, ToolEvent)]
    assert event.error is not None
    assert event.error.message == "CancelledError('')"


def test_a_chat_has_a_lane_for_each_turn_and_all_that_was_said(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        blue = Agent("Blue", tools=[add], client=scripted(calling("c", a=1, b=2), "three", "psst"))
        chat = MultiAgentChat(Flashlite("mock/echo"), [Agent("Red"), blue])
        with logger.attach(chat, "chat") as sample:
            chat.add_message("Moderator", "Begin.")
            await chat.round_robin()
            await chat.speak("Blue", visible_to="Red")
            sample.score("fair", 1.0)

    sample = logged(tmp_path, work)["chat"]
    assert happened(sample) == [
        ("said", "**Moderator:** Begin."),
        ("agent", "Red"),
        ("model", "Red", "[Moderator]: Begin."),
        ("said", "**Red:** [Moderator]\\: Begin."),
        ("agent", "Blue"),
        ("model", "Blue", ""),
        ("tool", "add", "3"),
        ("model", "Blue", "three"),
        ("said", "**Blue:** three"),
        ("agent", "Blue"),
        ("model", "Blue", "psst"),
        ("said", "**Blue → Red:** psst"),
    ]
    assert (sample.input, sample.output.completion) == ("[Moderator] Begin.", "three")
    assert [(message.role, message.text) for message in sample.messages] == [
        ("user", "[Moderator] Begin."),
        ("assistant", "[Red] [Moderator]: Begin."),
        ("assistant", "[Blue] three"),
    ]
    entries = sample.store["ChatLog:entries"]
    assert [(entry["author"], entry.get("visible_to")) for entry in entries] == [
        ("Moderator", None), ("Red", None), ("Blue", None), ("Blue", ["Red"])
    ]  # fmt: skip
    assert sample.store["ChatLog:stats"]["Blue"]["tool_calls"] == 1


@pytest.mark.parametrize("audience", [None, "Wolf"])
def test_no_secret_of_a_chat_stands_for_it(audience: str | None, tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        wolf = Agent("Wolf", system_prompt="secret: a wolf", client=scripted("Good day."))
        chat = MultiAgentChat(None, [wolf, Agent("Seer")])
        logger.attach(chat, "game")
        chat.add_message("Host", "secret: kill Bob", visible_to=["Wolf"])
        cue: Any = {"additional_context": "secret: lie", "visible_to": audience}
        await chat.run(chosen_by(scripted("Wolf", "nobody")), **cue)

    sample = logged(tmp_path, work)["game"]
    told = [] if audience else ["[Wolf] Good day."]
    assert [message.text for message in sample.messages] == told
    assert (sample.input, sample.output.completion) == ("", "" if audience else "Good day.")
    assert len([event for event in sample.events if isinstance(event, ModelEvent)]) == 3


def test_no_secret_of_a_chat_stands_for_it_after_a_turn_that_failed(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        chat = MultiAgentChat(scripted(AuthenticationError("no")), [Agent("Wolf"), Agent("Seer")])
        chat.add_message("Host", "secret: kill Bob", visible_to=["Wolf"])
        logger.attach(chat, "game")
        with pytest.raises(AuthenticationError):
            await chat.speak("Wolf")

    sample = logged(tmp_path, work)["game"]
    assert (sample.input, sample.messages, sample.output.choices) == ("", [], [])


def test_tools_stand_for_a_chat_where_everybody_reads_them(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        answer = CompletionResponse.of("three", reasoning="secret: I guess", model="m")
        client = scripted(calling("c", a=1, b=2), answer)
        chat = MultiAgentChat(client, [Agent("Red", tools=[add])], share_tools=True)
        logger.attach(chat, "chat")
        await chat.speak("Red")

    sample = logged(tmp_path, work)["chat"]
    assert [(message.role, message.text) for message in sample.messages] == [
        ("assistant", ""), ("tool", "3"), ("assistant", "[Red] three")
    ]  # fmt: skip


def test_agents_that_speak_at_once_have_their_own_lanes(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        chat = MultiAgentChat(Flashlite("mock/echo"), [Agent("Red"), Agent("Blue")])
        chat.add_message("Moderator", "Vote.")
        logger.attach(chat, "vote")
        await chat.simultaneous()

    sample = logged(tmp_path, work)["vote"]
    lanes = {e.id: e.name for e in sample.events if isinstance(e, SpanBeginEvent)}
    calls = [event for event in sample.events if isinstance(event, ModelEvent)]
    assert {(call.role, lanes[str(call.span_id)]) for call in calls} == {
        ("Red", "Red"), ("Blue", "Blue")
    }  # fmt: skip


def test_what_a_moderator_decides_is_in_the_sample(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        chat = MultiAgentChat(Flashlite("mock/echo"), [Agent("Red"), Agent("Blue")])
        chat.add_message("Judge", "Begin.")
        logger.attach(chat, "led")
        await chat.run(chosen_by(scripted("Blue", "nobody")))

    sample = logged(tmp_path, work)["led"]
    assert [step for step in happened(sample) if step[0] == "model"] == [
        ("model", None, "Blue"),
        ("model", "Blue", "[Judge]: Begin."),
        ("model", None, "nobody"),
    ]
    assert sample.output.completion == "[Judge]: Begin."


def test_a_chats_own_listeners_still_hear(tmp_path: Path) -> None:
    heard: list[str] = []

    async def work(logger: InspectLogger) -> None:
        chat = MultiAgentChat(
            Flashlite("mock/echo"), [Agent("Red")], on_turn=lambda entry: heard.append(entry.author)
        )
        chat.on_message = lambda entry: heard.append(entry.author)
        before = chat.on_turn, chat.on_message, chat.around_turn, chat.around
        with logger.attach(chat):
            chat.add_message("Judge", "Begin.")
            await chat.speak("Red")
        assert (chat.on_turn, chat.on_message, chat.around_turn, chat.around) == before

    logged(tmp_path, work)
    assert heard == ["Judge", "Red"]


def test_streams_are_recorded_and_what_their_reader_does_meanwhile_is_not(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        client = Flashlite("mock/echo")
        conversation = client.conversation()
        agent = Agent("Ann", tools=[add], client=scripted(calling("c", a=1, b=2), "three"))
        logger.attach(conversation, "talk")
        logger.attach(agent, "agent")
        async with aclosing(conversation.stream("Hello there")) as events:
            async for _ in events:
                await client.complete("elsewhere")
        async with aclosing(agent.stream("1+2?")) as events:
            async for _ in events:
                await client.complete("elsewhere")
        async with aclosing(conversation.stream("Left")) as events:
            async for _ in events:
                break

    found = logged(tmp_path, work)
    assert happened(found["talk"]) == [("model", None, "Hello there"), ("model", None, "Left")]
    assert happened(found["agent"]) == [
        ("model", "Ann", ""), ("tool", "add", "3"), ("model", "Ann", "three")
    ]  # fmt: skip
    left = [event for event in found["talk"].events if isinstance(event, ModelEvent)][1]
    assert left.error is not None
    assert left.error.endswith("the stream was not read to its end")


def test_who_is_no_client_of_ours_is_recorded_too(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        clients: dict[str, Any] = {"own": Parrot(), "wrapped": Wrapped(Flashlite("mock/echo"))}
        for id, client in clients.items():
            conversation = Conversation(client=client, temperature=0.5)
            logger.attach(conversation, id)
            await conversation.say("Hi")
            async with aclosing(conversation.stream("Ho")) as events:
                async for _ in events:
                    pass

    found = logged(tmp_path, work)
    assert happened(found["own"]) == [("model", None, "Hi!"), ("model", None, "Ho!")]
    assert happened(found["wrapped"]) == [("model", None, "Hi"), ("model", None, "Ho")]
    [call, _] = [event for event in found["own"].events if isinstance(event, ModelEvent)]
    assert (call.model, call.config.temperature) == ("zoo/parrot-1", 0.5)


def test_what_somebody_else_is_given_in_secret_is_struck_out(tmp_path: Path) -> None:
    class Leaking(Parrot):
        async def complete(self, messages: Any, **options: Any) -> CompletionResponse:
            raise AuthenticationError(f"{options['api_key']} is no key")

    async def work(logger: InspectLogger) -> None:
        conversation = Conversation(client=Leaking(), api_key=KEY)
        logger.attach(conversation, "s")
        with pytest.raises(AuthenticationError):
            await conversation.say("Hi")

    [call] = [e for e in logged(tmp_path, work)["s"].events if isinstance(e, ModelEvent)]
    assert call.error == "AuthenticationError: *** is no key"


def test_a_stream_of_somebody_elses_that_fails_is_an_event_with_its_reason(tmp_path: Path) -> None:
    class Failing(Parrot):
        async def stream(self, messages: Any, **_: Any) -> AsyncGenerator[StreamEvent]:
            if messages[-1].text == "raise":
                raise AuthenticationError("no")
            yield StreamEvent(StreamEventType.ERROR, {"status": 500, "error": "too hot"})

    async def work(logger: InspectLogger) -> None:
        conversation = Conversation(client=Failing())
        logger.attach(conversation, "s")
        for word in ("raise", "tell"):
            with pytest.raises(CompletionError):
                async with aclosing(conversation.stream(word)) as events:
                    await anext(events)

    calls = [e for e in logged(tmp_path, work)["s"].events if isinstance(e, ModelEvent)]
    assert [str(call.error) for call in calls] == [
        "AuthenticationError: no", "CompletionError: too hot"
    ]  # fmt: skip


def test_a_call_that_fails_is_an_event_and_the_sample_goes_on(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        conversation = scripted(AuthenticationError("no"), "Hi").conversation()
        logger.attach(conversation, "s")
        with pytest.raises(AuthenticationError):
            await conversation.say("Hello")
        await conversation.say("Hello")

    sample = logged(tmp_path, work)["s"]
    calls = [event for event in sample.events if isinstance(event, ModelEvent)]
    assert [bool(call.error) for call in calls] == [True, False]
    assert sample.error is None


def test_a_fork_is_in_the_same_sample_until_it_is_attached(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        conversation = Flashlite("mock/echo").conversation()
        logger.attach(conversation, "tree")
        await conversation.say("root")
        await conversation.fork().say("fork")
        other = conversation.fork()
        logger.attach(other, "other")
        await other.say("branch")
        await conversation.say("trunk")

    found = logged(tmp_path, work)
    assert [step[2] for step in happened(found["tree"])] == ["root", "fork", "trunk"]
    assert [message.text for message in found["tree"].messages] == ["root"] * 2 + ["trunk"] * 2
    assert [step[2] for step in happened(found["other"])] == ["branch"]


def test_what_is_attached_anew_is_the_next_epoch(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        conversation = Flashlite("mock/echo").conversation()
        for word in ("one", "two"):
            conversation.clear()
            logger.attach(conversation, "s")
            await conversation.say(word)

    logged(tmp_path, work)
    log = read(tmp_path)
    found = [(s.epoch, [m.text for m in s.messages]) for s in log.samples or ()]
    assert (log.status, found) == ("success", [(1, ["one", "one"]), (2, ["two", "two"])])


def test_a_thing_may_be_attached_to_two_logs(tmp_path: Path) -> None:
    conversation = Flashlite("mock/echo").conversation()
    with InspectLogger(tmp_path / "a") as one, InspectLogger(tmp_path / "b") as other:
        one.attach(conversation, "s")
        other.attach(conversation, "s")
        asyncio.run(conversation.say("Hi"))
    for folder in "ab":
        [sample] = samples(tmp_path / folder)
        assert happened(sample) == [("model", None, "Hi")]
    assert conversation.around is None


def test_two_logs_that_are_attached_by_turns_leave_nothing_behind(tmp_path: Path) -> None:
    chat = MultiAgentChat(Flashlite("mock/echo"), [Agent("Red")])
    with InspectLogger(tmp_path / "a") as one, InspectLogger(tmp_path / "b") as other:
        for _ in range(100):
            one.attach(chat, "s")
            other.attach(chat, "s")
        asyncio.run(chat.speak("Red"))
        hooks: Any = chat.around
        assert hooks.before("around").before("around") is None
    for folder in "ab":
        found = [len(happened(sample)) for sample in samples(tmp_path / folder)]
        assert found == [0] * 99 + [3]


def test_a_client_that_has_the_logger_records_each_call_once(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        client = Flashlite("mock/echo", inspect_logger=logger)
        conversation = client.conversation()
        logger.attach(conversation, "s")
        await conversation.say("in")
        await client.complete("out")

    found = logged(tmp_path, work)
    assert {id: happened(sample) for id, sample in found.items()} == {
        "s": [("model", None, "in")], 1: [("model", None, "out")]
    }  # fmt: skip


def test_a_hundred_tasks_and_threads_each_have_their_own_sample(tmp_path: Path) -> None:
    client = Flashlite("mock/echo")

    async def talk(logger: InspectLogger, id: str) -> None:
        agent = Agent(id, client=client)
        logger.attach(agent, id)
        for number in range(3):
            await agent.run(f"{id} {number}")

    async def talks(logger: InspectLogger, name: str) -> None:
        await asyncio.gather(*(talk(logger, f"{name}{number}") for number in range(25)))

    with InspectLogger(tmp_path) as logger:
        threads = [
            threading.Thread(target=lambda name=name: asyncio.run(talks(logger, name)))
            for name in "abcd"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = samples(tmp_path)
    assert len(found) == 100
    assert all(
        happened(s) == [("model", str(s.id), f"{s.id} {number}") for number in range(3)]
        for s in found
    )


def test_a_log_sample_has_the_tools_and_other_clients_inside(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        client = Flashlite("m", provider=ScriptedProvider([]), inspect_logger=logger)
        with client.log_sample("loop"):
            await run_tool_loop(scripted(calling("c", a=1, b=2), "three"), "1+2?", [add])

    assert happened(logged(tmp_path, work)["loop"]) == [
        ("model", None, ""), ("tool", "add", "3"), ("model", None, "three")
    ]  # fmt: skip


def test_a_plain_sample_hears_nothing_that_it_is_not_told(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        with logger.sample("plain") as sample:
            await run_tool_loop(scripted(calling("c", a=1, b=2), "three"), "1+2?", [add])
            sample.model("1+2?", "three")

    assert happened(logged(tmp_path, work)["plain"]) == [("model", None, "three")]


def test_what_ends_the_run_ends_what_is_attached(tmp_path: Path) -> None:
    conversation = Flashlite("mock/echo").conversation()
    logger = InspectLogger(tmp_path)
    logger.attach(conversation, "s")
    asyncio.run(conversation.say("Hi"))
    logger.close(ValueError("mine"))
    [sample] = samples(tmp_path)
    assert (read(tmp_path).status, sample.output.completion) == ("error", "Hi")
    assert sample.error is not None
    assert sample.error.message == "ValueError: mine"


def test_what_can_not_be_attached_is_refused_and_takes_no_name(tmp_path: Path) -> None:
    with InspectLogger(tmp_path) as logger:
        with pytest.raises(ConfigError, match=r"Flashlite\(inspect_logger=...\)"):
            logger.attach(Flashlite("mock/echo"), "s")  # type: ignore[arg-type]
        logger.log("x", "y", "s")
    assert [sample.epoch for sample in samples(tmp_path)] == [1]


def test_an_agent_in_a_chat_leaves_its_own_memory_out(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        agent = Agent("Red", system_prompt="You are red.")
        logger.attach(agent, "red")
        chat = MultiAgentChat(Flashlite("mock/echo"), [agent], introduction="")
        chat.add_message("Judge", "Begin.")
        await chat.speak("Red")

    sample = logged(tmp_path, work)["red"]
    assert happened(sample) == [("model", "Red", "[Judge]: Begin.")]
    assert [message.text for message in sample.messages][-2:] == ["[Judge]: Begin."] * 2


def test_messages_are_whole_where_prompts_were_cut(tmp_path: Path) -> None:
    async def work(logger: InspectLogger) -> None:
        conversation = Conversation(client=Flashlite("mock/echo"), max_tokens=20)
        logger.attach(conversation, "long")
        for number in range(5):
            await conversation.say(f"some words that take room, number {number}")

    sample = logged(tmp_path, work)["long"]
    calls = [event for event in sample.events if isinstance(event, ModelEvent)]
    assert len(calls[-1].input) < 9
    assert len(sample.messages) == 10
