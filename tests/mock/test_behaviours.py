"""What the mock models say, and how they fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flashlite import (
    APIConnectionError,
    BadRequestError,
    CompletionError,
    ConfigError,
    Flashlite,
    InternalServerError,
    MalformedResponseError,
    Message,
    MockProvider,
    RateLimitError,
    RetryConfig,
    StreamInterruptedError,
)

ONCE = RetryConfig(max_attempts=1)
ADD = {
    "name": "add",
    "parameters": {
        "type": "object",
        "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}},
        "required": ["x", "y"],
    },
}
NOW = {"name": "now", "parameters": {"type": "object", "properties": {}}}


def _client(name: str, **options: Any) -> Flashlite:
    return Flashlite("any", provider=MockProvider(name, **options), retry=ONCE)


async def _say(name: str, prompt: str = "Hi", **options: Any) -> str:
    return (await _client(name, **options).complete(prompt)).content


async def test_echo_says_the_last_user_message_and_names_what_is_no_text() -> None:
    messages = [
        Message.system("Be kind."),
        Message.user("first"),
        Message.assistant("ok"),
        Message.user([{"type": "text", "text": "look "}, {"type": "image_url", "image_url": {}}]),
    ]
    assert (await _client("echo").complete(messages)).content == "look [image_url]"


async def test_echo_survives_half_an_emoji() -> None:
    assert await _say("echo", "\ud83d!") == "?!"


async def test_the_calculator_shows_its_work() -> None:
    assert await _say("calculator", "What is 2 + 3 * 4?") == "2 + 3 * 4 = 14\n\nANSWER: 14"


async def test_the_calculator_says_when_there_is_nothing_to_work_out() -> None:
    assert await _say("calculator", "Hello") == "I see no arithmetic here."


async def test_the_calculator_is_wrong_on_its_share_of_prompts() -> None:
    questions = [f"What is {a} + {b}?" for a in range(10, 60) for b in range(10, 30)]
    client = _client("calculator", skill=0.7)
    answers = await client.complete_many(questions, max_concurrency=50)
    truths = [a + b for a in range(10, 60) for b in range(10, 30)]
    right = sum(
        answer.content.endswith(f"ANSWER: {truth}")
        for answer, truth in zip(answers, truths, strict=True)
    )
    assert right / 1000 == pytest.approx(0.7, abs=0.04)
    assert await _say("calculator", "What is 1 + 1?", skill=0) != await _say(
        "calculator", "What is 1 + 1?"
    )


async def test_answers_depend_on_seed_and_sample_and_on_nothing_else() -> None:
    client = _client("calculator", skill=0.5)
    other = _client("calculator", skill=0.5, seed=1)
    questions = [f"What is {n} + 1?" for n in range(40)]

    async def ask(client: Flashlite, sample: int) -> list[str]:
        asked = [{"messages": question, "sample": sample} for question in questions]
        return [answer.content for answer in await client.complete_many(asked)]

    first = await ask(client, 1)
    assert await ask(client, 1) == first
    assert await ask(client, 2) != first
    assert await ask(other, 1) != first


async def test_the_calculator_calls_a_tool_named_calculate_and_then_answers() -> None:
    tool = {"name": "calculate", "parameters": {"type": "object", "properties": {}}}
    client = _client("calculator")
    first = await client.complete("What is 2 + 3?", tools=[tool])
    assert [(c.name, c.arguments) for c in first.tool_calls or ()] == [
        ("calculate", {"expression": "2 + 3"})
    ]
    history = [Message.user("What is 2 + 3?"), first.message, Message.tool_result("c", "5")]
    assert (await client.complete(history, tools=[tool])).content.endswith("ANSWER: 5")


async def test_json_gives_an_instance_of_the_asked_schema() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    response = await _client("json").complete("Hi", response_format=schema)
    assert json.loads(response.content) == {"n": 0}


async def test_json_without_a_schema_is_refused() -> None:
    with pytest.raises(BadRequestError, match="needs a response_format with a schema"):
        await _say("json")


async def test_tools_are_called_once_each_and_then_answered() -> None:
    client = _client("tools")
    first = await client.complete("Go", tools=[ADD, NOW])
    assert [(c.id, c.name, c.arguments) for c in first.tool_calls or ()] == [
        ("call_mock_0", "add", {"x": 0, "y": 0}),
        ("call_mock_1", "now", {}),
    ]
    assert first.finish_reason == "tool_calls"
    history = [
        Message.user("Go"),
        first.message,
        Message.tool_result("call_mock_0", "0"),
        Message.tool_result("call_mock_1", "noon"),
    ]
    assert (await client.complete(history, tools=[ADD, NOW])).content == "The tools said: 0; noon"


@pytest.mark.parametrize(
    ("choice", "called"), [("none", None), ("now", ["now"]), ("required", ["add", "now"])]
)
async def test_tool_choice_is_obeyed(choice: str, called: list[str] | None) -> None:
    response = await _client("tools").complete("Go", tools=[ADD, NOW], tool_choice=choice)
    assert (response.tool_calls and [call.name for call in response.tool_calls]) == called


async def test_a_script_gives_answers_calls_and_reasoning_in_turn() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
    answers = ["one", {"content": None, "tool_calls": [call]}, {"reasoning_content": "hm"}]
    client = _client("script", answers=answers)
    responses = [await client.complete("Hi") for _ in answers]
    assert [(r.content, r.finish_reason, r.reasoning) for r in responses] == [
        ("one", "stop", None),
        ("", "tool_calls", None),
        ("", "stop", "hm"),
    ]
    with pytest.raises(BadRequestError, match="the script is over: it had 3 answers"):
        await client.complete("Hi")


async def test_a_script_may_be_a_function_of_the_request() -> None:
    def answer(body: Any) -> str:
        return f"{len(body['messages'])} messages"

    assert await _say("script", answers=answer) == "1 messages"


async def test_a_script_whose_function_got_lost_in_a_log_can_be_made_but_not_asked() -> None:
    client = _client("script", answers=None)
    with pytest.raises(BadRequestError, match="the script is over: it had 0 answers"):
        await client.complete("Hi")


async def test_a_script_may_be_written_in_the_name_or_in_a_file(tmp_path: Any) -> None:
    path = tmp_path / "answers.json"
    path.write_text('["from a file"]')
    assert (await Flashlite('mock/script?answers=["inline"]').complete("Hi")).content == "inline"
    assert await _say("script", answers=str(path)) == "from a file"


async def test_max_tokens_cuts_an_answer() -> None:
    response = await Flashlite("mock/echo").complete("abcdefghijklmnop", max_tokens=2)
    assert (response.content, response.finish_reason) == ("abcdefgh", "length")


async def test_several_choices_are_separate_draws() -> None:
    client = _client("calculator", skill=0.5)
    response = await client.complete("What is 5 + 5?", n=20)
    assert len({choice.message.text for choice in response.choices}) > 1


async def test_usage_is_counted_and_costs_nothing() -> None:
    usage = (await Flashlite("mock/echo").complete("abcdefgh")).usage
    assert usage is not None
    assert (usage.output_tokens, usage.total_cost) == (2, 0)
    assert usage.input_tokens > 2


FAULTS: list[tuple[dict[str, Any], type[CompletionError]]] = [
    ({"status": 429, "retry_after": 2}, RateLimitError),
    ({"status": 400}, BadRequestError),
    ({"malformed": "json"}, MalformedResponseError),
    ({"malformed": "empty"}, MalformedResponseError),
    ({"malformed": "html"}, MalformedResponseError),
    ({"malformed": "choices"}, MalformedResponseError),
    ({"status": 502, "malformed": "html"}, InternalServerError),
    ({"cut": 0}, APIConnectionError),
    ({"cut": 1}, APIConnectionError),
    ({"cut": 99}, APIConnectionError),
    ({"status": 500, "cut": 1}, APIConnectionError),
]


@pytest.mark.parametrize(("options", "error"), FAULTS)
async def test_a_fault_is_the_error_that_a_real_server_would_cause(
    options: dict[str, Any], error: type[CompletionError]
) -> None:
    with pytest.raises(error) as caught:
        await _say("echo", **options)
    assert type(caught.value) is error


async def test_a_cut_breaks_a_stream_after_so_many_chunks_if_it_has_more() -> None:
    seen: list[Any] = []
    with pytest.raises(StreamInterruptedError):
        seen.extend([event async for event in _client("echo", cut=3).stream("one two three")])
    events = [event async for event in _client("echo", cut=99).stream("one two three")]
    assert events[-1].data.content == "one two three"


async def test_times_limits_a_fault_to_the_first_requests() -> None:
    client = _client("echo", status=503, times=2)
    results = [await client.complete_many(["x"], return_exceptions=True) for _ in range(3)]
    assert [isinstance(result[0], CompletionError) for result in results] == [True, True, False]


BLANK = "has no value: write {}=..., or leave it out"


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        (
            "nope",
            {},
            "unknown mock behaviour 'nope': there are calculator, echo, json, script, tools",
        ),
        (
            "echo?skil=1",
            {},
            "unknown mock option skil: there are skill, seed, answers, status, malformed, cut, "
            "times, retry_after, latency, chunk_latency",
        ),
        ("echo", {"times": "often"}, "mock option times cannot be 'often'"),
        ("calculator?skill=2", {}, "mock option skill is a share from 0 to 1; got 2.0"),
        ("echo", {"malformed": "x"}, "mock option malformed is one of json, empty, html, choices"),
        ("calculator?skill=", {}, f"mock option skill {BLANK.format('skill')}"),
        ("echo?status=&times=1", {}, f"mock option status {BLANK.format('status')}"),
        ("echo?status", {}, f"mock option status {BLANK.format('status')}"),
        ("echo?malformed=", {}, f"mock option malformed {BLANK.format('malformed')}"),
        ("script", {"answers": ""}, f"mock option answers {BLANK.format('answers')}"),
        ("echo?skil=", {}, None),
        ("echo?times=-1", {}, "mock option times is a number from 0 up; got -1"),
        ("echo?latency=nan", {}, "mock option latency is a number from 0 up; got nan"),
        ("echo?status=200", {}, "mock option status is from 300 to 599; got 200"),
        ("echo", {"times": float("inf")}, "mock option times cannot be inf"),
        ("script", {"answers": 5}, "mock option answers is a list or a function; got 5"),
        (
            "script",
            {"answers": ["one", 5]},
            "mock option answers: an answer is a text or a message; got 5",
        ),
        (
            "script",
            {"answers": [{"content": {1}}]},
            "mock option answers: an answer has to be JSON: Object of type set is not JSON "
            "serializable",
        ),
        ("script", {"answers": "{}"}, None),
    ],
)
def test_bad_options_are_one_sentence(
    name: str, options: dict[str, Any], sentence: str | None
) -> None:
    with pytest.raises(ConfigError) as caught:
        MockProvider(name, **options)
    assert sentence is None or str(caught.value) == sentence
