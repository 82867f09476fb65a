"""The rows of hosts: where each is, whose key it wants, and what it calls things."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from flashlite import Flashlite, Message, ToolCall
from flashlite.errors import ConfigError
from flashlite.providers import HOSTS
from flashlite.providers.adapter import Endpoint, Host
from flashlite.providers.compatible_hosts import COMPATIBLE
from flashlite.providers.dialects import adapter_for
from flashlite.testing import ReplayTransport, Reply
from flashlite.types import CompletionRequest

OK = Reply.of({"choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]})
ROWS = {
    "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "together": ("https://api.together.xyz/v1", "TOGETHER_API_KEY", "TOGETHERAI_API_KEY"),
    "fireworks": (
        "https://api.fireworks.ai/inference/v1",
        "FIREWORKS_API_KEY",
        "FIREWORKS_AI_API_KEY",
    ),
    "deepseek": ("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "xai": ("https://api.x.ai/v1", "XAI_API_KEY"),
    "mistral": ("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "perplexity": ("https://api.perplexity.ai", "PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY"),
    "databricks": (
        "https://dbc-1.cloud.databricks.com/serving-endpoints",
        "DATABRICKS_TOKEN",
        "DATABRICKS_API_KEY",
    ),
    "cerebras": ("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
    "nebius": ("https://api.tokenfactory.nebius.com/v1", "NEBIUS_API_KEY"),
    "sambanova": ("https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    "nvidia_nim": (
        "https://integrate.api.nvidia.com/v1",
        "NVIDIA_NIM_API_KEY",
        "NVIDIA_API_KEY",
    ),
    "deepinfra": (
        "https://api.deepinfra.com/v1/openai",
        "DEEPINFRA_API_KEY",
        "DEEPINFRA_TOKEN",
    ),
    "hf": ("https://router.huggingface.co/v1", "HF_TOKEN", "HUGGINGFACE_API_KEY"),
    "moonshot": ("https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    "dashscope": ("https://dashscope.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    "zai": ("https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
    "minimax": ("https://api.minimax.io/v1", "MINIMAX_API_KEY"),
    "hyperbolic": ("https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY"),
    "novita": ("https://api.novita.ai/openai/v1", "NOVITA_API_KEY"),
    "github": ("https://models.github.ai/inference", "GITHUB_TOKEN", "GITHUB_API_KEY"),
    "vercel_ai_gateway": (
        "https://ai-gateway.vercel.sh/v1",
        "AI_GATEWAY_API_KEY",
        "VERCEL_AI_GATEWAY_API_KEY",
        "VERCEL_OIDC_TOKEN",
    ),
}


async def sent(model: str, messages: Any = "Hi", **options: Any) -> Any:
    """Return the request that a call to a host's own address sends."""
    transport = ReplayTransport([OK])
    await Flashlite(model, api_key="a-test-key", transport=transport).complete(messages, **options)
    return transport.requests[0]


def test_every_row_is_where_its_reference_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "dbc-1.cloud.databricks.com")
    assert {host.name: (host.home, *host.key_vars) for host in COMPATIBLE} == ROWS


@pytest.mark.parametrize("host", ["https://dbc-1.example.com/", "dbc-1.example.com"])
async def test_a_workspace_of_databricks_is_named_by_the_environment(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", host)
    url = (await sent("databricks/m")).url
    assert url == "https://dbc-1.example.com/serving-endpoints/chat/completions"


async def test_a_workspace_that_nothing_names_is_asked_for() -> None:
    with pytest.raises(ConfigError) as caught:
        await sent("databricks/m")
    assert str(caught.value) == (
        "no address for databricks: set DATABRICKS_HOST to that of your workspace, "
        "or pass base_url=..."
    )


LIMITED = [host.name for host in HOSTS if host.renames.get("max_completion_tokens")]


@pytest.mark.parametrize("name", LIMITED)
async def test_a_host_that_knows_one_name_of_the_limit_gets_that(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "dbc-1.example.com")
    body = (await sent(f"{name}/m", max_completion_tokens=9)).json
    assert (body.get("max_tokens"), body.get("max_completion_tokens")) == (9, None)


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("groq", {"logprobs": True, "top_k": 5}),
        ("deepseek", {"top_k": 5}),
        ("perplexity", {"n": 1, "seed": 1}),
        ("ollama", {"logit_bias": {"1": 2}, "n": 1, "user": "u"}),
    ],
)
async def test_what_a_host_does_not_take_is_not_sent_and_said(
    name: str, refused: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flashlite.providers")
    assert refused.keys() & (await sent(f"{name}/m", **refused)).json.keys() == set()
    names = ", ".join(sorted(refused))
    assert caplog.messages == [f"{name} does not take {names}: not sent (reported once)"]


@pytest.mark.parametrize(
    ("host", "kept", "lost"),
    [
        ("groq", [], ["the name of a message by the system", "the name of a message by the user"]),
        ("xai", ["user"], ["the name of a message by the system"]),
        ("together", ["system", "user", "tool"], []),
    ],
)
async def test_a_name_that_a_host_refuses_is_left_out_and_said_unless_an_id_tells_as_much(
    host: str, kept: list[str], lost: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flashlite.providers")
    messages = [
        {"role": "system", "content": "Be brief.", "name": "s"},
        Message.user("Add.", name="ann"),
        Message.assistant(tool_calls=[ToolCall("c1", "add", {})]),
        Message.tool_result("c1", "3", name="add"),
    ]
    body = (await sent(f"{host}/m", messages)).json
    assert [message["role"] for message in body["messages"] if "name" in message] == kept
    assert caplog.messages == (
        [f"{host} does not take {', '.join(lost)}: not sent (reported once)"] if lost else []
    )


async def test_a_name_that_a_host_refuses_is_an_error_where_nothing_may_be_left_out() -> None:
    with pytest.raises(ConfigError, match="groq does not take the name of a message by the user"):
        await sent("groq/m", [Message.user("Hi", name="ann")], strict_params=True)


@pytest.mark.parametrize("name", ["ollama", "perplexity", "sambanova"])
async def test_a_host_that_gives_one_answer_says_so_when_it_is_asked_for_two(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} gives one answer to a request"):
        await sent(f"{name}/m", n=2)


@pytest.mark.parametrize("host", HOSTS, ids=[host.name for host in HOSTS])
def test_without_a_key_nothing_is_sent_in_its_place(host: Host) -> None:
    request = CompletionRequest(model="m", messages=(Message.user("Hi"),))
    endpoint = Endpoint(host=host, base_url="https://host/v1")
    wire = adapter_for(host.dialect).build_request(request, endpoint)
    assert wire.headers.keys() <= {"anthropic-version"}


@pytest.mark.parametrize("name", ["deepseek", "zai"])
async def test_where_json_has_no_shape_the_prompt_asks_for_it(name: str) -> None:
    from pydantic import BaseModel

    class Age(BaseModel):
        age: int

    reply = Reply.of({"choices": [{"message": {"content": '{"age": 3}'}, "finish_reason": "stop"}]})
    transport = ReplayTransport([reply])
    client = Flashlite(f"{name}/m", api_key="a-test-key", transport=transport)
    answer = await client.complete("How old?", response_model=Age)
    (request,) = transport.requests
    assert answer == Age(age=3)
    assert "response_format" not in request.json
    assert "JSON" in request.json["messages"][0]["content"]


async def test_deepseek_is_told_to_think_in_its_own_words() -> None:
    body = (await sent("deepseek/m", thinking={"type": "disabled"}, reasoning_effort="high")).json
    assert (body["thinking"], body["reasoning_effort"]) == ({"type": "disabled"}, "high")


@pytest.mark.parametrize(("name", "role"), [("openai", "developer"), ("groq", "system")])
async def test_a_developer_is_a_system_where_nobody_knows_developers(name: str, role: str) -> None:
    body = (await sent(f"{name}/m", {"role": "developer", "content": "Be short."})).json
    assert body["messages"] == [{"role": role, "content": "Be short."}]
