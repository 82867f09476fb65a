"""What goes wrong on the way through litellm, and what is said of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flashlite import Flashlite
from flashlite.errors import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    CompletionError,
    ConfigError,
    ContextWindowExceededError,
    InternalServerError,
    MalformedResponseError,
    RateLimitError,
)
from flashlite.middleware import RetryConfig
from flashlite.providers.litellm.library import library
from flashlite.providers.openai import parse_completion
from flashlite.testing import Reply

from .loopback import SILENCE, serving
from .test_litellm_provider import KEY, OK, all_of, engine, fail

ANSWER = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}


@pytest.fixture(autouse=True)
def _no_cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the accounts of whoever runs the tests."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what makes litellm's provider `broken/` raise an exception, or do what a call says."""
    litellm = library()

    def fail_with(action: Any) -> Flashlite:
        broken = litellm.CustomLLM()
        broken.acompletion = action
        row = {"provider": "broken", "custom_handler": broken}
        monkeypatch.setattr(litellm, "custom_provider_map", [row])
        return Flashlite("broken/m", retry=RetryConfig(max_attempts=1))

    return fail_with


def raising(error: BaseException, cause: BaseException | None = None) -> Any:
    async def action(*args: Any, **kwargs: Any) -> Any:
        raise error from cause

    return action


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("gemini/gemini-2.5-flash", "GEMINI_API_KEY"),
        ("azure_ai/m", "AZURE_AI_API_KEY and AZURE_AI_API_BASE"),
        ("watsonx/m", "WX_PROJECT_ID"),
        ("heroku/m", "HEROKU_API_BASE"),
        ("hosted_vllm/m", "no address for hosted_vllm: set HOSTED_VLLM_API_BASE, or pass base_url"),
        ("cerebras/m", "no API key for cerebras: set CEREBRAS_API_KEY, or pass api_key=..."),
        ("jina_ai/m", "litellm has no such service for jina_ai/m"),
    ],
)
async def test_a_setting_that_is_missing_is_named_and_nothing_is_sent(
    model: str, said: str
) -> None:
    seen: list[Any] = []
    with pytest.raises(ConfigError) as caught:
        await Flashlite(model).complete("Hi", on_send=seen.append)
    assert said in str(caught.value)
    assert "litellm.API" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert seen == []


def test_a_package_that_is_missing_is_named() -> None:
    script = """
import sys
sys.modules["google"] = None
from flashlite import ConfigError, Flashlite
try:
    Flashlite("vertex_ai/claude-sonnet-4-5").complete_sync("Hi")
except ConfigError as error:
    print(error)
"""
    said = subprocess.check_output([sys.executable, "-c", script], text=True, timeout=100)
    assert said.startswith("litellm lacks a Python package for vertex_ai/claude-sonnet-4-5")
    assert "google" in said


async def test_an_address_that_is_none_is_the_callers_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOSTED_VLLM_API_BASE", "127.0.0.1:8000/v1")
    with pytest.raises(ConfigError, match="the address of hosted_vllm/m is not one"):
        await Flashlite("hosted_vllm/m").complete("Hi")


async def test_an_address_may_stand_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(Reply.of(OK)) as server:
        (tmp_path / ".env").write_text(f"HOSTED_VLLM_API_BASE={server.base_url}\n")
        response = await Flashlite("hosted_vllm/m").complete("Hi")
    assert response.content == "ok"


@pytest.mark.parametrize(
    ("cause", "kind", "retryable"),
    [
        (ConnectionResetError("gone"), APIConnectionError, True),
        (OSError("no route"), APIConnectionError, True),
        (TimeoutError("slow"), APITimeoutError, True),
        (FileNotFoundError(2, "No such file", "model.json"), CompletionError, False),
        (KeyError("role"), CompletionError, False),
        (None, CompletionError, False),
    ],
)
async def test_only_a_failure_of_the_network_is_a_connection_error(
    failing: Any, cause: BaseException | None, kind: type[CompletionError], retryable: bool
) -> None:
    with pytest.raises(CompletionError) as caught:
        await failing(raising(ValueError("broken"), cause)).complete("Hi")
    assert (type(caught.value), caught.value.retryable) == (kind, retryable)


async def test_a_builtin_timeout_is_one_of_ours(failing: Any) -> None:
    with pytest.raises(APITimeoutError):
        await failing(raising(TimeoutError())).complete("Hi")


async def test_a_cancellation_that_nobody_asked_for_is_an_error(failing: Any) -> None:
    with pytest.raises(APIConnectionError, match="litellm cancelled the request by itself"):
        await failing(raising(asyncio.CancelledError())).complete("Hi")


async def test_a_cancellation_reaches_what_litellm_waits_for(failing: Any) -> None:
    began, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def wait(*args: Any, **kwargs: Any) -> Any:
        loop.call_soon_threadsafe(began.set)
        try:
            await asyncio.Event().wait()
        finally:
            loop.call_soon_threadsafe(ended.set)

    task = asyncio.ensure_future(failing(wait).complete("Hi"))
    await asyncio.wait_for(began.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(ended.wait(), 5)


@pytest.mark.parametrize("model", ["hosted_vllm/m", "perplexity/m", "cohere/m", "gemini/m"])
@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, BadRequestError), (429, RateLimitError), (529, InternalServerError)],
)
async def test_every_providers_refusal_keeps_its_status_its_words_and_its_headers(
    model: str, status: int, kind: type[CompletionError]
) -> None:
    body = {"error": {"message": "No."}}
    headers = {"x-request-id": "req_1", "retry-after": "7"}
    with serving(Reply.of(body, status=status, headers=headers)) as server:
        error = await fail(server, model=model)
    names = ("reason", "status_code", "request_id", "retry_after", "body")
    assert {"type": type(error)} | {name: getattr(error, name) for name in names} == {
        "type": kind,
        "reason": "No.",
        "status_code": status,
        "request_id": "req_1",
        "retry_after": 7.0,
        "body": body,
    }


async def test_a_refusal_that_litellm_knows_better_keeps_all_that_came_with_it() -> None:
    body = {"error": {"message": "This model's maximum context length is 8 tokens."}}
    headers = {"x-request-id": "req_1", "retry-after": "7"}
    with serving(Reply.of(body, status=429, headers=headers)) as server:
        error = await fail(server)
    known = (error.status_code, error.request_id, error.retry_after, error.body)
    assert (type(error), *known) == (ContextWindowExceededError, 429, "req_1", 7.0, body)


async def test_an_answer_that_is_none_keeps_its_request_id() -> None:
    with serving(Reply.of({"choices": []}, headers={"x-request-id": "req_1"})) as server:
        error = await fail(server)
    assert (type(error), error.request_id) == (MalformedResponseError, "req_1")


async def outcome(answer: dict[str, Any]) -> Any:
    with serving(Reply.of(answer)) as server:
        try:
            return (await engine(server).complete("Hi")).finish_reason
        except MalformedResponseError as error:
            return type(error)


@pytest.mark.parametrize("reason", [None, "error", "abort"])
async def test_a_reason_that_litellm_would_call_stop_is_judged_as_the_servers(
    reason: str | None,
) -> None:
    answer = {"choices": [{**ANSWER, "finish_reason": reason}]}
    try:
        native: Any = parse_completion(answer).finish_reason
    except MalformedResponseError as error:
        native = type(error)
    assert await outcome(answer) == native
    assert native != "stop"


SECRETS = ("sk-of-the-caller-0123", "sk-in-the-environment-0123", "sk-in-a-header-0123")
PARROT = {"error": {"message": f"No: {' '.join(SECRETS)}", "code": SECRETS[1]}, SECRETS[2]: "x"}


def everything_in(error: BaseException | None) -> str:
    """Return all that an error and what hangs on it could show."""
    if error is None:
        return ""
    return all_of(error) + everything_in(error.__cause__) + everything_in(error.__context__)


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("gemini/m", "GOOGLE_API_KEY"),
        ("gemini/m", "GEMINI_API_KEY"),
        ("azure/m", "AZURE_API_KEY"),
        ("cohere_chat/m", "COHERE_API_KEY"),
        ("huggingface/together/m", "HF_TOKEN"),
        ("hosted_vllm/m", "AWS_SECRET_ACCESS_KEY"),
    ],
)
@pytest.mark.parametrize("status", [200, 401, 500])
async def test_no_secret_stands_in_an_error(
    model: str, variable: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, SECRETS[1])
    monkeypatch.setenv("AZURE_API_VERSION", "2024-10-21")
    headers = {"Authorization": f"Bearer {SECRETS[2]}"}
    hidden = SECRETS[1:]
    reply = Reply.of(PARROT, status=status, headers={"x-request-id": SECRETS[2]})
    with serving(reply) as server:
        error = await fail(server, model=model, api_key=None, extra_headers=headers)
    assert [secret for secret in hidden if secret in everything_in(error)] == []


async def test_litellms_own_errors_which_hold_the_request_stay_behind() -> None:
    with serving(Reply.of(PARROT, status=401)) as server:
        error = await fail(server, api_key=SECRETS[0])
    assert type(error) is AuthenticationError
    assert (error.__cause__, error.__context__) == (None, None)
    assert SECRETS[0] not in everything_in(error)


async def test_what_breaks_inside_litellm_shows_no_key_and_no_traceback() -> None:
    with serving(Reply.of([KEY])) as server:
        error = await fail(server, model="mistral/m")
    assert type(error) is CompletionError
    assert KEY not in everything_in(error)
    assert "Traceback" not in str(error)


async def test_a_call_that_is_cancelled_ends_the_request() -> None:
    with serving(Reply(chunks=(SILENCE,))) as server:
        task = asyncio.ensure_future(engine(server, "cohere_chat/m").complete("Hi"))
        assert await asyncio.to_thread(server.arrived.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.lost.wait(5)
