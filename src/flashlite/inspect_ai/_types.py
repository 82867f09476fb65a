"""Types that a command line can name."""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeAlias

from ..errors import ConfigError

Shape: TypeAlias = type[Any] | str
"""A type that pydantic can validate, or the place to import it from: `package.module:Name`."""


def type_of(shape: Shape | None) -> type[Any] | None:
    """Return the type, importing it if named; raises ConfigError if that fails."""
    if not isinstance(shape, str):
        return shape
    module, _, name = shape.partition(":")
    try:
        found: type[Any] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{shape!r} is no type (package.module:Name): {error}") from error
    return found
