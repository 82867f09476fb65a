"""The address of Vertex AI, and authentication there.

Sources: https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations and
https://cloud.google.com/docs/authentication/application-default-credentials.
"""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from threading import Lock
from typing import Any

from ... import env
from ...errors import APIConnectionError, ConfigError
from ...wire import WireRequest

TOKEN_VARS = ("VERTEXAI_ACCESS_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN")

_PROJECT_VARS = ("GOOGLE_CLOUD_PROJECT", "VERTEXAI_PROJECT")
_LOCATION_VARS = ("GOOGLE_CLOUD_LOCATION", "VERTEXAI_LOCATION")
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


def vertex_address() -> str:
    """Return the address of a project's Google models; raise ConfigError without a project."""
    project = env.first(_PROJECT_VARS)
    if project is None:
        raise ConfigError(
            f"no Google Cloud project for vertex_ai: set {' or '.join(_PROJECT_VARS)}"
        )
    location = env.first(_LOCATION_VARS) or "us-central1"
    return (
        f"https://{_server(location)}/v1beta1/projects/{project}/locations/{location}"
        "/publishers/google"
    )


def _server(location: str) -> str:
    if location == "global":
        return "aiplatform.googleapis.com"
    if location in ("us", "eu"):  # multi-region locations
        return f"aiplatform.{location}.rep.googleapis.com"
    return f"{location}-aiplatform.googleapis.com"


class GoogleCredentials:
    """Adds an access token of the application default credentials.

    A request that already has a token keeps it. A token is fetched in a thread, once for all
    requests that wait for it, on any event loop.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._thread = ThreadPoolExecutor(1, "flashlite-google-auth")
        self._fetching: Future[Any] | None = None
        self._credentials: Any = None

    async def __call__(self, wire: WireRequest) -> WireRequest:
        """Return the request with its token; raise ConfigError if there are no credentials."""
        if _has_token(wire.headers):
            return wire
        credentials = self._credentials
        if credentials is None or not credentials.valid:
            credentials = await to_thread(self._fetch().result)
        bearer = {"Authorization": f"Bearer {credentials.token}"}
        return replace(wire, headers={**wire.headers, **bearer})

    def _fetch(self) -> Future[Any]:
        with self._lock:
            if self._fetching is None or self._fetching.done():
                self._fetching = self._thread.submit(self._refreshed)
            return self._fetching

    def _refreshed(self) -> Any:
        auth, problems, requests = _google_auth()
        try:
            if self._credentials is None:
                self._credentials, _ = auth.default(scopes=_SCOPES)
            if not self._credentials.valid:
                self._credentials.refresh(requests.Request())
        except problems.GoogleAuthError as error:
            if isinstance(error, problems.TransportError) or getattr(error, "retryable", False):
                failure = APIConnectionError(f"Google gave no access token: {error}")
                failure.was_sent = False  # no completion was requested yet
                raise failure from error
            raise ConfigError(
                f"no credentials for vertex_ai ({error}): run `gcloud auth application-default "
                "login`, set GOOGLE_APPLICATION_CREDENTIALS, or pass an access token as api_key=..."
            ) from error
        return self._credentials


def _has_token(headers: Mapping[str, str]) -> bool:
    return any(name.lower() in ("authorization", "x-goog-api-key") for name in headers)


def _google_auth() -> tuple[Any, Any, Any]:
    names = ("google.auth", "google.auth.exceptions", "google.auth.transport.requests")
    try:
        auth, problems, requests = map(import_module, names)
    except ImportError as error:
        raise ConfigError(
            "vertex_ai needs google-auth: pip install 'google-auth[requests]', or pass an access "
            f"token as api_key=... or in {TOKEN_VARS[0]}"
        ) from error
    return auth, problems, requests
