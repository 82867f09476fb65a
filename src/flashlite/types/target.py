"""Who answers a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

from .secrets import without_password

MAX_INPUTS = 2048
"""How many texts one embedding request may have: OpenAI's limit, and the default for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Who answers a request, as caches, prices and limits distinguish it.

    `provider` names who answers, `model` is its own name for the model, `dialect` the API that it
    speaks, `address` the server (empty if a library finds it), without passwords. `account` tells
    API keys apart without showing them. `takes_schema` is False if the server has no parameter for
    the JSON schema of an answer; `max_inputs` is how many texts it embeds in one request.
    """

    provider: str
    dialect: str
    model: str
    address: str = ""
    account: str = ""
    takes_schema: bool = field(default=True, compare=False)
    max_inputs: int = field(default=MAX_INPUTS, compare=False)

    @property
    def full_name(self) -> str:
        """The model's name in price lists, such as `openai/gpt-4o`."""
        return f"{self.provider}/{self.model}"


@lru_cache(maxsize=64)
def place_of(url: str) -> str:
    """Return a URL without secrets: no user or password, and a short hash instead of the query."""
    place, _, query = url.partition("?")
    place = without_password(place).rstrip("/")
    return f"{place}?{sha256(query.encode()).hexdigest()[:8]}" if query else place
