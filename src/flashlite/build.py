"""Turning a caller's arguments into a request: the only place where they are interpreted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from difflib import get_close_matches
from math import isfinite
from typing import Any, get_args

from .errors import ConfigError
from .middleware import Middleware
from .options import CallOptions, ClientOptions
from .stores import Store
from .tools import Tool
from .types import (
    PARAMS,
    CacheMode,
    CompletionRequest,
    MessageInput,
    Timeout,
    normalize_messages,
)


def build_request(
    messages: MessageInput,
    *,
    model: str | None,
    tools: Iterable[Tool[..., Any] | Mapping[str, Any]] | None = None,
    params: Mapping[str, Any],
    timeout: float | Timeout | None = None,
    extra_headers: Mapping[str, str] | None = None,
    extra_body: Mapping[str, Any] | None = None,
    base_url: str | None = None,
    fallbacks: Iterable[str] = (),
    cache: CacheMode = "on",
    tags: Iterable[str] = (),
    **delivery: Any,
) -> CompletionRequest:
    """Check and normalise the arguments of a call; a parameter that is None counts as not given.

    Raises ConfigError, whose message says what to write instead.
    """
    if not model:
        raise ConfigError("no model given: pass model=... or Flashlite(default_model=...)")
    _require("model", model, str, "a text such as 'openai/gpt-4o'")
    _require("extra_body", extra_body or {}, Mapping, "a dict")
    return CompletionRequest(
        model=model,
        messages=normalize_messages(messages),
        tools=_tools(tools),
        params=_params(params),
        timeout=Timeout.of(timeout),
        extra_headers=_headers(extra_headers),
        extra_body=extra_body or {},
        base_url=_address(base_url),
        fallbacks=_texts("fallbacks", fallbacks),
        cache=_cache_mode(cache),
        tags=_texts("tags", tags),
        **_checked(delivery),
    )


def check_client(
    defaults: Mapping[str, Any], settings: Set[str], *, cache: Any, provider: Any
) -> None:
    """Raise ConfigError for invalid arguments of a client; call options are checked at the call.

    `settings` are the names of the arguments that only a client takes.
    """
    if "model" in defaults:
        raise ConfigError("a client's own model is default_model=...: Flashlite('openai/gpt-4o')")
    check_names(defaults, ClientOptions.__annotations__.keys(), others=settings)
    if cache is not None:
        _check_store(cache)
    if provider is not None and (isinstance(provider, type) or not callable(provider)):
        raise ConfigError(
            f"provider is a function from a request to an answer; got {provider!r:.80}; a "
            "BaseProvider goes to Agent(client=...), Conversation(client=...) or run_tool_loop(...)"
        )


def layers_of(middleware: Any) -> list[Middleware]:
    """Return a caller's layers, which may include None; raises ConfigError for anything else."""
    if callable(middleware) or not isinstance(middleware, Iterable):
        raise ConfigError("middleware is a list of layers: middleware=[layer]")
    layers = list(middleware)
    for layer in layers:
        if isinstance(layer, type) or not (layer is None or callable(layer)):
            raise ConfigError(
                "a layer is an `async def layer(request, call_next)`, or an object that is called "
                f"like one; got {layer!r:.80}"
            )
    return layers


def kept(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return defaults that can be used for many calls: iterators become lists."""
    return {
        name: list(value) if isinstance(value, Iterator) else value
        for name, value in defaults.items()
    }


def check_names(names: Iterable[str], known: Set[str], *, others: Set[str] = frozenset()) -> None:
    """Raise ConfigError for unknown names, with a suggestion out of `known` and `others`."""
    for name in names:
        if name not in known:
            raise ConfigError(f"unknown parameter {name!r}: {_meant(name, known | others)}")


def _meant(name: str, known: Set[str]) -> str:
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    if near := get_close_matches(name, known, n=1):
        return f"did you mean {near[0]!r}?"
    return "a provider's own fields go into extra_body={...}"


_RETRIES = "retries are the client's: Flashlite(retry=RetryConfig(max_attempts=...))"
_MINUTE = "write Flashlite(rate_limit=RateLimitConfig(requests_per_minute=...))"
_BUDGET = "write Flashlite(budget_limit=...), in dollars"
_SYSTEM = "write a system message first, or client.conversation(system=...)"
_TURNS = "the turns of an agent are Agent(max_turns=...)"
_ONE_CALL = "it is for one call: pass it to complete(...)"

_ELSEWHERE = {
    **dict.fromkeys(("max_retries", "num_retries", "retries", "retry"), _RETRIES),
    **dict.fromkeys(("rpm", "tpm"), _MINUTE),
    **dict.fromkeys(("budget", "max_budget"), _BUDGET),
    **dict.fromkeys(("instructions", "system", "system_msg", "system_prompt"), _SYSTEM),
    **dict.fromkeys(("max_iterations", "max_steps", "max_turns"), _TURNS),
    **dict.fromkeys(("response_model", "sample", "template", "variables"), _ONE_CALL),
    "api_base": "write base_url=...",
    "functions": "write tools=[...]",
    "organization": "write extra_headers={'OpenAI-Organization': ...}",
    "request_timeout": "write timeout=..., in seconds",
    "stop_sequences": "write stop=[...]",
    "stream": "client.stream(...) yields an answer piece by piece",
}
"""Advice for other libraries' names and misplaced arguments; a similar name would mislead."""


def _check_store(cache: Any) -> None:
    lacking = [name for name in _STORE if not callable(getattr(cache, name, None))]
    if isinstance(cache, type) or lacking:
        without = f" without {', '.join(lacking)}" if lacking else ""
        raise ConfigError(f"cache is a store such as MemoryCache(); got {cache!r:.80}{without}")


_STORE = [name for name in vars(Store) if not name.startswith("_")]


def _params(params: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in params.items() if value is not None}
    check_names(given, PARAMS, others=CallOptions.__annotations__.keys())
    for name, value in given.items():
        if isinstance(value, float) and not isfinite(value):
            raise ConfigError(f"{name} is a finite number; got {value!r}")
    return {name: _CANONICAL.get(name, _same)(value) for name, value in given.items()}


def _require(name: str, value: Any, kind: type, what: str) -> None:
    if not isinstance(value, kind):
        raise ConfigError(f"{name} is {what}; got {value!r:.80}")


def _texts(name: str, values: Iterable[str]) -> tuple[str, ...]:
    if values == ():
        return ()
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise ConfigError(f"{name} is a list of texts; got {values!r:.80}")
    texts = tuple(values)
    for text in texts:
        _require(name, text, str, "a list of texts")
    return texts


def _checked(delivery: dict[str, Any]) -> dict[str, Any]:
    if (api := delivery.get("api")) not in (None, "chat", "responses"):
        raise ConfigError(f"api is 'chat' or 'responses'; got {api!r:.80}")
    if not isinstance(delivery.get("api_key"), str | None):  # it may be a key, so it is not shown
        raise ConfigError("api_key is a text")
    for name, kind, what in _KINDS:
        value = delivery.get(name)
        if value is not None:
            _require(name, value, kind, what)
    return delivery


_KINDS = (
    ("agent", str, "a name"),
    ("cache_collection", str, "a name"),
    ("priority", int, "a whole number"),
    ("sample", int, "a whole number"),
    ("structured_retries", int, "a whole number"),
)


def _cache_mode(mode: CacheMode) -> CacheMode:
    if mode not in _CACHE_MODES:
        raise ConfigError(f"cache is one of {', '.join(_CACHE_MODES)}; got {mode!r:.80}")
    return mode


_CACHE_MODES: tuple[CacheMode, ...] = get_args(CacheMode)


def _address(base_url: str | None) -> str | None:
    if base_url is not None and not str(base_url).startswith(("http://", "https://")):
        raise ConfigError(
            f"base_url is an address such as http://localhost:8000/v1; got {base_url!r:.80}"
        )
    return base_url


def _headers(given: Any) -> Mapping[str, str]:
    headers: Mapping[str, str] = given or {}
    if not headers:
        return headers
    texts = (t for pair in headers.items() for t in pair) if isinstance(headers, Mapping) else [0]
    if not all(isinstance(text, str) for text in texts):  # they may be secrets, so none is shown
        raise ConfigError("extra_headers is a dict of texts")
    return headers


def _tools(tools: Any) -> tuple[Mapping[str, Any], ...]:
    if tools is None:
        return ()
    if isinstance(tools, str | Mapping) or not isinstance(tools, Iterable):
        raise ConfigError(f"tools is a list of tools; got {tools!r:.80}")
    return tuple(_tool(tool) for tool in tools)


def _tool(tool: Tool[..., Any] | Mapping[str, Any]) -> Mapping[str, Any]:
    """Read a `Tool`, OpenAI's form, the flat form of its Responses API, or a bare function dict."""
    if isinstance(tool, Tool):
        return tool.to_openai()
    if not isinstance(tool, Mapping) or not tool:
        raise ConfigError(f"a tool is a Tool or a dict in OpenAI's form; got {tool!r:.80}")
    if "name" in tool and tool.get("type", "function") == "function":
        tool = {
            "type": "function",
            "function": {key: value for key, value in tool.items() if key != "type"},
        }
    function = tool.get("function")
    is_named = isinstance(function, Mapping) and bool(function.get("name"))
    if tool.get("type") == "function" and not is_named:
        raise ConfigError(f"a tool needs a name; got {dict(tool)!r:.80}")
    return tool


def _tool_choice(choice: Any) -> Any:
    """Read OpenAI's values, `any` as another word for `required`, or the name of a tool."""
    if not isinstance(choice, str) or choice in ("auto", "none", "required"):
        return choice
    return "required" if choice == "any" else {"type": "function", "function": {"name": choice}}


def _response_format(wanted: Any) -> Any:
    """Read OpenAI's object, its type alone, or a bare JSON schema."""
    if isinstance(wanted, str):
        return {"type": wanted}
    _require("response_format", wanted, Mapping, "a dict: OpenAI's object or a JSON schema")
    if wanted.get("type") in ("text", "json_object", "json_schema"):
        return wanted
    name = wanted.get("title", "answer")
    return {"type": "json_schema", "json_schema": {"name": name, "schema": wanted}}


def _same(value: Any) -> Any:
    return value


_CANONICAL: dict[str, Callable[[Any], Any]] = {
    "tool_choice": _tool_choice,
    "response_format": _response_format,
}
