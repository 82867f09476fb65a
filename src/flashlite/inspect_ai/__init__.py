"""flashlite as a plugin of Inspect AI: `inspect eval task.py --model flashlite/<model>`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._provider import FlashliteModelAPI as FlashliteModelAPI

__all__ = ["FlashliteModelAPI"]


def __getattr__(name: str) -> Any:
    if name == "FlashliteModelAPI":
        from ._provider import FlashliteModelAPI

        return FlashliteModelAPI
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
