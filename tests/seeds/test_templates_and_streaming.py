"""What seed 000 shows of templates, and 001 and 002 of streams, line by line."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from flashlite import (
    BufferingAdapter,
    CallbackAdapter,
    CompletionResponse,
    Flashlite,
    SSEAdapter,
    StreamEvent,
    StreamEventType,
    Templates,
    ToolCall,
    Usage,
    collect_stream,
    format_sse_event,
    stream_to_string,
)
from flashlite.testing import ScriptedProvider

prompt = "Write a haiku about coding"
USAGE = Usage(input_tokens=5, output_tokens=7)
CALL = ToolCall("1", "search", {"query": "haiku"})
ANSWER = CompletionResponse.of(
    "Tabs or\nspaces", reasoning="Count.", tool_calls=[CALL], usage=USAGE
)
FILES = {
    "summarize.jinja": """You are a helpful assistant that summarizes text.

Summarize the following in {{ num_sentences }} sentences:

{{ content }}
""",
    "filters.jinja": """{# JSON encoding #}
{{ data | json }}

{# Truncation #}
{{ long_text | truncate_words(100) }}
{{ long_text | truncate_chars(500) }}

{# Lists #}
{{ items | bullet_list }}
{{ items | numbered_list }}

{# XML wrapping #}
{{ content | wrap_xml("document") }}
""",
}


@pytest.fixture
def provider() -> Flashlite:
    return Flashlite("gpt-5", provider=ScriptedProvider([ANSWER, ANSWER]))


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


# 000: Jinja Templating
def test_inline_templates() -> None:
    text = Templates().render(
        "Translate '{{ text }}' to {{ language }}",
        variables={"text": "Hello", "language": "French"},
    )
    assert text == "Translate 'Hello' to French"


def test_template_files(prompts: Path) -> None:
    long_text = "Once upon a time."
    given = {"content": long_text, "num_sentences": 3}
    assert Templates(str(prompts)).render("summarize", variables=given) == (
        "You are a helpful assistant that summarizes text.\n\n"
        "Summarize the following in 3 sentences:\n\nOnce upon a time."
    )


def test_built_in_filters(prompts: Path) -> None:
    given = {
        "data": {"a": "<b>"},
        "long_text": "word " * 101,
        "items": ["x", "y"],
        "content": "1 < 2",
    }
    assert Templates(prompts).render("filters", given) == "\n".join(
        [
            '{"a": "<b>"}',
            "",
            "word " * 99 + "word...",
            ("word " * 101)[:497] + "...",
            "",
            "- x\n- y",
            "1. x\n2. y",
            "",
            "<document>\n1 < 2\n</document>",
        ]
    )


# 002: Stream Events
def test_stream_events() -> None:
    event = StreamEvent(type=StreamEventType.TOKEN, data="Hello", timestamp=12.5)
    assert event.to_sse() == "event: token\ndata: Hello\n\n"


# 001, 002: SSE Adapter
async def test_sse_adapter(provider: Flashlite) -> None:
    adapter = SSEAdapter()

    async def stream_response() -> AsyncGenerator[str]:
        async for sse_line in adapter.transform(provider.stream(prompt)):
            yield sse_line

    lines = [line async for line in stream_response()]
    assert lines[1] == "event: token\ndata: Tabs or\ndata: spaces\n\n"
    assert lines[-1].startswith('event: done\ndata: {"choices":[')


def test_sse_adapter_in_fastapi(provider: Flashlite) -> None:
    pytest.importorskip("fastapi")
    from fastapi import FastAPI
    from fastapi.responses import StreamingResponse
    from fastapi.testclient import TestClient

    adapter = SSEAdapter()
    app = FastAPI()

    @app.get("/stream", response_model=None)
    async def stream_endpoint(prompt: str) -> StreamingResponse:
        return StreamingResponse(
            adapter.transform(provider.stream(prompt)), media_type="text/event-stream"
        )

    response = TestClient(app).get("/stream", params={"prompt": prompt})
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "event: token\ndata: Tabs or\ndata: spaces\n\n" in response.text


# 001, 002: Callback Adapter
async def test_callback_adapter(provider: Flashlite, capsys: pytest.CaptureFixture[str]) -> None:
    adapter = CallbackAdapter(
        on_token=lambda t: print(t, end=""),  # noqa: T201
        on_reasoning=lambda r: print(f"[Think: {r}]"),  # noqa: T201
        on_tool_start=lambda tc: print(f"\nCalling: {tc.name}"),  # noqa: T201
        on_tool_end=lambda tc: print(f"Tool done: {tc.name}"),  # noqa: T201
        on_done=lambda result: print(f"\n\nDone! {result.usage.total_tokens}"),  # noqa: T201
        on_error=lambda err: print(f"Error: {err}"),  # noqa: T201
    )

    # Consume stream (blocks until complete)
    await adapter.consume(provider.stream(prompt))

    assert capsys.readouterr().out == (
        "[Think: Count.]\nTabs or\nspaces\nCalling: search\nTool done: search\n\n\nDone! 12\n"
    )


# 001, 002: Buffering Adapter
async def test_buffering_adapter(provider: Flashlite, capsys: pytest.CaptureFixture[str]) -> None:
    buffer = BufferingAdapter()

    # Wrap stream (yields events while buffering)
    async for event in buffer.wrap(provider.stream(prompt)):
        if event.type == StreamEventType.TOKEN:
            print(event.data, end="")  # noqa: T201

    assert capsys.readouterr().out == "Tabs or\nspaces"
    assert buffer.content == "Tabs or\nspaces"
    assert buffer.reasoning == "Count."
    assert buffer.tool_calls == [CALL]
    assert buffer.usage == USAGE
    result = buffer.get_result()
    assert (result.content, result.usage, result.ok) == ("Tabs or\nspaces", USAGE, True)


# 001, 002: Utility Functions
async def test_utility_functions(provider: Flashlite) -> None:
    result = await collect_stream(provider.stream(prompt))
    text = await stream_to_string(provider.stream(prompt))
    assert result.content == text == "Tabs or\nspaces"
    assert format_sse_event("token", "Hello") == "event: token\ndata: Hello\n\n"
