"""`flashlite cache`: what a cache holds, and less of it."""

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
    """Look into a cache, or make it smaller.

    PATH is the file of a DiskCache or the folder of an FSCache.
    """


@cache.command
@_path
@options.as_json
def stats(path: Path, as_json: bool) -> None:
    """Say how many answers a cache holds, and how large they are."""
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
    """Forget the answers of a cache."""
    count = asyncio.run(_with(_open(path), lambda store: store.clear(collection=collection)))
    click.echo(f"{count:,} answers forgotten")


@cache.command
@_path
def vacuum(path: Path) -> None:
    """Remove what has expired from a file, and give its space back to the disk."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder, where no space is held: clear it instead")
    before = path.stat().st_size
    asyncio.run(_with(_open(path), lambda store: store.vacuum()))
    click.echo(f"{before:,} bytes before, {path.stat().st_size:,} now")


def _open(path: Path) -> Any:
    from ..stores import DiskCache, FSCache

    return FSCache(path) if path.is_dir() else DiskCache(path)


async def _with(store: Any, act: Callable[[Any], Awaitable[T]]) -> T:
    try:
        return await act(store)
    finally:
        await store.aclose()
