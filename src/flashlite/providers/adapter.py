"""What a dialect must know: four verbs, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from ..errors import CompletionError
from ..types import CompletionRequest, CompletionResponse, Delta
from ..wire import SSEvent, WireRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A server that speaks a known dialect: a row of data, not a class.

    `key_vars` and `url_vars` are environment variables, the first set one wins. `prefixes` are
    the names that the host goes by in front of a model's name. `renames` gives parameters that
    this host knows under another name, `refuses` those that it does not take. `reasoning_field`
    is the key under which earlier reasoning goes back in an assistant message, None where the
    host does not take it.
    """

    name: str
    base_url: str
    dialect: str = "openai"
    prefixes: tuple[str, ...] = ()
    key_vars: tuple[str, ...] = ()
    url_vars: tuple[str, ...] = ()
    needs_key: bool = True
    renames: Mapping[str, str] = field(default_factory=dict[str, str])
    refuses: frozenset[str] = frozenset({"thinking"})
    reasoning_field: str | None = "reasoning_content"

    def elsewhere(self) -> Host:
        """Return the row for a server at another address: the peculiarities are not its own."""
        return _plain(self.name, self.base_url, self.dialect)


@cache
def _plain(name: str, base_url: str, dialect: str) -> Host:
    return Host(name=name, base_url=base_url, dialect=dialect)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where one request goes: a host with its address and key filled in."""

    host: Host
    base_url: str
    api_key: str | None = field(default=None, repr=False)


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
