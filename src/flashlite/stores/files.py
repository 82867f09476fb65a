"""A store of plain files: one readable JSON file per answer."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..errors import StoreError
from ..whole_file import whole_file
from .base import Entry, StoreStats, check_ttl

_LONGEST_NAME = 200  # file systems take 255 bytes
_AT_A_TIME = 32  # files that `entries` reads at a time
_NO_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class FSCache:
    """A store of files, one per entry: `<directory>/<collection>/<key[:2]>/<key>.json`.

    The folder of the collection "" is `default`; characters that a file name cannot have are
    percent-encoded. A file appears whole or not at all, and its modification time is the entry's
    creation time. A damaged or foreign file is a miss. An expired file stays until it is
    overwritten or cleared. Request and response are returned byte for byte if they are on one line,
    like compact JSON; others are returned as the same JSON, made compact.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        default_ttl: float | None = None,
        required: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check_ttl(default_ttl)
        self.required = required
        self._directory = Path(directory).expanduser().absolute()
        self._default_ttl = default_ttl
        self._clock = clock

    async def get(self, key: str, *, collection: str = "") -> Entry | None:
        """Return the entry, or None if there is none that is still valid."""
        entry = await asyncio.to_thread(_read, self._path(collection, key))
        return entry if entry is not None and self._is_valid(entry, key) else None

    async def put(self, entry: Entry, *, collection: str = "") -> None:
        """Store an entry, replacing any other with its key."""
        entry, path = entry.with_ttl(self._default_ttl), self._path(collection, entry.key)
        if entry.is_expired(self._clock()):
            await asyncio.to_thread(_remove, path)
        else:
            await asyncio.to_thread(_write, path, entry)

    async def delete(self, key: str, *, collection: str = "") -> None:
        """Remove an entry, if there is one."""
        await asyncio.to_thread(_remove, self._path(collection, key))

    async def clear(self, *, collection: str | None = None) -> int:
        """Remove the entries of one collection or of all; other files in the folder stay."""
        return await asyncio.to_thread(self._clear, collection)

    async def stats(self) -> StoreStats:
        """Return the totals, reading every file, because only the content shows if it expired."""
        sizes = await asyncio.to_thread(lambda: [entry.size for entry in self._valid(None)])
        return StoreStats(entries=len(sizes), bytes=sum(sizes))

    async def entries(
        self, *, collection: str = "", limit: int | None = None
    ) -> AsyncIterator[Entry]:
        """Yield the valid entries of a collection, newest first, at most `limit` of them."""
        valid = islice(self._valid(collection), limit)
        while some := await asyncio.to_thread(lambda: list(islice(valid, _AT_A_TIME))):
            for entry in some:
                yield entry

    async def flush(self) -> None:
        """Do nothing: a file is written when its `put` returns."""

    async def aclose(self) -> None:
        """Do nothing: no file stays open."""

    def _clear(self, collection: str | None) -> int:
        count = 0
        for path in self._files(collection):
            entry = _read(path)
            count += entry is not None and self._is_valid(entry, path.stem)
            _remove(path)
        return count

    def _valid(self, collection: str | None) -> Iterator[Entry]:
        """Yield the valid entries, newest first."""
        dated = [(_date(path), path) for path in self._files(collection)]
        for _, path in sorted(dated, reverse=True):
            entry = _read(path)
            if entry is not None and self._is_valid(entry, path.stem):
                yield entry

    def _is_valid(self, entry: Entry, name: str) -> bool:
        return name in (entry.key, _name(entry.key)) and not entry.is_expired(self._clock())

    def _files(self, collection: str | None) -> list[Path]:
        folder = "*" if collection is None else _folder(collection)
        with _explained(self._directory):
            found = self._directory.glob(f"{folder}/*/*.json")
            return [path for path in found if path.parent.name == path.stem[:2]]

    def _path(self, collection: str, key: str) -> Path:
        name = _name(key)
        return self._directory / _folder(collection) / name[:2] / f"{name}.json"


def _folder(collection: str) -> str:
    if collection == "default":
        return "%64efault"  # so that a collection named "default" differs from the unnamed one
    return _name(collection) or "default"


def _name(text: str) -> str:
    """Return a file name for a text: unique for each text, and never a path out of the folder."""
    name = quote(text, safe="", errors="surrogatepass")
    if name.startswith(".") or name.endswith("."):
        name = name.replace(".", "%2E")
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        name = f"{name[: _LONGEST_NAME - 30]}%{digest[:32]}"
    return name


# One line per member, so that request and response can be read back byte for byte.
_LAYOUT = b'{\n"key": %b,\n"created": %b,\n"expires": %b,\n"request": %b,\n"response": %b\n}\n'
_LINES = re.compile(re.escape(_LAYOUT).replace(b"%b", b"(.*)"))


def _to_text(entry: Entry) -> bytes:
    words = (json.dumps(word).encode() for word in (entry.key, entry.created, entry.expires))
    return _LAYOUT % (*words, _on_one_line(entry.request), _on_one_line(entry.response))


def _on_one_line(text: bytes) -> bytes:
    return _compact(json.loads(text)) if b"\n" in text else text


def _compact(value: Any) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="surrogatepass")


def _from_text(text: bytes) -> Entry | None:
    """Parse an entry, or return None if the text is not one."""
    try:
        found = json.loads(text)
        lines = _LINES.fullmatch(text)
        # The file may have been reformatted by hand: it is still the same JSON.
        request, response = (
            lines.group(4, 5)
            if lines
            else (_compact(found["request"]), _compact(found["response"]))
        )
        key, created, expires = found["key"], found["created"], found["expires"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(key, str) or not isinstance(created, int | float):
        return None
    if expires is not None and not isinstance(expires, int | float):
        return None
    return Entry(key=key, request=request, response=response, created=created, expires=expires)


def _read(path: Path) -> Entry | None:
    with _explained(path):
        try:
            text = path.read_bytes()
        except _NO_FILE:
            return None
    return _from_text(text)


def _write(path: Path, entry: Entry) -> None:
    with _explained(path), whole_file(path) as file:
        file.write(_to_text(entry))
        file.flush()
        os.utime(file.name, (entry.created, entry.created))


def _remove(path: Path) -> None:
    with _explained(path), suppress(*_NO_FILE):
        path.unlink()


def _date(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error
