"""`flashlite logs`: recover the logs of runs, or convert them to Inspect's format."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import StoreError
from . import options
from .options import print_json


@click.group
def logs() -> None:
    """Recover logs of runs in Inspect's format, or convert logs to it."""


@logs.command
@click.argument("path", type=click.Path(exists=True, path_type=Path), default="logs")
@options.as_json
def recover(path: Path, as_json: bool) -> None:
    """Close the logs of runs that were killed.

    PATH is a folder of logs, ./logs by default, or one log. Samples that were written are complete;
    those that were running have what happened so far, and an error. Logs that are still being
    written are skipped. The exit code is 1 if a log cannot be recovered; it is then left unchanged.
    """
    from ..inspect_logs.recovery import recovery

    found = recovery(path)
    if as_json:
        print_json(
            {
                "recovered": {str(log): samples for log, samples in found.recovered.items()},
                "running": [str(log) for log in found.running],
                "failed": {str(log): reason for log, reason in found.failed.items()},
            }
        )
    else:
        for log, samples in found.recovered.items():
            click.echo(f"{log}: {samples:,} samples")
        for log in found.running:
            click.echo(f"{log}: still being written, or another user's")
        if not (found.recovered or found.running or found.failed):
            click.echo("nothing to recover")
    if found.failed:
        reasons = "; ".join(f"{log}: {reason}" for log, reason in found.failed.items())
        raise StoreError(f"cannot be recovered: {reasons}")


@logs.command
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default="logs",
    show_default=True,
    help="The folder for the logs.",
)
@click.option("--task", metavar="NAME", help="What Inspect calls the run. [default: the file]")
@click.option(
    "--sample-tag",
    metavar="PREFIX",
    default="sample:",
    show_default=True,
    help="Calls that share a tag with this prefix are one sample.",
)
def convert(files: tuple[Path, ...], output: Path, task: str | None, sample_tag: str) -> None:
    """Convert the FILES of a StructuredLogger to .eval logs.

    Each call is a sample, unless a tag such as sample:q7 assigns it to one. What was not recorded
    is marked as such. A file can be converted into a folder only once, because its samples would
    count twice there.

    `flashlite cache import` takes nothing from such a log, because it lacks the whole requests.
    """
    from ..inspect_logs import convert

    for file in files:
        click.echo(str(convert(file, output, task=task, sample_tag=sample_tag)))
