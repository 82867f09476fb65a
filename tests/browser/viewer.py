"""A browser, Inspect's viewer in it, and what can be read there."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.error import URLError
from urllib.request import urlopen

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

# Nothing but the page itself is to be fetched.
_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def chromium() -> str | None:
    """Return where the browser is."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@asynccontextmanager
async def launched() -> AsyncGenerator[Browser]:
    """Run a browser without a window."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=_ARGUMENTS)
        yield browser
        await browser.close()


@contextmanager
def serving(*command: str) -> Iterator[str]:
    """Run a web server on a port that is free, which is its last argument; return its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = (*command, str(port))
    silence = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=silence, stderr=silence) as server:
        try:
            _wait_for(server, f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait_for(server: subprocess.Popen[bytes], address: str) -> None:
    while server.poll() is None:
        try:
            urlopen(address).close()
            return
        except URLError:
            time.sleep(0.05)
    raise AssertionError("the server ended before it served anything")


class Viewer:
    """Inspect's viewer of the logs on a shelf, and what somebody sees in it."""

    def __init__(self, page: Page, address: str, shelf: Path) -> None:
        self.page, self._address, self._shelf = page, address, shelf

    @classmethod
    @asynccontextmanager
    async def on(cls, browser: Browser, address: str, shelf: Path) -> AsyncGenerator[Self]:
        """Open a page, high enough for a whole transcript: only what is in sight is drawn."""
        page = await browser.new_page(viewport={"width": 1400, "height": 4000})
        yield cls(page, address, shelf)
        await page.close()

    async def open_log(self, log: Path) -> None:
        """Open a log, at its list of samples."""
        await self._open(log, "samples")

    async def open_sample(self, log: Path, id: str, tab: str = "transcript") -> None:
        """Open a sample of a log."""
        await self._open(log, f"samples/sample/{id}/1/{tab}")

    async def open_tab(self, name: str) -> None:
        """Open another tab of a sample."""
        tab = self.page.get_by_role("tab", name=name)
        await tab.click()
        await self.page.locator(f'[role=tab][aria-selected=true]:has-text("{name}")').wait_for()

    async def see(self, text: str | re.Pattern[str]) -> None:
        """Wait until a text is there."""
        await self.page.get_by_text(text).first.wait_for()

    async def keep(self, path: Path) -> None:
        """Keep a picture of the upper part of the page."""
        await self.page.screenshot(path=path, clip={"x": 0, "y": 0, "width": 1400, "height": 1000})

    async def text(self) -> str:
        """Return what the page says, in one line; what is above its tabs is left out.

        Texts are Markdown to the viewer, which first shows them as they are and then without the
        colon behind brackets: `[Bob]: No.` is `[Bob] No.` here.
        """
        said = " ".join((await self.page.inner_text("body")).split())
        return said.rpartition("TRANSCRIPT MESSAGES")[2].replace("]: ", "] ")

    async def lanes(self) -> dict[str, int]:
        """Return the lanes of a transcript, from top to bottom, with their tokens."""
        grid = self.page.get_by_role("grid", name="Timeline swimlane")
        await grid.get_by_role("row").nth(1).wait_for()
        rows = [row.split("\n") for row in await grid.get_by_role("row").all_inner_texts()]
        return {name: _number(tokens) for name, tokens in rows}

    async def turns(self) -> list[str]:
        """Return the outline of a transcript: whose turns there are, in order."""
        outline = self.page.locator('a[href*="?event="]')
        await outline.first.wait_for()
        return await outline.all_inner_texts()

    async def enter_turn(self, number: int) -> str:
        """Look into the turn of that number, counted from 0; return what the page says then."""
        await self.page.get_by_role("button", name="sub-agent: ").nth(number).click()
        await self.see(re.compile(r"turn \d+/\d+"))
        text = await self.text()
        await self.page.get_by_role("grid").get_by_role("button", name="main", exact=True).click()
        return text

    async def _open(self, log: Path, place: str) -> None:
        await self.page.goto(f"{self._address}/#/logs/{log.relative_to(self._shelf)}/{place}")


def _number(text: str) -> int:
    """Read a number as the viewer writes it: 240, or 1.3k."""
    return int(float(text[:-1]) * 1000) if text.endswith("k") else int(text)
