"""The address of an Azure OpenAI resource, and authentication with Microsoft Entra."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from threading import Lock
from typing import Any

from ... import env
from ...errors import APIConnectionError, ConfigError
from ...wire import WireRequest

_ENDPOINTS = ("AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE", "AZUREAI_OPENAI_BASE_URL")
_VERSIONS = ("AZURE_API_VERSION", "OPENAI_API_VERSION")
_TOKENS = ("AZURE_OPENAI_AD_TOKEN", "AZURE_AD_TOKEN")
_SCOPE = "https://cognitiveservices.azure.com/.default"
_LEAST_LEFT = 300.0  # seconds for which a token must still be valid


def address() -> str:
    """Return the resource's address, with the API version if the environment has one."""
    endpoint, version = env.first(_ENDPOINTS), env.first(_VERSIONS)
    if endpoint is None:
        raise ConfigError(
            f"no address for azure: set {_ENDPOINTS[0]}, or pass "
            "base_url='https://<resource>.openai.azure.com'"
        )
    endpoint = endpoint if "://" in endpoint else f"https://{endpoint}"
    if version is None or "?" in endpoint or "/openai/v1" in endpoint:
        return endpoint
    return f"{endpoint.rstrip('/')}?api-version={version}"


class EntraToken:
    """Adds a Microsoft Entra token if there is no key: a given one, else azure-identity's.

    The library gets its token in a thread, because it may call a server or another program.
    """

    def __init__(self, identity: Any = None, *, clock: Callable[[], float] = time.time) -> None:
        self._identity = identity
        self._clock = clock
        self._token, self._ends = "", 0.0
        self._renewing = Lock()

    async def __call__(self, wire: WireRequest) -> WireRequest:
        if not {"api-key", "authorization"}.isdisjoint(name.lower() for name in wire.headers):
            return wire
        token = (
            env.first(_TOKENS) or self._unexpired_token() or await asyncio.to_thread(self._renewed)
        )
        return replace(wire, headers={**wire.headers, "Authorization": f"Bearer {token}"})

    def _unexpired_token(self) -> str:
        return self._token if self._clock() < self._ends - _LEAST_LEFT else ""

    def _renewed(self) -> str:
        with self._renewing:  # many that find the token expired request one
            if not self._unexpired_token():
                self._identity = self._identity or _identity()
                self._token, self._ends = _token_of(self._identity)
            return self._token


def _identity() -> Any:
    try:
        return import_module("azure.identity").DefaultAzureCredential()
    except ImportError as error:
        raise ConfigError(
            "no API key for azure: set AZURE_OPENAI_API_KEY or AZURE_OPENAI_AD_TOKEN, pass "
            "api_key=..., or pip install azure-identity to sign in with Microsoft Entra"
        ) from error


def _token_of(identity: Any) -> tuple[str, float]:
    errors = import_module("azure.core.exceptions")
    try:
        told = identity.get_token(_SCOPE)
    except errors.ClientAuthenticationError as error:
        raise ConfigError(
            "no API key for azure, and Microsoft Entra gives no token: set AZURE_OPENAI_API_KEY, "
            f"or sign in ({error})"
        ) from error
    except errors.AzureError as error:
        raise APIConnectionError(f"no token of Microsoft Entra: {error}") from error
    return told.token, float(told.expires_on)
