"""The samples: every kind of content, every field of a config, and answers of every kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from inspect_ai.model import (
    CachePolicy,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    Content,
    ContentAudio,
    ContentData,
    ContentDocument,
    ContentImage,
    ContentReasoning,
    ContentText,
    ContentToolUse,
    ContentVideo,
    GenerateConfig,
    ResponseSchema,
)
from inspect_ai.tool import Tool, ToolCall, ToolCallError, ToolChoice, ToolFunction
from inspect_ai.util import JSONSchema

from .media_and_tools import MP3, MP4, PDF, PNG, WAV, add, look
from .replies import USAGE, Reply, called, completion, refused, said


@dataclass(frozen=True, kw_only=True)
class Case:
    """A sample: what is said, with which config, and what the server answers to it in turn."""

    input: Sequence[ChatMessage]
    config: GenerateConfig = field(default_factory=GenerateConfig)
    tools: Sequence[Tool] = ()
    tool_choice: ToolChoice | None = None
    replies: Sequence[Reply] = (said("ok"),)


def user(*content: Content | str) -> ChatMessageUser:
    parts = [ContentText(text=one) if isinstance(one, str) else one for one in content]
    is_text = len(content) == 1 and isinstance(content[0], str)
    return ChatMessageUser(content=parts[0].text if is_text else parts)  # type: ignore[union-attr]


def _config(**fields: Any) -> Case:
    return Case(input=[user("Hi")], config=GenerateConfig(**fields))


def _answered(reply: Reply, **fields: Any) -> Case:
    return Case(input=[user("Hi")], config=GenerateConfig(**fields), replies=[reply])


def _with_tools(*replies: Reply, **more: Any) -> Case:
    config = GenerateConfig(**more.pop("config", {}))
    tools = [add(), look()]
    return Case(input=[user("Use a tool.")], tools=tools, replies=replies, config=config, **more)


def _replayed(*content: Content, calls: Sequence[ToolCall] = ()) -> Case:
    earlier = ChatMessageAssistant(
        content=list(content), tool_calls=list(calls) or None, model="gpt-4o", source="generate"
    )
    results = [ChatMessageTool(content="3", tool_call_id=c.id, function=c.function) for c in calls]
    return Case(input=[user("Hi"), earlier, *results, user("And now?")])


_SHAPE = JSONSchema(
    type="object",
    properties={"x": JSONSchema(type="integer", description="A number.")},
    required=["x"],
    additionalProperties=False,
)
_CALL = ToolCall(id="call-9", function="add", arguments={"x": 1, "y": 2})
_CITED = {
    "type": "url_citation",
    "url_citation": {"start_index": 0, "end_index": 2, "url": "https://a.example", "title": "A"},
}
_LOGPROBS = {
    "content": [
        {
            "token": "ok",
            "logprob": -0.1,
            "bytes": [111, 107],
            "top_logprobs": [{"token": "ok", "logprob": -0.1, "bytes": [111, 107]}],
        }
    ],
    "refusal": None,
}
_PROMPT_LOGPROBS = [
    None,
    {
        "42": {"logprob": -0.5, "rank": 1, "decoded_token": "H"},
        "7": {"logprob": -1.5, "rank": 2, "decoded_token": "h"},
    },
    {"43": {"logprob": -0.1, "rank": 1, "decoded_token": "i"}},
]
_DETAILED = {
    **USAGE,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 0},
}
_ANSWER = said("ok")
_ADDED = (called(("add", {"x": 1, "y": 2})), _ANSWER)

CONTENT: dict[str, Case] = {
    "text": Case(input=[user("Hi")]),
    "several texts": Case(input=[user("One.", "Two.")]),
    "system": Case(input=[ChatMessageSystem(content="Be brief."), user("Hi")]),
    "system in parts": Case(
        input=[
            ChatMessageSystem(content=[ContentText(text="Be brief."), ContentText(text="Be.")]),
            user("Hi"),
        ]
    ),
    "conversation": Case(
        input=[user("Hi"), ChatMessageAssistant(content="Hello."), user("Who?"), user("You?")]
    ),
    "image": Case(input=[user("What?", ContentImage(image=PNG))]),
    "image, low": Case(input=[user(ContentImage(image=PNG, detail="low"))]),
    "image, high": Case(input=[user(ContentImage(image=PNG, detail="high"))]),
    "image, original": Case(input=[user(ContentImage(image=PNG, detail="original"))]),
    "audio, wav": Case(input=[user("What?", ContentAudio(audio=WAV, format="wav"))]),
    "audio, mp3": Case(input=[user(ContentAudio(audio=MP3, format="mp3"))]),
    "document": Case(input=[user("Sum.", ContentDocument(document=PDF, filename="a.pdf"))]),
    "document without a name": Case(input=[user(ContentDocument(document=PDF))]),
    "video": Case(input=[user(ContentVideo(video=MP4, format="mp4"))]),
    "cache breakpoint": Case(input=[user(ContentText(text="Hi", cache_breakpoint=True))]),
    "reasoning_content replayed": _replayed(
        ContentReasoning(reasoning="Hm.", internal="reasoning_content"), ContentText(text="Hello.")
    ),
    "reasoning replayed": _replayed(
        ContentReasoning(reasoning="Hm.", internal="reasoning"), ContentText(text="Hello.")
    ),
    "another's reasoning replayed": _replayed(
        ContentReasoning(reasoning="Hm."), ContentText(text="Hello.")
    ),
    "signed reasoning replayed": _replayed(
        ContentReasoning(reasoning="c2ln", summary="Hm.", redacted=True), ContentText(text="Hello.")
    ),
    "several texts replayed": _replayed(ContentText(text="One."), ContentText(text="Two.")),
    "calls replayed": _replayed(ContentText(text="I add."), calls=[_CALL]),
    "calls without a text replayed": _replayed(calls=[_CALL]),
    "a refusal replayed": _replayed(ContentText(text="No.", refusal=True)),
    "what a server did replayed": _replayed(
        ContentToolUse(
            tool_type="web_search", id="s", name="search", arguments="{}", result="found"
        ),
        ContentData(data={"a": 1}),
        ContentText(text="Hello."),
    ),
    "a failed call replayed": Case(
        input=[
            user("Hi"),
            ChatMessageAssistant(content="", tool_calls=[_CALL]),
            ChatMessageTool(
                content="",
                tool_call_id="call-9",
                function="add",
                error=ToolCallError("timeout", "too slow"),
            ),
        ]
    ),
}

TOOLS: dict[str, Case] = {
    "a call": _with_tools(*_ADDED),
    "calls in parallel": _with_tools(
        called(("add", {"x": 1}), ("look", {"kind": "much"}), content="Both."), _ANSWER
    ),
    "a tool that fails": _with_tools(called(("look", {"kind": "nothing"})), _ANSWER),
    "a tool that shows an image": _with_tools(called(("look", {"kind": "image"})), _ANSWER),
    "a tool that shows a document": _with_tools(called(("look", {"kind": "document"})), _ANSWER),
    "a tool that is unknown": _with_tools(called(("fly", {})), _ANSWER),
    "arguments that are none": _with_tools(called(("add", '{"x": ')), _ANSWER),
    "arguments with quotes behind": _with_tools(called(("add", '{"x": 1}"')), _ANSWER),
    "arguments that are one value": _with_tools(called(("look", "much")), _ANSWER),
    "no arguments": _with_tools(called(("look", "")), _ANSWER),
    "any tool": _with_tools(*_ADDED, tool_choice="any"),
    "one tool": _with_tools(*_ADDED, tool_choice=ToolFunction(name="add")),
    "no tool": _with_tools(_ANSWER, tool_choice="none"),
    "parallel_tool_calls": _with_tools(*_ADDED, config={"parallel_tool_calls": False}),
    "max_tool_output": _with_tools(
        called(("look", {"kind": "much"})), _ANSWER, config={"max_tool_output": 20}
    ),
    "internal_tools": _with_tools(*_ADDED, config={"internal_tools": False}),
}

CONFIGS: dict[str, Case] = {
    "sampling": _config(
        max_tokens=100,
        temperature=0.5,
        top_p=0.9,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        seed=7,
        stop_seqs=["END"],
    ),
    "zeros": _config(temperature=0.0, frequency_penalty=0.0, presence_penalty=0.0, seed=0),
    "top_k": _config(top_k=5),
    "logit_bias": _config(logit_bias={42: 1.5}),
    "parallel_tool_calls without tools": _config(parallel_tool_calls=False),
    "response_schema": _answered(
        said('{"x": 1}'), response_schema=ResponseSchema(name="a", json_schema=_SHAPE)
    ),
    "response_schema, strict": _answered(
        said('{"x": 1}'),
        response_schema=ResponseSchema(
            name="a", json_schema=_SHAPE, strict=True, description="A number."
        ),
    ),
    "num_choices": _answered(completion({"content": "a"}, {"content": "b"}), num_choices=2),
    "logprobs": _answered(
        completion({"content": "ok"}, logprobs=_LOGPROBS), logprobs=True, top_logprobs=1
    ),
    "extra_headers": _config(extra_headers={"x-custom": "1"}),
    "extra_body": _config(extra_body={"custom": {"a": 1}, "metadata": {"b": "2"}}),
    "reasoning_effort": _config(reasoning_effort="low"),
    "reasoning_effort, none": _config(reasoning_effort="none"),
    "reasoning_tokens": _config(reasoning_tokens=1500),
    "reasoning_summary": _config(reasoning_summary="detailed"),
    "reasoning_mode": _config(reasoning_mode="pro"),
    "effort": _config(effort="low"),
    "verbosity": _config(verbosity="low"),
    "modalities": _config(modalities=["image"]),
    "cache_prompt": _config(cache_prompt=False),
    "fallback_models": _config(fallback_models=["gpt-4.1"]),
    "best_of": _config(best_of=2),
    "prompt_logprobs": _answered(
        completion({"content": "ok"}, prompt_logprobs=_PROMPT_LOGPROBS), prompt_logprobs=2
    ),
    "system_message": _config(system_message="Be brief."),
    "what inspect does": _config(
        max_retries=1,
        timeout=60,
        attempt_timeout=30,
        max_connections=3,
        adaptive_connections=False,
        cache=CachePolicy(expiry=None, scopes={"of": "parity"}),
    ),
    "stream_idle_timeout": _config(stream_idle_timeout=30),
    "reasoning_history": Case(
        input=[
            user("Hi"),
            ChatMessageAssistant(
                content=[
                    ContentReasoning(reasoning="Hm.", internal="reasoning_content"),
                    ContentText(text="Hello."),
                ]
            ),
            user("And?"),
        ],
        config=GenerateConfig(reasoning_history="none"),
    ),
}

ANSWERS: dict[str, Case] = {
    "reasoning_content": _answered(said("ok", reasoning_content="Hm.")),
    "reasoning": _answered(said("ok", reasoning="Hm.")),
    "reasoning_details": _answered(
        said("ok", reasoning_details=[{"type": "reasoning.text", "text": "Hm."}])
    ),
    "think tags": _answered(said("<think>\nHm.\n</think>\n\nok")),
    "reasoning and calls": _with_tools(
        completion(
            {
                "content": None,
                "reasoning_content": "I add.",
                "tool_calls": called(("add", {"x": 1})).body["choices"][0]["message"]["tool_calls"],
            },
            finish="tool_calls",
        ),
        _ANSWER,
    ),
    "a refusal": _answered(said(None, refusal="I cannot.")),
    "fail_on_refusal": _answered(
        completion({"content": "no"}, finish="content_filter"), fail_on_refusal=True
    ),
    "a filtered answer": _answered(completion({"content": ""}, finish="content_filter")),
    "a long answer": _answered(completion({"content": "o"}, finish="length")),
    "an odd finish": _answered(completion({"content": "o"}, finish="odd")),
    "an empty answer": _answered(said("")),
    "citations": _answered(said("ok", annotations=[_CITED])),
    "detailed usage": _answered(completion({"content": "ok"}, usage=_DETAILED)),
    "no usage": _answered(completion({"content": "ok"}, usage=None)),
    "an overflow": _answered(
        refused(
            400,
            "This model's maximum context length is 10 tokens.",
            code="context_length_exceeded",
            type="invalid_request_error",
        )
    ),
    "a policy": _answered(
        refused(400, "Not this.", code="content_policy_violation", type="invalid_request_error")
    ),
    "a wrong request": _answered(
        refused(400, "Unknown parameter.", code="unknown", type="invalid_request_error")
    ),
    "a wrong key": _answered(
        refused(401, "Incorrect key.", code="invalid_api_key", type="invalid_request_error")
    ),
    "no such model": _answered(
        refused(404, "No such model.", code="model_not_found", type="invalid_request_error")
    ),
    "no credit": _answered(
        refused(429, "No credit.", code="insufficient_quota", type="insufficient_quota")
    ),
}

CASES = CONTENT | TOOLS | CONFIGS | ANSWERS
