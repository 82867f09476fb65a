"""Types as a command line can name them."""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeAlias

from ..errors import ConfigError

Shape: TypeAlias = type[Any] | str
"""A type that pydantic can validate, or where to import one from: `package.module:Name`."""


def type_of(shape: Shape | None) -> type[Any] | None:
    """Return the type that is meant; raises ConfigError for a name that leads nowhere."""
    if not isinstance(shape, str):
        return shape
    module, _, name = shape.partition(":")
    try:
        found: type[Any] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{shape!r} is no type (package.module:Name): {error}") from error
    return found
