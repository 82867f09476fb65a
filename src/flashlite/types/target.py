"""Who answers a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Who answers a request: what caches, prices and limits go by.

    `provider` names who answers, `model` is its own name for the model, `dialect` what is spoken
    there, `address` the server (empty where a library finds it). `account` tells API keys apart
    without showing them.
    """

    provider: str
    dialect: str
    model: str
    address: str = ""
    account: str = ""

    @property
    def full_name(self) -> str:
        """The model as price lists know it: `openai/gpt-4o`."""
        return f"{self.provider}/{self.model}"
