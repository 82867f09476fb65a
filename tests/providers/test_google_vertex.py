"""Gemini on Vertex AI: where it is, who asks, and which models go there."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from flashlite import Flashlite
from flashlite.errors import APIConnectionError, ConfigError
from flashlite.middleware import RetryConfig
from flashlite.providers import resolve
from flashlite.testing import ReplayTransport, Reply

OK = Reply.of({"candidates": [{"content": {"parts": [{"text": "ok"}]}, "finishReason": "STOP"}]})
HOME = "https://us-central1-aiplatform.googleapis.com/v1beta1/projects/p/locations/us-central1"

# As much of google-auth as is used: tokens are numbered, and `problem` is raised instead of one.
GOOGLE_AUTH = {
    "google/auth/exceptions.py": """
class GoogleAuthError(Exception): pass
class TransportError(GoogleAuthError): pass
class BusyError(GoogleAuthError): retryable = True
""",
    "google/auth/transport/requests.py": "class Request: pass",
    "google/auth/transport/__init__.py": "",
    "google/auth/__init__.py": """
import time
scopes, tokens, problem = [], 0, None

class Credentials:
    valid, token = False, None
    def refresh(self, request):
        global tokens
        time.sleep(0.05)
        if problem:
            raise problem
        tokens += 1
        self.valid, self.token = True, f"token-{tokens}"

credentials = Credentials()

def default(scopes):
    globals()["scopes"].append(scopes)
    return credentials, "p"
""",
}


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")


@pytest.fixture
def google_auth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Install google-auth."""
    for name, text in GOOGLE_AUTH.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    before = {name: module for name, module in sys.modules.items() if _is_googles(name)}
    for name in before:
        del sys.modules[name]
    monkeypatch.syspath_prepend(str(tmp_path))
    import_module("google.auth.exceptions")
    yield import_module("google.auth")
    for name in [name for name in sys.modules if _is_googles(name)]:
        del sys.modules[name]
    sys.modules.update(before)


def _is_googles(name: str) -> bool:
    return name == "google" or name.startswith("google.")


async def sent(model: str, **options: Any) -> tuple[str, str | None]:
    """Return where a call goes and with which token."""
    transport = ReplayTransport([OK])
    await Flashlite(transport=transport).complete("Hi", model=model, **options)
    (request,) = transport.requests
    return request.url, request.headers.get("Authorization")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("location", "server"),
    [
        (None, "us-central1-aiplatform.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
async def test_the_address_names_project_and_location(
    location: str | None, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if location is not None:
        monkeypatch.setenv("VERTEXAI_LOCATION", location)
    path = f"v1beta1/projects/p/locations/{location or 'us-central1'}/publishers/google"
    assert await sent("vertex_ai/gemini-2.5-flash", api_key="a-token") == (
        f"https://{server}/{path}/models/gemini-2.5-flash:generateContent",
        "Bearer a-token",
    )


@pytest.mark.usefixtures("project")
async def test_a_tuned_model_is_an_endpoint() -> None:
    url, _ = await sent("vertex/endpoints/123", api_key="a-token")
    assert url == f"{HOME}/endpoints/123:generateContent"


async def test_a_missing_project_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        await sent("vertex_ai/gemini-2.5-flash", api_key="a-token")
    assert str(caught.value) == (
        "no Google Cloud project for vertex_ai: set GOOGLE_CLOUD_PROJECT or VERTEXAI_PROJECT"
    )


async def test_an_address_of_the_call_needs_no_project() -> None:
    url, _ = await sent("vertex_ai/gemini-x", api_key="t", base_url="http://127.0.0.1:9/v1")
    assert url == "http://127.0.0.1:9/v1/models/gemini-x:generateContent"


@pytest.mark.usefixtures("project")
async def test_a_token_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "from-the-environment")
    assert (await sent("vertex_ai/gemini-2.5-flash"))[1] == "Bearer from-the-environment"


@pytest.mark.usefixtures("project")
async def test_without_google_auth_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(ConfigError) as caught:
        await sent("vertex_ai/gemini-2.5-flash")
    assert str(caught.value) == (
        "vertex_ai needs google-auth: pip install 'google-auth[requests]', or pass an access token "
        "as api_key=... or in VERTEXAI_ACCESS_TOKEN"
    )


@pytest.mark.usefixtures("project")
def test_one_token_serves_all_who_wait_and_every_loop(google_auth: Any) -> None:
    transport = ReplayTransport([OK] * 21)
    client = Flashlite("vertex_ai/gemini-2.5-flash", transport=transport)

    async def together() -> None:
        await asyncio.gather(*(client.complete(f"Hi {n}") for n in range(20)))

    async def alone() -> None:
        await client.complete("Hi")

    asyncio.run(together())
    asyncio.run(alone())
    assert {sent.headers["Authorization"] for sent in transport.requests} == {"Bearer token-1"}
    assert google_auth.tokens == 1
    assert google_auth.scopes == [("https://www.googleapis.com/auth/cloud-platform",)]


@pytest.mark.usefixtures("project")
async def test_an_expired_token_is_fetched_anew(google_auth: Any) -> None:
    transport = ReplayTransport([OK, OK])
    client = Flashlite("vertex_ai/gemini-2.5-flash", transport=transport)
    await client.complete("One")
    google_auth.credentials.valid = False
    await client.complete("Two")
    assert [sent.headers["Authorization"] for sent in transport.requests] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


@pytest.mark.usefixtures("project")
async def test_bad_credentials_say_what_to_do(google_auth: Any) -> None:
    google_auth.problem = google_auth.exceptions.GoogleAuthError("revoked")
    with pytest.raises(ConfigError) as caught:
        await sent("vertex_ai/gemini-2.5-flash")
    assert str(caught.value) == (
        "no credentials for vertex_ai (revoked): run `gcloud auth application-default login`, set "
        "GOOGLE_APPLICATION_CREDENTIALS, or pass an access token as api_key=..."
    )


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("kind", ["TransportError", "BusyError"])
async def test_a_token_server_that_is_away_may_come_back(kind: str, google_auth: Any) -> None:
    google_auth.problem = getattr(google_auth.exceptions, kind)("away")
    client = Flashlite(transport=ReplayTransport([]), retry=RetryConfig(max_attempts=1))
    with pytest.raises(APIConnectionError, match="Google gave no access token: away") as caught:
        await client.complete("Hi", model="vertex_ai/gemini-2.5-flash")
    assert not caught.value.was_sent


@pytest.mark.parametrize(
    ("model", "provider", "name", "reason"),
    [
        (
            "vertex/gemini-2.5-pro",
            "vertex_ai",
            "gemini-2.5-pro",
            "vertex/ is a host with a native dialect",
        ),
        (
            "vertex/claude-sonnet-4-5@20250929",
            "litellm",
            "vertex_ai/claude-sonnet-4-5@20250929",
            "vertex_ai has another dialect for claude-sonnet-4-5@20250929: litellm serves it",
        ),
        (
            "vertex_ai/meta/llama-4-scout",
            "litellm",
            "vertex_ai/meta/llama-4-scout",
            "vertex_ai has another dialect for meta/llama-4-scout: litellm serves it",
        ),
        (
            "google/gemini-2.5-pro",
            "google",
            "gemini-2.5-pro",
            "google/ is a host with a native dialect",
        ),
    ],
)
def test_only_googles_own_models_are_asked_in_this_dialect(
    model: str, provider: str, name: str, reason: str
) -> None:
    route = resolve(model)
    assert (route.provider, route.model, route.reason) == (provider, name, reason)
