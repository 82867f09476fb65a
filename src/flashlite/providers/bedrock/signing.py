"""AWS authentication: Signature Version 4 over the bytes that are sent.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock
from typing import Any, NamedTuple

from ... import env
from ...errors import APIConnectionError, ConfigError
from ...wire import WireRequest, to_json
from .address import region_of
from .library import botocore

_MISSING = (
    "no AWS credentials for bedrock: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE "
    "or AWS_BEARER_TOKEN_BEDROCK, or pass api_key=... (a Bedrock API key)"
)


class Keys(NamedTuple):
    """A pair of AWS keys; temporary ones have a token too."""

    access_key: str
    secret_key: str
    token: str | None = None


class SigV4Credentials:
    """Signs requests with keys from the environment, a `.env` file, a profile or a role.

    Expiring keys are refreshed in a thread, because botocore requests them over the network and
    blocks. A request with a bearer token is left unchanged.
    """

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._sources: dict[str | None, Any] = {}
        self._finding = Lock()

    async def __call__(self, wire: WireRequest) -> WireRequest:
        if any(name.lower() == "authorization" for name in wire.headers):
            return wire
        keys = _keys_at_hand()
        if keys is None:
            keys = await asyncio.to_thread(self._found, env.get("AWS_PROFILE"))
        return sign(wire, keys, at=self._clock())

    def _found(self, profile: str | None) -> Keys:
        errors = botocore("exceptions")
        try:
            return self._ask(profile)
        except errors.HTTPClientError as error:
            failure = APIConnectionError(f"AWS gave no credentials: {error}")
            failure.was_sent = False
            raise failure from error
        except (errors.BotoCoreError, errors.ClientError, RuntimeError) as error:
            raise ConfigError(f"AWS gave no credentials for bedrock: {error}") from error

    def _ask(self, profile: str | None) -> Keys:
        with self._finding:  # concurrent first requests look for them once
            source = self._sources.get(profile)
            if source is None:
                source = botocore("session").Session(profile=profile).get_credentials()
                if source is None:
                    raise ConfigError(_MISSING)
                self._sources[profile] = source
        now = source.get_frozen_credentials()
        return Keys(now.access_key, now.secret_key, now.token)


def sign(wire: WireRequest, keys: Keys, *, at: datetime) -> WireRequest:
    """Return the request with its signature and the signed bytes."""
    body = to_json(wire.json) if wire.body is None else wire.body
    stamp = at.strftime("%Y%m%dT%H%M%SZ")
    headers = {"Content-Type": "application/json", **wire.headers, "X-Amz-Date": stamp}
    if keys.token:
        headers["X-Amz-Security-Token"] = keys.token
    signature = _signature(wire, body, headers, keys)
    return replace(wire, body=body, headers={**headers, "Authorization": signature})


def _signature(wire: WireRequest, body: bytes, headers: Mapping[str, str], keys: Keys) -> str:
    request = botocore("awsrequest").AWSRequest(
        method=wire.method, url=wire.url, data=body, headers=headers
    )
    request.context["timestamp"] = headers["X-Amz-Date"]
    signer = botocore("auth").SigV4Auth(keys, "bedrock", region_of(wire.url))
    text = signer.string_to_sign(request, signer.canonical_request(request))
    names = signer.signed_headers(signer.headers_to_sign(request))
    return (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, "
        f"SignedHeaders={names}, Signature={signer.signature(text, request)}"
    )


def _keys_at_hand() -> Keys | None:
    """Return the environment's keys without blocking; botocore does not read a `.env`."""
    access_key, secret_key = env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key:
        return None
    return Keys(access_key, secret_key, env.first(("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")))
