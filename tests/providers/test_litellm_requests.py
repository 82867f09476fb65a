"""What litellm sends: a log shows what went over the wire, rewritten as it was."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import pytest

from flashlite import Flashlite
from flashlite.errors import BadRequestError, CompletionError
from flashlite.providers.litellm.library import library
from flashlite.testing import Reply

from .loopback import SILENCE, serving
from .test_litellm_provider import CALL, KEY, OK, engine

HISTORY: list[dict[str, Any]] = [
    {"role": "system", "content": "Say little."},
    {"role": "user", "content": "Weather?"},
    {"role": "user", "content": ""},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_a", "content": ""},
    {"role": "assistant", "content": "It is  "},
]
REFUSED = Reply.of({"error": {"message": "No."}}, status=400)

SENDER: ContextVar[str] = ContextVar("sender", default="nobody")


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what adds a provider `own/` to litellm, which does what a coroutine function does."""
    litellm = library()

    def client(send: Any) -> Flashlite:
        handler = litellm.CustomLLM()
        handler.acompletion = send
        row = {"provider": "own", "custom_handler": handler}
        monkeypatch.setattr(litellm, "custom_provider_map", [row])
        return Flashlite("own/m", api_key=KEY)

    return client


@pytest.mark.parametrize(
    "model",
    [
        "hosted_vllm/m",
        "perplexity/m",
        "mistral/m",
        "azure/m",
        "gemini/gemini-2.5-flash",
        "cohere_chat/command-r",
        "anthropic/claude-sonnet-4-5",
        "bedrock/converse/anthropic.claude-3-haiku-20240307-v1:0",
        "bedrock/invoke/anthropic.claude-3-haiku-20240307-v1:0",
        "huggingface/together/m",
        "databricks/m",
        "ollama_chat/m",
    ],
)
async def test_on_send_gets_what_went_over_the_wire(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA0123456789")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-0123456789")
    monkeypatch.setenv("AWS_REGION_NAME", "us-east-1")
    seen: list[Mapping[str, Any]] = []
    with serving(REFUSED) as server:
        client = engine(server, "mistral/m")
        with pytest.raises(BadRequestError):
            await client.complete(
                # Some versions of litellm refuse a history of calls without tools there.
                HISTORY[:3] if "converse" in model else HISTORY,
                model=model,
                temperature=0.5,
                extra_headers={"X": KEY},
                on_send=seen.append,
            )
    assert seen == [request.json for request in server.requests]
    assert len(seen) == 1


async def test_what_litellm_puts_into_a_request_is_seen() -> None:
    seen: list[Mapping[str, Any]] = []
    with serving(REFUSED) as server:
        client = engine(server, "anthropic/claude-3-haiku-20240307")
        with pytest.raises(BadRequestError):
            await client.complete([{"role": "user", "content": ""}], on_send=seen.append)
    assert "max_tokens" in seen[0]
    assert seen[0]["messages"][0]["content"][0]["text"].startswith("[System: Empty message")


async def test_on_send_is_called_before_the_answer_in_the_callers_context_and_thread() -> None:
    seen: list[Any] = []
    with serving(Reply(chunks=(SILENCE,))) as server:
        sent = asyncio.Event()

        def note(body: Mapping[str, Any]) -> None:
            seen.append((SENDER.get(), threading.current_thread(), body["model"]))
            sent.set()

        SENDER.set("me")
        task = asyncio.ensure_future(engine(server).complete("Hi", on_send=note))
        await asyncio.wait_for(sent.wait(), 30)
        assert not task.done()
        assert await asyncio.to_thread(server.arrived.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert seen == [("me", threading.current_thread(), "m")]


async def test_on_send_that_raises_ends_the_call_and_the_request(own: Any) -> None:
    ended, loop = asyncio.Event(), asyncio.get_running_loop()

    async def send(*args: Any, logging_obj: Any, **kwargs: Any) -> Any:
        logging_obj.pre_call("Hi", KEY, additional_args={"complete_input_dict": {"model": "m"}})
        try:
            await asyncio.Event().wait()
        finally:
            loop.call_soon_threadsafe(ended.set)

    def refuse(body: Mapping[str, Any]) -> None:
        raise LookupError(f"not {body}")

    with pytest.raises(LookupError, match=r"not \{'model': 'm'\}"):
        await own(send).complete("Hi", on_send=refuse)
    await asyncio.wait_for(ended.wait(), 5)


async def test_every_attempt_is_one_send() -> None:
    seen: list[Mapping[str, Any]] = []
    with serving(REFUSED, Reply.of(OK)) as server:
        client = engine(server)
        with pytest.raises(CompletionError):
            await client.complete("Hi", on_send=seen.append)
        await client.complete("Hi", on_send=seen.append)
    assert seen == [request.json for request in server.requests]


async def test_where_litellm_does_not_show_what_it_sends_on_send_gets_what_was_asked(
    own: Any,
) -> None:
    async def send(*args: Any, **kwargs: Any) -> Any:
        return library().ModelResponse(choices=OK["choices"])

    seen: list[Mapping[str, Any]] = []
    await own(send).complete("Hi", temperature=0, extra_body={"x": 1}, on_send=seen.append)
    assert seen == [
        {
            "model": "own/m",
            "messages": [{"role": "user", "content": "Hi"}],
            "temperature": 0,
            "x": 1,
        }
    ]
