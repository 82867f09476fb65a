"""An entry as servers keep it: its bytes, compressed or not, in columns or packed."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from struct import Struct
from struct import error as StructError

from ..errors import StoreError
from .base import Entry

_PLAIN, _ZSTD = 0, 1
_HEAD = Struct("<ddBI")  # created, expires, codec, length of the request


@dataclass(frozen=True, slots=True)
class Row:
    """An entry without its name, compressed or not."""

    created: float
    expires: float | None
    codec: int
    request: bytes
    response: bytes

    @classmethod
    def of(cls, entry: Entry, *, compress: bool) -> Row:
        """Return the row of an entry."""
        codec = _ZSTD if compress else _PLAIN
        request, response = entry.request, entry.response
        if compress:
            import zstandard

            request, response = zstandard.compress(request), zstandard.compress(response)
        return cls(entry.created, entry.expires, codec, request, response)

    def entry(self, key: str) -> Entry:
        """Return the entry; raise StoreError if the row cannot be decoded."""
        return Entry(
            key=key,
            request=self._read(self.request),
            response=self._read(self.response),
            created=self.created,
            expires=self.expires,
        )

    def pack(self) -> bytes:
        """Return the row as one byte string."""
        expires = inf if self.expires is None else self.expires
        head = _HEAD.pack(self.created, expires, self.codec, len(self.request))
        return head + self.request + self.response

    @classmethod
    def unpack(cls, packed: bytes) -> Row:
        """Parse what `pack` wrote."""
        try:
            created, expires, codec, length = _HEAD.unpack_from(packed)
        except StructError as error:
            raise StoreError(f"a stored answer is cut off: {error}") from error
        middle = _HEAD.size + length
        request, response = packed[_HEAD.size : middle], packed[middle:]
        return cls(created, None if expires == inf else expires, codec, request, response)

    def _read(self, column: bytes) -> bytes:
        if self.codec == _PLAIN:
            return column
        import zstandard

        if self.codec != _ZSTD:
            raise StoreError(f"a stored answer is packed in a newer way ({self.codec})")
        try:
            return zstandard.decompress(column)
        except zstandard.ZstdError as error:
            raise StoreError(f"a stored answer cannot be unpacked: {error}") from error
