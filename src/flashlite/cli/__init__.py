"""The command line: `flashlite ask`, `batch`, `cache`, `doctor`, `logs`, `models` and `top`."""

from __future__ import annotations

import click

from .ask import ask
from .batch import batch
from .cache import cache
from .doctor import doctor
from .group import Commands
from .logs import logs
from .models import models
from .top import top

__all__ = ["main"]


@click.group(
    "flashlite",
    cls=Commands,
    commands=[ask, batch, cache, doctor, logs, models, top],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, help="Show the whole traceback of an error.")
@click.version_option(package_name="flashlite", prog_name="flashlite")
def main(debug: bool) -> None:
    """One fast, honest call over every model provider.

    Keys come from the environment or from a .env file; `flashlite doctor` shows which were found.
    The exit code is 0 on success, 1 if something was tried and failed, 2 if the command cannot work
    as written.
    """
