"""A file with one request per line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError

_IDS = ("id", "custom_id")


class RequestsFile:
    """The requests of a file, read line by line; empty lines are skipped.

    `ids` has the id of each request that was read, by its position, until it is taken out. All
    lines are checked at the start, so that a bad one does not stop a batch that is half paid for.
    """

    def __init__(self, path: Path, *, system: str | None, template: str | None) -> None:
        self.ids: dict[int, Any] = {}
        self._path, self._system, self._template = path, system, template
        self._count = sum(1 for _ in self._requests())

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        for position, (name, request) in enumerate(self._requests()):
            if name is not None:
                self.ids[position] = name
            yield request

    def _requests(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        try:
            with self._path.open(encoding="utf-8-sig") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield self._read(line, f"{self._path}, line {number}")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read {self._path}: {error}") from error

    def _read(self, line: str, place: str) -> tuple[Any, dict[str, Any]]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{place} is no JSON; each line is a value of it: {error}") from error
        name = None
        if isinstance(value, dict) and "role" not in value:
            name = next((value[key] for key in _IDS if value.get(key) is not None), None)
        return name, self._request(value, place)

    def _request(self, value: Any, place: str) -> dict[str, Any]:
        before = [{"role": "system", "content": self._system}] if self._system is not None else []
        if self._template is not None:
            if not isinstance(value, dict):
                raise ConfigError(f"{place} is to be an object: the variables of the template")
            return {"messages": before, "template": self._template, "variables": value}
        if not isinstance(value, dict) or "role" in value:
            value = {"messages": value}
        body = value.get("body")  # OpenAI's batch file
        call = dict(body) if isinstance(body, Mapping) else _without(value, _IDS)
        messages = call.get("messages")
        if not messages or not isinstance(messages, str | list | dict):
            raise ConfigError(f"{place} has no messages")
        return call | {"messages": [*before, *_listed(messages)]}


def _without(value: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: part for name, part in value.items() if name not in names}


def _listed(messages: str | list[Any] | dict[str, Any]) -> list[Any]:
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return messages if isinstance(messages, list) else [messages]
