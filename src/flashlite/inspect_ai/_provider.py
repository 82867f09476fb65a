"""`flashlite/<model>`: Inspect's view of the engine.

Inspect owns retries, connections, deadlines and its cache; the engine owns dialects, keys, prices
and errors. What is done here and why is written in Inspect's `model/_model.py`, class `ModelAPI`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import sniffio
from inspect_ai.model import (
    ChatMessage,
    GenerateConfig,
    ModelAPI,
    ModelCall,
    ModelOutput,
    RetryDecision,
    StopDetails,
    record_response_headers,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from .. import env
from ..client import Flashlite
from ..errors import (
    CompletionError,
    ConfigError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
)
from ..models import count_tokens
from ..providers import Host, Route, locate, request_id_header, resolve
from ..types import CompletionResponse, is_base64
from ._attempts import count_attempt
from ._config import to_options
from ._engine import REQUEST_TIMEOUT, mock_engine, patient, shared_engine
from ._messages import to_messages, to_tool_choice, to_tools
from ._models import canonical_name, register_model_info
from ._output import to_output
from ._private import PrerequisiteError, attach_call, current_epoch, report_request_id, show_call
from ._retry import RetryAfterWait, decide, is_auth_failure

_ARGUMENTS = ("request_timeout", "strict_params")


class FlashliteModelAPI(ModelAPI):
    """A model of any provider, reached through flashlite.

    `-M` arguments: `request_timeout` (seconds for one request, 1800 if not given; Inspect's own
    `--timeout` and `--attempt-timeout` bound it too), `strict_params` (a parameter that the
    provider cannot take is an error); for `mock/…` models, the options of `MockOptions` as well.
    A client may be passed in the place of the name, with `model=`, to use that client's settings.
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
        self._route = _resolve(name, base_url) if client is None else None
        host = self._route.host if self._route else None
        key_vars = list(host.key_vars) if host else []
        super().__init__(name, base_url, api_key, key_vars, config or GenerateConfig())
        self._strict = bool(model_args.pop("strict_params", False))
        self._seconds = _seconds(model_args.pop("request_timeout", REQUEST_TIMEOUT))
        if client is not None and model_args:
            raise PrerequisiteError(
                f"FlashliteModelAPI(client, ...) takes no {', '.join(sorted(model_args))}: it is "
                "the client's"
            )
        self._engine = client or self._make_engine(model_args)
        if host is not None:
            self._check_key(host)
        register_model_info(name, self._route)

    def _make_engine(self, arguments: dict[str, Any]) -> Flashlite:
        if self.model_name.startswith("mock/"):
            try:
                return mock_engine(self.model_name, arguments)
            except ConfigError as error:
                raise PrerequisiteError(str(error)) from error
        if unknown := sorted(arguments):
            raise PrerequisiteError(
                f"unknown -M argument {', '.join(unknown)} for flashlite/{self.model_name}: "
                f"there are {', '.join(_ARGUMENTS)}."
            )
        return shared_engine()

    def _check_key(self, host: Host) -> None:
        """Stop an eval before it starts where the key is missing."""
        try:
            locate(host, base_url=self.base_url, api_key=self.api_key)
        except ConfigError as error:
            raise PrerequisiteError(str(error)) from error

    async def generate(
        self,
        input: Sequence[ChatMessage] = (),
        tools: Sequence[ToolInfo] = (),
        tool_choice: ToolChoice = "auto",
        config: GenerateConfig | None = None,
        *,
        messages: Sequence[Mapping[str, Any]] | str | None = None,
    ) -> ModelOutput | tuple[ModelOutput, ModelCall]:
        """Answer as Inspect's contract says; asked with `messages=`, return the output alone."""
        _require_asyncio()
        if messages is not None:
            response = await self._engine.complete(messages, model=self.model_name)
            return to_output(response, model=self.model_name)
        config, call = config or GenerateConfig(), _Call()
        attempts = count_attempt(config)
        try:
            response = await self._ask(
                input, tools, tool_choice, config, call, seconds=attempts.limit(self._seconds)
            )
        except ConfigError as error:
            raise PrerequisiteError(str(error)) from error
        except CompletionError as error:
            error.attempts = attempts.number
            error.retryable = error.retryable and attempts.may_go_on(error)
            call.fail(error)
            if (output := _answered_by_refusing(error, self.model_name)) is None:
                raise
            return output, call.record
        call.succeed(response)
        return to_output(response, model=self.model_name, tools=tools), call.record

    async def _ask(
        self,
        input: Sequence[ChatMessage],
        tools: Sequence[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
        call: _Call,
        *,
        seconds: float,
    ) -> CompletionResponse:
        options = to_options(config, model=self.model_name, has_tools=bool(tools))
        if tools:
            options |= {"tools": to_tools(tools), "tool_choice": to_tool_choice(tool_choice)}
        return await self._engine.complete(
            to_messages(input),
            model=self.model_name,
            api_key=self.api_key,
            base_url=self.base_url,
            sample=current_epoch(),
            on_send=call.start,
            timeout=patient(seconds),
            strict_params=self._strict,
            **options,
        )

    def should_retry(self, ex: BaseException) -> RetryDecision:
        return decide(ex)

    def retry_wait(self) -> RetryAfterWait:
        return RetryAfterWait()

    def is_auth_failure(self, ex: Exception) -> bool:
        return is_auth_failure(ex)

    async def refresh_credentials(self) -> None:
        """Take the new key; connections are shared with calls in flight and stay."""
        self.initialize()

    def connection_key(self) -> str:
        """Name the pool of connections: one per key, address and model; the key is not shown."""
        key = hashlib.sha256((self.initial_api_key or "").encode()).hexdigest()[:8]
        server = self.base_url or (self._route.provider if self._route else "client")
        return f"{key}:{server}:{self.model_name}"

    def canonical_name(self) -> str:
        return canonical_name(self.model_name, self._route)

    def service_model_name(self) -> str:
        return self._route.model if self._route else self.model_name

    async def count_text_tokens(self, text: str) -> int:
        """Count without asking anyone; Inspect's default would download an encoding."""
        return count_tokens(text, model=self.model_name)


class _Call:
    """The raw request and answer of one generate, as the log's API tab shows them."""

    def __init__(self) -> None:
        self.record = ModelCall.create({}, None)

    def start(self, body: Mapping[str, Any]) -> None:
        self.record = show_call(body, _strip_media)

    def succeed(self, response: CompletionResponse) -> None:
        # Inspect counts all time outside the call as waiting, so a time of 0 must not be told.
        self.record.set_response(response.raw or response.to_dict(), response.latency or None)
        record_response_headers(dict(response.headers))
        self._note_request_id(response.headers, 200)

    def fail(self, error: CompletionError) -> None:
        body = error.body if isinstance(error.body, Mapping) else {"error": str(error)}
        self.record.set_error(body)
        attach_call(self.record)
        self._note_request_id(error.headers, error.status_code or 0)

    def _note_request_id(self, headers: Mapping[str, str], status: int) -> None:
        if (name := request_id_header(headers)) is not None:
            report_request_id(headers[name], header=name, status=status)


def _resolve(name: str, base_url: str | None) -> Route:
    try:
        return resolve(name, base_url=base_url)
    except ConfigError as error:
        raise PrerequisiteError(str(error)) from error


def _seconds(value: Any) -> float:
    try:
        return patient(value).total or REQUEST_TIMEOUT
    except ConfigError as error:
        raise PrerequisiteError(f"-M request_timeout={value}: {error}") from error


def _require_asyncio() -> None:
    """The engine runs on asyncio; under trio it would hang or fail in ways that look transient."""
    try:
        backend = sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        backend = env.get("INSPECT_ASYNC_BACKEND") or "asyncio"
    if backend != "asyncio":
        raise PrerequisiteError(
            f"The flashlite provider does not work with the {backend} async backend; "
            "unset INSPECT_ASYNC_BACKEND."
        )


def _answered_by_refusing(error: CompletionError, model: str) -> ModelOutput | None:
    """Overflow and refusal are outcomes of a sample, not failures of the run."""
    if isinstance(error, ContextWindowExceededError):
        return ModelOutput.from_content(model, error.reason, stop_reason="model_length")
    if isinstance(error, ContentPolicyViolationError):
        output = ModelOutput.from_content(model, error.reason, stop_reason="content_filter")
        output.choices[0].stop_details = StopDetails(type="refusal", explanation=error.reason)
        return output
    return None


def _strip_media(key: Any, value: Any) -> Any:
    return "<base64-data-removed>" if is_base64(key, value) else value
