"""Calls to log, and logs as Inspect reads them."""

from __future__ import annotations

import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from inspect_ai.log import EvalLog, EvalSample, read_eval_log

from flashlite.types import CompletionRequest, CompletionResponse, Message, Usage

REQUEST = CompletionRequest(
    model="openai/gpt-4o",
    messages=(Message.system("Be brief."), Message.user("What is 2+2?")),
    params={"temperature": 0.5},
)
USAGE = Usage(input_tokens=10, output_tokens=2, total_cost=0.001)


def answer(text: str | None = "4", **fields: Any) -> CompletionResponse:
    """An answer of gpt-4o that took half a second."""
    given = {"model": "gpt-4o-2024", "provider": "openai", "usage": USAGE, "latency": 0.5}
    return CompletionResponse.of(text, **given | fields)


def the_log(folder: Path) -> Path:
    """The only log in a folder."""
    [path] = folder.glob("*.eval")
    return path


def read(folder: Path) -> EvalLog:
    """The only log in a folder, as Inspect reads it, media and all.

    In a thread: on a running loop Inspect would patch asyncio for the rest of the process.
    """
    path = str(the_log(folder))
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(read_eval_log, path, resolve_attachments="full").result()


def samples(folder: Path) -> list[EvalSample]:
    return read(folder).samples or []


def members(path: Path) -> dict[str, Any]:
    """The documents of a log, as they were written."""
    with zipfile.ZipFile(path) as log:
        return {name: json.loads(log.read(name)) for name in log.namelist()}


def missing(ours: Any, theirs: Any, place: str) -> set[str]:
    """Name what is in one JSON value and not in another."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        gone = {f"{place}.{name}" for name in ours.keys() - theirs.keys()}
        both = ours.keys() & theirs.keys()
        return gone.union(*(missing(ours[n], theirs[n], f"{place}.{n}") for n in both))
    if isinstance(ours, list) and isinstance(theirs, list):
        gone = {f"{place}[{n}]" for n in range(len(theirs), len(ours))}
        pairs = enumerate(zip(ours, theirs, strict=False))  # theirs may have what ours refer to
        return gone.union(*(missing(a, b, f"{place}[{n}]") for n, (a, b) in pairs))
    return set()
