"""Which of OpenAI's two APIs a call goes to."""

from __future__ import annotations

from typing import Any

import pytest

from flashlite import Flashlite, MemoryCache
from flashlite.errors import ConfigError
from flashlite.providers import resolve
from flashlite.testing import ReplayTransport, Reply

CHAT = Reply.of({"choices": [{"message": {"content": "chat"}, "finish_reason": "stop"}]})
ITEM = {"type": "message", "content": [{"type": "output_text", "text": "responses"}]}
RESPONSES = Reply.of({"output": [ITEM]})


def service(model: str, **options: Any) -> tuple[str, str]:
    """Return who answers and in which dialect."""
    route = resolve(model, **options)
    assert route.host is not None
    return route.host.name, route.host.dialect


@pytest.mark.parametrize("api", ["responses", "chat"])
async def test_a_call_chooses_its_api_whatever_the_client_says(api: Any) -> None:
    transport = ReplayTransport([CHAT if api == "chat" else RESPONSES])
    other = "responses" if api == "chat" else "chat"
    client = Flashlite("openai/m", api=other, api_key="key-0", transport=transport)
    assert (await client.complete("Hi", api=api)).content == api


@pytest.mark.parametrize(
    "model", ["openai/o1-pro", "o1-pro", "gpt-5-codex", "openai/o4-mini-deep-research"]
)
def test_a_model_that_only_one_api_serves_is_asked_there(model: str) -> None:
    assert service(model) == ("openai", "responses")
    assert service(model, api="chat") == ("openai", "openai")


def test_a_deployment_is_known_by_its_name_if_at_all() -> None:
    assert service("azure/gpt-5-codex") == ("azure", "azure_responses")
    assert service("azure/gpt-4o") == ("azure", "azure")
    assert service("azure/my-deployment") == ("azure", "azure")


def test_another_server_need_not_serve_a_model_as_openai_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert service("openai/o1-pro", base_url="http://127.0.0.1:9/v1") == ("openai", "openai")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert service("openai/o1-pro") == ("openai", "openai")
    assert service("openai/o1-pro", api="responses") == ("openai", "responses")


def test_compatible_servers_are_asked_there_when_a_call_says_so() -> None:
    assert service("openrouter/x/y") == ("openrouter", "openai")
    assert service("openrouter/x/y", api="responses") == ("openrouter", "responses")


def test_a_host_without_that_api_says_so() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("cohere/command-a", api="responses")
    assert str(caught.value) == "cohere has no Responses API: leave api='responses' out"
    with pytest.raises(ConfigError, match="litellm serves it, without a Responses API: leave api="):
        resolve("replicate/m", api="responses")


async def test_an_unknown_api_is_refused() -> None:
    with pytest.raises(ConfigError, match="api is 'chat' or 'responses'; got 'assistants'"):
        await Flashlite("openai/m").complete("Hi", api="assistants")  # type: ignore[arg-type]


async def test_a_cache_keeps_the_answers_of_the_two_apart() -> None:
    transport = ReplayTransport([CHAT, RESPONSES])
    client = Flashlite("openai/m", api_key="key-0", transport=transport, cache=MemoryCache())
    for _ in range(2):
        assert (await client.complete("Hi")).content == "chat"
        assert (await client.complete("Hi", api="responses")).content == "responses"
    assert len(transport.requests) == 2
