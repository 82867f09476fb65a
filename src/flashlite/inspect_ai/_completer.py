"""The models of a running eval, for conversations, tool loops, agents and chats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from inspect_ai.model import ChatMessage, GenerateConfig, Model, ModelOutput, get_model, model_roles
from inspect_ai.tool import ToolChoice, ToolFunction

from ..build import build_request
from ..errors import ConfigError
from ..middleware import Structured, fitting
from ..schema import response_format_for
from ..tools.loop import Tools
from ..types import (
    PARAMS,
    Choice,
    CompletionRequest,
    CompletionResponse,
    Message,
    MessageInput,
    Target,
    Timeout,
    Usage,
)
from ._config import SENT
from ._memory import Memory
from ._messages import to_messages
from ._schemas import Recursive, response_schema, tool_info
from ._tool_bridge import ENDING, InspectTools

_ROLE = "role:"


class InspectCompleter:
    """A client that calls Inspect's `get_model()`, so that all of flashlite works inside an eval.

        completer = InspectCompleter(role="red")
        agent = Agent("Red", client=completer, tools=completer.tools([search]))
        result = await agent.run("Find a way in.")

    Every call goes through Inspect, with its events, usage, limits, retries, hooks and cache. It
    asks the eval's model for `role` if there is one, else `model`, else the model under evaluation.
    A `model`, here or in a call, is a name, `role:<name>`, or just the name of a role that the eval
    has. Calls of the tools that `tools()` returns are run by Inspect too.

    Make one for each agent: it recognizes that agent's messages, so that they keep their ids. When
    one of Inspect's limits is reached, even inside a tool, the sample ends.
    """

    fatal: ClassVar[tuple[type[Exception], ...]] = ENDING

    def __init__(
        self,
        model: str | Model | None = None,
        *,
        role: str | None = None,
        config: GenerateConfig | None = None,
    ) -> None:
        self.memory = Memory()
        self.output: ModelOutput | None = None
        self._model, self._role = model, role
        self._config = config or GenerateConfig()

    def tools(self, tools: Tools) -> InspectTools:
        """Return tools, flashlite's or Inspect's, whose calls Inspect runs and logs."""
        return InspectTools(tools, memory=self.memory)

    async def complete(
        self, messages: MessageInput, *, response_model: type[Any] | None = None, **options: Any
    ) -> Any:
        """Ask for one answer; with a `response_model`, return the answer as an instance of it.

        `options` are those of `Flashlite.complete` that an Inspect model takes; any other raises
        ConfigError.
        """
        response = await self.ask(messages, response_model=response_model, **options)
        return response if response_model is None else fitting(response, response_model).parsed

    async def ask(
        self,
        messages: MessageInput,
        *,
        response_model: type[Any] | None = None,
        model: str | None = None,
        structured_retries: int = 2,
        **options: Any,
    ) -> CompletionResponse:
        """Ask like `complete`, but return the whole response, with the instance in `parsed`."""
        asked = self.model(model)
        _check(options)
        request = build_request(
            messages,
            model=str(asked),
            tools=options.pop("tools", None),
            params={name: options.pop(name) for name in PARAMS & options.keys()},
            timeout=Timeout(total=None),
            response_model=response_model,
            structured_retries=structured_retries,
            **{name: options[name] for name in _SAID & options.keys()},
        )

        async def send(request: CompletionRequest) -> CompletionResponse:
            return await self._send(request, asked)

        return await Structured(target=_target)(request, send)

    def model(self, name: str | None = None) -> Model:
        """Return Inspect's model for a name, `role:<name>` or role; by default this client's."""
        asked = self._model if name is None else name
        role = self._role if name is None else None
        if isinstance(asked, str) and asked.startswith(_ROLE):
            role, asked = asked.removeprefix(_ROLE), None
        elif isinstance(asked, str) and role is None and asked in model_roles():
            role, asked = asked, None
        return get_model(asked, role=role)

    async def _send(self, request: CompletionRequest, model: Model) -> CompletionResponse:
        asked = self.memory.recall(request.messages)
        output = await model.generate(
            asked,
            tools=[tool_info(tool) for tool in request.tools],
            tool_choice=_tool_choice(request.params.get("tool_choice")),
            config=self._config.merge(to_config(request)),
        )
        self.output = output
        response = to_response(output)
        for choice, theirs in zip(response.choices, output.choices, strict=True):
            self.memory.learn_answer(choice.message, theirs.message, asked)
        return response


def to_config(request: CompletionRequest) -> GenerateConfig:
    """Return a request's parameters as Inspect's config; raises ConfigError for unknown ones."""
    given = {name: value for name, value in request.params.items() if name != "tool_choice"}
    config: dict[str, Any] = {}
    for name, value in given.items():
        if name in _SAME:
            config[_SAME[name]] = value
        elif name in _OTHERWISE:
            config |= _OTHERWISE[name](value)
        else:
            raise ConfigError(f"Inspect's models take no {name}: say it in extra_body={{...}}")
    config |= {
        name: dict(value)
        for name in ("extra_headers", "extra_body")
        if (value := getattr(request, name))
    }
    if request.cache == "off":
        config["cache"] = False
    return GenerateConfig(**config)


def to_response(output: ModelOutput, *, dialect: str = "") -> CompletionResponse:
    """Return Inspect's answer as ours; one without choices becomes a response with an error."""
    if not output.choices:
        return CompletionResponse(model=output.model, error=output.error or "the answer is empty")
    return CompletionResponse(
        choices=tuple(
            Choice(
                message=_answer(choice.message, dialect),
                finish_reason=_FINISH.get(choice.stop_reason, choice.stop_reason),
                index=place,
                logprobs=choice.logprobs.model_dump() if choice.logprobs else None,
            )
            for place, choice in enumerate(output.choices)
        ),
        model=output.model,
        usage=_usage(output),
        id=output.response_id,
        latency=output.time,
        facts=dict(output.metadata or {}),
    )


_SAME = {ours: theirs for theirs, ours in SENT.items() if ours not in ("stop", "logit_bias")}


def _stop(stop: str | Sequence[str]) -> dict[str, Any]:
    return {"stop_seqs": [stop] if isinstance(stop, str) else list(stop)}


def _bias(bias: Mapping[str, float]) -> dict[str, Any]:
    return {"logit_bias": {int(token): weight for token, weight in bias.items()}}


def _thinking(thinking: Mapping[str, Any]) -> dict[str, Any]:
    budget = thinking.get("budget_tokens")
    if budget is None:
        raise ConfigError("Inspect's models take a thinking budget, or a reasoning_effort")
    return {"reasoning_tokens": budget}


def _response_format(wanted: Mapping[str, Any]) -> dict[str, Any]:
    if wanted["type"] == "text":
        return {}
    if wanted["type"] != "json_schema":
        raise ConfigError("Inspect's models take a JSON schema as response_format, or none")
    try:
        return {"response_schema": response_schema(wanted["json_schema"])}
    except Recursive as error:
        raise ConfigError(
            f"Inspect cannot say a schema that refers to itself ({error}): use a response_model"
        ) from error


_OTHERWISE: dict[str, Callable[[Any], dict[str, Any]]] = {
    "stop": _stop,
    "logit_bias": _bias,
    "thinking": _thinking,
    "response_format": _response_format,
    "max_completion_tokens": lambda most: {"max_tokens": most},
}

_SAID = {"extra_headers", "extra_body", "cache"}
# Accepted and ignored: the agent is in the spans; the rest is for layers that are not used here.
_ELSEWHERE = {"agent", "tags", "priority", "strict_params", "cache_collection"}


def _check(options: Mapping[str, Any]) -> None:
    known = PARAMS | _SAID | _ELSEWHERE | {"tools"}
    if unknown := sorted(name for name in options if name not in known):
        raise ConfigError(
            f"inside an eval, Inspect decides on {', '.join(unknown)}: leave it out, or give the "
            "eval or get_model() its own setting"
        )
    if options.get("cache") in ("refresh", "only"):
        raise ConfigError("inside an eval the cache is Inspect's: cache='on' or 'off'")


def _target(request: CompletionRequest) -> Target:
    """Return who answers; any model takes a schema that Inspect can express."""
    takes_schema = True
    if request.response_model is not None:
        try:
            response_schema(response_format_for(request.response_model)["json_schema"])
        except Recursive:
            takes_schema = False
    provider, _, model = request.model.removeprefix("flashlite/").partition("/")
    return Target(provider=provider, dialect="inspect", model=model, takes_schema=takes_schema)


def _tool_choice(choice: Any) -> ToolChoice | None:
    if isinstance(choice, Mapping):
        return ToolFunction(name=choice["function"]["name"])
    return "any" if choice == "required" else choice


def _answer(theirs: ChatMessage, dialect: str) -> Message:
    """Return an answer as ours; unreadable call arguments are replaced by their parse error."""
    [message] = to_messages([theirs], dialect=dialect)
    unread = {
        call.id: call.parse_error
        for call in getattr(theirs, "tool_calls", None) or ()
        if call.parse_error
    }
    for call in message.get("tool_calls") or ():
        if call["id"] in unread:
            call["function"]["arguments"] = unread[call["id"]]
    return message


# `model_length` keeps its name: the prompt was too long, and nothing was answered.
_FINISH = {"max_tokens": "length"}


def _usage(output: ModelOutput) -> Usage | None:
    used = output.usage
    if used is None:
        return None
    read, written = used.input_tokens_cache_read or 0, used.input_tokens_cache_write or 0
    return Usage(
        input_tokens=used.input_tokens + read + written,
        output_tokens=used.output_tokens,
        total_tokens=used.total_tokens,
        input_tokens_cached=read,
        input_tokens_cache_write=written,
        reasoning_tokens=used.reasoning_tokens or 0,
        total_cost=used.total_cost,
    )
