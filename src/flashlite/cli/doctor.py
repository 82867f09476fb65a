"""`flashlite doctor`: what a call would find on this machine, without making one."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

import click

from .. import env
from ..errors import ConfigError
from . import options
from .options import print_json

_PACKAGES = ("flashlite", "inspect-ai", "litellm", "aiohttp", "openai")
_FOUND = "finds the models flashlite/…"


@click.command
@click.argument("model", required=False)
@click.option(
    "--cache",
    "cache_path",
    type=click.Path(path_type=Path),
    help="The file or the folder of a cache: can it be written?",
)
@options.as_json
def doctor(model: str | None, cache_path: Path | None, as_json: bool) -> None:
    """Show what a call would find: versions, keys, and who would answer for MODEL.

    Nothing is sent, and no key is shown. The exit code is 1 if MODEL cannot be asked, if the cache
    cannot be written, or if Inspect cannot load the models flashlite/….
    """
    findings = _findings(model, cache_path)
    problems = list(_problems(model, cache_path))
    if findings.get("inspect", _FOUND) != _FOUND:
        problems.append(f"Inspect {findings['inspect']}")
    if as_json:
        print_json(findings | {"problems": problems})
    else:
        for line in _lines(findings):
            click.echo(line)
        for problem in problems:
            click.echo(f"problem:    {problem}")
    if problems:
        click.get_current_context().exit(1)


def _findings(model: str | None, cache_path: Path | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "keys": sorted({name for name in _key_names() if env.get(name)}),
    }
    if found["versions"]["inspect-ai"] is not None:
        found["inspect"] = _inspect()
    if cache_path is not None:
        found["cache"] = {"path": str(cache_path), "writable": _is_writable(cache_path)}
    if model is not None:
        found["route"] = _route(model)
    return found


def _lines(findings: dict[str, Any]) -> Iterator[str]:
    yield f"python:     {findings['python']}"
    for name, found in findings["versions"].items():
        yield f"{name + ':':<11} {found or 'not installed'}"
    yield f"keys:       {', '.join(findings['keys']) or 'none'}"
    if "inspect" in findings:
        yield f"inspect:    {findings['inspect']}"
    if "cache" in findings:
        can = "can be written" if findings["cache"]["writable"] else "cannot be written"
        yield f"cache:      {findings['cache']['path']} {can}"
    if "route" in findings:
        yield ""
        yield from findings["route"].splitlines()


def _problems(model: str | None, cache_path: Path | None) -> Iterator[str]:
    from ..providers import locate, resolve

    if cache_path is not None and not _is_writable(cache_path):
        yield f"the cache {cache_path} cannot be written"
    if model is None:
        return
    try:
        route = resolve(model)
        if route.host is not None:
            locate(route.host)
    except ConfigError as error:
        yield str(error)


def _route(model: str) -> str:
    from ..providers import resolve

    try:
        return resolve(model).explain()
    except ConfigError:  # reported as a problem
        return f"model:    {model}"


def _inspect() -> str:
    """Return whether Inspect can load the plugin; its own error only says the model is unknown."""
    points = entry_points(group="inspect_ai", name="flashlite")
    if not points:
        return "is not told of flashlite: install flashlite again, here"
    try:
        for point in points:
            point.load()
        from ..inspect_ai import FlashliteModelAPI as FlashliteModelAPI
    except Exception as error:  # noqa: BLE001 - a broken dependency can raise anything
        return f"cannot load flashlite: {type(error).__name__}: {' '.join(str(error).split())}"
    return _FOUND


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _key_names() -> Iterator[str]:
    from ..providers import HOSTS

    for host in HOSTS:
        yield from host.key_vars


def _is_writable(path: Path) -> bool:
    """Return whether a file or a folder can be written, or created if it does not exist."""
    if path.exists():
        return os.access(path, os.W_OK)
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
