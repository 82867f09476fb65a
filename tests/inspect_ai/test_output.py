"""Our answers, as Inspect wants them."""

from __future__ import annotations

import pytest
from inspect_ai.model import (
    ContentReasoning,
    ContentText,
    Logprob,
    Logprobs,
    ModelUsage,
    StopDetails,
    TopLogprob,
)
from inspect_ai.tool import ToolCall as InspectToolCall
from inspect_ai.tool import ToolInfo, ToolParam, ToolParams

from flashlite.inspect_ai._messages import to_messages
from flashlite.inspect_ai._output import to_output
from flashlite.types import Choice, CompletionResponse, Message, ToolCall, Usage

ADD = ToolInfo(
    name="add",
    description="Add.",
    parameters=ToolParams(properties={"x": ToolParam(type="string")}, required=["x"]),
)


def test_an_answer_keeps_text_model_time_and_provenance() -> None:
    response = CompletionResponse.of(
        "Four.",
        model="gpt-4o-2024-08-06",
        provider="openai",
        id="chatcmpl-1",
        latency=0.5,
        request_id="req_1",
        usage=Usage(input_tokens=10, output_tokens=2, total_cost=0.25),
        facts={"system_fingerprint": "fp_1"},
    )
    output = to_output(response, model="openai/gpt-4o")
    assert (output.completion, output.model, output.time, output.response_id) == (
        "Four.",
        "gpt-4o-2024-08-06",
        0.5,
        "chatcmpl-1",
    )
    assert (output.message.model, output.message.source) == ("gpt-4o-2024-08-06", "generate")
    assert output.metadata == {
        "flashlite": {
            "provider": "openai",
            "cost": 0.25,
            "request_id": "req_1",
            "system_fingerprint": "fp_1",
        }
    }


def test_the_answer_to_a_similar_question_says_which_and_how_alike() -> None:
    lineage = {"key": "k", "cost": 0.25, "similarity": 0.97, "question": "Two and two?"}
    response = CompletionResponse.of("Four.", cached=True, lineage=lineage)
    assert to_output(response, model="openai/gpt-4o").metadata == {
        "flashlite": {
            "cached": True,
            "cached_cost": 0.25,
            "similarity": 0.97,
            "similar_question": "Two and two?",
        }
    }


@pytest.mark.parametrize(
    ("finish_reason", "stop_reason"),
    [
        ("stop", "stop"),
        ("length", "max_tokens"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("something new", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_finish_reason_becomes_a_stop_reason(finish_reason: str | None, stop_reason: str) -> None:
    response = CompletionResponse.of("x", finish_reason=finish_reason)
    assert to_output(response, model="m").stop_reason == stop_reason


def test_reasoning_text_and_refusal_become_parts() -> None:
    message = Message.assistant("Four.", reasoning_content="2+2", refusal="No.")
    output = to_output(CompletionResponse(choices=(Choice(message=message),)), model="m")
    assert output.message.content == [
        ContentReasoning(reasoning="2+2"),
        ContentText(text="Four."),
        ContentText(text="No.", refusal=True),
    ]


def test_every_choice_is_kept() -> None:
    choices = tuple(Choice(message=Message.assistant(text), index=i) for i, text in enumerate("ab"))
    output = to_output(CompletionResponse(choices=choices), model="m")
    assert [choice.message.text for choice in output.choices] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "arguments", "parse_error"),
    [
        ('{"x": "1"}', {"x": "1"}, None),
        ("", {}, None),
        ("hello there", {"x": "hello there"}, None),
        ("12", {"x": 12}, None),
        ("[1, 2", {"x": "[1, 2"}, None),
        ('{"x": 1}"', {"x": 1}, None),
        ('{"x": 1}\n```', {"x": 1}, None),
        (
            '{"x": ' + "[" * 200 + "]" * 200 + "}",
            {},
            "the arguments are nested more than 100 levels deep",
        ),
        ("[" * 150 + "]" * 150, {}, "the arguments are nested more than 100 levels deep"),
    ],
)
def test_tool_arguments_are_read_as_inspect_reads_them(
    text: str, arguments: dict[str, object], parse_error: str | None
) -> None:
    response = CompletionResponse.of(tool_calls=[ToolCall("c1", "add", text)])
    assert to_output(response, model="m", tools=[ADD]).message.tool_calls == [
        InspectToolCall(id="c1", function="add", arguments=arguments, parse_error=parse_error)
    ]


@pytest.mark.parametrize("text", ["null", "[]", '"none"', "none"])
def test_a_tool_without_parameters_is_called_with_none_whatever_the_model_wrote(text: str) -> None:
    response = CompletionResponse.of(tool_calls=[ToolCall("c1", "now", text)])
    now = ToolInfo(name="now", description="Tell the time.")
    assert to_output(response, model="m", tools=[now]).message.tool_calls == [
        InspectToolCall(id="c1", function="now", arguments={})
    ]


def test_a_broken_json_object_is_told_to_the_model() -> None:
    response = CompletionResponse.of(tool_calls=[ToolCall("c1", "add", '{"x": ')])
    calls = to_output(response, model="m", tools=[ADD]).message.tool_calls
    assert calls is not None
    assert calls[0].arguments == {}
    assert calls[0].parse_error is not None
    assert calls[0].parse_error.startswith("the arguments are not valid JSON")


def test_logprobs_are_kept() -> None:
    top = {"token": "a", "logprob": -0.5, "bytes": [97]}
    choice = Choice(
        message=Message.assistant("a"), logprobs={"content": [{**top, "top_logprobs": [top]}]}
    )
    output = to_output(CompletionResponse(choices=(choice,)), model="m")
    expected = Logprob(
        token="a",
        logprob=-0.5,
        bytes=[97],
        top_logprobs=[TopLogprob(token="a", logprob=-0.5, bytes=[97])],
    )
    assert output.choices[0].logprobs == Logprobs(content=[expected])


def test_log_probabilities_that_cannot_be_read_do_not_cost_the_answer() -> None:
    choice = Choice(
        message=Message.assistant("a"), logprobs={"content": [{"token": "a", "logprob": None}]}
    )
    output = to_output(CompletionResponse(choices=(choice,)), model="m")
    assert (output.completion, output.choices[0].logprobs) == ("a", None)


def test_input_tokens_leave_out_what_the_prompt_cache_served() -> None:
    usage = Usage(
        input_tokens=100,
        output_tokens=20,
        input_tokens_cached=60,
        input_tokens_cache_write=30,
        reasoning_tokens=5,
        total_cost=0.5,
    )
    assert to_output(CompletionResponse.of("", usage=usage), model="m").usage == ModelUsage(
        input_tokens=10,
        output_tokens=20,
        total_tokens=120,
        input_tokens_cache_read=60,
        input_tokens_cache_write=30,
        reasoning_tokens=5,
        total_cost=0.5,
    )


def test_an_unknown_cost_stays_unknown() -> None:
    response = CompletionResponse.of("", usage=Usage(input_tokens=1))
    assert to_output(response, model="m").usage == ModelUsage(input_tokens=1, total_tokens=1)


def test_log_probabilities_of_the_prompt_are_kept() -> None:
    places = [
        None,
        {"42": {"logprob": -0.5, "decoded_token": "H"}, "7": {"logprob": -1.5}},
        {"43": {"logprob": -0.1, "decoded_token": "i"}},
        {},
    ]
    response = CompletionResponse.of("a")
    response.raw = {"prompt_logprobs": places}
    expected = [
        Logprob(token="H", logprob=-0.5, top_logprobs=[TopLogprob(token="7", logprob=-1.5)]),
        Logprob(token="i", logprob=-0.1),
    ]
    output = to_output(response, model="m")
    assert output.choices[0].prompt_logprobs == Logprobs(content=expected)


def test_an_answer_that_is_a_refusal_says_so() -> None:
    message = Message.assistant(None, refusal="I cannot.")
    output = to_output(CompletionResponse(choices=[Choice(message=message)]), model="m")
    assert output.choices[0].stop_details == StopDetails(type="refusal", explanation="I cannot.")


def test_reasoning_that_only_its_details_tell_can_be_read_and_goes_back_as_it_came() -> None:
    details = [{"type": "reasoning.text", "text": "Hm."}, {"type": "reasoning.encrypted"}]
    said = Message.assistant("ok", reasoning_details=details)
    output = to_output(CompletionResponse(choices=[Choice(message=said)]), model="m")
    [reasoning, _] = output.message.content
    assert isinstance(reasoning, ContentReasoning)
    assert reasoning.reasoning == "Hm."
    assert to_messages([output.message]) == [said]
