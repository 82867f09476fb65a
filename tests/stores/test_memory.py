"""The store in memory: what goes first when it is full."""

from __future__ import annotations

import pytest

from flashlite.errors import ConfigError
from flashlite.stores import MemoryCache, StoreStats

from .shelf import Clock, all_entries, key_of, make_entry


async def held(store: MemoryCache, questions: str) -> str:
    keys = {entry.key for entry in await all_entries(store)}
    return "".join(question for question in questions if key_of(question) in keys)


async def test_what_was_put_longest_ago_goes_first() -> None:
    store = MemoryCache(3)
    for question in "abcde":
        await store.put(make_entry(question))
    assert await held(store, "abcde") == "cde"


async def test_what_is_read_stays() -> None:
    store = MemoryCache(max_size=3)
    for question in "abc":
        await store.put(make_entry(question))
    await store.get(key_of("a"))
    await store.put(make_entry("d"))
    assert await held(store, "abcd") == "acd"


async def test_what_is_put_again_stays_and_takes_no_second_place() -> None:
    store = MemoryCache(max_size=3)
    for question in "abcad":
        await store.put(make_entry(question))
    assert await held(store, "abcd") == "acd"


async def test_listing_entries_does_not_count_as_use() -> None:
    store = MemoryCache(max_size=2)
    await store.put(make_entry("a", created=2))
    await store.put(make_entry("b", created=1))
    assert [entry.created for entry in await all_entries(store)] == [2, 1]
    await store.put(make_entry("c"))
    assert await held(store, "abc") == "bc"


async def test_bytes_are_bounded_too() -> None:
    size = make_entry("a").size
    store = MemoryCache(max_bytes=3 * size)
    for question in "abcd":
        await store.put(make_entry(question))
    assert await held(store, "abcd") == "bcd"
    await store.put(make_entry("e", "Hello" + "!" * size))
    assert await held(store, "abcde") == "de"
    assert (await store.stats()).bytes <= 3 * size


async def test_bytes_are_given_back() -> None:
    size = make_entry("a").size
    store = MemoryCache(max_bytes=2 * size)
    for _ in range(5):
        await store.put(make_entry("a"))
        await store.put(make_entry("b"))
        await store.delete(key_of("a"))
        await store.clear()
    await store.put(make_entry("c"))
    await store.put(make_entry("d"))
    assert await held(store, "abcd") == "cd"


async def test_an_entry_that_is_too_large_is_not_kept_and_drives_nobody_out() -> None:
    store = MemoryCache(max_bytes=100)
    await store.put(make_entry("a"))
    await store.put(make_entry("b"))
    await store.put(make_entry("b", "!" * 100))
    assert await held(store, "ab") == "a"


async def test_without_bounds_everything_stays() -> None:
    store = MemoryCache(max_size=None)
    for n in range(2000):
        await store.put(make_entry(str(n)))
    assert (await store.stats()).entries == 2000


async def test_an_expired_entry_gives_its_place_back_when_it_is_asked_for(clock: Clock) -> None:
    store = MemoryCache(max_size=2, clock=clock)
    await store.put(make_entry("a"))
    await store.put(make_entry("b", created=clock.now, expires=clock.now + 1))
    clock.now += 1
    assert await store.get(key_of("b")) is None
    await store.put(make_entry("c"))
    assert await held(store, "abc") == "ac"
    assert await store.stats() == StoreStats(entries=2, bytes=2 * make_entry("a").size)


def test_bounds_that_keep_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^max_size is at least 1 entry; for no cache pass"):
        MemoryCache(0)
    with pytest.raises(ConfigError, match=r"^max_bytes is at least 1; for no cache pass"):
        MemoryCache(max_bytes=0)
