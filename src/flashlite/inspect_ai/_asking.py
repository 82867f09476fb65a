"""One question to the engine: its options, its turn, its stream and its fallback models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from inspect_ai.model import ChatMessage, GenerateConfig
from inspect_ai.tool import ToolChoice, ToolInfo

from ..client import Flashlite
from ..errors import APITimeoutError, CompletionError
from ..models import lookup
from ..providers.dialects import facts_of
from ..types import CompletionResponse, Timeout
from ._attempts import Attempts
from ._call import Call
from ._config import to_options, with_beta
from ._messages import to_messages
from ._private import is_stream_wanted
from ._prompt_cache import is_marked, mark
from ._server_tools import container_of
from ._settings import Settings
from ._stream import read
from ._structured import type_of
from ._tools import picture_tools, to_tool_choice, to_tools
from ._turn import Turn

_CONNECT = 60.0  # seconds
_CODE_BETA = "code-execution-2025-08-25"
_LONG = 128_000 // 6  # tokens


class Question(NamedTuple):
    """What Inspect asks; `sample` is the epoch, so that a cache keeps one answer per epoch."""

    input: Sequence[ChatMessage]
    tools: Sequence[ToolInfo]
    tool_choice: ToolChoice
    config: GenerateConfig
    sample: int | None


class Asking:
    """Asks one model and, if it fails for good, its fallback models.

    `dialect` is the model's API dialect, "" if unknown; `is_ours` says whether the engine waits in
    turns, as those of `_engine.py` do. `in_jobs` returns the engine for a config with `batch`.
    """

    def __init__(
        self,
        engine: Flashlite,
        *,
        name: str,
        settings: Settings,
        dialect: str,
        is_ours: bool,
        in_jobs: Callable[[GenerateConfig], Flashlite | None],
    ) -> None:
        self.engine, self.name, self._in_jobs = engine, name, in_jobs
        self._settings, self._dialect, self._is_ours = settings, dialect, is_ours

    async def __call__(
        self,
        question: Question,
        *,
        call: Call,
        attempts: Attempts,
        api_key: str | None,
        base_url: str | None,
    ) -> CompletionResponse:
        """Return the answer; the error raised says whether Inspect should retry."""
        options = self._options(question) | {"on_send": call.start, "timeout": self._time(attempts)}
        messages, config = to_messages(question.input, dialect=self._dialect), question.config
        if is_marked(question.input, config, dialect=self._dialect, can_cache=self._can_cache()):
            mark(messages)
        whom: Any = {"api_key": api_key, "base_url": base_url}
        patient = self._in_jobs(config)
        try:
            if patient is not None:
                return await patient.ask(messages, model=self.name, **options, **whom)
            return await self._ask(messages, options, **whom)
        except CompletionError as error:
            _judge(error, attempts)
            is_over = error.may_another_help and not error.retryable
            if not self._settings.fallbacks or not is_over:
                raise
            attempts.add(error.usage)
        try:
            return await self._fall_back(messages, options)
        except CompletionError as error:
            _judge(error, attempts)
            raise

    def _time(self, attempts: Attempts) -> Timeout:
        """Return an attempt's timeout; `request_timeout` counts here if nothing waits in turns."""
        limits = [attempts.limit(), None if self._is_ours else self._settings.request_timeout]
        known = [limit for limit in limits if limit is not None]
        return Timeout(total=min(known, default=None), connect=_CONNECT)

    async def _fall_back(self, messages: Any, options: Mapping[str, Any]) -> CompletionResponse:
        """Ask the fallback models in order, without the options meant for the first provider."""
        given = {name: value for name, value in options.items() if name not in _FOR_THE_FIRST}
        given["fallbacks"] = self._settings.fallbacks[1:]
        response = await self._ask(messages, given, model=self._settings.fallbacks[0])
        response.fallback_from = (self.name, *response.fallback_from)
        return response

    def _options(self, question: Question) -> dict[str, Any]:
        settings, dialect = self._settings, self._dialect
        tools, config = question.tools, question.config
        options = dict(settings.params) | to_options(
            config,
            model=self.name,
            has_tools=bool(tools),
            dialect=dialect,
            strict=settings.strict_params,
        )
        offered = to_tools(tools, dialect=dialect, internal=config.internal_tools is not False)
        offered += picture_tools(config.modalities, dialect=dialect)
        if offered:
            options["tools"] = offered
        if any(tool.get("name") == "code_execution" for tool in offered):
            options["extra_headers"] = with_beta(options.get("extra_headers"), _CODE_BETA)
        if tools:
            options["tool_choice"] = to_tool_choice(question.tool_choice)
        if settings.structured_retries is not None and config.response_schema is not None:
            del options["response_format"]
            options["response_model"] = type_of(config.response_schema)
            options["structured_retries"] = settings.structured_retries
        if settings.responses_api is not None:
            options["api"] = "responses" if settings.responses_api else "chat"
        if (container := container_of(question.input, dialect=dialect)) is not None:
            options["extra_body"] = {"container": container, **options.get("extra_body", {})}
        if settings.cache_only:
            options["cache"] = "only"
        options["strict_params"] = settings.strict_params
        options["sample"] = question.sample
        return options

    def _can_cache(self) -> bool:
        """Whether the model takes cache marks; on Bedrock only models known to support them do."""
        profile = lookup(self.name)
        told = None if profile is None else profile.supports("prompt_caching")
        return told is True if facts_of(self._dialect).refuses_marks else told is not False

    def _streams(self, options: Mapping[str, Any]) -> bool:
        """Whether to stream: as `-M stream` says, else if Inspect asks or the answer may be long.

        Anthropic wants a stream for answers that may take more than ten minutes; its own library
        assumes 128,000 tokens an hour. Calls with `cache="off"` do not stream: see `_config.py`.
        """
        if options.get("cache") == "off":
            return False
        if self._settings.stream is not None:
            return self._settings.stream
        if is_stream_wanted() or not facts_of(self._dialect).streams_long:
            return is_stream_wanted()
        profile = lookup(self.name)
        most = None if profile is None else profile.max_output_tokens
        return (options.get("max_tokens") or most or 0) > _LONG

    async def _ask(
        self, messages: Any, options: Mapping[str, Any], *, model: str | None = None, **whom: Any
    ) -> CompletionResponse:
        turn = Turn(seconds=self._settings.request_timeout) if self._is_ours else None
        given: Any = {**options, **whom, "model": model or self.name}
        try:
            with turn or nullcontext():
                if self._streams(options):
                    return await read(self.engine.stream(messages, **given))
                return await self.engine.ask(messages, **given)
        except APITimeoutError as error:
            if turn is not None and not turn.was_sent:
                error.reason += ", all of which it waited for the limits of its pool"
                error.was_sent = False
            raise


_FOR_THE_FIRST = frozenset({"api", "extra_body", "extra_headers"})


def _judge(error: CompletionError, attempts: Attempts) -> None:
    error.attempts = attempts.number
    error.retryable = error.retryable and attempts.may_go_on(error)
