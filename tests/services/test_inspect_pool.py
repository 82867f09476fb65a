"""Evals of several processes that share a pool in a real Redis."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..inspect_ai.test_shared_pool import share_a_budget

pytestmark = pytest.mark.services


def test_two_processes_share_the_budget_of_a_redis(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POOL", f"{redis_url}#evals")
    share_a_budget(tmp_path, pool="env:POOL")
