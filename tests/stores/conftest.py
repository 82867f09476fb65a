"""One store of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flashlite.stores import DiskCache, Store

from .shelf import KINDS, Clock, new_store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=KINDS)
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock
) -> AsyncIterator[Store]:
    store = new_store(request.param, tmp_path, clock)
    yield store
    await store.aclose()


@pytest.fixture
async def disk(tmp_path: Path, clock: Clock) -> AsyncIterator[DiskCache]:
    store = DiskCache(tmp_path / "answers.db", busy_timeout=0.05, clock=clock)
    yield store
    await store.aclose()
