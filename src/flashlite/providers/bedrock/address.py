"""The address of Bedrock, which differs by region.

Source: https://docs.aws.amazon.com/general/latest/gr/bedrock.html.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ... import env
from ...errors import ConfigError
from .library import botocore

_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_REGION_NAME")
_SUFFIXES = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
}
_OWN = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")


def address() -> str:
    """Return the address in the region of the environment or the profile."""
    region = _region()
    suffix = next((s for start, s in _SUFFIXES.items() if region.startswith(start)), None)
    return f"https://bedrock-runtime.{region}.{suffix or 'amazonaws.com'}"


def region_of(url: str) -> str:
    """Return the region to sign a request for: from the address, else the environment."""
    own = _OWN.search(url)
    return own[1] if own else _region()


def _region() -> str:
    region = env.first(_VARIABLES) or _region_of_profile(
        env.get("AWS_PROFILE"), env.get("AWS_CONFIG_FILE")
    )
    if region is None:
        raise ConfigError(f"no region for bedrock: set {_VARIABLES[0]}, such as us-east-1")
    if not re.fullmatch("[a-z0-9-]+", region):
        raise ConfigError(f"{region!r} is no AWS region: set {_VARIABLES[0]}, such as us-east-1")
    return region


@lru_cache(maxsize=8)
def _region_of_profile(profile: str | None, _file: str | None) -> str | None:
    session = botocore("session").Session(profile=profile)
    try:
        region: str | None = session.get_config_variable("region")
    except botocore("exceptions").BotoCoreError as error:
        raise ConfigError(f"no region for bedrock: {error}") from error
    return region
