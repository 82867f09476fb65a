"""Running commands."""

from __future__ import annotations

from typing import NamedTuple

from click.testing import CliRunner

from flashlite.cli import main


class Ran(NamedTuple):
    """What came of a command: its exit code, and what it wrote."""

    code: int
    out: str
    err: str


def run(*arguments: object, input: str | None = None) -> Ran:
    """Run a command in this process."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=input)
    return Ran(result.exit_code, result.stdout, result.stderr)
