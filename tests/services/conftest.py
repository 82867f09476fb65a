"""Real servers: those that FLASHLITE_TEST_PG_DSN and FLASHLITE_TEST_REDIS_URL name, or our own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .servers import PostgresProcess, RedisProcess, program

GIVEN_DSN = os.environ.get("FLASHLITE_TEST_PG_DSN")
GIVEN_URL = os.environ.get("FLASHLITE_TEST_REDIS_URL")
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder, so that `-m services` runs them alone."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("services")


@pytest.fixture(scope="session")
def dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL that tests share and leave running."""
    if GIVEN_DSN:
        yield GIVEN_DSN
        return
    _need("initdb", "postgres")
    server = PostgresProcess(tmp_path_factory.mktemp("postgres"))
    server.start()
    yield server.dsn
    server.stop()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that tests share and leave running."""
    if GIVEN_URL:
        yield GIVEN_URL
        return
    _need("redis-server")
    server = RedisProcess(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresProcess]:
    """A PostgreSQL that one test may kill."""
    _need("initdb", "postgres")
    server = PostgresProcess(tmp_path_factory.mktemp("postgres"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """A Redis that one test may kill."""
    _need("redis-server")
    server = RedisProcess(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


def _need(*programs: str) -> None:
    missing = [name for name in programs if program(name) is None]
    if missing and os.environ.get("FLASHLITE_TEST_SERVICES") == "required":
        pytest.fail(f"{', '.join(missing)} not found, and the tests of services are required")
    if missing:
        pytest.skip(f"{', '.join(missing)} not found: install it, or name a server in the variable")
