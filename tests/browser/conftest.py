"""Inspect's own viewer in a real browser: what somebody sees who opens a log."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncGenerator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from .viewer import Viewer, chromium, launched, serving

if TYPE_CHECKING:
    from playwright.async_api import Browser

IS_REQUIRED = os.environ.get("FLASHLITE_TEST_BROWSER") == "required"
SCREENSHOTS = os.environ.get("FLASHLITE_SCREENSHOTS")
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder, so that `-m browser` runs them alone, and on one loop."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("browser")
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the viewer shows; each test has a folder of its own in it."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture(scope="session")
def address(shelf: Path) -> Iterator[str]:
    """Where Inspect's viewer is served."""
    _need_browser()
    with serving("inspect", "view", "--log-dir", str(shelf), "--port") as address:
        yield address


@pytest.fixture
def logs(shelf: Path, request: pytest.FixtureRequest) -> Path:
    folder = shelf / re.sub(r"\W+", "-", request.node.name)
    folder.mkdir()
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncGenerator[Browser]:
    """One browser for all tests."""
    _need_browser()
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def viewer(
    browser: Browser, address: str, shelf: Path, request: pytest.FixtureRequest
) -> AsyncGenerator[Viewer]:
    """A page of the viewer; a picture of how it ends is kept where FLASHLITE_SCREENSHOTS says."""
    async with Viewer.on(browser, address, shelf) as viewer:
        yield viewer
        if SCREENSHOTS:
            await viewer.keep(Path(SCREENSHOTS) / f"{request.node.name}.png")


def _need_browser() -> None:
    missing = [
        *([] if find_spec("playwright") else ["the package playwright"]),
        *([] if chromium() else ["chromium"]),
    ]
    if missing and IS_REQUIRED:
        pytest.fail(f"{' and '.join(missing)} not found, and the tests in a browser are required")
    if missing:
        pytest.skip(f"{' and '.join(missing)} not found")
