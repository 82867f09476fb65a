"""The hosts we know by name. A new OpenAI-compatible host is a new row.

Addresses, key variables and prefixes are those of each provider's API reference; where litellm
spells a prefix differently, both spellings are listed.
"""

from __future__ import annotations

from .adapter import Host

OPENAI = Host(
    name="openai",
    base_url="https://api.openai.com/v1",
    prefixes=("openai",),
    key_vars=("OPENAI_API_KEY",),
    url_vars=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    # The chat API deprecates `max_tokens`, and its reasoning models refuse it.
    renames={"max_tokens": "max_completion_tokens"},
    refuses=frozenset({"thinking", "top_k"}),
    reasoning_field=None,
)

HOSTS: tuple[Host, ...] = (
    OPENAI,
    Host(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        prefixes=("openrouter",),
        key_vars=("OPENROUTER_API_KEY",),
        reasoning_field="reasoning",
    ),
    Host(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        prefixes=("groq",),
        key_vars=("GROQ_API_KEY",),
        reasoning_field=None,
    ),
    Host(
        name="together",
        base_url="https://api.together.xyz/v1",
        prefixes=("together", "together_ai"),
        key_vars=("TOGETHER_API_KEY", "TOGETHERAI_API_KEY"),
    ),
    Host(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        prefixes=("fireworks", "fireworks_ai"),
        key_vars=("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY"),
    ),
    Host(
        name="deepseek",
        base_url="https://api.deepseek.com/v1",
        prefixes=("deepseek",),
        key_vars=("DEEPSEEK_API_KEY",),
    ),
    Host(
        name="xai",
        base_url="https://api.x.ai/v1",
        prefixes=("xai", "grok"),
        key_vars=("XAI_API_KEY",),
        reasoning_field=None,
    ),
    Host(
        name="ollama",
        base_url="http://localhost:11434/v1",
        prefixes=("ollama", "ollama_chat"),
        url_vars=("OLLAMA_BASE_URL", "OLLAMA_API_BASE"),
        needs_key=False,
    ),
    Host(
        name="vllm",
        base_url="http://localhost:8000/v1",
        prefixes=("vllm",),
        key_vars=("VLLM_API_KEY",),
        url_vars=("VLLM_BASE_URL",),
        needs_key=False,
    ),
    Host(
        name="sglang",
        base_url="http://localhost:30000/v1",
        prefixes=("sglang",),
        key_vars=("SGLANG_API_KEY",),
        url_vars=("SGLANG_BASE_URL",),
        needs_key=False,
    ),
    Host(
        name="llamacpp",
        base_url="http://localhost:8080/v1",
        prefixes=("llamacpp", "llama-cpp"),
        key_vars=("LLAMA_API_KEY",),
        url_vars=("LLAMACPP_BASE_URL",),
        needs_key=False,
    ),
    Host(
        name="lmstudio",
        base_url="http://localhost:1234/v1",
        prefixes=("lmstudio", "lm_studio"),
        url_vars=("LMSTUDIO_BASE_URL", "LM_STUDIO_API_BASE"),
        needs_key=False,
    ),
)

BY_PREFIX = {prefix: host for host in HOSTS for prefix in host.prefixes}
