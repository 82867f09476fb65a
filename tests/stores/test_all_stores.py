"""The list that every store answers."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flashlite.errors import ConfigError
from flashlite.stores import DiskCache, Entry, FSCache, MemoryCache, Store, StoreStats

from .shelf import KINDS, Clock, all_entries, key_of, make_entry, new_store

EMPTY = StoreStats(entries=0, bytes=0)


async def test_what_is_put_is_found(store: Store) -> None:
    entry = make_entry("¿Qué? 🙂", "Ünïcödé")
    await store.put(entry)
    assert await store.get(entry.key) == entry


async def test_what_was_not_put_is_not_found(store: Store) -> None:
    assert await store.get(key_of("Hi")) is None
    await store.put(make_entry("Hi"))
    assert await store.get(key_of("Ho")) is None


async def test_a_second_entry_with_the_same_key_replaces_the_first(store: Store) -> None:
    await store.put(make_entry("Hi", "old"))
    await store.put(new := make_entry("Hi", "new"))
    assert await store.get(new.key) == new
    assert await store.stats() == StoreStats(entries=1, bytes=new.size)


async def test_an_entry_is_found_until_the_moment_it_expires(store: Store, clock: Clock) -> None:
    entry = make_entry(created=clock.now, expires=clock.now + 10)
    await store.put(entry)
    clock.now += 9.9
    assert await store.get(entry.key) == entry
    clock.now += 0.1
    assert await store.get(entry.key) is None


async def test_an_expired_entry_is_nowhere(store: Store, clock: Clock) -> None:
    await store.put(make_entry(created=clock.now, expires=clock.now + 10))
    await store.flush()
    clock.now += 10
    assert await all_entries(store) == []
    assert await store.stats() == EMPTY
    assert await store.clear() == 0


async def test_an_entry_that_expires_at_its_creation_is_never_found(
    store: Store, clock: Clock
) -> None:
    """Also where the clock of who made it is ahead."""
    for created in (clock.now, clock.now + 100):
        await store.put(make_entry(created=created, expires=created))
        assert await store.get(key_of("Hi")) is None
        await store.flush()
        assert await store.get(key_of("Hi")) is None


async def test_an_entry_that_is_born_expired_still_replaces_another(
    store: Store, clock: Clock
) -> None:
    await store.put(make_entry("Hi", "old"))
    await store.put(make_entry("Hi", "new", created=clock.now, expires=clock.now))
    assert await store.get(key_of("Hi")) is None


@pytest.mark.parametrize("kind", KINDS)
async def test_default_ttl_counts_from_the_creation(
    kind: str, tmp_path: Path, clock: Clock
) -> None:
    store = new_store(kind, tmp_path, clock, default_ttl=60)
    await store.put(make_entry("none of its own", created=clock.now - 10))
    await store.put(own := make_entry("its own", created=clock.now, expires=clock.now + 100))
    found = await store.get(key_of("none of its own"))
    assert found is not None
    assert found.expires == clock.now + 50
    clock.now += 50
    assert await store.get(key_of("none of its own")) is None
    assert await store.get(own.key) == own
    await store.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_default_ttl_of_zero_keeps_nothing(kind: str, tmp_path: Path, clock: Clock) -> None:
    store = new_store(kind, tmp_path, clock, default_ttl=0)
    await store.put(make_entry(created=clock.now))
    assert await store.get(key_of("Hi")) is None
    assert await store.stats() == EMPTY
    await store.aclose()


@pytest.mark.parametrize("kind", KINDS)
def test_a_negative_default_ttl_is_refused(kind: str, tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(ConfigError, match=r"^default_ttl is a number of seconds, or None for ever"):
        new_store(kind, tmp_path, clock, default_ttl=-1)


@pytest.mark.parametrize("kind", KINDS)
def test_making_a_store_touches_nothing(kind: str, tmp_path: Path, clock: Clock) -> None:
    before = threading.active_count()
    new_store(kind, tmp_path, clock)
    assert (list(tmp_path.iterdir()), threading.active_count()) == ([], before)


async def test_collections_are_separate(store: Store) -> None:
    names = ("", "default", "Default 2", "..", "../..", "/", "a/b", "a%2Fb", ".hidden", "ü" * 300)
    for name in names:
        await store.put(make_entry("Hi", str(names.index(name))), collection=name)
    for name in names:
        expected = make_entry("Hi", str(names.index(name)))
        assert await store.get(expected.key, collection=name) == expected
        assert await all_entries(store, collection=name) == [expected]
    assert (await store.stats()).entries == len(names)


async def test_clear_forgets_one_collection(store: Store) -> None:
    for question in ("Hi", "Ho"):
        await store.put(make_entry(question), collection="a")
        await store.put(make_entry(question))
    assert await store.clear(collection="a") == 2
    assert await store.get(key_of("Hi"), collection="a") is None
    assert await store.get(key_of("Hi")) == make_entry("Hi")
    assert await store.clear(collection="") == 2
    assert await store.stats() == EMPTY


async def test_clear_forgets_all_collections(store: Store) -> None:
    for name in ("", "a", "b"):
        await store.put(make_entry(), collection=name)
    assert await store.clear() == 3
    assert await store.clear() == 0
    assert await store.get(key_of("Hi"), collection="a") is None
    assert await store.stats() == EMPTY


async def test_clear_of_an_empty_store_is_zero(store: Store) -> None:
    assert (await store.clear(), await store.clear(collection="a")) == (0, 0)


async def test_delete_forgets_one_entry(store: Store) -> None:
    await store.put(make_entry("Hi"))
    await store.put(make_entry("Ho"))
    await store.put(make_entry("Hi"), collection="a")
    await store.delete(key_of("Hi"))
    await store.delete(key_of("never put"))
    assert await store.get(key_of("Hi")) is None
    assert await store.get(key_of("Ho")) == make_entry("Ho")
    assert await store.get(key_of("Hi"), collection="a") == make_entry("Hi")
    await store.flush()
    assert await store.get(key_of("Hi")) is None


async def test_what_was_deleted_can_be_put_again(store: Store) -> None:
    await store.put(make_entry("Hi", "old"))
    await store.delete(key_of("Hi"))
    await store.put(new := make_entry("Hi", "new"))
    assert await store.get(new.key) == new
    await store.flush()
    assert await store.get(new.key) == new


async def test_entries_come_last_created_first(store: Store) -> None:
    made = [make_entry(str(n), created=1_700_000_000.0 + n) for n in range(250)]
    for entry in [*made[1::2], *made[::2]]:
        await store.put(entry)
    newest_first = made[::-1]
    assert await all_entries(store) == newest_first
    assert await all_entries(store, limit=101) == newest_first[:101]
    assert await all_entries(store, limit=1) == newest_first[:1]
    assert await all_entries(store, limit=0) == []
    assert await all_entries(store, collection="another") == []


async def test_entries_of_one_moment_all_come(store: Store) -> None:
    made = {make_entry(str(n)) for n in range(250)}
    for entry in made:
        await store.put(entry)
    found = await all_entries(store)
    assert (len(found), set(found)) == (250, made)


async def test_a_reader_of_entries_may_stop_early(store: Store) -> None:
    for n in range(5):
        await store.put(make_entry(str(n), created=1_700_000_000.0 + n))
    async for entry in store.entries():
        assert entry == make_entry("4", created=1_700_000_004.0)
        break


async def test_stats_count_entries_and_their_bytes(store: Store) -> None:
    assert await store.stats() == EMPTY
    await store.put(one := make_entry("Hi"))
    await store.put(two := make_entry("Ho ho", "ho"), collection="a")
    assert await store.stats() == StoreStats(entries=2, bytes=one.size + two.size)


async def test_a_hit_is_an_equal_value_each_time(store: Store) -> None:
    entry = make_entry()
    await store.put(entry)
    await store.flush()
    hits = [await store.get(entry.key) for _ in range(3)]
    assert hits == [entry] * 3
    assert {type(hit.request) for hit in hits if hit} == {bytes}


async def test_a_hundred_tasks_at_once(store: Store) -> None:
    async def work(number: int) -> list[Entry | None]:
        mine, shared = make_entry(str(number)), make_entry("shared")
        await store.put(mine)
        await store.put(shared)
        return [await store.get(mine.key), await store.get(shared.key)]

    found = await asyncio.gather(*(work(n) for n in range(100)))
    assert found == [[make_entry(str(n)), make_entry("shared")] for n in range(100)]
    assert (await store.stats()).entries == 101


async def test_flush_and_aclose_may_come_before_anything_else(store: Store) -> None:
    await store.flush()
    await store.aclose()
    await store.aclose()
    assert await store.get(key_of("Hi")) is None


@pytest.mark.parametrize("kind", KINDS)
def test_one_store_serves_loops_one_after_another(kind: str, tmp_path: Path, clock: Clock) -> None:
    store = new_store(kind, tmp_path, clock)
    asyncio.run(store.put(make_entry("Hi")))
    assert asyncio.run(store.get(key_of("Hi"))) == make_entry("Hi")
    asyncio.run(store.aclose())
    assert asyncio.run(store.get(key_of("Hi"))) == make_entry("Hi")
    asyncio.run(store.aclose())


@pytest.mark.parametrize("kind", KINDS)
def test_one_store_serves_loops_in_several_threads(kind: str, tmp_path: Path, clock: Clock) -> None:
    store = new_store(kind, tmp_path, clock)

    async def work(number: int) -> bool:
        for n in range(20):
            await store.put(make_entry(f"{number} {n}"))
            await store.put(make_entry("shared"))
        found = [await store.get(key_of(f"{number} {n}")) for n in range(20)]
        return found == [make_entry(f"{number} {n}") for n in range(20)]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda number: asyncio.run(work(number)), range(16)))
    assert asyncio.run(store.stats()).entries == 16 * 20 + 1
    asyncio.run(store.aclose())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_closed_store_opens_again(kind: str, tmp_path: Path, clock: Clock) -> None:
    store = new_store(kind, tmp_path, clock)
    await store.put(make_entry("Hi"))
    await store.aclose()
    await store.put(make_entry("Ho"))
    assert await all_entries(store, limit=5) in (
        [make_entry("Hi"), make_entry("Ho")],
        [make_entry("Ho"), make_entry("Hi")],
    )
    await store.aclose()


@pytest.mark.parametrize("kind", ["disk", "files"])
async def test_another_store_of_the_same_place_finds_it(
    kind: str, tmp_path: Path, clock: Clock
) -> None:
    first, second = new_store(kind, tmp_path, clock), new_store(kind, tmp_path, clock)
    assert await second.get(key_of("Hi")) is None
    await first.put(make_entry("Hi"))
    await first.flush()
    assert await second.get(key_of("Hi")) == make_entry("Hi")
    await second.delete(key_of("Hi"))
    await second.flush()
    assert await first.get(key_of("Hi")) is None
    await first.aclose()
    await second.aclose()


def test_the_spellings_of_the_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stores: list[Store] = [
        MemoryCache(),
        MemoryCache(max_size=1000),
        MemoryCache(max_size=1000, default_ttl=3600),
        DiskCache("./cache/completions.db", default_ttl=86400),
        FSCache("./cache"),
    ]
    for store in stores:
        asyncio.run(store.put(make_entry(created=time.time())))
        assert asyncio.run(store.get(key_of("Hi"))) is not None
        asyncio.run(store.aclose())
    assert (tmp_path / "cache" / "completions.db").is_file()
    assert (tmp_path / "cache" / "default").is_dir()
