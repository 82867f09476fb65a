"""The shared store on real servers: what every store does, several processes, servers that die."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from flashlite import Flashlite
from flashlite.errors import ConfigError, StoreError
from flashlite.stores import HybridRedisPostgreSQLCache, StoreStats
from flashlite.stores.postgres_table import Name
from flashlite.testing import ScriptedProvider

from ..stores.shelf import Clock, all_entries, key_of, make_entry

# What every store answers, answered by this one.
from ..stores.test_all_stores import (  # noqa: F401
    test_a_hit_is_an_equal_value_each_time,
    test_a_hundred_tasks_at_once,
    test_a_reader_of_entries_may_stop_early,
    test_a_second_entry_with_the_same_key_replaces_the_first,
    test_an_entry_is_found_until_the_moment_it_expires,
    test_an_entry_that_expires_at_its_creation_is_never_found,
    test_an_entry_that_is_born_expired_still_replaces_another,
    test_an_expired_entry_is_nowhere,
    test_clear_forgets_all_collections,
    test_clear_forgets_one_collection,
    test_clear_of_an_empty_store_is_zero,
    test_collections_are_separate,
    test_delete_forgets_one_entry,
    test_entries_come_last_created_first,
    test_entries_of_one_moment_all_come,
    test_flush_and_aclose_may_come_before_anything_else,
    test_stats_count_entries_and_their_bytes,
    test_what_is_put_is_found,
    test_what_was_deleted_can_be_put_again,
    test_what_was_not_put_is_not_found,
)
from .servers import PostgresProcess, RedisProcess


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())


@pytest.fixture(params=["zstd", "plain"])
async def store(
    request: pytest.FixtureRequest, dsn: str, redis_url: str, clock: Clock
) -> AsyncIterator[HybridRedisPostgreSQLCache]:
    store = HybridRedisPostgreSQLCache(
        dsn, redis_url, compress_pg=request.param == "zstd", clock=clock
    )
    await store.clear()
    yield store
    await store.aclose()


def other(store: HybridRedisPostgreSQLCache, **options: Any) -> HybridRedisPostgreSQLCache:
    """Return a second store of the same servers."""
    return HybridRedisPostgreSQLCache(store._table._dsn, store._redis._url, **options)


async def forget_in_redis(store: HybridRedisPostgreSQLCache) -> None:
    for place in await in_redis(store):
        async with store._redis.client() as client:
            await client.unlink(place)


async def in_redis(store: HybridRedisPostgreSQLCache) -> list[bytes]:
    """Return the names of all entries that Redis has of a store."""
    async with store._redis.client() as client:
        return [place async for place in client.scan_iter(f"{await store._redis_prefix(None)}*")]


async def test_what_redis_forgot_postgres_still_has(store: HybridRedisPostgreSQLCache) -> None:
    await store.put(entry := make_entry())
    await forget_in_redis(store)
    assert await store.get(entry.key) == entry
    assert len(await in_redis(store)) == 1  # it is in front again


async def test_warm_cache_copies_everything_to_redis(store: HybridRedisPostgreSQLCache) -> None:
    for n in range(450):
        await store.put(make_entry(str(n)), collection="ab"[n % 2])
    await forget_in_redis(store)
    assert await store.warm_cache(collection="a", limit=10) == 10
    assert await store.warm_cache() == 450
    assert len(await in_redis(store)) == 450


async def test_an_entry_stays_in_redis_as_long_as_it_is_told_to(dsn: str, redis_url: str) -> None:
    store = HybridRedisPostgreSQLCache(dsn, redis_url, redis_ttl_seconds=100)
    await store.clear()
    now = time.time()
    await store.put(make_entry("long", created=now))
    await store.put(make_entry("short", created=now, expires=now + 10))
    async with store._redis.client() as client:
        left = [await client.ttl(place) for place in await in_redis(store)]
    assert sorted(left) == [pytest.approx(10, abs=1), pytest.approx(100, abs=1)]
    await store.aclose()


async def test_stores_that_pack_differently_read_each_other(
    store: HybridRedisPostgreSQLCache,
) -> None:
    packs, leaves = other(store, compress_pg=True), other(store, compress_pg=False)
    await packs.put(one := make_entry("one", "1" * 9000))
    await leaves.put(two := make_entry("two", "2" * 9000))
    for _ in range(2):
        assert [await leaves.get(one.key), await packs.get(two.key)] == [one, two]
        await forget_in_redis(store)
    async with store._table._connection() as connection:
        sizes = await connection.fetch("SELECT length(response) FROM flashlite_cache ORDER BY 1")
    assert sizes[0][0] < 100 < 9000 < sizes[1][0]
    await packs.aclose()
    await leaves.aclose()


async def test_expired_entries_are_removed_when_something_is_written(
    store: HybridRedisPostgreSQLCache, clock: Clock
) -> None:
    await store.put(make_entry("old", created=clock.now, expires=clock.now + 1))
    clock.now += 2
    for n in range(100):
        await store.put(make_entry(str(n)))
    async with store._table._connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM flashlite_cache") == 100


async def test_a_slow_reader_does_not_bring_back_what_was_deleted(
    store: HybridRedisPostgreSQLCache,
) -> None:
    await store.put(entry := make_entry())
    name = Name("", entry.key)
    row = await store._table.find(name, now=0)
    assert row is not None
    await store.delete(entry.key)
    await store._to_redis([(name, row)], only_new=True)
    assert await store.get(entry.key) is None


def test_one_store_serves_loops_one_after_another(dsn: str, redis_url: str) -> None:
    store = HybridRedisPostgreSQLCache(dsn, redis_url)
    asyncio.run(store.put(make_entry("Hi")))
    assert asyncio.run(store.get(key_of("Hi"))) == make_entry("Hi")
    asyncio.run(store.aclose())
    assert asyncio.run(store.get(key_of("Hi"))) == make_entry("Hi")


async def test_the_addresses_come_from_the_environment(
    dsn: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PG_DSN", dsn)
    monkeypatch.setenv("REDIS_URL", redis_url)
    store = HybridRedisPostgreSQLCache()
    await store.clear()
    assert await store.stats() == StoreStats(entries=0, bytes=0)
    await store.aclose()


@pytest.mark.parametrize(
    ("dsn", "url", "text"),
    [
        (None, "redis://h", "where is PostgreSQL? Pass pg_dsn=... or set PG_DSN"),
        ("postgresql://h", None, "where is Redis? Pass redis_url=... or set REDIS_URL"),
    ],
)
def test_a_missing_address_is_said(
    dsn: str | None, url: str | None, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PG_DSN", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    with pytest.raises(ConfigError) as caught:
        HybridRedisPostgreSQLCache(dsn, url)
    assert str(caught.value) == text


async def test_no_error_shows_a_password(redis: RedisProcess, postgres: PostgresProcess) -> None:
    wrong = postgres.dsn.replace("s3cret%2Fpass%20word", "wr0ng%2Fone")
    addresses = [
        (wrong, redis.url),
        ("postgresql://u:wr0ng/one@127.0.0.1:1/x", redis.url),
        ("postgresql://u:wr0ng%2Fone@127.0.0.1:port/x", redis.url),
        ("wr0ng/one", redis.url),
        (postgres.dsn, "redis://:wr0ng%2Fone@127.0.0.1:1"),
        (postgres.dsn, redis.url.replace("//", "//u:wr0ng%2Fone@")),
        (postgres.dsn, "wr0ng/one"),
    ]
    for pg_dsn, redis_url in addresses:
        store = HybridRedisPostgreSQLCache(pg_dsn, redis_url)
        with pytest.raises((StoreError, ConfigError)) as caught:
            await store.clear()
        said = f"{caught.value!r} {caught.value.__cause__!r}"
        assert [secret for secret in ("wr0ng", "s3cret") if secret in said] == []
        await store.aclose()


async def test_tables_of_a_newer_flashlite_are_left_alone(
    postgres: PostgresProcess, redis: RedisProcess
) -> None:
    store = HybridRedisPostgreSQLCache(postgres.dsn, redis.url)
    await store.put(make_entry())
    async with store._table._connection() as connection:
        await connection.execute("UPDATE flashlite_schema SET version = 2")
    late = other(store)
    with pytest.raises(StoreError, match=r"^the cache's tables are of version 2, made by a newer"):
        await late.get(key_of("Hi"))
    await late.aclose()
    await store.aclose()


# Servers that are down.


async def test_without_redis_postgres_answers_and_one_warning_says_so(
    dsn: str, redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    store = HybridRedisPostgreSQLCache(dsn, redis.url)
    await store.put(entry := make_entry(secrets.token_hex(4)))
    redis.kill()
    with caplog.at_level(logging.WARNING):
        assert [await store.get(entry.key) for _ in range(3)] == [entry] * 3
        await store.put(later := make_entry(secrets.token_hex(4)))
        assert await store.get(later.key) == later
        async with store.lease("k" * 64) as found:
            assert found is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert caplog.messages[0].startswith("the cache goes on without Redis (said once): Redis at ")
    with pytest.raises(StoreError):
        await store.delete(entry.key)
    redis.start()
    await asyncio.sleep(1.1)
    await store.warm_cache()
    assert await store._redis_key(Name("", later.key)) in map(bytes.decode, await in_redis(store))
    await store.aclose()


async def test_without_postgres_redis_answers_what_it_has(
    postgres: PostgresProcess, redis: RedisProcess
) -> None:
    store = HybridRedisPostgreSQLCache(postgres.dsn, redis.url)
    await store.put(entry := make_entry())
    postgres.kill()
    assert await store.get(entry.key) == entry
    for action in (store.get(key_of("Ho")), store.put(make_entry("Ho")), store.stats()):
        with pytest.raises(StoreError, match=r"^PostgreSQL at 127\.0\.0\.1:\d+/postgres "):
            await action
    postgres.start()
    await asyncio.sleep(1.1)
    await store.put(make_entry("Ho"))
    assert [entry.key for entry in await all_entries(store)] == sorted(
        [key_of("Hi"), key_of("Ho")], reverse=True
    )
    await store.aclose()


async def test_calls_go_on_when_both_servers_are_down_unless_they_are_required(
    postgres: PostgresProcess, redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    postgres.kill()
    redis.kill()
    for required in (False, True):
        store = HybridRedisPostgreSQLCache(postgres.dsn, redis.url, required=required)
        provider = ScriptedProvider(["one", "two"])
        async with Flashlite("m/m", provider=provider, cache=store) as client:
            if required:
                with pytest.raises(StoreError):
                    await client.complete("Hi", sample=0)
            else:
                with caplog.at_level(logging.WARNING):
                    assert (await client.complete("Hi", sample=0)).content == "one"
                    assert (await client.complete("Hi", sample=0)).content == "two"
                said = [text for text in caplog.messages if "cannot be used" in text]
                assert len(said) == 1


async def test_a_server_that_hangs_holds_a_call_up_once(dsn: str, redis: RedisProcess) -> None:
    store = HybridRedisPostgreSQLCache(dsn, redis.url)
    store._redis._timeout = 0.2
    await store.put(entry := make_entry(secrets.token_hex(4)))
    redis.hang()
    start = time.monotonic()
    for _ in range(20):
        assert await store.get(entry.key) == entry
    assert time.monotonic() - start < 3  # and not 20 times as long as one try
    redis.go_on()
    await store.aclose()


# Several processes.

CHILD = """
import asyncio, sys, time
from flashlite import Flashlite
from flashlite.stores import HybridRedisPostgreSQLCache
from flashlite.types import CompletionResponse

async def provider(request):
    print("asked", flush=True)
    await asyncio.sleep(float(sys.argv[3]))
    return CompletionResponse.of("done")

async def main():
    store = HybridRedisPostgreSQLCache(sys.argv[1], sys.argv[2])
    async with Flashlite("m/m", provider=provider, cache=store) as client:
        answers = [client.complete(sys.argv[4], sample=n % 5) for n in range(20)]
        assert {answer.content for answer in await asyncio.gather(*answers)} == {"done"}
    print("ended", flush=True)

asyncio.run(main())
"""


def child(dsn: str, url: str, *, seconds: float, question: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, dsn, url, str(seconds), question]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_four_processes_ask_once_for_each_request(dsn: str, redis_url: str) -> None:
    question = secrets.token_hex(4)
    children = [child(dsn, redis_url, seconds=0.5, question=question) for _ in range(4)]
    lines = [line for each in children for line in each.communicate(timeout=60)[0].split()]
    assert (lines.count("asked"), lines.count("ended")) == (5, 4)


def test_when_the_process_that_asks_is_killed_another_asks(dsn: str, redis_url: str) -> None:
    question = secrets.token_hex(4)
    first = child(dsn, redis_url, seconds=60, question=question)
    assert first.stdout is not None
    for _ in range(5):
        assert first.stdout.readline() == "asked\n"
    second = child(dsn, redis_url, seconds=0.1, question=question)
    time.sleep(2)
    assert second.poll() is None
    first.send_signal(signal.SIGKILL)
    first.communicate()
    lines = second.communicate(timeout=30)[0].split()
    assert (lines.count("asked"), lines.count("ended")) == (5, 1)


WRITER = """
import asyncio, hashlib, sys, time
from flashlite.stores import Entry, HybridRedisPostgreSQLCache

async def main():
    store = HybridRedisPostgreSQLCache(sys.argv[1], sys.argv[2])
    async def put(name):
        key = hashlib.sha256(name.encode()).hexdigest()
        answer = (name + sys.argv[4]).encode() * 100
        await store.put(Entry(key=key, request=b"{}", response=answer, created=time.time()))
        found = await store.get(key)
        assert found.response[: len(name)] == name.encode() and len(set(found.response)) < 30
    for n in range(20):
        await asyncio.gather(*(put(f"{sys.argv[3]}{i}") for i in range(20)))
    await store.aclose()

asyncio.run(main())
"""


async def test_several_processes_write_the_same_entries_of_a_new_database(
    postgres: PostgresProcess, redis: RedisProcess
) -> None:
    command = [sys.executable, "-c", WRITER, postgres.dsn, redis.url, secrets.token_hex(4)]
    children = [await asyncio.create_subprocess_exec(*command, letter) for letter in "abc"]
    assert [await each.wait() for each in children] == [0, 0, 0]
    store = HybridRedisPostgreSQLCache(postgres.dsn, redis.url)
    for entry in await all_entries(store):
        # Of two writes at once, each server may have the other one last: both answer the request.
        found = await store.get(entry.key)
        assert found is not None
        assert (found.key, found.request) == (entry.key, entry.request)
    assert (await store.stats()).entries == 20
    await store.aclose()
