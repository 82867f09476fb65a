"""A small Ray on this machine, for all tests of this folder together."""

from __future__ import annotations

import os
import secrets
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder, so that `-m ray` runs them alone."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("ray")
            # Ray leaves files and processes of its own to the garbage collector.
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning:ray"))
            item.add_marker(pytest.mark.filterwarnings("ignore::Warning:ray"))


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """The address of a Ray with two cores, which tells nobody that it is there."""
    given = pytest.MonkeyPatch()
    # A socket's path has 107 characters at most, and Ray's own part of it is long.
    with TemporaryDirectory(prefix="ray", dir="/tmp") as folder:
        given.delenv("RAY_ADDRESS", raising=False)
        given.setenv("RAY_USAGE_STATS_ENABLED", "0")
        token = Path(folder) / "token"
        token.write_text(secrets.token_hex(32))
        given.setenv("RAY_AUTH_TOKEN_PATH", str(token))
        given.setenv("PYTHONPATH", str(HERE.parents[1]))  # where actors find what tests define
        ray = _library()
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=200_000_000,
            _temp_dir=folder,
        )
        yield ray.get_runtime_context().gcs_address
        ray.shutdown()
    given.undo()


def _library() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="ray")
            import ray
    except ImportError:
        if os.environ.get("FLASHLITE_TEST_RAY") == "required":
            pytest.fail("Ray is not installed, and its tests are required")
        pytest.skip("Ray is not installed: pip install 'flashlite[ray]'")
    return ray
