"""The README keeps its word: its Python runs, and its commands are the ones that CI runs."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = re.findall(r"```(?:bash|sh)\n(.*?)```", README, flags=re.DOTALL)


def test_there_is_python_to_run() -> None:
    assert BLOCKS


@pytest.mark.parametrize("block", BLOCKS)
def test_every_python_block_runs_and_prints_what_its_comments_say(
    block: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    code = compile(block, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, {"__name__": "__main__"})
    if inspect.iscoroutine(result):
        asyncio.run(result)
    promised = re.findall(r"print\(.*\)  # (.*)", block)
    assert capsys.readouterr().out.splitlines()[: len(promised)] == promised


@pytest.mark.parametrize(
    "command",
    [
        "pip install -e . && inspect eval evals/task.py --model flashlite/mock/calculator",
        "pip install -e '.[dev]' && pytest -n auto",
    ],
)
def test_the_two_commands_stand_alone_in_the_readme_and_are_run_by_ci(command: str) -> None:
    assert f"{command}\n" in COMMANDS
    assert command in (REPOSITORY / ".ci" / "run").read_text()
