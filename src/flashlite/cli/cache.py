"""`flashlite cache`: show what a cache holds, shrink it, or import answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import ConfigError
from . import options
from .options import print_json

T = TypeVar("T")

_path = click.argument("path", type=click.Path(exists=True, path_type=Path))


@click.group
def cache() -> None:
    """Inspect a cache, shrink it, or import answers into it.

    PATH is the file of a DiskCache or the folder of an FSCache.
    """


@cache.command
@_path
@options.as_json
def stats(path: Path, as_json: bool) -> None:
    """Show how many answers a cache holds, and how large they are."""
    found = asyncio.run(_with(_open(path), lambda store: store.stats()))
    if as_json:
        print_json({"entries": found.entries, "bytes": found.bytes})
    else:
        click.echo(f"{found.entries:,} answers, {found.bytes:,} bytes")


@cache.command
@_path
@click.option("--collection", metavar="NAME", help="Forget these answers only.")
@click.confirmation_option("--yes", prompt="Forget the stored answers?")
def clear(path: Path, collection: str | None) -> None:
    """Delete the answers in a cache."""
    count = asyncio.run(_with(_open(path), lambda store: store.clear(collection=collection)))
    click.echo(f"{count:,} answers forgotten")


@cache.command
@_path
def vacuum(path: Path) -> None:
    """Remove expired answers from a file and return their space to the disk."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder, where no space is held: clear it instead")
    before = path.stat().st_size
    asyncio.run(_with(_open(path), lambda store: store.vacuum()))
    click.echo(f"{before:,} bytes before, {path.stat().st_size:,} now")


@cache.command("import")
@click.argument("logs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--cache", "into", required=True, metavar="disk:FILE|fs:FOLDER", help="Where to.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="OLD=NEW",
    callback=options.read_pairs,
    help="By which name a model of the log will be asked: --model mockllm/model=openai/gpt-4o",
)
@click.option("--model-base-url", metavar="URL", help="Where it will be asked.")
@click.option(
    "-M",
    "arguments",
    multiple=True,
    metavar="NAME=VALUE",
    callback=options.read_pairs,
    help="What it will be told with -M, where that is not in the log.",
)
@options.as_json
def import_(
    logs: tuple[Path, ...],
    into: str,
    models: dict[str, Any],
    model_base_url: str | None,
    arguments: dict[str, Any],
    as_json: bool,
) -> None:
    """Import the answers in .eval LOGS into a cache, so that they are not paid for again.

    A run with the same cache then sends only requests whose answers are not in the logs, and with
    -M cache_only=true none at all:

    \b
        inspect eval task.py --model flashlite/openai/gpt-4o -M cache=disk:answers.db

    Answers that cannot be returned exactly as they were are left out and counted.
    """
    from ..inspect_ai import import_logs

    names = {old: str(new) for old, new in models.items()}
    job = import_logs(logs, into, models=names, base_url=model_base_url, **arguments)
    found = asyncio.run(job)
    if as_json:
        print_json({"stored": found.stored, "known": found.known, "left_out": found.left_out})
        return
    click.echo(f"answers: {found.stored:,} stored, {found.known:,} known")
    for reason, count in found.left_out.items():
        click.echo(f"{count:,} left out: they {reason}")


def _open(path: Path) -> Any:
    from ..stores import DiskCache, FSCache

    return FSCache(path) if path.is_dir() else DiskCache(path)


async def _with(store: Any, act: Callable[[Any], Awaitable[T]]) -> T:
    try:
        return await act(store)
    finally:
        await store.aclose()
