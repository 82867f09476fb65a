"""What Inspect finds through the entry point: names only, everything heavy waits for its use."""

from __future__ import annotations

from inspect_ai.model import ModelAPI, modelapi


@modelapi(name="flashlite")
def flashlite() -> type[ModelAPI]:
    """Return the class behind `flashlite/<model>`."""
    from ._provider import FlashliteModelAPI

    return FlashliteModelAPI
