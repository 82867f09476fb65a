import logging
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distribution
from pathlib import Path

import orjson
import pytest

import flashlite.models
from flashlite.errors import ConfigError
from flashlite.models import (
    ModelProfile,
    Prices,
    family,
    lookup,
    register_model,
    unregister_model,
)

SRC = Path(flashlite.models.__file__).parents[2]


@pytest.fixture
def registered() -> Iterator[list[str]]:
    """Names to forget when the test is over."""
    names: list[str] = []
    yield names
    for name in names:
        unregister_model(name)


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    code = f"import sys; sys.path.insert(0, {str(SRC)!r})\n{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_a_profile_says_what_the_map_says() -> None:
    profile = ModelProfile.get("gpt-3.5-turbo-0125")
    assert profile == ModelProfile(
        name="gpt-3.5-turbo-0125",
        provider="openai",
        category="completions",
        context_window=16385,
        max_output_tokens=4096,
        prices=profile.prices,
        abilities=profile.abilities,
    )


def test_the_context_window_is_never_the_maximum_output() -> None:
    profile = ModelProfile.get("gpt-4o")
    assert (profile.context_window, profile.max_output_tokens) == (128_000, 16_384)


def test_an_ability_is_yes_no_or_unknown() -> None:
    profile = ModelProfile.get("gpt-5")
    assert [
        profile.supports("vision"),
        profile.supports("xhigh_reasoning_effort"),
        profile.supports("telepathy"),
    ] == [True, False, None]


def test_whether_a_model_reasons_is_yes_or_unknown_if_nobody_says() -> None:
    assert ModelProfile.get("gpt-5").reasoning_model is True
    assert ModelProfile.get("gpt-4o").reasoning_model is None


def test_embeddings_are_their_own_category() -> None:
    assert ModelProfile.get("text-embedding-3-small").category == "embeddings"


@pytest.mark.parametrize(
    ("name", "key", "provider"),
    [
        ("gpt-4o", "gpt-4o", "openai"),
        ("openai/gpt-4o", "gpt-4o", "openai"),
        ("azure/gpt-4o", "azure/gpt-4o", "azure"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5", "anthropic"),
        ("anthropic/claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929", "anthropic"),
        ("gemini-2.5-pro", "gemini/gemini-2.5-pro", "gemini"),
        ("gemini/gemini-2.5-pro", "gemini/gemini-2.5-pro", "gemini"),
        ("google/gemini-2.5-pro", "gemini/gemini-2.5-pro", "gemini"),
        ("vertex/gemini-2.5-pro", "gemini-2.5-pro", "vertex_ai"),
        ("vertex_ai/claude-sonnet-4-5", "vertex_ai/claude-sonnet-4-5", "vertex_ai"),
        (
            "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
            "bedrock",
        ),
        (
            "together/meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "together_ai",
        ),
        (
            "fireworks/accounts/fireworks/models/gpt-oss-120b",
            "fireworks_ai/accounts/fireworks/models/gpt-oss-120b",
            "fireworks_ai",
        ),
        ("grok/grok-4.3", "xai/grok-4.3", "xai"),
        ("cohere/command-r-08-2024", "command-r-08-2024", "cohere"),
        ("deepseek-chat", "deepseek-chat", "deepseek"),
    ],
)
def test_a_name_finds_its_entry_however_people_write_it(name: str, key: str, provider: str) -> None:
    profile = ModelProfile.get(name)
    assert (profile.name, profile.provider) == (key, provider)


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o-2099-01-01",
        "gpt-4o-",
        "GPT-4o",
        "gpt-4o-mini-2024-07-18-mine",
        "groq/gpt-4o",
        "openai/claude-sonnet-4-5",
        "azure/claude-sonnet-4-5-nope",
        "gemini/gemini-3.8-flash-cyber",
        "openrouter/anthropic/claude-not-listed",
        "fireworks_ai/foo",
        "together_ai/foo/bar-70b",
        "vllm/meta-llama/Llama-3.3-70B-Instruct",
        "ft:gpt-4o-2024-05-13:org::id",
        "sample_spec",
        "",
    ],
)
def test_a_name_that_is_not_listed_is_unknown(name: str) -> None:
    assert lookup(name) is None


def test_the_wire_name_has_no_provider() -> None:
    names = ["gpt-5", "azure/gpt-4o", "google/gemini-2.5-pro", "together_ai/openai/gpt-oss-20b"]
    assert [ModelProfile.get(name).model_name for name in names] == [
        "gpt-5",
        "gpt-4o",
        "gemini-2.5-pro",
        "openai/gpt-oss-20b",
    ]


@pytest.mark.parametrize("prefix", ["", "openai/"])
def test_a_fine_tune_is_known_by_its_base_and_keeps_its_name(prefix: str) -> None:
    profile = ModelProfile.get(f"{prefix}ft:gpt-4o-2024-08-06:org::id")
    base = ModelProfile.get("ft:gpt-4o-2024-08-06")
    assert profile.model_name == "ft:gpt-4o-2024-08-06:org::id"
    assert profile.prices == base.prices


def test_mock_models_are_known_to_cost_nothing() -> None:
    assert lookup("mock/calculator?skill=1") == ModelProfile(
        name="mock/calculator?skill=1",
        provider="mock",
        category="completions",
        prices=Prices(input=0, output=0),
    )


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("gpt-4o", "openai"),
        ("gpt-3.5-turbo-instruct", "openai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("gemini-2.5-pro", "gemini"),
        ("gemini-4-argon", "gemini"),
        ("gemini-3.8-flash-cyber", "vertex_ai"),
        ("command-r-08-2024", "cohere"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock"),
        ("my-own-model", None),
        ("claude-3-sonnet-20240229", "anthropic"),  # retired
        ("gemini-99-ultra", "gemini"),  # newer than the price map
        ("gpt-99", "openai"),
        ("gpt-j-6b", None),
        ("claude-of-our-gateway", None),
    ],
)
def test_the_family_of_a_bare_name_is_who_serves_it(name: str, provider: str | None) -> None:
    assert family(name) == provider


def test_an_unknown_model_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"register_model\('my-own-model', "):
        ModelProfile.get("my-own-model")


def test_an_unknown_model_is_known_once_registered(registered: list[str]) -> None:
    registered.append("my-own-model")
    prices = Prices.per_million(input=1, output=2)
    register_model("my-own-model", prices=prices, context_window=8_000, abilities={"vision": True})
    assert lookup("my-own-model") == ModelProfile(
        name="my-own-model", prices=prices, context_window=8_000, abilities={"vision": True}
    )


def test_what_is_registered_wins_and_the_rest_stays(registered: list[str]) -> None:
    known = ModelProfile.get("gpt-4o")
    registered.append("gpt-4o")
    register_model("gpt-4o", context_window=1_000, abilities={"vision": False})
    profile = ModelProfile.get("gpt-4o")
    assert profile == ModelProfile(
        name="gpt-4o",
        provider="openai",
        category="completions",
        context_window=1_000,
        max_output_tokens=known.max_output_tokens,
        prices=known.prices,
        abilities={**known.abilities, "vision": False},
    )


def test_registering_twice_adds_up(registered: list[str]) -> None:
    registered.append("my-own-model")
    register_model("my-own-model", context_window=1_000)
    register_model("my-own-model", max_output_tokens=100)
    assert lookup("my-own-model") == ModelProfile(
        name="my-own-model", context_window=1_000, max_output_tokens=100
    )


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ("gpt-4o", "openai/gpt-4o"),
        ("openai/gpt-4o", "gpt-4o"),
        ("deepseek-chat", "deepseek/deepseek-chat"),
        ("deepseek/deepseek-chat", "deepseek-chat"),
        ("gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("google/gemini-2.5-pro", "gemini-2.5-pro"),
        ("vertex/gemini-2.5-pro", "vertex_ai/gemini-2.5-pro"),
        ("vllm/mine", "hosted_vllm/mine"),
        ("my-own-model", "openai/my-own-model"),
        ("ft:gpt-4o-2024-08-06", "ft:gpt-4o-2024-08-06:org::id"),
        ("ft:gpt-4o-2024-08-06:org::id", "openai/ft:gpt-4o-2024-08-06:org::id"),
        ("mock/expensive", "mock/expensive"),
    ],
)
def test_a_registered_model_is_found_however_it_is_written(
    told: str, asked: str, registered: list[str]
) -> None:
    registered.append(told)
    register_model(told, prices=Prices(input=1e-9, output=2e-9))
    assert ModelProfile.get(asked).prices == Prices(input=1e-9, output=2e-9)


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ("gpt-4o", "azure/gpt-4o"),
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("vertex/gemini-2.5-pro", "gemini-2.5-pro"),
        ("ft:gpt-4o-2024-08-06:org::id", "ft:gpt-4o-2024-08-06"),
    ],
)
def test_registering_a_model_changes_no_other(told: str, asked: str, registered: list[str]) -> None:
    before = lookup(asked)
    registered.append(told)
    register_model(told, prices=Prices(input=1e-9, output=2e-9))
    assert lookup(asked) == before


def test_a_registered_provider_makes_a_bare_name_routable(registered: list[str]) -> None:
    registered.append("my-own-model")
    register_model("my-own-model", provider="openai")
    assert family("my-own-model") == "openai"
    assert lookup("openai/my-own-model") == lookup("my-own-model")


def test_a_registered_provider_comes_from_the_name_if_it_is_known(registered: list[str]) -> None:
    registered += ["groq/mine", "vllm/mine", "my-folder/mine"]
    for name in registered:
        register_model(name, context_window=1)
    profiles = [ModelProfile.get(name) for name in registered]
    assert [(profile.provider, profile.model_name) for profile in profiles] == [
        ("groq", "mine"),
        ("hosted_vllm", "mine"),
        (None, "my-folder/mine"),
    ]


def test_forgetting_a_model_brings_the_map_back() -> None:
    before = lookup("gpt-4o")
    register_model("gpt-4o", context_window=1)
    unregister_model("openai/gpt-4o")
    assert lookup("gpt-4o") == before


def test_forgetting_leaves_nothing_of_a_provider_given_up() -> None:
    register_model("my-own-model", provider="openai")
    register_model("my-own-model", provider="groq")
    unregister_model("my-own-model")
    names = ["my-own-model", "openai/my-own-model", "groq/my-own-model"]
    assert [lookup(name) for name in names] == [None, None, None]


def test_forgetting_what_was_never_registered_is_fine() -> None:
    unregister_model("gpt-4o")
    unregister_model("never-heard-of-it")
    assert lookup("gpt-4o") is not None


def test_many_threads_register_without_losing_one(registered: list[str]) -> None:
    registered += [f"thread-{number}" for number in range(200)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: register_model(name, context_window=1), registered))
    assert all(lookup(name) for name in registered)


def test_importing_loads_nothing_heavy() -> None:
    code = """
import flashlite.models
print({"litellm", "tiktoken", "pydantic", "orjson"} & {*sys.modules})
"""
    assert run(code).stdout.strip() == "set()"


def test_asking_does_not_import_litellm() -> None:
    code = """
from flashlite.models import count_tokens, lookup
assert lookup("gpt-4o") and count_tokens("hi")
print("litellm" in sys.modules)
"""
    assert run(code).stdout.strip() == "False"


def test_without_litellm_everything_is_unknown_and_one_warning_says_so() -> None:
    code = """
sys.modules["litellm"] = None
import logging
logging.basicConfig(format="%(name)s %(levelname)s")
from flashlite.models import family, lookup, priced, register_model
from flashlite.types import Usage
print(lookup("gpt-4o"), family("openai/gpt-4o"), priced(Usage(input_tokens=1), "gpt-5").total_cost)
register_model("gpt-4o", context_window=7)
print(lookup("gpt-4o").context_window)
"""
    done = run(code)
    assert done.stdout.split() == ["None", "None", "None", "7"]
    assert done.stderr.split() == ["flashlite.models", "WARNING"]


def test_every_entry_of_the_map_can_be_read(caplog: pytest.LogCaptureFixture) -> None:
    file = "litellm/model_prices_and_context_window_backup.json"
    entries = orjson.loads(Path(str(distribution("litellm").locate_file(file))).read_bytes())
    keys = [key for key, entry in entries.items() if "litellm_provider" in entry]
    with caplog.at_level(logging.WARNING, "flashlite.models"):
        assert [key for key in keys if key != "sample_spec" and lookup(key) is None] == []
    assert caplog.records == []
