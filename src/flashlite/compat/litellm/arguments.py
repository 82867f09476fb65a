"""Converting litellm's arguments to flashlite's.

Unknown arguments go into the body of the request, as in litellm; litellm's own options that have no
equivalent here are refused, so that they are neither sent nor ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ...errors import ConfigError
from ...options import CallOptions, EmbeddingOptions
from ...providers import resolve
from ...types import Timeout
from .legacy import with_tools
from .settings import setting

_LABELS = frozenset({"litellm_call_id", "litellm_metadata", "litellm_trace_id", "verbose"})
_REFUSED = {
    "api_version": "set AZURE_API_VERSION",
    "cache": "make a Flashlite(cache=...)",
    "caching": "make a Flashlite(cache=...)",
    "client": "a Flashlite has connections of its own",
    "content_policy_fallbacks": "pass fallbacks=[...]",
    "context_window_fallback_dict": "pass fallbacks=[...]",
    "deployment_id": "write azure/<deployment> for the model",
    "guardrails": "write a middleware",
    "input_cost_per_token": "call flashlite.register_model(..., prices=...)",
    "logger_fn": "make a Flashlite(callbacks=...)",
    "mock_timeout": "pass mock_response=flashlite.APITimeoutError(...)",
    "mock_tool_calls": "ask a model of mock/",
    "model_list": "pass fallbacks=[...]",
    "output_cost_per_token": "call flashlite.register_model(..., prices=...)",
    "rpm": "make a Flashlite(rate_limit=...)",
    "shared_session": "a Flashlite has connections of its own",
    "tpm": "make a Flashlite(rate_limit=...)",
}
# Their secrets would otherwise go into the body.
_CLOUDS = ("aws_", "azure_", "vertex_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A litellm call in flashlite's terms.

    `retries` are attempts after the first, None for the default; `mock` is an answer to return
    without a request; `legacy` is set if the caller uses functions instead of tools.
    """

    model: str
    options: dict[str, Any]
    retries: int | None
    stream: bool = False
    include_usage: bool = False
    mock: Any = None
    legacy: bool = False


def asked(model: str, arguments: Mapping[str, Any]) -> Asked:
    """Convert the arguments of a completion."""
    given = {name: value for name, value in arguments.items() if value is not None}
    stream_options = given.pop("stream_options", {})
    legacy = not given.keys().isdisjoint({"functions", "function_call"})
    if legacy:
        with_tools(given)
    wanted = given.get("response_format")
    if isinstance(wanted, type):
        given["response_model"] = given.pop("response_format")
    return Asked(
        mock=given.pop("mock_response", None),
        stream=bool(given.pop("stream", False)),
        include_usage=bool(stream_options.get("include_usage")),
        legacy=legacy,
        **_delivery(model, given, CallOptions.__annotations__.keys() | {"response_model"}),
    )


def asked_embedding(model: str, arguments: Mapping[str, Any]) -> Asked:
    """Convert the arguments of an embedding call."""
    given = {name: value for name, value in arguments.items() if value is not None}
    return Asked(**_delivery(model, given, EmbeddingOptions.__annotations__.keys()))


def _delivery(model: str, given: dict[str, Any], known: Any) -> dict[str, Any]:
    """Return the fields of `Asked` that all calls have; this empties `given`."""
    if provider := given.pop("custom_llm_provider", None):
        model = model if model.startswith(f"{provider}/") else f"{provider}/{model}"
    _check(given)
    retries = given.pop("num_retries", given.pop("max_retries", setting("num_retries")))
    drop_params = given.pop("drop_params", setting("drop_params"))
    address = given.pop("api_base", None) or given.pop("base_url", None) or setting("api_base")
    metadata = given.pop("metadata", {})
    options: dict[str, Any] = {
        "api_key": setting("api_key"),
        "base_url": _address(model, address),
        "strict_params": not drop_params,
        "tags": metadata.get("tags"),
        "timeout": _timeout(given.pop("timeout", setting("request_timeout"))),
    }
    if organization := given.pop("organization", None):
        headers = given.get("extra_headers", {})
        given["extra_headers"] = {"OpenAI-Organization": organization, **headers}
    given["extra_headers"] = {**given.pop("headers", {}), **given.get("extra_headers", {})}
    unknown = {name: given.pop(name) for name in given.keys() - known}
    body = {**unknown, **given.pop("extra_body", {})}
    return {
        "model": model,
        "retries": retries,
        "options": {**options, **given, "extra_body": body},
    }


def _check(given: dict[str, Any]) -> None:
    for name in _LABELS & given.keys():
        del given[name]
    for name in given:
        if name in _REFUSED:
            raise ConfigError(f"{name} is not taken here: {_REFUSED[name]}")
        if name.startswith(_CLOUDS):
            raise ConfigError(f"{name} is not taken here: set the provider's own variables")


def _address(model: str, address: str | None) -> str | None:
    """Return an address with the path that litellm adds if there is none: /v1 for Anthropic."""
    if address is None or urlsplit(address).path.strip("/"):
        return address
    host = resolve(model, base_url=address).host
    if host is None or not isinstance(host.base_url, str):
        return address
    return address.rstrip("/") + urlsplit(host.base_url).path


def _timeout(timeout: Any) -> float | Timeout | None:
    """Convert seconds, also given as text, or an httpx timeout."""
    if isinstance(timeout, str):
        return float(timeout)
    if hasattr(timeout, "read"):
        return Timeout(total=None, connect=timeout.connect, idle=timeout.read)
    seconds: float | Timeout | None = timeout
    return seconds
