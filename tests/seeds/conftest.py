"""What every seed's tests get: hosts on loopback, a folder of their own, and their blocks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flashlite
import flashlite.providers
from flashlite.testing import MockServer

from .blocks import Run, Script, Seed


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def host(script: Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[MockServer]:
    """OpenAI, as far as the environment tells."""
    with MockServer("script", answers=script) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-test-key")
        yield server


@pytest.fixture
def run(
    request: pytest.FixtureRequest,
    host: MockServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Run blocks of the module's `SEED` or another's, where `llm_client` is flashlite."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "llm_client", flashlite)
    monkeypatch.setitem(sys.modules, "llm_client.providers", flashlite.providers)
    own = request.node.originalname.removeprefix("test_")

    def run_block(
        block: str = own,
        *,
        seed: Seed | None = None,
        changes: dict[str, str] | None = None,
        **given: Any,
    ) -> dict[str, Any]:
        return (seed or request.module.SEED).run(block, given, changes or {})

    return run_block
