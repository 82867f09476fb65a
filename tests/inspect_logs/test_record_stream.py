"""The record stream: an archive at any moment, whole records whatever tears it."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite.inspect_logs.record_stream import RecordStream, scan
from flashlite.inspect_logs.snapshot import finish, publish

RECORDS = st.lists(st.tuples(st.text(min_size=1, max_size=9), st.binary(max_size=300)), max_size=5)


@given(RECORDS)
def test_its_bytes_and_its_directory_are_an_archive(records: list[tuple[str, bytes]]) -> None:
    with tempfile.TemporaryFile() as file:
        stream = RecordStream(file)
        places = [stream.append(name, data) for name, data in records]
        assert [stream.read(place) for place in places] == [data for _, data in records]
        file.seek(0)
        archive = zipfile.ZipFile(io.BytesIO(file.read() + stream.directory()))
    assert archive.testzip() is None
    found = [archive.open(member).read() for member in archive.infolist()]
    assert found == [data for _, data in records]


def test_a_torn_tail_is_found_at_every_byte() -> None:
    with tempfile.TemporaryFile() as file:
        stream = RecordStream(file)
        ends = []
        for number in range(3):
            stream.append(f"r{number}", b"data" * number)
            ends.append(stream.size)
        file.seek(0)
        whole = file.read()
    for length in range(len(whole) + 1):
        with tempfile.TemporaryFile() as file:
            file.write(whole[:length])
            file.flush()
            found = [end for _, end in scan(file)]
        assert found == [end for end in ends if end <= length]


def test_what_is_no_record_ends_it() -> None:
    with tempfile.TemporaryFile() as file:
        stream = RecordStream(file)
        stream.append("a", b"data")
        os.pwrite(file.fileno(), b"PK\3\4" + b"\xff" * 100, stream.size)
        assert [record.name for record, _ in scan(file)] == ["a"]
        os.pwrite(file.fileno(), b"X", stream.size - 3)
        assert list(scan(file)) == []


def test_a_stream_goes_on_where_another_process_stopped() -> None:
    with tempfile.TemporaryFile() as file:
        RecordStream(file).append("a", b"one")
        stream = RecordStream(file)
        for record, end in scan(file):
            stream.adopt(record, end)
        stream.append("b", b"two")
        file.seek(0)
        archive = zipfile.ZipFile(io.BytesIO(file.read() + stream.directory()))
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a": b"one", "b": b"two"
        }  # fmt: skip


def test_many_records_have_a_longer_directory() -> None:
    with tempfile.TemporaryFile() as file:
        stream = RecordStream(file)
        for number in range(70_000):
            stream.append(str(number), b"")
        file.seek(0)
        archive = zipfile.ZipFile(io.BytesIO(file.read() + stream.directory()))
    assert len(archive.namelist()) == 70_000


def test_records_beyond_4_gb_are_found(tmp_path: Path) -> None:
    with (tmp_path / "far").open("x+b") as file:
        stream = RecordStream(file)
        stream.size = 5 << 30  # nothing before it; the file is a hole
        stream.append("far", b"away")
        file.seek(stream.size)
        file.write(stream.directory())
        file.flush()
        assert zipfile.ZipFile(file).read("far") == b"away"


def test_a_full_disk_leaves_the_stream_as_it_was() -> None:
    with Path("/dev/full").open("r+b", buffering=0) as full, tempfile.TemporaryFile() as file:
        stream = RecordStream(file)
        stream.append("a", b"one")
        size = stream.size
        stream.file = full
        with pytest.raises(OSError):
            stream.append("b", b"two")
        stream.file = file
        stream.append("c", b"three")
        assert [record.name for record, _ in scan(file)] == ["a", "c"]
        assert stream.size > size


def test_a_snapshot_replaces_the_one_before(tmp_path: Path) -> None:
    part, path = tmp_path / "part", tmp_path / "new" / "log"
    with part.open("x+b") as file:
        stream = RecordStream(file)
        for number in range(3):
            stream.append(str(number), b"x" * number)
            publish(stream, stream.size, stream.directory(), path)
            with zipfile.ZipFile(path) as archive:
                assert len(archive.namelist()) == number + 1
        finish(stream, part, path)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["0", "1", "2"]
    assert [entry.name for entry in path.parent.iterdir()] == ["log"]
    assert not part.exists()
