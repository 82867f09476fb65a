"""Azure OpenAI: addresses, keys, the content filter, and what else it does in its own way."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from flashlite import Flashlite
from flashlite.errors import (
    APIConnectionError,
    CompletionError,
    ConfigError,
    ContentPolicyViolationError,
    NotFoundError,
)
from flashlite.middleware import RetryConfig
from flashlite.models import Prices, register_model, unregister_model
from flashlite.providers.azure.access import EntraToken
from flashlite.testing import ReplayTransport, Reply
from flashlite.wire import WireRequest

HOME = "https://res.openai.azure.com"
CHAT = Reply.of(
    {
        "choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
)
RESPONSES = Reply.of({"output": []})


@pytest.fixture(autouse=True)
def resource(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", f"{HOME}/")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "a-test-key")


async def sent(reply: Reply = CHAT, **options: Any) -> WireRequest:
    """Return the request that a call to the deployment `my/dep` sends."""
    transport = ReplayTransport([reply])
    await Flashlite("azure/my/dep", transport=transport).complete("Hi", **options)
    (request,) = transport.requests
    return request


async def test_without_a_version_the_v1_api_is_asked() -> None:
    request = await sent(max_tokens=5)
    assert (request.url, dict(request.headers), request.json) == (
        f"{HOME}/openai/v1/chat/completions",
        {"api-key": "a-test-key"},
        {
            "model": "my/dep",
            "messages": [{"role": "user", "content": "Hi"}],
            "max_completion_tokens": 5,
        },
    )


@pytest.mark.parametrize("variable", ["AZURE_API_VERSION", "OPENAI_API_VERSION"])
async def test_with_a_version_a_deployment_is_asked(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "2024-10-21")
    url = f"{HOME}/openai/deployments/my%2Fdep/chat/completions?api-version=2024-10-21"
    assert (await sent()).url == url
    url = f"{HOME}/openai/responses?api-version=2024-10-21"
    assert (await sent(RESPONSES, api="responses")).url == url


@pytest.mark.parametrize(
    "variable", ["AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE", "AZUREAI_OPENAI_BASE_URL"]
)
async def test_the_address_comes_from_any_of_its_variables(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT")
    monkeypatch.setenv(variable, "https://other.openai.azure.com")
    assert (await sent()).url == "https://other.openai.azure.com/openai/v1/chat/completions"


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (HOME, f"{HOME}/openai/v1/chat/completions"),
        (f"{HOME}/openai/v1/", f"{HOME}/openai/v1/chat/completions"),
        (f"{HOME}?api-version=preview", f"{HOME}/openai/v1/chat/completions?api-version=preview"),
        (
            f"{HOME}/openai/deployments/x/chat/completions?api-version=2025-01-01-preview",
            f"{HOME}/openai/deployments/my%2Fdep/chat/completions?api-version=2025-01-01-preview",
        ),
        ("https://gate.test/team/", "https://gate.test/team/openai/v1/chat/completions"),
    ],
)
async def test_an_address_may_be_given_in_any_form(
    address: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await sent(base_url=address)).url == url
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", address)
    assert (await sent()).url == url


async def test_a_bare_name_of_a_server_is_an_address_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", HOME.removeprefix("https://"))
    assert (await sent()).url == f"{HOME}/openai/v1/chat/completions"


async def test_a_version_in_the_environment_does_not_change_an_address_that_says_v1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", f"{HOME}/openai/v1")
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")
    assert (await sent()).url == f"{HOME}/openai/v1/chat/completions"


async def test_an_old_version_is_asked_in_its_own_words() -> None:
    transport = ReplayTransport([Reply.stream([{"choices": [{"finish_reason": "stop"}]}])])
    client = Flashlite("azure/d", transport=transport, base_url=f"{HOME}?api-version=2024-06-01")
    assert [event.type async for event in client.stream("Hi", max_tokens=5)] == ["done"]
    assert transport.requests[0].json == {
        "model": "d",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 5,
        "stream": True,
    }


async def test_the_responses_api_is_there_too() -> None:
    request = await sent(RESPONSES, api="responses", max_tokens=5)
    assert (request.url, dict(request.headers), request.json) == (
        f"{HOME}/openai/v1/responses",
        {"api-key": "a-test-key"},
        {
            "model": "my/dep",
            "input": [{"role": "user", "content": "Hi"}],
            "store": False,
            "max_output_tokens": 5,
        },
    )


async def test_a_missing_address_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT")
    with pytest.raises(ConfigError) as caught:
        await sent()
    assert str(caught.value) == (
        "no address for azure: set AZURE_OPENAI_ENDPOINT, or pass "
        "base_url='https://<resource>.openai.azure.com'"
    )


async def test_a_deployment_costs_what_was_registered_for_it() -> None:
    register_model("azure/my/dep", prices=Prices.per_million(input=1, output=2))
    try:
        client = Flashlite("azure/my/dep", transport=ReplayTransport([CHAT]))
        assert (await client.complete("Hi")).cost == pytest.approx(20e-6)
    finally:
        unregister_model("azure/my/dep")


FILTER = {"hate": {"filtered": False, "severity": "safe"}}
PROMPT = [{"prompt_index": 0, "content_filter_results": FILTER}]
VERDICTS = {"prompt_filter_results": PROMPT, "content_filter_results": FILTER}


async def test_the_filters_verdicts_are_facts() -> None:
    choice = {
        "message": {"content": "ok"},
        "finish_reason": "stop",
        "content_filter_results": FILTER,
    }
    reply = Reply.of({"choices": [choice], "prompt_filter_results": PROMPT})
    response = await Flashlite("azure/d", transport=ReplayTransport([reply])).complete("Hi")
    assert response.facts == VERDICTS


async def test_the_filters_verdicts_come_on_a_stream_too() -> None:
    chunks = [
        {"choices": [], "prompt_filter_results": PROMPT},
        {"choices": [{"delta": {"content": "ok"}, "content_filter_results": FILTER}]},
        {"choices": [{"finish_reason": "stop", "content_filter_results": {}}]},
    ]
    client = Flashlite("azure/d", transport=ReplayTransport([Reply.stream(chunks)]))
    events = [event async for event in client.stream("Hi")]
    assert (events[-1].data.content, events[-1].data.facts) == ("ok", VERDICTS)


async def refused(status: int, error: Any, **headers: str) -> CompletionError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = Reply.of({"error": error}, status=status, headers=named)
    client = Flashlite(
        "azure/d", transport=ReplayTransport([reply]), retry=RetryConfig(max_attempts=1)
    )
    with pytest.raises(CompletionError) as caught:
        await client.complete("Hi")
    return caught.value


async def test_a_filtered_prompt_is_a_matter_of_policy() -> None:
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": FILTER}
    said = {"code": "content_filter", "message": "The prompt.", "status": 400, "innererror": inner}
    error = await refused(400, said)
    assert isinstance(error, ContentPolicyViolationError)
    assert (error.reason, error.body["error"]["innererror"]) == ("The prompt.", inner)


@pytest.mark.parametrize("header", ["apim_request_id", "x_ms_request_id"])
async def test_a_missing_deployment_is_told_in_azures_words_with_its_id(header: str) -> None:
    said = {"code": "DeploymentNotFound", "message": "The deployment does not exist."}
    error = await refused(404, said, **{header: "r-1"})
    assert isinstance(error, NotFoundError)
    assert str(error) == "azure/d: The deployment does not exist. (status 404, request r-1)"


SCOPE = "https://cognitiveservices.azure.com/.default"
WIRE = WireRequest(url=HOME)


class Identity:
    """Gives tokens that are numbered and hold for an hour; the time is `now`."""

    def __init__(self) -> None:
        self.now, self.scopes = 0.0, list[str]()

    def get_token(self, scope: str) -> Any:
        self.scopes.append(scope)
        return SimpleNamespace(token=f"token-{len(self.scopes)}", expires_on=self.now + 3600)


@pytest.fixture
def azure_core(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Stand in for azure-core, whose errors are all that is used of it."""
    errors: Any = ModuleType("azure.core.exceptions")
    errors.AzureError = type("AzureError", (Exception,), {})
    errors.ClientAuthenticationError = type("Denied", (errors.AzureError,), {})
    for name in ("azure", "azure.core", "azure.identity"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "azure.core.exceptions", errors)
    return errors


async def test_a_given_token_goes_out_where_there_is_no_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AZURE_OPENAI_API_KEY")
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "a-token")
    assert dict((await sent()).headers) == {"Authorization": "Bearer a-token"}
    assert dict((await sent(api_key="mine")).headers) == {"api-key": "mine"}
    own = {"authorization": "Bearer own"}
    assert dict((await sent(extra_headers=own)).headers) == own


@pytest.mark.usefixtures("azure_core")
async def test_a_crowd_asks_for_one_token_and_for_the_next_before_it_ends() -> None:
    identity = Identity()
    prove = EntraToken(identity, clock=lambda: identity.now)
    crowd = await asyncio.gather(*(prove(WIRE) for _ in range(20)))
    assert {wire.headers["Authorization"] for wire in crowd} == {"Bearer token-1"}
    identity.now = 3400.0
    assert (await prove(WIRE)).headers == {"Authorization": "Bearer token-2"}
    assert identity.scopes == [SCOPE, SCOPE]


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (
            "ClientAuthenticationError",
            ConfigError,
            "no API key for azure, and Microsoft Entra gives no token: set AZURE_OPENAI_API_KEY, "
            "or sign in (no)",
        ),
        ("AzureError", APIConnectionError, "no token of Microsoft Entra: no"),
    ],
)
async def test_a_token_that_is_not_given_is_a_typed_error(
    error: str, kind: Any, reason: str, azure_core: Any
) -> None:
    def deny(_: str) -> None:
        raise getattr(azure_core, error)("no")

    with pytest.raises(kind) as caught:
        await EntraToken(SimpleNamespace(get_token=deny))(WIRE)
    assert str(caught.value) == reason


async def test_without_key_token_or_library_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AZURE_OPENAI_API_KEY")
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(ConfigError) as caught:
        await sent()
    assert str(caught.value) == (
        "no API key for azure: set AZURE_OPENAI_API_KEY or AZURE_OPENAI_AD_TOKEN, pass "
        "api_key=..., or pip install azure-identity to sign in with Microsoft Entra"
    )
