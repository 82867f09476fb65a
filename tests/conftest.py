"""What every test gets: no way out to the network, and an environment without keys."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from flashlite.testing import mock_server

__all__ = ["mock_server"]

# How long one example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that opens a connection to anywhere but this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        is_local = self.family == socket.AF_UNIX or str(address[0]).startswith(_LOOPBACK)
        assert is_local, f"a test tried to reach {address}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Hide the keys and addresses of whoever runs the tests."""
    for name in os.environ:
        if name.endswith(("_API_KEY", "_BASE_URL", "_API_BASE")) or name.startswith("FLASHLITE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("INSPECT_LOG_DIR", str(tmp_path / "logs"))


@pytest.fixture(autouse=True)
def asyncio_stays_as_it_is() -> Iterator[None]:
    """Inspect's synchronous functions patch asyncio for good when they are called on a loop."""
    yield
    assert asyncio.run.__module__ == "asyncio.runners", "asyncio was patched: call it in a thread"
