"""botocore, imported at its first use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ...errors import ConfigError


def botocore(module: str) -> Any:
    """Return a module of botocore; raise ConfigError if it is not installed."""
    try:
        return import_module(f"botocore.{module}")
    except ImportError as error:
        raise ConfigError("bedrock needs botocore: pip install botocore") from error
