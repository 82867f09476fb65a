"""`flashlite logs convert` and `flashlite cache import`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from flashlite import DiskCache, Flashlite, InspectLogger, StructuredLogger
from flashlite.testing import ScriptedProvider

from .commands import Ran, run


async def _log(folder: Path) -> Path:
    """Ask twice, and write it down in both formats."""
    lines, logger = StructuredLogger(folder / "run.jsonl"), InspectLogger(folder / "logs")
    async with Flashlite(
        "openai/gpt-4o",
        provider=ScriptedProvider(["one", "two"]),
        structured_logger=lines,
        inspect_logger=logger,
    ) as client:
        await client.complete("1")
        await client.complete("2")
    await logger.aclose()
    return logger.path


def test_lines_are_converted_into_a_folder(tmp_path: Path) -> None:
    asyncio.run(_log(tmp_path))
    ran = run("logs", "convert", tmp_path / "run.jsonl", "-o", tmp_path / "out", "--task", "mine")
    [log] = (tmp_path / "out").glob("*_mine_*.eval")
    assert ran == Ran(0, f"{log}\n", "")


def test_a_file_that_was_converted_is_not_converted_again(tmp_path: Path) -> None:
    asyncio.run(_log(tmp_path))
    command = ("logs", "convert", tmp_path / "run.jsonl", "-o", tmp_path / "out")
    log = run(*command).out.strip()
    said = f"{tmp_path / 'run.jsonl'} was already converted to {log}"
    again = f"flashlite: {said}: delete it first, or pass another folder\n"
    assert run(*command) == Ran(2, "", again)


def test_a_file_that_is_no_record_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("{}\n")
    ran = run("logs", "convert", tmp_path / "x.jsonl", "-o", tmp_path)
    said = f"flashlite: {tmp_path / 'x.jsonl'} has no calls: it is no file of a StructuredLogger\n"
    assert ran == Ran(2, "", said)


def test_answers_are_imported_and_counted(tmp_path: Path) -> None:
    log, cache = asyncio.run(_log(tmp_path)), tmp_path / "c.db"
    assert run("cache", "import", log, "--cache", f"disk:{cache}") == Ran(
        0, "answers: 2 stored, 0 known\n", ""
    )
    again = run("cache", "import", log, "--cache", f"disk:{cache}", "--json")
    assert json.loads(again.out) == {"stored": 0, "known": 2, "left_out": {}}
    assert asyncio.run(_entries(cache)) == 2


def test_what_was_left_out_is_said(tmp_path: Path) -> None:
    with InspectLogger(tmp_path / "logs") as logger:
        logger.log("1", "one")
    ran = run("cache", "import", logger.path, "--cache", f"fs:{tmp_path / 'cache'}")
    assert ran.out == (
        "answers: 0 stored, 0 known\n"
        "1 left out: they were not to be cached, or do not say all that decided their answers\n"
    )


def test_nothing_of_a_converted_log_is_imported(tmp_path: Path) -> None:
    asyncio.run(_log(tmp_path))
    log = run("logs", "convert", tmp_path / "run.jsonl", "-o", tmp_path / "out").out.strip()
    ran = run("cache", "import", log, "--cache", f"disk:{tmp_path / 'c.db'}")
    assert ran.out.startswith("answers: 0 stored, 0 known\n2 left out: ")


def test_a_log_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.eval").write_bytes(b"no archive")
    ran = run("cache", "import", tmp_path / "x.eval", "--cache", f"disk:{tmp_path / 'c.db'}")
    said = f"flashlite: {tmp_path / 'x.eval'} cannot be read as a log of Inspect: EOCD not found\n"
    assert ran == Ran(2, "", said)


async def _entries(cache: Path) -> int:
    store = DiskCache(cache)
    try:
        return (await store.stats()).entries
    finally:
        await store.aclose()
