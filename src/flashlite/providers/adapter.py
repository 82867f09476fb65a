"""The protocols of hosts and dialects; a dialect has four methods and does no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

from ..errors import CompletionError
from ..types import MAX_INPUTS, CompletionRequest, CompletionResponse, Delta
from ..wire import SSEParser, SSEvent, StreamParser, WireRequest


class Credentials(Protocol):
    """Adds authentication to a request, where that is more than a fixed key.

    One object serves a host for the lifetime of a client, from any event loop.
    """

    async def __call__(self, wire: WireRequest) -> WireRequest:
        """Return the request with authentication; raise ConfigError if there are no credentials."""
        ...


class TakesSchema(Protocol):
    """Returns whether a model accepts a JSON schema for its answer."""

    def __call__(self, model: str, /, *, with_tools: bool) -> bool: ...


_COMMON: Mapping[str, Any] = {
    "renames": {},
    "refuses": frozenset({"thinking"}),
    "reasoning_field": "reasoning_content",
    "knows_developer": False,
    "names": None,
}


@dataclass(frozen=True, kw_only=True)
class Host:
    """A server that speaks a known dialect: a row of data, not a class.

    `base_url` is its address, or a function that finds it (in the environment, if it depends on a
    region or an account) and raises ConfigError if it cannot. `key_vars` and `url_vars` are
    environment variables, of which the first one set is used; a host with `credentials`
    authenticates in its own way. `prefixes` are the host's names in front of a model's name.
    `renames` maps parameters to the host's names for them, `refuses` has those that it does not
    take. `takes_schema` tells which models take a `response_format`, alone and together with tools,
    where not all do. `max_inputs` is the maximum of texts per embedding request. `reasoning_field`
    is the key under which earlier reasoning is sent back in an assistant message of OpenAI's form,
    None if the host does not take it. `knows_developer` is set if messages may have the role
    "developer", which is sent as "system" elsewhere; `names` are the roles whose messages may have
    a name, None for all. `stream_parser` splits its streams into events. `reads_text_calls` is set
    if a server may leave a model's tool calls in its text, `inlines_urls` if its API takes no media
    by URL, so that flashlite fetches them. `speaks_for` tells by a model's name whether the host
    serves it in this dialect; other models go through litellm. `batches` names the host's batch
    API, None if none is known.
    """

    name: str
    base_url: str | Callable[[], str]
    dialect: str = "openai"
    prefixes: tuple[str, ...] = ()
    key_vars: tuple[str, ...] = ()
    url_vars: tuple[str, ...] = ()
    needs_key: bool = True
    credentials: Callable[[], Credentials] | None = None
    renames: Mapping[str, str] = field(default_factory=dict[str, str])
    refuses: frozenset[str] = frozenset({"thinking"})
    takes_schema: TakesSchema | None = None
    reasoning_field: str | None = "reasoning_content"
    knows_developer: bool = False
    names: frozenset[str] | None = None
    max_inputs: int = MAX_INPUTS
    stream_parser: Callable[[], StreamParser] = SSEParser
    reads_text_calls: bool = False
    inlines_urls: bool = False
    speaks_for: Callable[[str], bool] | None = None
    batches: str | None = None

    @property
    def home(self) -> str:
        """The host's own address; raises ConfigError if it depends on an unset variable."""
        return self.base_url if isinstance(self.base_url, str) else self.base_url()

    @cached_property
    def elsewhere(self) -> Host:
        """The row for a server at another address, where the key is optional.

        A server there that speaks OpenAI's dialect is seldom OpenAI, so the host's special rules do
        not apply to it.
        """
        own = _COMMON if self.dialect == "openai" else {}
        return replace(self, needs_key=False, **own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The destination of one request: a host with its address and key filled in."""

    host: Host
    base_url: str
    api_key: str | None = field(default=None, repr=False)

    @property
    def bearer(self) -> dict[str, str]:
        """The header in which most hosts expect the key; empty without a key."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}


class Adapter(Protocol):
    """A dialect; its methods are pure functions of their arguments."""

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        """Build the wire request; raise ConfigError for what this dialect cannot express."""
        ...

    def parse_response(self, body: bytes) -> CompletionResponse:
        """Parse a whole answer; raise MalformedResponseError if it is not one."""
        ...

    def parse_stream_event(self, event: SSEvent) -> Iterable[Delta]:
        """Parse one event of a stream; raise CompletionError for an error event."""
        ...

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        """Parse an error response; return the error to be raised."""
        ...
