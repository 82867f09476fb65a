"""The store in a SQLite file: what is written when, what a full, locked or foreign file does."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from flashlite.errors import ConfigError
from flashlite.stores import DiskCache, StoreError, StoreStats

from .shelf import Clock, all_entries, key_of, make_entry


def sql(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """Run statements as another program would; return the rows of the last."""
    rows: list[tuple[object, ...]] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
    return rows


def size_of(path: Path) -> int:
    return path.stat().st_size


def novel(path: Path) -> bytes:
    """Write something that is no database."""
    path.write_bytes(b"my novel\n" * 1000)
    return path.read_bytes()


def content_of(path: Path) -> bytes:
    return path.read_bytes()


def damage(path: Path) -> None:
    """Overwrite everything but the first page."""
    size = size_of(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))


@contextmanager
def held_by_another(path: Path) -> Iterator[None]:
    """Be another program that is writing, and does not stop."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.db"


async def test_an_entry_is_found_before_it_is_committed(disk: DiskCache, path: Path) -> None:
    await disk.put(make_entry("old"))
    await disk.flush()
    with held_by_another(path):
        await disk.put(make_entry("new"))
        await disk.delete(key_of("old"))
        assert await disk.get(key_of("new")) == make_entry("new")
        assert await disk.get(key_of("old")) is None
        assert sql(path, "SELECT key FROM entries") == [(key_of("old"),)]


async def test_flush_returns_when_the_entry_is_in_the_file(disk: DiskCache, path: Path) -> None:
    await disk.put(make_entry("Hi"), collection="a")
    await disk.flush()
    rows = sql(path, "SELECT collection, key, request, response FROM entries")
    entry = make_entry("Hi")
    assert rows == [("a", entry.key, entry.request, entry.response)]


async def test_the_file_is_in_wal_mode(disk: DiskCache, path: Path) -> None:
    await disk.get("Hi")
    assert sql(path, "PRAGMA journal_mode", "PRAGMA journal_mode") == [("wal",)]


async def test_a_write_that_fails_is_reported_and_does_not_stay(
    disk: DiskCache, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await disk.put(make_entry("kept"))
    await disk.flush()
    with held_by_another(path):
        for question in ("lost", "lost too"):
            await disk.put(make_entry(question))
            with pytest.raises(StoreError, match=r"answers\.db: database is locked: another prog"):
                await disk.flush()
        assert await disk.get(key_of("lost")) is None
        assert await disk.get(key_of("kept")) == make_entry("kept")
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "1 answers could not be stored (said once)"
    ]
    await disk.flush()  # what was reported is reported once
    await disk.put(make_entry("lost"))
    await disk.flush()
    assert await disk.get(key_of("lost")) == make_entry("lost")


async def test_all_who_wait_for_a_failed_write_hear_of_it(disk: DiskCache, path: Path) -> None:
    await disk.get("Hi")
    with held_by_another(path):
        await disk.put(make_entry())
        raised = await asyncio.gather(disk.flush(), disk.flush(), return_exceptions=True)
    assert [type(error) for error in raised] == [StoreError, StoreError]


async def test_closing_reports_a_failed_write(disk: DiskCache, path: Path) -> None:
    await disk.get("Hi")
    with held_by_another(path):
        await disk.put(make_entry())
        with pytest.raises(StoreError, match="database is locked"):
            await disk.aclose()
    assert await disk.get(key_of("Hi")) is None


async def test_what_cannot_be_done_in_order_raises_at_once(disk: DiskCache, path: Path) -> None:
    await disk.put(make_entry())
    await disk.flush()
    with held_by_another(path), pytest.raises(StoreError, match="database is locked"):
        await disk.clear()
    assert await disk.get(key_of("Hi")) == make_entry()


async def test_put_waits_where_the_disk_cannot_follow(path: Path, clock: Clock) -> None:
    """The loop goes on meanwhile, and nothing is lost."""
    store = DiskCache(path, clock=clock)
    await store.get("Hi")
    with held_by_another(path):
        puts = [asyncio.create_task(store.put(make_entry(str(n)))) for n in range(2_500)]
        _, waiting = await asyncio.wait(puts, return_when=asyncio.FIRST_COMPLETED)
        assert len(waiting) >= 300
        assert await store.get(key_of("2499")) == make_entry("2499")
    await asyncio.gather(*puts)
    assert (await store.stats()).entries == 2_500
    await store.aclose()


async def test_who_waits_for_a_write_that_fails_goes_on(disk: DiskCache, path: Path) -> None:
    await disk.get("Hi")
    with held_by_another(path):
        await asyncio.gather(*(disk.put(make_entry(str(n))) for n in range(2_500)))
        with pytest.raises(StoreError, match="database is locked"):
            await disk.flush()
        assert await disk.get(key_of("2499")) is None
    assert await disk.stats() == StoreStats(entries=0, bytes=0)


async def test_a_put_that_was_cancelled_while_it_waited_is_written(disk: DiskCache) -> None:
    await disk.get("Hi")
    puts = [asyncio.create_task(disk.put(make_entry(str(n)))) for n in range(3_000)]
    await asyncio.wait(puts, return_when=asyncio.FIRST_COMPLETED)
    for put in puts:
        put.cancel()
    await asyncio.wait(puts)
    assert (await disk.stats()).entries == 3_000


async def test_the_oldest_go_when_the_file_is_too_large(path: Path, clock: Clock) -> None:
    store = DiskCache(path, max_bytes=400_000, clock=clock)
    made = [make_entry(str(n), "x" * 5_000, created=clock.now + n) for n in range(300)]
    for number, entry in enumerate(made):
        await store.put(entry, collection="ab"[number % 2])
        if number % 10 == 0:
            await store.flush()
    found = [*await all_entries(store, collection="a"), *await all_entries(store, collection="b")]
    kept = sorted(found, key=lambda entry: entry.created)
    await store.aclose()
    assert kept == made[-len(kept) :]
    assert 40 < len(kept) < 80
    assert size_of(path) < 2 * 400_000


async def test_writing_again_makes_an_entry_young(path: Path, clock: Clock) -> None:
    store = DiskCache(path, max_bytes=200_000, clock=clock)
    for n in range(100):
        await store.put(make_entry("first", "x" * 5_000))
        await store.put(make_entry(str(n), "x" * 5_000))
        await store.flush()
    assert await store.get(key_of("first")) == make_entry("first", "x" * 5_000)
    assert await store.get(key_of("0")) is None
    await store.aclose()


async def test_an_entry_that_is_too_large_is_not_kept_and_drives_nobody_out(
    path: Path, clock: Clock
) -> None:
    store = DiskCache(path, max_bytes=100_000, clock=clock)
    await store.put(make_entry("a"))
    await store.put(make_entry("b"))
    await store.put(make_entry("b", "!" * 100_000))
    await store.flush()
    assert await all_entries(store) == [make_entry("a")]
    await store.put(nearly := make_entry("c", "!" * 99_900))
    await store.flush()
    assert await all_entries(store) == [nearly]
    await store.aclose()


def test_a_bound_below_an_empty_file_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^max_bytes is at least 65536"):
        DiskCache(path, max_bytes=1000)


async def test_expired_rows_leave_the_file_when_something_is_written(
    disk: DiskCache, path: Path, clock: Clock
) -> None:
    for n in range(10):
        await disk.put(make_entry(str(n), created=clock.now, expires=clock.now + 1))
    await disk.flush()
    clock.now += 1
    await disk.put(make_entry("Hi"))
    await disk.flush()
    assert sql(path, "SELECT key FROM entries") == [(key_of("Hi"),)]


async def test_vacuum_gives_space_back(disk: DiskCache, path: Path, clock: Clock) -> None:
    for n in range(200):
        expires = None if n else clock.now + 1
        await disk.put(make_entry(str(n), "x" * 5_000, created=clock.now, expires=expires))
    await disk.aclose()
    full = size_of(path)
    for n in range(2, 200):
        await disk.delete(key_of(str(n)))
    clock.now += 1
    await disk.vacuum()
    assert size_of(path) < full / 10
    assert sql(path, "SELECT key FROM entries") == [(key_of("1"),)]


async def test_a_file_of_a_newer_flashlite_is_refused(path: Path) -> None:
    sql(path, "PRAGMA user_version = 7")
    before = content_of(path)
    store = DiskCache(path)
    for ask in (store.get("Hi"), store.put(make_entry()), store.stats(), store.clear()):
        with pytest.raises(ConfigError) as caught:
            await ask
        assert str(caught.value) == (
            f"{path} was written by a newer flashlite (format 7, this one knows 1): "
            "upgrade flashlite or choose another path"
        )
    await store.aclose()
    assert content_of(path) == before


async def test_the_database_of_another_program_is_refused(path: Path) -> None:
    sql(path, "CREATE TABLE cache (key, value)")
    before = content_of(path)
    with pytest.raises(ConfigError, match="is the database of something else: choose another path"):
        await DiskCache(path).put(make_entry())
    assert content_of(path) == before


async def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    before = novel(path)
    store = DiskCache(path)
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            await store.get("Hi")
        assert str(caught.value) == (
            f"{path}: file is not a database: "
            "move the file away or choose another path (nothing was deleted)"
        )
    await store.aclose()
    assert content_of(path) == before


async def test_a_file_that_was_damaged_is_a_store_error_with_its_path(path: Path) -> None:
    store = DiskCache(path)
    for n in range(50):
        await store.put(make_entry(str(n), "x" * 1000))
    await store.aclose()
    size = size_of(path)
    damage(path)
    for ask in (store.get(key_of("1")), store.stats(), store.clear()):
        with pytest.raises(StoreError, match=r"answers\.db: .* malformed: move the file away"):
            await ask
    await store.put(make_entry("new"))
    with pytest.raises(StoreError, match="malformed"):
        await store.aclose()
    assert size_of(path) == size


async def test_a_store_that_could_not_open_tries_again(path: Path) -> None:
    store = DiskCache(path)
    novel(path)
    with pytest.raises(StoreError):
        await store.put(make_entry())
    os.unlink(path)
    await store.put(make_entry())
    assert await store.get(key_of("Hi")) == make_entry()
    await store.aclose()


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r" is a folder: name a file in it, like .*answers\.db$"):
        await DiskCache(tmp_path).get("Hi")


async def test_a_path_through_a_file_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match=r"file/x/answers\.db: "):
        await DiskCache(tmp_path / "file" / "x" / "answers.db").get("Hi")


async def test_a_name_that_no_file_can_have_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"x\.db: File name too long$"):
        await DiskCache(tmp_path / ("x" * 300 + ".db")).get("Hi")


async def test_a_name_that_sqlite_cannot_open_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "nowhere" / "x.db")
    with pytest.raises(StoreError, match=r"the file and its folder must be writable$"):
        await DiskCache(tmp_path / "link.db").get("Hi")


async def test_half_an_emoji_is_no_name(disk: DiskCache) -> None:
    with pytest.raises(ConfigError, match=r"^a collection's name is text: '\\ud83d'$"):
        await disk.put(make_entry(), collection="\ud83d")


async def test_a_closed_store_leaves_no_thread_and_one_file(disk: DiskCache, path: Path) -> None:
    await disk.put(make_entry())
    (thread,) = [one for one in threading.enumerate() if one.name == "flashlite answers.db"]
    await disk.aclose()
    thread.join()
    assert list(path.parent.glob("answers*")) == [path]


def test_a_forgotten_store_writes_what_it_has_and_closes(path: Path, clock: Clock) -> None:
    store = DiskCache(path, clock=clock)
    asyncio.run(store.put(make_entry()))
    (thread,) = [one for one in threading.enumerate() if one.name == "flashlite answers.db"]
    del store
    gc.collect()
    thread.join()
    assert sql(path, "SELECT key FROM entries") == [(key_of("Hi"),)]


async def test_closing_while_others_write_loses_nothing(path: Path, clock: Clock) -> None:
    store = DiskCache(path, clock=clock)

    async def write(start: int) -> None:
        for n in range(start, start + 50):
            await store.put(make_entry(str(n)))
            await asyncio.sleep(0)

    async def close() -> None:
        for _ in range(10):
            await store.aclose()

    await asyncio.gather(write(0), close(), write(50), close(), write(100))
    assert (await store.stats()).entries == 150
    await store.aclose()


async def test_what_is_being_written_while_the_store_closes_is_found(
    path: Path, clock: Clock
) -> None:
    store = DiskCache(path, clock=clock)
    await store.get("Hi")
    with held_by_another(path):
        await store.put(make_entry())
        closing = asyncio.create_task(store.aclose())
        await asyncio.sleep(0)
        reading, flushing = asyncio.create_task(store.get(key_of("Hi"))), store.flush()
    await flushing
    assert sql(path, "SELECT key FROM entries") == [(key_of("Hi"),)]
    assert await reading == make_entry()
    await closing
    await store.aclose()


async def test_a_cancelled_wait_leaves_the_others_waiting(path: Path, clock: Clock) -> None:
    store = DiskCache(path, clock=clock)
    first, second = (asyncio.create_task(store.get(key_of("Hi"))) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is None
    assert first.cancelled()
    await store.aclose()


async def test_nothing_is_logged_when_all_is_well(
    disk: DiskCache, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="flashlite")
    await disk.put(make_entry())
    await disk.aclose()
    assert caplog.records == []
