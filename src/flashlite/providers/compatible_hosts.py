"""Hosts of other companies that speak OpenAI's dialect, or nearly.

The source of each row is the host's API reference, named beside it. `refuses` has the parameters
that the reference says are not accepted; others are sent, and the host may refuse them. Parameters
that only some models of a host take are sent too.
"""

from __future__ import annotations

from typing import Any

from .. import env
from ..errors import ConfigError
from .adapter import Host


def _cloud(
    base_url: str, *prefixes: str, keys: tuple[str, ...], refuses: str = "thinking", **own: Any
) -> Host:
    return Host(
        name=prefixes[0],
        base_url=base_url,
        prefixes=prefixes,
        key_vars=keys,
        refuses=frozenset(refuses.split()),
        **own,
    )


def _databricks() -> str:
    host = env.get("DATABRICKS_HOST")
    if host is None:
        raise ConfigError(
            "no address for databricks: set DATABRICKS_HOST to that of your workspace, "
            "or pass base_url=..."
        )
    address = host if "://" in host else f"https://{host}"
    return f"{address.rstrip('/')}/serving-endpoints"


def _never(_: str, *, with_tools: bool) -> bool:
    return False


# For hosts that know only one name of the output limit.
_LIMIT = {"max_completion_tokens": "max_tokens"}

COMPATIBLE: tuple[Host, ...] = (
    # https://openrouter.ai/docs/api-reference/overview
    _cloud(
        "https://openrouter.ai/api/v1",
        "openrouter",
        keys=("OPENROUTER_API_KEY",),
        reasoning_field="reasoning",
    ),
    # https://console.groq.com/docs/openai and https://console.groq.com/docs/api-reference
    _cloud(
        "https://api.groq.com/openai/v1",
        "groq",
        keys=("GROQ_API_KEY",),
        refuses="thinking top_k logit_bias logprobs top_logprobs metadata store",
        reasoning_field=None,
        names=frozenset(),
        batches="openai",  # https://console.groq.com/docs/batch
    ),
    # https://docs.together.ai/reference/chat-completions-1
    _cloud(
        "https://api.together.xyz/v1",
        "together",
        "together_ai",
        keys=("TOGETHER_API_KEY", "TOGETHERAI_API_KEY"),
        renames=_LIMIT,
    ),
    # https://docs.fireworks.ai/api-reference/post-chatcompletions
    _cloud(
        "https://api.fireworks.ai/inference/v1",
        "fireworks",
        "fireworks_ai",
        keys=("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"),
    ),
    # https://api-docs.deepseek.com/api/create-chat-completion; it has a JSON mode, but no schemas
    _cloud(
        "https://api.deepseek.com/v1",
        "deepseek",
        keys=("DEEPSEEK_API_KEY",),
        refuses="top_k",
        takes_schema=_never,
        renames=_LIMIT,
    ),
    # https://docs.x.ai/docs/api-reference
    _cloud(
        "https://api.x.ai/v1",
        "xai",
        "grok",
        keys=("XAI_API_KEY",),
        refuses="thinking top_k",
        reasoning_field=None,
        names=frozenset({"user"}),
    ),
    # https://docs.mistral.ai/api/endpoint/chat
    _cloud(
        "https://api.mistral.ai/v1",
        "mistral",
        dialect="mistral",
        keys=("MISTRAL_API_KEY",),
        renames={**_LIMIT, "seed": "random_seed", "dimensions": "output_dimension"},
        refuses="thinking top_k logit_bias logprobs top_logprobs modalities audio verbosity "
        "service_tier store user safety_identifier web_search_options",
        reasoning_field=None,
    ),
    # https://docs.perplexity.ai/api-reference/chat-completions-post
    _cloud(
        "https://api.perplexity.ai",
        "perplexity",
        keys=("PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY"),
        renames=_LIMIT,
        refuses="thinking seed n logit_bias logprobs top_logprobs user",
        reasoning_field=None,
    ),
    # https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference
    Host(
        name="databricks",
        base_url=_databricks,
        dialect="databricks",
        prefixes=("databricks",),
        key_vars=("DATABRICKS_TOKEN", "DATABRICKS_API_KEY"),
        url_vars=("DATABRICKS_API_BASE",),
        renames=_LIMIT,
        refuses=frozenset({"seed", "logit_bias", "frequency_penalty", "presence_penalty", "user"}),
        reasoning_field=None,
    ),
    # https://inference-docs.cerebras.ai/api-reference/chat-completions
    _cloud(
        "https://api.cerebras.ai/v1",
        "cerebras",
        keys=("CEREBRAS_API_KEY",),
        refuses="thinking top_k logit_bias frequency_penalty presence_penalty",
        reasoning_field="reasoning",
    ),
    # https://docs.tokenfactory.nebius.com/api-reference/introduction
    _cloud("https://api.tokenfactory.nebius.com/v1", "nebius", keys=("NEBIUS_API_KEY",)),
    # https://docs.sambanova.ai/docs/en/features/openai-compatibility
    _cloud(
        "https://api.sambanova.ai/v1",
        "sambanova",
        keys=("SAMBANOVA_API_KEY",),
        refuses="thinking n logit_bias logprobs top_logprobs frequency_penalty presence_penalty",
        reasoning_field=None,
    ),
    # https://docs.api.nvidia.com/nim/reference/llm-apis
    _cloud(
        "https://integrate.api.nvidia.com/v1",
        "nvidia_nim",
        "nvidia",
        keys=("NVIDIA_NIM_API_KEY", "NVIDIA_API_KEY"),
        renames=_LIMIT,
    ),
    # https://deepinfra.com/docs/openai_api
    _cloud(
        "https://api.deepinfra.com/v1/openai",
        "deepinfra",
        keys=("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"),
        renames=_LIMIT,
    ),
    # https://huggingface.co/docs/inference-providers; litellm's `huggingface/<provider>/<model>` is
    # another naming scheme, which this address does not know
    _cloud("https://router.huggingface.co/v1", "hf", keys=("HF_TOKEN", "HUGGINGFACE_API_KEY")),
    # https://platform.moonshot.ai/docs/api/chat
    _cloud(
        "https://api.moonshot.ai/v1",
        "moonshot",
        keys=("MOONSHOT_API_KEY",),
        renames=_LIMIT,
        refuses="top_k",
    ),
    # https://www.alibabacloud.com/help/en/model-studio/use-qwen-by-calling-api
    _cloud(
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "dashscope",
        keys=("DASHSCOPE_API_KEY",),
        url_vars=("DASHSCOPE_API_BASE",),
        renames=_LIMIT,
        max_inputs=10,
        batches="openai",  # https://help.aliyun.com/en/model-studio/batch-inference
    ),
    # https://docs.z.ai/api-reference/llm/chat-completion
    _cloud(
        "https://api.z.ai/api/paas/v4",
        "zai",
        keys=("ZAI_API_KEY",),
        renames=_LIMIT,
        refuses="top_k seed logit_bias logprobs top_logprobs frequency_penalty presence_penalty",
        takes_schema=_never,
    ),
    # https://platform.minimax.io/docs/api-reference/text-openai-api
    _cloud("https://api.minimax.io/v1", "minimax", keys=("MINIMAX_API_KEY",)),
    # https://docs.hyperbolic.xyz/docs/rest-api
    _cloud(
        "https://api.hyperbolic.xyz/v1",
        "hyperbolic",
        keys=("HYPERBOLIC_API_KEY",),
        renames=_LIMIT,
    ),
    # https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion
    _cloud(
        "https://api.novita.ai/openai/v1",
        "novita",
        keys=("NOVITA_API_KEY",),
        renames=_LIMIT,
        batches="openai",  # https://novita.ai/docs/guides/llm-batch-api
    ),
    # https://docs.github.com/en/rest/models/inference
    _cloud(
        "https://models.github.ai/inference",
        "github",
        keys=("GITHUB_TOKEN", "GITHUB_API_KEY"),
        refuses="thinking top_k",
        reasoning_field=None,
    ),
    # https://vercel.com/docs/ai-gateway/openai-compat
    _cloud(
        "https://ai-gateway.vercel.sh/v1",
        "vercel_ai_gateway",
        "vercel",
        keys=("AI_GATEWAY_API_KEY", "VERCEL_AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"),
        reasoning_field="reasoning",
    ),
)
