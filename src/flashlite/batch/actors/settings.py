"""What a caller may say of Ray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ...errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Ray:
    """So many actors, on the cluster at an address.

    Ray is used as the program's own `ray.init(...)` has set it up. Where there was none, it is
    started on this machine, or joined at `address` ("auto", or "host:port").
    `options` are what Ray's `Actor.options` takes: `num_cpus`, `resources`, `runtime_env` and so
    on. Without them, an actor begins where a CPU is free, and takes none from other work. Actors
    are spread over the machines, each of which needs flashlite and the providers' keys.
    """

    actors: int = 2
    address: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def of(cls, value: Literal["ray"] | Ray) -> Ray:
        """Read what a caller passed as an engine."""
        if value == "ray":
            return cls()
        if not isinstance(value, Ray):
            raise ConfigError(f"engine is 'ray', a Ray(actors=...) or None; got {value!r:.80}")
        return value

    def __post_init__(self) -> None:
        if not isinstance(self.actors, int) or self.actors < 1:
            raise ConfigError(f"actors is a number of at least 1; got {self.actors!r:.80}")
