from typing import Any

import pytest

from flashlite.types import (
    Choice,
    CompletionResponse,
    Message,
    StreamEvent,
    StreamEventType,
    ToolCall,
    ToolCallDelta,
    Usage,
)

TOKEN, DONE = StreamEventType.TOKEN, StreamEventType.DONE
CALL = ToolCall("c1", "add", '{"a":1}')


async def read(response: CompletionResponse) -> list[StreamEvent]:
    return [event async for event in response.events()]


def test_of_builds_an_answer_with_one_choice() -> None:
    response = CompletionResponse.of(
        "3", tool_calls=[CALL], reasoning="1+2", finish_reason="tool_calls", model="m", id="r1"
    )
    message = Message.assistant("3", tool_calls=[CALL], reasoning_content="1+2")
    assert (response.choices, response.model, response.id) == (
        (Choice(message=message, finish_reason="tool_calls"),),
        "m",
        "r1",
    )


def test_the_properties_speak_of_the_first_choice() -> None:
    first = Choice(
        message=Message.assistant(
            "3", tool_calls=[CALL], reasoning_content="1+2", refusal="Or rather not."
        ),
        finish_reason="stop",
        logprobs={"content": []},
    )
    second = Choice(message=Message.assistant("4"), finish_reason="length", index=1)
    response = CompletionResponse(choices=(first, second), usage=Usage(total_cost=0.5))
    assert (
        response.message,
        response.to_message(),
        response.content,
        response.tool_calls,
        response.has_tool_calls,
        response.reasoning,
        response.refusal,
        response.finish_reason,
        response.logprobs,
        response.cost,
    ) == (
        first.message,
        first.message,
        "3",
        [CALL],
        True,
        "1+2",
        "Or rather not.",
        "stop",
        {"content": []},
        0.5,
    )


def test_an_answer_came_at_the_first_attempt_and_not_from_a_cache_unless_somebody_says_so() -> None:
    response = CompletionResponse()
    assert (response.status, response.error, response.cached, response.attempts) == (
        200,
        None,
        False,
        1,
    )


def test_an_answer_without_choices_says_nothing() -> None:
    response = CompletionResponse()
    assert (
        response.message,
        response.content,
        response.tool_calls,
        response.has_tool_calls,
        response.reasoning,
        response.refusal,
        response.finish_reason,
        response.logprobs,
        response.cost,
    ) == (Message.assistant(), "", None, False, None, None, None, None, None)


def test_the_cost_of_usage_without_a_price_is_unknown() -> None:
    assert CompletionResponse(usage=Usage(input_tokens=1)).cost is None


@pytest.mark.parametrize(
    ("fields", "ok"), [({}, True), ({"status": 500}, False), ({"error": "lost"}, False)]
)
def test_an_answer_is_ok_without_error_and_with_status_200(
    fields: dict[str, Any], ok: bool
) -> None:
    assert CompletionResponse.of("Hi", **fields).ok is ok


def test_to_dict_is_the_wire_form_of_openai() -> None:
    response = CompletionResponse(
        choices=(
            Choice(message=Message.assistant("Hi"), finish_reason="stop", logprobs={"content": []}),
            Choice(message=Message.assistant("Ho"), index=1),
        ),
        id="r1",
        model="m",
        provider="openai",
        usage=Usage(input_tokens=3, output_tokens=1),
    )
    assert response.to_dict() == {
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi"},
                "finish_reason": "stop",
                "logprobs": {"content": []},
            },
            {"index": 1, "message": {"role": "assistant", "content": "Ho"}},
        ],
        "id": "r1",
        "model": "m",
        "provider": "openai",
        "usage": Usage(input_tokens=3, output_tokens=1).to_dict(),
    }


def test_to_dict_leaves_out_what_is_unknown() -> None:
    assert CompletionResponse().to_dict() == {"choices": []}


def test_the_repr_shows_neither_headers_nor_raw_answer() -> None:
    response = CompletionResponse.of("Hi", headers={"x": "secret"}, raw={"y": "secret"})
    assert "secret" not in repr(response)
    assert "Hi" in repr(response)


async def test_a_whole_answer_is_played_as_if_it_were_streamed() -> None:
    response = CompletionResponse.of(
        "3", reasoning="1+2", tool_calls=[CALL, ToolCall("c2", "now")], usage=Usage(input_tokens=3)
    )
    assert await read(response) == [
        StreamEvent(StreamEventType.REASONING, "1+2"),
        StreamEvent(TOKEN, "3"),
        StreamEvent(StreamEventType.TOOL_CALL_START, ToolCallDelta(0, "c1", "add")),
        StreamEvent(StreamEventType.TOOL_CALL_DELTA, ToolCallDelta(0, "c1", "add", '{"a":1}')),
        StreamEvent(StreamEventType.TOOL_CALL_END, CALL),
        StreamEvent(StreamEventType.TOOL_CALL_START, ToolCallDelta(1, "c2", "now")),
        StreamEvent(StreamEventType.TOOL_CALL_DELTA, ToolCallDelta(1, "c2", "now", "{}")),
        StreamEvent(StreamEventType.TOOL_CALL_END, ToolCall("c2", "now")),
        StreamEvent(StreamEventType.USAGE, Usage(input_tokens=3)),
        StreamEvent(DONE, response),
    ]


async def test_an_answer_that_only_calls_tools_is_played_without_text() -> None:
    response = CompletionResponse.of(tool_calls=[ToolCall("c1", "now")])
    assert [event.type async for event in response.events()] == [
        StreamEventType.TOOL_CALL_START,
        StreamEventType.TOOL_CALL_DELTA,
        StreamEventType.TOOL_CALL_END,
        DONE,
    ]


async def test_every_choice_of_a_whole_answer_is_played() -> None:
    response = CompletionResponse(
        choices=(
            Choice(message=Message.assistant("A"), finish_reason="stop"),
            Choice(message=Message.assistant("B"), finish_reason="stop", index=1),
        )
    )
    assert await read(response) == [
        StreamEvent(TOKEN, "A"),
        StreamEvent(TOKEN, "B", index=1),
        StreamEvent(DONE, response),
    ]


async def test_a_whole_answer_can_be_played_again() -> None:
    response = CompletionResponse.of("Hi")
    once = await read(response)
    assert await read(response) == once


async def test_a_whole_answer_is_complete_at_once() -> None:
    response, called = CompletionResponse.of("Hi"), list[CompletionResponse]()
    await response.on_complete(called.append)
    assert called == [response]


def test_events_are_equal_whenever_they_were_noted() -> None:
    assert StreamEvent(TOKEN, "a", timestamp=1.0) == StreamEvent(TOKEN, "a", timestamp=2.0)
    assert StreamEvent(TOKEN, "a") != StreamEvent(TOKEN, "a", index=1)
