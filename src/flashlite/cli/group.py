"""How commands fail: with one line on standard error and an exit code."""

from __future__ import annotations

from typing import IO, Any

import click

from ..errors import ConfigError, FlashliteError


class Commands(click.Group):
    """Commands whose errors are shown as one line; `--debug` raises them unchanged."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FlashliteError as error:
            if ctx.params.get("debug"):
                raise
            failed = Misuse if isinstance(error, ConfigError) else Failure
            raise failed(" ".join(str(error).split())) from error


class Failure(click.ClickException):
    """Something was tried and failed."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"flashlite: {self.message}", file=file, err=file is None)


class Misuse(Failure):
    """The command cannot work as written."""

    exit_code = 2
