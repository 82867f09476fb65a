"""The environment: the only place that reads variables and `.env` files.

A `.env` file, searched for from the working directory upwards, provides variables that are not in
the environment. It never overrides a variable and never changes the process's environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from .errors import ConfigError


def get(name: str) -> str | None:
    """Return a variable, or None if it is unset or empty."""
    if name in os.environ:
        return os.environ[name] or None
    try:
        here = os.getcwd()
    except FileNotFoundError:  # the working directory was removed
        return None
    return _dotenv(here).get(name)


def first(names: Iterable[str]) -> str | None:
    """Return the first of several variables that is set."""
    return next((value for name in names if (value := get(name))), None)


def set_default(name: str, value: str) -> None:
    """Set a variable if it is unset, for a library that reads its settings only from there."""
    os.environ.setdefault(name, value)


def proxy_for(url: str) -> str | None:
    """Return the proxy that `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` give for an address."""
    return _proxy_for(url, *map(os.environ.get, _PROXY_VARIABLES))


_PROXY_VARIABLES = (
    "https_proxy",
    "HTTPS_PROXY",
    "http_proxy",
    "HTTP_PROXY",
    "no_proxy",
    "NO_PROXY",
)


@lru_cache(maxsize=256)
def _proxy_for(url: str, *_: str | None) -> str | None:
    # The variables are arguments only as a cache key: urllib's own lookup takes 0.4 ms.
    try:
        parts = urlsplit(url)
        names = {parts.hostname or "", f"{parts.hostname}:{parts.port}"}
    except ValueError:  # not a valid address; sending to it will raise
        return None
    if any(proxy_bypass(name) for name in names):
        return None
    proxy = getproxies_environment().get(parts.scheme)
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


@lru_cache(maxsize=8)
def _dotenv(directory: str) -> Mapping[str, str]:
    from dotenv import dotenv_values, find_dotenv

    path = find_dotenv(usecwd=True)
    try:
        values = dotenv_values(path) if path else {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    return {name: value for name, value in values.items() if value}
