"""FlashliteModelAPI outside of an eval: names, keys, arguments and bad input."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import sniffio
from inspect_ai.model import (
    ChatMessageUser,
    GenerateConfig,
    ModelCost,
    ModelOutput,
    get_model,
    get_model_info,
)

from flashlite import Flashlite, RetryConfig, Usage
from flashlite.errors import (
    ContentPolicyViolationError,
    ContextWindowExceededError,
    MalformedResponseError,
)
from flashlite.inspect_ai import FlashliteModelAPI
from flashlite.inspect_ai._private import PrerequisiteError
from flashlite.testing import MockServer, ScriptedProvider
from flashlite.types import CompletionResponse

USER = [ChatMessageUser(content="Hi")]


def _api(model: str, **options: Any) -> FlashliteModelAPI:
    return FlashliteModelAPI(model, **options)


def _refused(model: str, **options: Any) -> str:
    with pytest.raises(PrerequisiteError) as caught:
        FlashliteModelAPI(model, **options)
    return str(caught.value.message)


async def _generate(api: FlashliteModelAPI) -> ModelOutput:
    result = await api.generate(USER, [], "auto", GenerateConfig())
    assert isinstance(result, tuple)
    return result[0]


async def test_get_model_finds_the_plugin() -> None:
    output = await get_model("flashlite/mock/echo", memoize=False).generate("hello")
    assert (output.completion, output.stop_reason) == ("hello", "stop")


async def test_a_client_and_a_model_make_a_provider() -> None:
    client = Flashlite(provider=ScriptedProvider(["hello"]))
    output = await FlashliteModelAPI(client, model="gpt-4o").generate(
        messages=[{"role": "user", "content": "Hi"}]
    )
    assert isinstance(output, ModelOutput)
    assert output.completion == "hello"


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        (
            "mock/nope",
            {},
            "unknown mock behaviour 'nope': there are calculator, echo, json, script, tools",
        ),
        (
            "openai/gpt-4o",
            {},
            "no API key for openai: set OPENAI_API_KEY, or pass api_key=...",
        ),
        ("gpt-4o", {}, "no API key for openai: set OPENAI_API_KEY, or pass api_key=..."),
        (
            "no-such-model",
            {},
            "unknown model 'no-such-model': say whose it is by provider/model (openai/..., "
            "anthropic/..., ollama/...), or pass base_url=... for an OpenAI-compatible server",
        ),
        (
            "openai/gpt-4o",
            {"api_key": "k", "rpn": 5},
            "unknown -M argument rpn for flashlite/openai/gpt-4o: did you mean rpm?",
        ),
        (
            "openai/gpt-4o",
            {"api_key": "k", "request_timeout": "soon"},
            "-M request_timeout=soon: a timeout is a positive number of seconds or None; got "
            "'soon'",
        ),
        (
            "mock/echo",
            {"skill": "high"},
            "mock option skill cannot be 'high'",
        ),
    ],
)
def test_bad_input_is_one_sentence_before_the_eval_starts(
    model: str, options: dict[str, Any], sentence: str
) -> None:
    assert _refused(model, **options) == sentence


def test_a_client_takes_no_arguments_for_a_model() -> None:
    with pytest.raises(PrerequisiteError) as caught:
        FlashliteModelAPI(Flashlite("mock/echo"), rpm=5)
    assert caught.value.message == "FlashliteModelAPI(client, ...) takes no rpm: it is the client's"


def test_a_client_without_a_model_needs_its_name() -> None:
    with pytest.raises(PrerequisiteError) as caught:
        FlashliteModelAPI(Flashlite())
    assert caught.value.message == "FlashliteModelAPI needs a model's name: pass model=..."


def test_the_address_may_come_from_inspects_variable(
    mock_server: MockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSPECT_EVAL_MODEL_BASE_URL", mock_server.base_url)
    assert _api("openai/echo").base_url == mock_server.base_url


async def test_a_parameter_that_the_provider_cannot_take_is_refused_where_that_is_wanted() -> None:
    api = _api("openai/gpt-4o", api_key="k", strict_params=True)
    with pytest.raises(PrerequisiteError) as caught:
        await api.generate(USER, [], "auto", GenerateConfig(top_k=5))
    assert caught.value.message == "openai does not take top_k; leave it out"


def test_trio_is_refused_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSPECT_ASYNC_BACKEND", "trio")
    assert _refused("mock/echo") == (
        "The flashlite provider does not work with the trio async backend; "
        "unset INSPECT_ASYNC_BACKEND."
    )


def test_trio_is_refused_where_it_runs() -> None:
    token = sniffio.current_async_library_cvar.set("trio")
    try:
        assert _refused("mock/echo").startswith(
            "The flashlite provider does not work with the trio"
        )
    finally:
        sniffio.current_async_library_cvar.reset(token)


async def test_an_overflow_is_an_output(mock_server: MockServer) -> None:
    error = ContextWindowExceededError("too long", status_code=400)
    client = Flashlite(provider=ScriptedProvider([error]))
    output = await _generate(FlashliteModelAPI(client, model="m"))
    assert (output.stop_reason, output.completion) == ("model_length", "too long")


async def test_a_call_that_its_api_cannot_read_is_an_output_after_three_attempts() -> None:
    error = MalformedResponseError("unusable: f(", code="MALFORMED_FUNCTION_CALL")
    client = Flashlite(provider=ScriptedProvider([error] * 3), retry=RetryConfig(max_attempts=1))
    api, config = FlashliteModelAPI(client, model="m"), GenerateConfig()
    for _ in range(2):
        with pytest.raises(MalformedResponseError):
            await api.generate([ChatMessageUser(content="Hi")], [], "none", config)
    result = await api.generate([ChatMessageUser(content="Hi")], [], "none", config)
    assert isinstance(result, tuple)
    assert (result[0].stop_reason, result[0].completion) == ("unknown", "unusable: f(")


async def test_a_policy_refusal_is_an_output() -> None:
    error = ContentPolicyViolationError("not this", status_code=400)
    client = Flashlite(provider=ScriptedProvider([error]))
    output = await _generate(FlashliteModelAPI(client, model="m"))
    details = output.choices[0].stop_details
    assert details is not None
    assert (output.stop_reason, output.completion, details.explanation) == (
        "content_filter",
        "not this",
        "not this",
    )


@pytest.mark.parametrize(
    ("model", "canonical"),
    [
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("gpt-4o", "openai/gpt-4o"),
        ("openrouter/anthropic/claude-sonnet-4.5", "anthropic/claude-sonnet-4.5"),
        ("gemini/gemini-2.5-flash", "google/gemini-2.5-flash"),
        ("xai/grok-4", "grok/grok-4"),
        ("mock/echo", "mock/echo"),
    ],
)
def test_the_canonical_name_is_that_of_inspects_database(model: str, canonical: str) -> None:
    assert _api(model, api_key="k").canonical_name() == canonical


@pytest.mark.parametrize("model", ["flashlite/gpt-4o", "flashlite/openai/gpt-4o"])
def test_prices_and_limits_are_known_to_inspect(model: str) -> None:
    info = get_model_info(get_model(model, api_key="k", memoize=False))
    assert info is not None
    assert (info.context_length, info.output_tokens) == (128_000, 16_384)
    assert info.cost == ModelCost(
        input=2.5, output=10.0, input_cache_write=2.5, input_cache_read=1.25
    )


def test_an_unknown_price_is_not_registered() -> None:
    assert get_model_info(get_model("flashlite/vllm/my-model", memoize=False)) is None


def test_the_connection_pool_is_named_by_key_address_and_model_without_the_key() -> None:
    keys = [
        _api("openai/a", api_key="secret-1").connection_key(),
        _api("openai/a", api_key="secret-2").connection_key(),
        _api("openai/b", api_key="secret-1").connection_key(),
        _api("openai/a", api_key="secret-1", base_url="http://x/v1").connection_key(),
    ]
    assert len(set(keys)) == 4
    assert not any("secret" in key for key in keys)


@pytest.mark.parametrize(("rpm", "connections"), [({}, 10), ({"rpm": 6}, 10), ({"rpm": 600}, 100)])
def test_there_are_connections_enough_to_use_the_minute(
    rpm: dict[str, float], connections: int
) -> None:
    api = _api("openai/gpt-4o", api_key="k", pool=f"minute {rpm}", **rpm)
    assert api.max_connections() == connections


async def test_tokens_are_counted_offline() -> None:
    assert await _api("mock/echo").count_text_tokens("hello world") == 2


async def test_a_refreshed_key_is_used_and_the_engine_stays(mock_server: MockServer) -> None:
    api = _api("openai/echo", api_key="old", base_url=mock_server.base_url)
    await _generate(api)
    api.api_key = "new"
    await api.refresh_credentials()
    await _generate(api)
    sent = [request.headers["authorization"] for request in mock_server.requests]
    assert sent == ["Bearer old", "Bearer new"]


async def test_usage_of_a_client_is_passed_on() -> None:
    response = CompletionResponse.of("x", usage=Usage(input_tokens=3, output_tokens=1))
    client = Flashlite(provider=ScriptedProvider([response]))
    output = await _generate(FlashliteModelAPI(client, model="m"))
    assert output.usage is not None
    assert (output.usage.input_tokens, output.usage.output_tokens) == (3, 1)


def test_the_registry_imports_no_provider() -> None:
    import subprocess

    code = (
        "import sys, flashlite.inspect_ai._registry; "
        "print(sorted({'flashlite.client', 'litellm', 'aiohttp.client'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
