"""Every test of a pool runs with a file, and, among the tests of services, with a Redis."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from ..services.conftest import redis, redis_url
from ..services.servers import RedisProcess
from .places import FilePlace, Place, RedisPlace

__all__ = ["redis", "redis_url"]

_PLACES = ["file", pytest.param("redis", marks=pytest.mark.services)]


@pytest.fixture(params=_PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place that stays up."""
    if request.param == "file":
        return FilePlace(tmp_path)
    return RedisPlace(request.getfixturevalue("redis_url"))


@pytest.fixture(params=_PLACES)
def own_place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place that one test may take down."""
    if request.param == "file":
        return FilePlace(tmp_path)
    process: RedisProcess = request.getfixturevalue("redis")
    return RedisPlace(process.url, process)


@pytest.fixture
def name() -> str:
    """The name of a new pool."""
    return secrets.token_hex(4)
