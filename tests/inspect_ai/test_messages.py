"""Inspect's messages and tools, spelled in our words."""

from __future__ import annotations

import pytest
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    ContentAudio,
    ContentDocument,
    ContentImage,
    ContentReasoning,
    ContentText,
    ContentVideo,
)
from inspect_ai.tool import ToolCall, ToolCallError, ToolFunction, ToolInfo, ToolParam, ToolParams

from flashlite.inspect_ai._messages import to_messages
from flashlite.inspect_ai._output import to_output
from flashlite.inspect_ai._tools import to_tool_choice, to_tools
from flashlite.types import Choice, CompletionResponse, Message

PNG = "data:image/png;base64,iVBORw0KGgo="
WAV = "data:audio/wav;base64,UklGRg=="
PDF = "data:application/pdf;base64,JVBERi0="


CASES: list[tuple[ChatMessage, dict[str, object]]] = [
    (ChatMessageSystem(content="Be brief."), {"role": "system", "content": "Be brief."}),
    (ChatMessageUser(content="Hi"), {"role": "user", "content": "Hi"}),
    (
        ChatMessageUser(
            content=[
                ContentText(text="Look:"),
                ContentImage(image=PNG),
                ContentImage(image=PNG, detail="low"),
                ContentAudio(audio=WAV, format="wav"),
                ContentDocument(document=PDF, filename="a.pdf"),
            ]
        ),
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image_url", "image_url": {"url": PNG}},
                {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}},
            ],
        },
    ),
    (ChatMessageAssistant(content="Yes"), {"role": "assistant", "content": "Yes"}),
    (ChatMessageAssistant(content=""), {"role": "assistant", "content": ""}),
    (
        ChatMessageAssistant(
            content="",
            tool_calls=[ToolCall(id="c1", function="add", arguments={"x": 1, "s": "ü"})],
        ),
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "add", "arguments": '{"x": 1, "s": "ü"}'},
                }
            ],
        },
    ),
    (
        ChatMessageAssistant(
            content=[
                ContentReasoning(reasoning="Let me think."),
                ContentReasoning(reasoning="c2lnbg==", summary="In short.", redacted=True),
                ContentText(text="It is"),
                ContentText(text="four."),
            ]
        ),
        {
            "role": "assistant",
            "content": "It is\nfour.",
            "reasoning_content": "Let me think.\nIn short.",
            "thinking_blocks": [
                {"type": "thinking", "thinking": "In short.", "signature": "c2lnbg=="}
            ],
        },
    ),
    (
        ChatMessageAssistant(
            model="gpt-5",
            content=[ContentReasoning(reasoning="encrypted", summary="Hm.", redacted=True)],
        ),
        {"role": "assistant", "content": "", "reasoning_content": "Hm."},
    ),
    (
        ChatMessageAssistant(
            content=[
                ContentReasoning(reasoning="Hm.", signature="c2lnbg==", internal="thinking_blocks"),
                ContentReasoning(reasoning="ZGF0YQ==", redacted=True),
            ]
        ),
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "Hm.",
            "thinking_blocks": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbg=="},
                {"type": "redacted_thinking", "data": "ZGF0YQ=="},
            ],
        },
    ),
    (
        ChatMessageAssistant(content=[ContentText(text="I will not.", refusal=True)]),
        {"role": "assistant", "content": None, "refusal": "I will not."},
    ),
    (
        ChatMessageTool(content="4", tool_call_id="c1", function="add"),
        {"role": "tool", "content": "4", "tool_call_id": "c1"},
    ),
    (
        ChatMessageTool(
            content="", tool_call_id="c1", error=ToolCallError(type="timeout", message="too slow")
        ),
        {"role": "tool", "content": "Error: too slow", "tool_call_id": "c1"},
    ),
]


@pytest.mark.parametrize(("message", "wire"), CASES)
def test_a_message_is_spelled_in_openai_form(message: ChatMessage, wire: dict[str, object]) -> None:
    assert to_messages([message]) == [wire]


def test_video_goes_out_as_such() -> None:
    video = ContentVideo(video="data:video/mp4;base64,AAAA", format="mp4")
    [message] = to_messages([ChatMessageUser(content=[video])])
    assert message.content == [
        {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}
    ]


def test_a_tool_is_spelled_with_its_schema() -> None:
    tool = ToolInfo(
        name="add",
        description="Add.",
        parameters=ToolParams(
            properties={"x": ToolParam(type="integer", description="A number.")}, required=["x"]
        ),
    )
    assert to_tools([tool]) == [
        {
            "type": "function",
            "function": {
                "name": "add",
                "description": "Add.",
                "parameters": {
                    "type": "object",
                    "properties": {"x": {"type": "integer", "description": "A number."}},
                    "required": ["x"],
                    "additionalProperties": False,
                },
            },
        }
    ]


def test_tool_choices_are_spelled_in_openai_words() -> None:
    assert [to_tool_choice(c) for c in ("auto", "none", "any", ToolFunction(name="add"))] == [
        "auto",
        "none",
        "required",
        {"type": "function", "function": {"name": "add"}},
    ]


@pytest.mark.parametrize(
    "answer",
    [
        {
            "content": "4",
            "reasoning_content": "Hm.",
            "thinking_blocks": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbg=="},
                {"type": "redacted_thinking", "data": "ZGF0YQ=="},
            ],
        },
        {
            "content": "4",
            "reasoning_content": "Hm.",
            "reasoning_details": [{"type": "reasoning.encrypted", "data": "ZGF0YQ=="}],
        },
        {
            "content": "4",
            "reasoning_content": "Hm.",
            "thinking_blocks": [
                {"type": "thought_signature", "tool_call_id": None, "signature": "c2lnbg=="},
            ],
        },
        {
            "content": "4",
            "reasoning_content": "Hm.",
            "thinking_blocks": [{"type": "thinking", "thinking": "Hm."}],
        },
        {"content": "4", "reasoning_content": "Hm."},
        {"content": "<think>\nHm.\n</think>\n\n4"},
        {"content": "4 <think>not at the start</think>"},
    ],
)
def test_reasoning_goes_back_as_it_came(answer: dict[str, object]) -> None:
    message = Message.from_dict({"role": "assistant", **answer})
    output = to_output(CompletionResponse(choices=(Choice(message=message),)), model="m")
    assert to_messages([output.message]) == [message]


def test_thinking_that_nobody_signed_can_be_read_in_the_log() -> None:
    message = Message.assistant("4", reasoning_content="Hm.")
    message["thinking_blocks"] = [{"type": "thinking", "thinking": "Hm."}]
    output = to_output(CompletionResponse(choices=(Choice(message=message),)), model="m")
    thought = output.message.content[0]
    assert isinstance(thought, ContentReasoning)
    assert (thought.reasoning, thought.redacted) == ("Hm.", False)


def test_thinking_between_tags_is_reasoning_and_not_text() -> None:
    answer = CompletionResponse.of("<think>\nHm.\n</think>\n\n4")
    output = to_output(answer, model="m")
    assert output.completion == "4"
    assert output.message.content == [
        ContentReasoning(reasoning="Hm.", internal="think_tag"),
        ContentText(text="4"),
    ]
