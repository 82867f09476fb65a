"""`flashlite/<model>`: Inspect's view of the engine.

Inspect owns retries, connections, deadlines and its cache; the engine owns dialects, keys, prices
and errors. The contract is documented in Inspect's `model/_model.py`, class `ModelAPI`.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from math import ceil
from typing import Any, Literal

import sniffio
from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    ModelAPI,
    ModelCall,
    ModelOutput,
    RetryDecision,
    ServedModelUsage,
)
from inspect_ai.tool import ToolChoice, ToolInfo
from inspect_ai.util import LimitExceededError, warn_once

from .. import env
from ..batch.jobs import Pace
from ..client import Flashlite
from ..errors import BudgetExceededError, CompletionError, ConfigError
from ..models import count_tokens
from ..providers import Route, locate, resolve
from ..providers.dialects import facts_of
from ..types import Handler
from ..types.dollars import dollars
from ._asking import Asking, Question
from ._attempts import count_attempt
from ._batches import pace_of
from ._call import Call
from ._engine import by_litellm, engine_for, engine_in_jobs, litellm_name, mock, native
from ._models import canonical_name, register_model_info, require_price, served_by
from ._output import to_output
from ._pool import Pool, pool_named
from ._private import PrerequisiteError, current_epoch, note_cache_hit, note_limit
from ._refusals import answered_by_refusing
from ._retry import RetryAfterWait, decide, is_auth_failure
from ._settings import Settings, read_settings, refuse_unknown

log = logging.getLogger("flashlite.inspect_ai")

_SPENT = (
    "What is left of the budget of {} does not pay for the next call of a sample: it ends here, "
    "and is scored on what it has. So metrics count answers that were never asked for. Raise the "
    "budget and run again with a cache, or read only the samples that have no limit."
)


class FlashliteModelAPI(ModelAPI):
    """A model of any provider, reached through flashlite.

    `-M` arguments are `rpm` and `tpm` (requests and tokens per minute) and `budget` (US dollars),
    shared by all models with the same key at the same address, or with the same `pool`;
    `auto_limits`, `budget_file`, `cache`, `cache_only`, `fallbacks`, `structured_retries`, `native`
    (false sends calls through litellm), `responses_api`, `stream`, `strict_params`,
    `request_timeout` (seconds for one request on the wire; Inspect's `--timeout` and
    `--attempt-timeout` also apply), and request parameters such as `service_tier`; for `mock/...`
    models, also the fields of `MockOptions`. To use a client's settings instead, pass the client in
    place of the name, and the name as `model=`.
    """

    def __init__(
        self,
        model_name: str | Flashlite,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig | None = None,
        *,
        model: str | None = None,
        **model_args: Any,
    ) -> None:
        _require_asyncio()
        client = model_name if isinstance(model_name, Flashlite) else None
        name = model_name if isinstance(model_name, str) else model or model_name.default_model
        if not name:
            raise PrerequisiteError("FlashliteModelAPI needs a model's name: pass model=...")
        base_url = base_url or env.get("INSPECT_EVAL_MODEL_BASE_URL")
        try:
            self._settings, rest = read_settings(model_args)
            self._route = None if client else _route(name, base_url, self._settings)
            host = self._route.host if self._route else None
            key_vars = list(host.key_vars) if host else []
            super().__init__(name, base_url, api_key, key_vars, config or GenerateConfig())
            if host is not None and self._settings.native:
                locate(host, base_url=base_url, api_key=self.api_key)
            engine = _checked(client, model_args) if client else self._make_engine(rest)
        except ConfigError as error:
            raise PrerequisiteError(str(error)) from error
        self._dialect = host.dialect if host and self._settings.native else ""
        self._patient: dict[Pace, Flashlite] = {}
        self._asking = Asking(
            engine,
            name=self._asked_name(),
            settings=self._settings,
            dialect=self._dialect,
            is_ours=client is None,
            in_jobs=self._in_jobs,
        )
        register_model_info(name, self._route)

    def _make_engine(self, rest: dict[str, Any]) -> Flashlite:
        settings, pool = self._settings, self._pool
        if settings.budget is not None:
            require_price(self.model_name, self._route)
            for name in settings.fallbacks:
                require_price(name, resolve(name))
        return engine_for(self._handler(rest), pool, settings)

    @property
    def _pool(self) -> Pool:
        return pool_named(self._settings.pool, account=self._account)

    def _in_jobs(self, config: GenerateConfig) -> Flashlite | None:
        """Return the engine for a config that wants batches."""
        host = self._route.host if self._route and self._settings.native else None
        pace = pace_of(config, host, model=self.model_name)
        if pace is not None and pace not in self._patient:
            self._patient[pace] = engine_in_jobs(pace, self._pool, self._settings)
        return None if pace is None else self._patient[pace]

    def _handler(self, rest: dict[str, Any]) -> Handler:
        """Return the handler that answers: a mock model, the router or litellm."""
        if self.model_name.startswith("mock/"):
            return mock(self.model_name, rest)
        refuse_unknown(rest, model=self.model_name)
        return native() if self._settings.native else by_litellm()

    def _asked_name(self) -> str:
        """Return the engine's name of the model."""
        by_name = self._route is None or self._settings.native
        return self.model_name if by_name or self._route is None else litellm_name(self._route)

    @cached_property
    def _account(self) -> str:
        """Name the API key and the server; the key is hashed."""
        key = hashlib.sha256((self.initial_api_key or "").encode()).hexdigest()[:8]
        server = self.base_url or (self._route.provider if self._route else "client")
        return f"{key}:{server}"

    async def generate(
        self,
        input: Sequence[ChatMessage] = (),
        tools: Sequence[ToolInfo] = (),
        tool_choice: ToolChoice = "auto",
        config: GenerateConfig | None = None,
        *,
        messages: Sequence[Mapping[str, Any]] | str | None = None,
    ) -> ModelOutput | tuple[ModelOutput, ModelCall]:
        """Answer one call of Inspect's; called with `messages=`, return the output alone."""
        _require_asyncio()
        if messages is not None:
            response = await self._asking.engine.ask(messages, model=self._asking.name)
            return to_output(response, model=self.model_name, dialect=self._dialect)
        config = config or GenerateConfig()
        question = Question(input, tools, tool_choice, config, current_epoch())
        try:
            return await self._answer(question)
        except ConfigError as error:
            raise PrerequisiteError(str(error)) from error
        except BudgetExceededError as error:
            warn_once(log, _SPENT.format(dollars(error.limit)))
            note_limit(str(error), limit=error.limit)
            raise LimitExceededError(
                "custom", value=error.spent, limit=error.limit, message=str(error)
            ) from error

    async def _answer(self, question: Question) -> tuple[ModelOutput, ModelCall]:
        call, attempts = Call(), count_attempt(question.config)
        name = self.service_model_name()
        told: Any = {"model": name, "tools": question.tools, "dialect": self._dialect}
        whom = {"api_key": self.api_key, "base_url": self.base_url}
        try:
            response = await self._asking(question, call=call, attempts=attempts, **whom)
        except CompletionError as error:
            call.fail(error)
            if (output := answered_by_refusing(error, **told, before=attempts.used)) is None:
                attempts.add(error.usage)
                raise
            return output, call.record
        if response.cached:
            note_cache_hit()
        call.succeed(response)
        return to_output(response, **told, before=attempts.used), call.record

    def should_retry(self, ex: BaseException) -> RetryDecision:
        return decide(ex)

    def retry_wait(self) -> RetryAfterWait:
        """Return how long to wait between attempts: as long as the server asks, else backoff."""
        return RetryAfterWait()

    def is_auth_failure(self, ex: Exception) -> bool:
        return is_auth_failure(ex)

    async def refresh_credentials(self) -> None:
        """Read the new key; connections stay open, because calls in flight share them."""
        self.initialize()

    def max_connections(self) -> int:
        """Return Inspect's default, or what `rpm` needs if a call takes ten seconds, if more.

        Inspect uses it if connections are neither set nor adaptive.
        """
        return max(super().max_connections(), ceil((self._settings.rpm or 0) * 10 / 60))

    def connection_key(self) -> str:
        """Name the pool of connections: one per key, address and model; the key is hashed."""
        return f"{self._account}:{self.model_name}"

    def canonical_name(self) -> str:
        return canonical_name(self.model_name, self._route)

    def service_model_name(self) -> str:
        return self._route.model if self._route else self.model_name

    def served_model_usage(self, output: ModelOutput) -> list[ServedModelUsage] | None:
        """Price answers of fallback models and of batches by their own prices."""
        return served_by(output, model=self.model_name, route=self._route)

    def tool_result_images(self) -> bool:
        return facts_of(self._dialect).tool_media

    def tool_result_documents(self) -> bool:
        return facts_of(self._dialect).tool_media

    def tools_required(self) -> bool:
        """Return whether a request must list the tools of earlier calls, as Claude requires."""
        return facts_of(self._dialect).keeps_tools

    async def count_text_tokens(self, text: str) -> int:
        """Count tokens locally; Inspect's default would download an encoding."""
        return count_tokens(text, model=self.model_name)


def _route(name: str, base_url: str | None, settings: Settings) -> Route:
    api: Literal["chat", "responses"] | None = None
    if settings.responses_api is not None:
        api = "responses" if settings.responses_api else "chat"
    return resolve(name, base_url=base_url, api=api)


def _checked(client: Flashlite, arguments: Mapping[str, Any]) -> Flashlite:
    if arguments:
        names = ", ".join(sorted(arguments))
        raise ConfigError(f"FlashliteModelAPI(client, ...) takes no {names}: it is the client's")
    return client


def _require_asyncio() -> None:
    """Raise PrerequisiteError under trio, where the engine, which needs asyncio, would hang."""
    try:
        backend = sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        backend = env.get("INSPECT_ASYNC_BACKEND") or "asyncio"
    if backend != "asyncio":
        raise PrerequisiteError(
            f"The flashlite provider does not work with the {backend} async backend; "
            "unset INSPECT_ASYNC_BACKEND."
        )
