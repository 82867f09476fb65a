"""`flashlite doctor`, `models` and `cache`: what they say, and that nothing is sent."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from flashlite import DiskCache, Flashlite, FSCache
from flashlite.stores import Store

from .commands import run


def test_doctor_names_versions_and_keys_but_shows_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "gsk-very-secret")
    ran = run("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert f"litellm:    {version('litellm')}\n" in ran.out
    assert "keys:       GROQ_API_KEY\n" in ran.out
    assert "secret" not in ran.out


def test_doctor_says_who_would_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    ran = run("doctor", "openai/gpt-4o")
    assert ran.code == 0
    assert "address:  https://api.openai.com/v1\nkey:      in OPENAI_API_KEY\n" in ran.out
    assert "secret" not in ran.out


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("openai/gpt-4o", "no API key for openai: set OPENAI_API_KEY"),
        ("nope", "unknown model 'nope'"),
    ],
)
def test_doctor_names_what_is_wrong(model: str, problem: str) -> None:
    ran = run("doctor", model)
    assert ran.code == 1
    assert f"problem:    {problem}" in ran.out


def test_doctor_speaks_json(tmp_path: Path) -> None:
    found = json.loads(run("doctor", "mock/echo", "--cache", tmp_path / "a" / "b.db", "--json").out)
    assert found.pop("versions")["flashlite"] == version("flashlite")
    assert found.pop("python")
    assert found == {
        "keys": [],
        "inspect": "finds the models flashlite/…",
        "cache": {"path": str(tmp_path / "a" / "b.db"), "writable": True},
        "route": "model:    echo\nprovider: mock/echo\nbecause:  mock/ is embedded",
        "problems": [],
    }
    assert list(tmp_path.iterdir()) == []


def test_doctor_says_why_inspect_does_not_find_our_models(tmp_path: Path) -> None:
    (tmp_path / "inspect_ai").mkdir()
    (tmp_path / "inspect_ai" / "__init__.py").write_text("raise RuntimeError('numpy\\nis too old')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "flashlite", "doctor"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (
        1,
        "problem:    Inspect cannot load flashlite: RuntimeError: numpy is too old",
    )


def test_doctor_finds_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = run("doctor", "--cache", tmp_path / "file" / "x.db")
    assert (ran.code, ran.out.splitlines()[-1]) == (
        1,
        f"problem:    the cache {tmp_path / 'file' / 'x.db'} cannot be written",
    )


def test_models_tells_limits_prices_and_abilities() -> None:
    lines = run("models", "gpt-4o").out.splitlines()
    assert lines[0] == "model:      openai/gpt-4o"
    assert "window:     128,000 tokens in, 16,384 tokens out" in lines
    assert "prices:     $2.5 in, $10 out, $1.25 cached in, for a million tokens" in lines
    assert any(line.startswith("can:") and "vision" in line for line in lines)


def test_models_speaks_json() -> None:
    profile = json.loads(run("models", "openai/gpt-4o", "--json").out)
    assert (profile["full_name"], profile["prices"]["input"]) == ("openai/gpt-4o", 2.5e-6)


def test_an_unknown_model_is_an_error() -> None:
    ran = run("models", "nope")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("flashlite: nothing is known about the model 'nope'")


def filled(store: Store) -> None:
    """Put three answers into a cache, one of them into a collection."""

    async def fill() -> None:
        async with Flashlite("mock/echo", cache=store) as client:
            await client.complete_many(["a", "b", {"messages": "c", "cache_collection": "x"}])

    asyncio.run(fill())


@pytest.mark.parametrize("kind", [DiskCache, FSCache])
def test_a_cache_is_counted_and_cleared(
    tmp_path: Path, kind: type[DiskCache] | type[FSCache]
) -> None:
    path = tmp_path / "cache"
    filled(kind(path))
    assert run("cache", "stats", path).out.startswith("3 answers, ")
    assert json.loads(run("cache", "stats", path, "--json").out)["entries"] == 3
    assert run("cache", "clear", path, input="n\n").code == 1
    assert run("cache", "clear", path, "--yes", "--collection", "x").out == "1 answers forgotten\n"
    assert run("cache", "clear", path, input="y\n").out.endswith("2 answers forgotten\n")
    assert run("cache", "stats", path).out == "0 answers, 0 bytes\n"


def test_a_file_is_vacuumed_and_a_folder_is_not(tmp_path: Path) -> None:
    filled(DiskCache(tmp_path / "cache.db"))
    ran = run("cache", "vacuum", tmp_path / "cache.db")
    assert (ran.code, ran.err) == (0, "")
    assert run("cache", "vacuum", tmp_path).code == 2


def test_what_is_no_cache_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("these are notes, and no cache\n" * 100)
    ran = run("cache", "stats", file)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith(f"flashlite: {file}")
    assert file.read_text() == "these are notes, and no cache\n" * 100
    assert run("cache", "stats", tmp_path / "none").code == 2


def test_a_missing_argument_is_said_by_name() -> None:
    ran = run("models")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: flashlite models [OPTIONS] NAME\n")
    assert ran.err.endswith("Error: Missing argument 'NAME'.\n")
