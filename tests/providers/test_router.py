"""From a model's name to who answers, at which address and with which key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flashlite import Flashlite
from flashlite.errors import ConfigError
from flashlite.providers import HOSTS, Host, locate, resolve
from flashlite.testing import ReplayTransport, Reply

OK = Reply.of({"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]})
# Hosts at an address of their own; the others' addresses depend on the environment.
FIXED = [host for host in HOSTS if isinstance(host.base_url, str)]
CLOSED = [host for host in FIXED if host.needs_key]
PLAIN = [host for host in FIXED if host.dialect in ("openai", "mistral")]
OPEN = [host for host in PLAIN if not host.needs_key]
PREFIXES = [(prefix, host) for host in HOSTS for prefix in host.prefixes]


def _name(value: Any) -> str:
    return value.name if isinstance(value, Host) else str(value)


async def sent(model: str, **options: Any) -> tuple[str, str | None, str]:
    """Return where a call goes, with which key, and under which name of the model."""
    transport = ReplayTransport([OK])
    await Flashlite(transport=transport).complete("Hi", model=model, **options)
    (request,) = transport.requests
    return request.url, request.headers.get("Authorization"), request.json["model"]


@pytest.mark.parametrize(
    ("prefix", "host"), [(p, host) for p, host in PREFIXES if host.speaks_for is None], ids=_name
)
def test_a_prefix_leads_to_its_host_and_keeps_the_rest_of_the_name(prefix: str, host: Host) -> None:
    route = resolve(f"{prefix}/org/model-1")
    assert (route.provider, route.model, route.host) == (host.name, "org/model-1", host)
    assert route.reason == f"{prefix}/ is a host with a native dialect"


def test_no_two_hosts_share_a_name_or_a_prefix() -> None:
    for values in ([host.name for host in HOSTS], [prefix for prefix, _ in PREFIXES]):
        assert len(values) == len(set(values))


@pytest.mark.parametrize("host", FIXED, ids=_name)
def test_a_hosts_row_can_be_used(host: Host) -> None:
    assert host.name in host.prefixes
    assert not host.home.endswith("/")
    assert host.home.startswith("https://" if host.needs_key else "http://localhost:")
    assert bool(host.key_vars) or not host.needs_key


@pytest.mark.parametrize(
    ("model", "provider", "name", "reason"),
    [
        ("gpt-4o", "openai", "gpt-4o", "gpt-4o is known as a model of openai"),
        (
            "deepseek-chat",
            "deepseek",
            "deepseek-chat",
            "deepseek-chat is known as a model of deepseek",
        ),
        (
            "claude-sonnet-4-5",
            "anthropic",
            "claude-sonnet-4-5",
            "claude-sonnet-4-5 is known as a model of anthropic",
        ),
        (
            "gemini-2.5-pro",
            "google",
            "gemini-2.5-pro",
            "gemini-2.5-pro is known as a model of gemini",
        ),
        (
            "command-r-08-2024",
            "cohere",
            "command-r-08-2024",
            "command-r-08-2024 is known as a model of cohere",
        ),
        (
            "huggingface/together/x",
            "litellm",
            "huggingface/together/x",
            "huggingface/ has no native dialect: litellm serves it",
        ),
        ("mock/echo", "mock/echo", "echo", "mock/ is embedded"),
    ],
)
def test_a_name_leads_to_who_serves_it_and_says_why(
    model: str, provider: str, name: str, reason: str
) -> None:
    route = resolve(model)
    assert (route.provider, route.model, route.reason) == (provider, name, reason)


def test_an_unknown_name_says_what_to_write() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("my-model")
    assert str(caught.value) == (
        "unknown model 'my-model': say whose it is by provider/model (openai/..., anthropic/..., "
        "ollama/...), or pass base_url=... for an OpenAI-compatible server"
    )


def test_a_name_that_ends_after_its_provider_says_what_to_write() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("openai/")
    assert str(caught.value) == (
        "the model name 'openai/' ends after the provider: write openai/<model>"
    )


@pytest.mark.parametrize("model", ["my-model", "claude-sonnet-4-5", "Qwen/Qwen3-8B"])
async def test_a_name_without_provider_but_with_an_address_speaks_openais_dialect_there(
    model: str,
) -> None:
    assert await sent(model, base_url="http://127.0.0.1:9/v1") == (
        "http://127.0.0.1:9/v1/chat/completions",
        None,
        model,
    )


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
@pytest.mark.parametrize("model", ["my-model", "gpt-4o", "openai/my-model"])
async def test_openais_address_may_come_from_the_environment(
    model: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9/v1/")
    assert await sent(model) == (
        "http://127.0.0.1:9/v1/chat/completions",
        None,
        model.removeprefix("openai/"),
    )


@pytest.mark.parametrize("host", CLOSED, ids=_name)
async def test_a_missing_key_is_named_and_nothing_is_sent(host: Host) -> None:
    transport = ReplayTransport([])
    with pytest.raises(ConfigError) as caught:
        await Flashlite(transport=transport).complete("Hi", model=f"{host.name}/m")
    variables = " or ".join(host.key_vars)
    assert str(caught.value) == (
        f"no API key for {host.name}: set {variables}, or pass api_key=..."
    )
    assert transport.requests == []


@pytest.mark.parametrize(
    ("host", "variable"), [(h, name) for h in PLAIN for name in h.key_vars], ids=_name
)
async def test_a_key_comes_from_any_variable_of_its_host(
    host: Host, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "from-the-environment")
    assert await sent(f"{host.name}/m") == (
        f"{host.base_url}/chat/completions",
        "Bearer from-the-environment",
        "m",
    )


@pytest.mark.parametrize("host", OPEN, ids=_name)
async def test_a_local_server_needs_no_key(host: Host) -> None:
    assert await sent(f"{host.name}/m") == (f"{host.base_url}/chat/completions", None, "m")


@pytest.mark.parametrize(
    ("host", "variable"), [(h, name) for h in PLAIN for name in h.url_vars], ids=_name
)
async def test_an_address_comes_from_any_variable_of_its_host(
    host: Host, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9/v1")
    url, _, _ = await sent(f"{host.name}/m")
    assert url == "http://127.0.0.1:9/v1/chat/completions"


async def test_the_first_variable_of_several_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOGETHERAI_API_KEY", "second")
    monkeypatch.setenv("TOGETHER_API_KEY", "first")
    _, key, _ = await sent("together/m")
    assert key == "Bearer first"


async def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.setenv("OPENAI_BASE_URL", "")
    with pytest.raises(ConfigError, match="no API key for openai: set OPENAI_API_KEY"):
        await sent("openai/m")


async def test_the_key_and_address_of_a_call_win_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8/v1")
    call = {"api_key": "of-the-call", "base_url": "http://127.0.0.1:9/v1"}
    assert await sent("openai/m", **call) == (
        "http://127.0.0.1:9/v1/chat/completions",
        "Bearer of-the-call",
        "m",
    )


async def test_one_client_serves_several_addresses_and_keys() -> None:
    transport = ReplayTransport([OK, OK])
    client = Flashlite("openai/m", api_key="mine", transport=transport)
    await client.complete("Hi")
    await client.complete("Hi", api_key="yours", base_url="http://127.0.0.1:9/v1")
    assert [(one.url, one.headers["Authorization"]) for one in transport.requests] == [
        ("https://api.openai.com/v1/chat/completions", "Bearer mine"),
        ("http://127.0.0.1:9/v1/chat/completions", "Bearer yours"),
    ]


@pytest.fixture
def dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write a `.env` above the working directory."""

    def write(text: str) -> None:
        (tmp_path / ".env").write_text(text)
        (tmp_path / "inner").mkdir()
        monkeypatch.chdir(tmp_path / "inner")

    return write


async def test_a_key_and_an_address_may_stand_in_a_dotenv_file(
    dotenv: Callable[[str], None],
) -> None:
    dotenv("OPENAI_API_KEY=from-a-file\nVLLM_BASE_URL='http://127.0.0.1:9/v1'\n")
    assert (await sent("openai/m"))[1] == "Bearer from-a-file"
    assert (await sent("vllm/m"))[0] == "http://127.0.0.1:9/v1/chat/completions"


async def test_the_environment_wins_over_a_dotenv_file(
    dotenv: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    dotenv("OPENAI_API_KEY=from-a-file\n")
    monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
    assert (await sent("openai/m"))[1] == "Bearer from-the-environment"


def test_an_endpoint_does_not_show_its_key() -> None:
    assert "sk-secret" not in repr(locate(HOSTS[0], api_key="sk-secret"))


PLUGIN = """
from flashlite.providers import Host
from flashlite.types import CompletionResponse

HOST = Host(
    name="attic", base_url="http://127.0.0.1:9/attic", key_vars=("ATTIC_API_KEY",), needs_key=True
)

def cellar(transport):
    async def handler(request):
        return CompletionResponse.of(f"{request.model} of {type(transport).__name__}")
    return handler
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package that adds two providers."""
    (tmp_path / "house_of_plugins.py").write_text(PLUGIN)
    installed = tmp_path / "house_of_plugins-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: house-of-plugins\nVersion: 1.0\n"
    )
    (installed / "entry_points.txt").write_text(
        "[flashlite.providers]\nattic = house_of_plugins:HOST\ncellar = house_of_plugins:cellar\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("plugins")
async def test_an_installed_package_may_add_a_host() -> None:
    route = resolve("attic/m")
    assert (route.provider, route.model) == ("attic", "m")
    assert route.reason == "attic/ is added by an installed package"
    assert await sent("attic/m", api_key="mine") == (
        "http://127.0.0.1:9/attic/chat/completions",
        "Bearer mine",
        "m",
    )
    with pytest.raises(ConfigError, match="no API key for attic: set ATTIC_API_KEY"):
        await sent("attic/m")


@pytest.mark.usefixtures("plugins")
async def test_an_installed_package_may_add_a_provider_of_its_own() -> None:
    client = Flashlite(transport=ReplayTransport([]))
    assert (await client.complete("Hi", model="cellar/m")).content == "m of ReplayTransport"


def test_a_route_explains_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-secret-0123456789")
    assert resolve("anthropic/claude-sonnet-4-5").explain().splitlines() == [
        "model:    claude-sonnet-4-5",
        "provider: anthropic",
        "dialect:  anthropic",
        "address:  https://api.anthropic.com/v1",
        "key:      in ANTHROPIC_API_KEY",
        "because:  anthropic/ is a host with a native dialect",
    ]


def test_a_route_explains_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_REGION_NAME", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    lines = resolve("bedrock/amazon.nova-lite-v1:0").explain().splitlines()
    assert lines[3].startswith("address:  unknown: ")
    assert lines[4] == "key:      AWS_BEARER_TOKEN_BEDROCK is not set, which may stay so"
    assert resolve("ollama/m").explain().splitlines()[4] == "key:      none is needed"
    assert resolve("voyage/m").explain().splitlines() == [
        "model:    voyage/m",
        "provider: litellm",
        "because:  voyage/ has no native dialect: litellm serves it",
    ]
