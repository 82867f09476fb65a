"""A zip archive that only grows, record after record; its directory is made on request.

Each record is a member's local header and data (PKWARE's APPNOTE, 4.3.7), written in one go. A
killed process leaves whole records and at most a torn last one, which `scan` detects by its length
and checksum. The same bytes followed by `directory()` are a zip archive.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR_64 = struct.Struct("<4sIQI")

_NEEDS, _UTF8, _DEFLATED, _1980 = 20, 1 << 11, 8, (0, 33)
_MAX_16, _MAX_32 = 0xFFFF, 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Record:
    """A whole record of a stream: its name, its offset and its data."""

    name: str
    offset: int
    data: bytes


class RecordStream:
    """Appends records to a file that only this process writes, by one thread at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = 0
        self._count = 0
        self._directory = bytearray()

    def append(self, name: str, data: bytes) -> int:
        """Write a record and return its offset; the record is safe when this returns.

        A write that fails leaves the stream as it was.
        """
        packed = zlib.compress(data, 1, -zlib.MAX_WBITS)
        if max(len(data), len(packed)) >= _MAX_32:
            raise OverflowError("a sample of a log is smaller than 4 GB")
        crc, path, offset = zlib.crc32(data), name.encode(), self.size
        facts = (crc, len(packed), len(data), len(path))
        self.size += self._write(_local(*facts) + path + packed)
        self._list(facts, path, offset)
        return offset

    def adopt(self, record: Record, end: int) -> None:
        """Add a record that an earlier process wrote and that ends at `end`."""
        path = record.name.encode()
        packed = end - record.offset - _LOCAL.size - len(path)
        facts = (zlib.crc32(record.data), packed, len(record.data), len(path))
        self._list(facts, path, record.offset)
        self.size = end

    def read(self, offset: int) -> bytes:
        """Return the data of the record at an offset."""
        record, _ = _read_record(self.file.fileno(), offset) or (None, 0)
        if record is None:
            raise OSError("a log in the making was changed by somebody else")
        return record.data

    @property
    def size_of_directory(self) -> int:
        """The bytes of `directory()`, too low by at most a hundred."""
        return len(self._directory)

    def directory(self) -> bytes:
        """Return the zip directory of all records so far, to be written right after them."""
        size, count, start = len(self._directory), self._count, self.size
        end = _END.pack(
            b"PK\5\6", 0, 0, *[min(count, _MAX_16)] * 2, min(size, _MAX_32), min(start, _MAX_32), 0
        )
        if count >= _MAX_16 or max(size, start) >= _MAX_32:
            counts = (count, count, size, start)
            end_64 = _END_64.pack(b"PK\6\6", _END_64.size - 12, 45, 45, 0, 0, *counts)
            end = end_64 + _LOCATOR_64.pack(b"PK\6\7", 0, start + size, 1) + end
        return bytes(self._directory) + end

    def seal(self) -> None:
        """Write the directory after the records; the next record overwrites it."""
        self._write(self.directory())

    def _write(self, content: bytes) -> int:
        descriptor, left = self.file.fileno(), memoryview(content)
        try:
            while left:
                left = left[os.pwrite(descriptor, left, self.size + len(content) - len(left)) :]
        except OSError:
            os.ftruncate(descriptor, self.size)
            raise
        return len(content)

    def _list(self, facts: tuple[int, int, int, int], path: bytes, offset: int) -> None:
        far = struct.pack("<2HQ", 1, 8, offset) if offset >= _MAX_32 else b""
        self._directory += _CENTRAL.pack(
            b"PK\1\2", _NEEDS, _NEEDS, _UTF8, _DEFLATED, *_1980, *facts,
            len(far), 0, 0, 0, 0, min(offset, _MAX_32),
        )  # fmt: skip
        self._directory += path + far
        self._count += 1


def scan(file: BinaryIO) -> Iterator[tuple[Record, int]]:
    """Yield the whole records of a stream, each with the offset at which it ends."""
    end = 0
    while (found := _read_record(file.fileno(), end)) is not None:
        record, end = found
        yield record, end


def _local(crc: int, packed: int, size: int, name: int) -> bytes:
    return _LOCAL.pack(b"PK\3\4", _NEEDS, _UTF8, _DEFLATED, *_1980, crc, packed, size, name, 0)


def _read_record(descriptor: int, offset: int) -> tuple[Record, int] | None:
    """Return the record at an offset and where it ends, None if there is no whole one."""
    head = os.pread(descriptor, _LOCAL.size, offset)
    if len(head) < _LOCAL.size or head[:4] != b"PK\3\4":
        return None
    *_, crc, packed, size, name_length, _extra = _LOCAL.unpack(head)
    body = os.pread(descriptor, name_length + packed, offset + len(head))
    try:
        data = zlib.decompress(body[name_length:], -zlib.MAX_WBITS, max(size, 1))
        name = body[:name_length].decode()
    except (zlib.error, UnicodeDecodeError):
        return None
    if len(body) < name_length + packed or zlib.crc32(data) != crc:
        return None
    return Record(name, offset, data), offset + len(head) + len(body)
