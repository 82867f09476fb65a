"""Content of every kind, to each dialect and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.event import ModelEvent
from inspect_ai.log import read_eval_log
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    Content,
    ContentDocument,
    ContentImage,
    ContentReasoning,
    ContentText,
    ContentToolUse,
    DocumentCitation,
    GenerateConfig,
    ModelOutput,
    ModelUsage,
    StopCategory,
    StopDetails,
    UrlCitation,
    get_model,
)
from inspect_ai.solver import generate
from inspect_ai.tool import ToolCall, ToolCallError, ToolInfo, ToolParams

from flashlite.inspect_ai._messages import to_messages
from flashlite.inspect_ai._output import to_output
from flashlite.inspect_ai._tools import to_tools
from flashlite.providers.dialects import adapter_for

from .loopback import ANSWERS, MODELS, Loopback

PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="
IMAGE, DOCUMENT = ContentImage(image=PNG), ContentDocument(document=PDF, filename="a.pdf")
CALLED: list[ChatMessage] = [
    ChatMessageUser(content="Look."),
    ChatMessageAssistant(content="", tool_calls=[ToolCall(id="c1", function="see", arguments={})]),
    ChatMessageTool(
        content=[ContentText(text="Seen:"), IMAGE, DOCUMENT], tool_call_id="c1", function="see"
    ),
]


async def _wire(dialect: str, messages: list[ChatMessage], **config: Any) -> Any:
    with Loopback(ANSWERS[dialect]) as server:
        model = get_model(
            f"flashlite/{MODELS[dialect]}",
            base_url=server.base_url,
            api_key="k",
            memoize=False,
            responses_api="auto" if dialect != "responses" else True,
        )
        see = ToolInfo(name="see", description="See.", parameters=ToolParams())
        await model.generate(
            messages, tools=[see], config=GenerateConfig(cache_prompt=False, **config)
        )
        return server.bodies[0]


async def test_claude_sees_what_a_tool_returned() -> None:
    body = await _wire("anthropic", CALLED)
    assert body["messages"][-1]["content"] == [
        {
            "type": "tool_result",
            "tool_use_id": "c1",
            "content": [
                {"type": "text", "text": "Seen:"},
                {
                    "type": "image",
                    "source": {
                        "type": "base64",
                        "media_type": "image/png",
                        "data": "iVBORw0KGgo=",
                    },
                },
                {
                    "type": "document",
                    "source": {
                        "type": "base64",
                        "media_type": "application/pdf",
                        "data": "JVBERi0=",
                    },
                    "title": "a.pdf",
                },
            ],
        }
    ]


async def test_gemini_sees_what_a_tool_returned() -> None:
    body = await _wire("google", CALLED)
    [part] = body["contents"][-1]["parts"]
    assert part["functionResponse"] == {
        "name": "see",
        "response": {"output": "Seen:"},
        "id": "c1",
        "parts": [
            {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
            {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0="}},
        ],
    }


async def test_the_responses_api_sees_what_a_tool_returned() -> None:
    body = await _wire("responses", CALLED)
    assert body["input"][-1] == {
        "type": "function_call_output",
        "call_id": "c1",
        "output": [
            {"type": "input_text", "text": "Seen:"},
            {"type": "input_image", "image_url": PNG, "detail": "auto"},
            {"type": "input_file", "file_data": PDF, "filename": "a.pdf"},
        ],
    }


@pytest.mark.parametrize("dialect", ["openai", "bedrock"])
async def test_others_are_shown_it_by_the_user(dialect: str) -> None:
    """Inspect takes images and documents out of a result that cannot have them."""
    body = await _wire(dialect, CALLED)
    shown = str(body["messages"][-1]["content"])
    assert ("iVBORw0KGgo=" in shown, "JVBERi0=" in shown) == (True, True)


async def test_a_turn_that_claude_pauses_goes_on_and_is_one_message() -> None:
    search = {"type": "server_tool_use", "id": "u1", "name": "web_search", "input": {"query": "x"}}
    found = {"type": "web_search_tool_result", "tool_use_id": "u1", "content": []}
    said = {"type": "text", "text": "So it is."}
    paused = {**ANSWERS["anthropic"], "content": [search], "stop_reason": "pause_turn"}
    ended = {**ANSWERS["anthropic"], "content": [found, said]}

    def answer(body: Any) -> tuple[int, dict[str, str], Any]:
        return 200, {}, ended if body["messages"][-1]["role"] == "assistant" else paused

    tool = ToolInfo(name="web_search", description=".", options={"anthropic": {}})
    with Loopback(answer) as server:
        model = get_model(
            "flashlite/anthropic/claude-opus-4-6", base_url=server.base_url, api_key="k"
        )
        output = await model.generate("Hi", tools=[tool])
    assert server.bodies[1]["messages"][1:] == [{"role": "assistant", "content": [search]}]
    use, text = output.message.content
    assert isinstance(use, ContentToolUse)
    assert (use.id, use.result, text) == ("u1", "[]", ContentText(text="So it is."))
    assert output.stop_reason == "stop"
    assert output.usage is not None
    assert (output.usage.input_tokens, output.usage.output_tokens) == (6, 4)


async def test_code_of_claudes_own_is_a_beta_beside_the_callers() -> None:
    run = ToolInfo(
        name="code_execution", description="Run.", options={"providers": {"anthropic": {}}}
    )
    with Loopback(ANSWERS["anthropic"]) as server:
        model = get_model(
            "flashlite/anthropic/claude-opus-4-6", base_url=server.base_url, api_key="k"
        )
        config = GenerateConfig(
            extra_headers={"Anthropic-Beta": "mine"}, fallback_models=["claude-sonnet-4-5"]
        )
        await model.generate("Hi", tools=[run], config=config)
    assert server.headers[0]["anthropic-beta"] == (
        "mine,server-side-fallback-2026-06-01,code-execution-2025-08-25"
    )


async def test_one_document_that_is_to_be_cited_makes_all_be_cited() -> None:
    cited = ContentDocument(document=PDF, filename="b.pdf", citations=True)
    body = await _wire("anthropic", [ChatMessageUser(content=[DOCUMENT, cited])])
    content = body["messages"][0]["content"]
    assert [block["citations"] for block in content] == [{"enabled": True}] * 2


async def test_who_marks_the_end_of_the_cached_part_marks_alone() -> None:
    messages: list[ChatMessage] = [
        ChatMessageSystem(content="S"),
        ChatMessageUser(
            content=[ContentText(text="A", cache_breakpoint=True), ContentText(text="B")]
        ),
    ]
    with Loopback(ANSWERS["anthropic"]) as server:
        model = get_model(
            "flashlite/anthropic/claude-opus-4-6", base_url=server.base_url, api_key="k"
        )
        await model.generate(messages)
    assert (server.bodies[0]["system"], server.bodies[0]["messages"][0]["content"]) == (
        "S",
        [
            {"type": "text", "text": "A", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "B"},
        ],
    )


def _answer(dialect: str, reply: Any) -> list[Any]:
    response = adapter_for(dialect).parse_response(json.dumps(reply).encode())
    content = to_output(response, model=dialect, dialect=dialect).message.content
    assert isinstance(content, list)
    return content


def test_what_claude_searched_and_cited_stands_in_its_order() -> None:
    citation = {
        "type": "web_search_result_location",
        "url": "https://a.example",
        "title": "A",
        "encrypted_index": "e",
        "cited_text": "rain",
    }
    found = [{"type": "web_search_result", "url": "https://a.example", "encrypted_content": "x"}]
    blocks = [
        {"type": "thinking", "thinking": "Hm.", "signature": "s1"},
        {"type": "text", "text": "Let me see. "},
        {"type": "server_tool_use", "id": "u1", "name": "web_search", "input": {"query": "rain"}},
        {"type": "web_search_tool_result", "tool_use_id": "u1", "content": found},
        {"type": "thinking", "thinking": "So.", "signature": "s2"},
        {"type": "text", "text": "It rains.", "citations": [citation]},
    ]
    first, text, search, second, said = _answer(
        "anthropic", {**ANSWERS["anthropic"], "content": blocks}
    )
    assert first == ContentReasoning(reasoning="s1", summary="Hm.", redacted=True)
    assert text == ContentText(text="Let me see. ")
    assert isinstance(search, ContentToolUse)
    assert (search.tool_type, search.id, search.name, search.arguments) == (
        "web_search",
        "u1",
        "web_search",
        '{"query": "rain"}',
    )
    assert "https://a.example" in search.result
    assert second == ContentReasoning(reasoning="s2", summary="So.", redacted=True)
    assert isinstance(said, ContentText)
    [cited] = list(said.citations or ())
    assert isinstance(cited, UrlCitation)
    assert (said.text, cited.url, cited.title, cited.cited_text) == (
        "It rains.",
        "https://a.example",
        "A",
        "rain",
    )


def test_a_cited_page_is_counted_as_inspect_counts() -> None:
    citation = {
        "type": "page_location",
        "document_index": 0,
        "document_title": "a.pdf",
        "cited_text": "rain",
        "start_page_number": 1,
        "end_page_number": 2,
    }
    [text] = _answer(
        "anthropic",
        {
            **ANSWERS["anthropic"],
            "content": [{"type": "text", "text": "x", "citations": [citation]}],
        },
    )
    assert isinstance(text, ContentText)
    [cited] = list(text.citations or ())
    assert isinstance(cited, DocumentCitation)
    assert cited.range is not None
    assert (cited.title, cited.range.type, cited.range.start_index, cited.range.end_index) == (
        "a.pdf",
        "page",
        0,
        1,
    )


def test_what_openai_searched_and_drew_is_shown() -> None:
    output = [
        {"type": "web_search_call", "id": "w", "status": "completed", "action": {"type": "search"}},
        {"type": "image_generation_call", "id": "i", "status": "completed", "result": "iVBORw0K"},
    ]
    search, picture = _answer("responses", {**ANSWERS["responses"], "output": output})
    assert isinstance(search, ContentToolUse)
    assert (search.tool_type, search.name, search.error) == ("web_search", "search", None)
    assert isinstance(picture, ContentImage)
    assert picture.image == "data:image/png;base64,iVBORw0K"


def test_why_claude_refused_is_told() -> None:
    reply = {
        **ANSWERS["anthropic"],
        "stop_reason": "refusal",
        "stop_details": {"type": "refusal", "category": "cyber", "explanation": "No."},
    }
    response = adapter_for("anthropic").parse_response(json.dumps(reply).encode())
    [choice] = to_output(response, model="m", dialect="anthropic").choices
    details = choice.stop_details
    assert isinstance(details, StopDetails)
    assert (choice.stop_reason, details.category, details.explanation) == (
        "content_filter",
        "cyber",
        "No.",
    )


@pytest.mark.parametrize(
    ("dialect", "search", "code"),
    [
        (
            "anthropic",
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
            {"type": "code_execution_20250825", "name": "code_execution"},
        ),
        ("google", {"googleSearch": {}}, {"codeExecution": {}}),
        (
            "responses",
            {"type": "web_search", "search_context_size": "low"},
            {"type": "code_interpreter", "container": {"type": "auto"}},
        ),
    ],
)
def test_a_tool_that_the_provider_has_is_its_own(dialect: str, search: Any, code: Any) -> None:
    tools = [
        ToolInfo(
            name="web_search",
            description="Search.",
            options={
                "anthropic": {"max_uses": 3},
                "gemini": None,
                "openai": {"search_context_size": "low"},
            },
        ),
        ToolInfo(
            name="code_execution",
            description="Run.",
            options={"providers": {"anthropic": {}, "google": {}, "openai": {}}},
        ),
    ]
    assert to_tools(tools, dialect=dialect) == [search, code]
    functions = [tool["type"] for tool in to_tools(tools, dialect=dialect, internal=False)]
    assert functions == [tool["type"] for tool in to_tools(tools, dialect="openai")]
    assert functions == ["function", "function"]


def test_an_error_of_a_tool_is_marked_where_that_can_be_said() -> None:
    failed = ChatMessageTool(
        content="", tool_call_id="c", error=ToolCallError(type="timeout", message="slow")
    )
    assert to_messages([failed], dialect="anthropic") == [
        {"role": "tool", "content": "slow", "tool_call_id": "c", "is_error": True}
    ]
    assert to_messages([failed], dialect="openai") == [
        {"role": "tool", "content": "Error: slow", "tool_call_id": "c"}
    ]


@pytest.mark.parametrize("dialect", MODELS)
def test_an_eval_runs_in_every_dialect(
    dialect: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    large = ContentImage(image=f"data:image/png;base64,{'iVBORw0KGgo=' * 30}")
    parts: list[Content] = [ContentText(text="Hi"), large]
    task = Task(dataset=[Sample(input=[ChatMessageUser(content=parts)])], solver=generate())
    arguments: dict[str, Any] = {"api_key": "k"}
    if dialect == "responses":
        arguments["responses_api"] = True
    with Loopback(lambda _: (200, {"x-request-id": "r1"}, ANSWERS[dialect])) as server:
        [log] = eval(
            task,
            model=f"flashlite/{MODELS[dialect]}",
            model_base_url=server.base_url,
            model_args=arguments,
            display="none",
        )
    log = read_eval_log(log.location)
    assert (log.status, log.samples and log.samples[0].output.completion) == ("success", "ok")
    assert log.samples
    [event] = [event for event in log.samples[0].events if isinstance(event, ModelEvent)]
    assert event.call is not None
    assert event.call.request.keys() == server.bodies[0].keys()
    assert "iVBORw0KGgo=" not in str(event.call.request)
    assert [noted.id for noted in event.request_ids or ()] == ["r1"]
    [usage] = log.stats.model_usage.values()
    assert (usage.input_tokens, usage.output_tokens) == (3 if dialect == "anthropic" else 10, 2)


def test_what_the_prompt_cache_served_and_kept_is_counted_apart() -> None:
    response = adapter_for("anthropic").parse_response(json.dumps(ANSWERS["anthropic"]).encode())
    assert to_output(response, model="m").usage == ModelUsage(
        input_tokens=3,
        output_tokens=2,
        total_tokens=12,
        input_tokens_cache_read=5,
        input_tokens_cache_write=2,
    )


def test_a_comment_and_the_final_answer_are_texts_of_their_own() -> None:
    texts = [("commentary", "I will work it out."), ("final_answer", "42")]
    output = [
        {
            "type": "message",
            "id": f"msg_{phase}",
            "role": "assistant",
            "status": "completed",
            "phase": phase,
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        }
        for phase, text in texts
    ]
    said = _answer("responses", {**ANSWERS["responses"], "output": output})
    assert [part.text for part in said if isinstance(part, ContentText)] == [t for _, t in texts]


def _output(dialect: str, reply: Any) -> ModelOutput:
    response = adapter_for(dialect).parse_response(json.dumps(reply).encode())
    return to_output(response, model=dialect, dialect=dialect)


def test_what_claudes_api_says_of_a_refusal_is_not_what_claude_said() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Declined by a classifier."}
    text = [{"type": "text", "text": "The capital is"}]
    reply = {"content": text, "stop_reason": "refusal", "stop_details": details}
    output = _output("anthropic", {**ANSWERS["anthropic"], **reply})
    assert (output.completion, output.stop_reason) == ("The capital is", "content_filter")
    assert output.choices[0].stop_details == StopDetails(
        **details, categories=[StopCategory(category="bio")]
    )


@pytest.mark.parametrize(
    ("reason", "stop_reason"), [("SAFETY", "content_filter"), ("OTHER", "unknown")]
)
def test_gemini_says_why_it_withholds_an_answer(reason: str, stop_reason: str) -> None:
    ratings = [
        {"category": "HARM_CATEGORY_HARASSMENT", "probability": "LOW"},
        {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True},
    ]
    candidate = {"finishReason": reason, "finishMessage": "No.", "safetyRatings": ratings}
    [choice] = _output("google", {**ANSWERS["google"], "candidates": [candidate]}).choices
    category = "HARM_CATEGORY_DANGEROUS_CONTENT"
    assert (choice.stop_reason, choice.message.text) == (stop_reason, "")
    assert choice.stop_details == StopDetails(
        type=reason,
        explanation="No.",
        category=category,
        categories=[StopCategory(category=category)],
    )
