"""The file below a checkpoint: lines of any length, and what a kill or a closed file does to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from flashlite import StoreError
from flashlite.batch.journal import Journal


def opened(path: Path) -> Journal:
    """Open a journal."""
    return Journal(path, kind="test", version=1)


@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 3_000_000])
def test_a_line_of_any_length_is_read_back_and_taken_away_when_it_is_torn(
    tmp_path: Path, size: int
) -> None:
    path = tmp_path / "journal"
    journal = opened(path)
    first = journal.append(b"[" + b"1" * size + b"]")
    second = journal.append(b"[2]")
    assert journal.read(first) == b"[" + b"1" * size + b"]\n"
    assert journal.read(second) == b"[2]\n"
    journal.close()
    content = path.read_bytes()
    path.write_bytes(content + b'{"x": "' + b"y" * size)
    journal = opened(path)
    assert path.read_bytes() == content
    assert [offset for offset, _ in journal.lines()] == [first, second]
    assert journal.read(journal.append(b"[3]")) == b"[3]\n"
    journal.close()


@pytest.mark.parametrize("cut", range(31))
def test_a_head_that_was_torn_is_written_anew(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    opened(path).close()
    head = path.read_bytes()
    path.write_bytes(head[:cut])
    opened(path).close()
    assert path.read_bytes() == head


def test_a_file_that_is_closed_or_cut_meanwhile_says_so(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = opened(path)
    offset = journal.append(b"[1]")
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="was changed by somebody else"):
        journal.read(offset)
    journal.close()
    journal.close()
    with pytest.raises(StoreError, match="is closed"):
        journal.append(b"[2]")


async def test_the_disk_is_told_at_most_once_a_second(tmp_path: Path) -> None:
    clock = iter([0.0, 0.5, 1.0, 1.5, 1.9, 2.5]).__next__
    journal = Journal(tmp_path / "journal", kind="test", version=1, clock=clock)
    synced = []
    for _ in range(5):
        await journal.sync()
        synced.append(journal._synced)
    assert synced == [0.0, 1.0, 1.0, 1.0, 2.5]
    journal.close()


def test_a_journal_that_is_dropped_lets_others_have_the_file(tmp_path: Path) -> None:
    journal = opened(tmp_path / "journal")
    del journal
    opened(tmp_path / "journal").close()
