"""What a dialect must know: four verbs, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

from ..errors import CompletionError
from ..types import MAX_INPUTS, CompletionRequest, CompletionResponse, Delta
from ..wire import SSEParser, SSEvent, StreamParser, WireRequest


class Credentials(Protocol):
    """Puts what proves who asks into a request, where that is more than a fixed key.

    One object serves a host for as long as a client lives, from any event loop.
    """

    async def __call__(self, wire: WireRequest) -> WireRequest:
        """Return the request with its proof; raises ConfigError where there is none to give."""
        ...


class TakesSchema(Protocol):
    """Says whether a model takes the JSON schema of an answer."""

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

    `base_url` is its address, or a function that finds it (in the environment, if it has a region
    or an account) and raises ConfigError where it cannot. `key_vars` and `url_vars` are environment
    variables, the first set one wins; a host with `credentials` proves who asks in a way of its
    own. `prefixes` are the names that the host goes by in front of a model's name. `renames` gives
    parameters that this host knows under another name, `refuses` those that it does not take.
    `takes_schema` says which models take a `response_format`, alone and beside tools, where not all
    do. `max_inputs` is how many texts one request for embeddings may have. `reasoning_field` is the
    key under which earlier reasoning goes back in an assistant message of OpenAI's form, None where
    the host does not take it. `knows_developer` is set where a message may be a developer's, which
    is a system's elsewhere; `names` are the roles whose messages may have a name, None for all.
    `stream_parser` cuts its streams. `reads_text_calls` is set where a server may leave a model's
    tool calls in its text, `inlines_urls` where its API takes no media by URL, so that we fetch
    them. `speaks_for` says of a model's name whether the host has this dialect for it; the others
    go by way of litellm. `batches` is the batch API that the host has, None where we know of none.
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
        """The host's own address; raises ConfigError where the environment has to tell it."""
        return self.base_url if isinstance(self.base_url, str) else self.base_url()

    @cached_property
    def elsewhere(self) -> Host:
        """The row for a server at another address, which may do without a key.

        What speaks OpenAI's dialect there is seldom OpenAI: the host's peculiarities are not its.
        """
        own = _COMMON if self.dialect == "openai" else {}
        return replace(self, needs_key=False, **own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where one request goes: a host with its address and key filled in."""

    host: Host
    base_url: str
    api_key: str | None = field(default=None, repr=False)

    @property
    def bearer(self) -> dict[str, str]:
        """The header that most hosts want the key in; nothing where there is none."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}


class Adapter(Protocol):
    """A dialect. Everything it does is a pure function of its arguments."""

    def build_request(self, request: CompletionRequest, endpoint: Endpoint) -> WireRequest:
        """Spell a request; raises ConfigError for what cannot be said in this dialect."""
        ...

    def parse_response(self, body: bytes) -> CompletionResponse:
        """Read a whole answer; raises MalformedResponseError when it is none."""
        ...

    def parse_stream_event(self, event: SSEvent) -> Iterable[Delta]:
        """Read one event of a stream; raises CompletionError for an error event."""
        ...

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CompletionError:
        """Read a refusal; returns the error, ready to be raised."""
        ...
