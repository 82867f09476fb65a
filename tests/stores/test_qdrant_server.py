"""The store that compares meaning, by Qdrant's REST interface: what every store does, and outages.

Behind the interface is the library's own local Qdrant (see `qdrant_loopback`), or the server that
FLASHLITE_TEST_QDRANT_URL names.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from flashlite import Flashlite
from flashlite.errors import ConfigError, StoreError
from flashlite.stores import QdrantCache
from flashlite.testing import ScriptedProvider

from .qdrant_loopback import API_KEY, GIVEN_URL, QdrantLoopback, serving_qdrant
from .shelf import Clock, key_of, make_entry

# What every store answers, answered by this one.
from .test_all_stores import (  # noqa: F401
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
from .test_qdrant import FRANCE, HASHED, SPAIN, TOWN, asked, question


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    if GIVEN_URL:
        yield GIVEN_URL
        return
    with serving_qdrant() as server:
        yield server.url


@pytest.fixture
def server() -> Iterator[QdrantLoopback]:
    with serving_qdrant(api_key=API_KEY) as server:
        yield server


@pytest.fixture
async def store(url: str, clock: Clock) -> AsyncIterator[QdrantCache]:
    """One of a name of its own: a server is shared."""
    store = at(url, name=f"flashlite-{secrets.token_hex(4)}", clock=clock)
    yield store
    await store.clear()
    await store.aclose()


def at(url: str, **options: Any) -> QdrantCache:
    return QdrantCache(url, **{"embed": HASHED, "threshold": 0.9, "timeout": 60, **options})


async def test_a_question_that_says_the_same_finds_the_answer(store: QdrantCache) -> None:
    await store.put(asked(SPAIN, "Madrid"), collection="a")
    await store.put(entry := asked(FRANCE), collection="a")
    found = await store.nearest(question(TOWN), collection="a")
    assert found is not None
    assert (found.response, found.question) == (entry.response, FRANCE)
    assert 0.9 < found.similarity < 1
    assert await store.nearest(question(TOWN)) is None
    await store.delete(entry.key, collection="a")
    assert await store.nearest(question(TOWN), collection="a") is None


async def test_what_is_needed_is_made_once_with_its_indices(server: QdrantLoopback) -> None:
    store = at(server.url, api_key=API_KEY, name="mine")
    await store.put(asked(FRANCE))
    await store.put(asked(TOWN))
    await store.aclose()
    assert server.requests == [
        "GET /collections/mine-answers/exists",
        "PUT /collections/mine-answers",
        "PUT /collections/mine-answers/index",
        "PUT /collections/mine-answers/index",
        "PUT /collections/mine-answers/index",
        "PUT /collections/mine-answers/points",
        "GET /collections/mine-questions-256/exists",
        "PUT /collections/mine-questions-256",
        "PUT /collections/mine-questions-256/index",
        "PUT /collections/mine-questions-256/index",
        "PUT /collections/mine-questions-256/index",
        "PUT /collections/mine-questions-256/points",
        "PUT /collections/mine-answers/points",
        "PUT /collections/mine-questions-256/points",
    ]
    assert server.indices == {
        "mine-answers": {"collection": "keyword", "created": "float", "expires": "float"},
        "mine-questions-256": {"like": "keyword", "collection": "keyword", "expires": "float"},
    }


async def test_two_clients_may_make_the_collections_at_once(server: QdrantLoopback) -> None:
    stores = [at(server.url, api_key=API_KEY) for _ in range(5)]
    await asyncio.gather(*(store.put(asked(FRANCE)) for store in stores))
    assert (await stores[0].stats()).entries == 1
    for store in stores:
        await store.aclose()


async def test_many_calls_at_once_share_a_few_connections(server: QdrantLoopback) -> None:
    store = at(server.url, api_key=API_KEY)
    await store.put(entry := make_entry("Hi"))
    found = await asyncio.gather(*(store.get(entry.key) for _ in range(200)))
    assert found == [entry] * 200
    assert len(server.connections) <= 50
    await store.aclose()


def test_one_store_serves_loops_one_after_another(url: str) -> None:
    store = at(url, name=f"flashlite-{secrets.token_hex(4)}")
    asyncio.run(store.put(make_entry("Hi")))
    assert asyncio.run(store.get(key_of("Hi"))) == make_entry("Hi")
    asyncio.run(store.aclose())
    assert asyncio.run(store.clear()) == 1


async def test_address_and_key_come_from_the_environment(
    server: QdrantLoopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDRANT_URL", server.url)
    monkeypatch.setenv("QDRANT_API_KEY", API_KEY)
    store = QdrantCache(embed=HASHED)
    assert await store.get("key") is None
    await store.aclose()


async def test_a_wrong_key_is_said_and_never_shown(server: QdrantLoopback) -> None:
    store = at(server.url, api_key="wr0ng-key")
    with pytest.raises(StoreError) as caught:
        await store.get("key")
    host = server.url.removeprefix("http://")
    assert str(caught.value).startswith(f"Qdrant at {host} refused: Unexpected Response: 401")
    assert "Invalid API key ***" in str(caught.value)
    assert "wr0ng" not in repr(caught.value) + str(caught.value.__cause__)
    await store.aclose()


async def test_spaces_and_line_ends_around_address_and_key_are_none_of_them(
    server: QdrantLoopback,
) -> None:
    store = at(f" {server.url}\n", api_key=f"{API_KEY}\n")
    assert await store.get("key") is None
    await store.aclose()


@pytest.mark.parametrize("key", ["s3cret\nkey", "s3crét-key", "s3cret\x7fkey"])
def test_a_key_that_no_header_can_have_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        at("http://127.0.0.1:6333", api_key=key)
    assert str(caught.value) == (
        "the Qdrant API key (api_key=... or QDRANT_API_KEY) has characters that no key has: "
        "it is printable ASCII"
    )


async def test_an_address_where_something_else_answers_is_said_to_be_wrong() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
        writer.close()

    listener = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    store = at(f"http://127.0.0.1:{port}")
    with pytest.raises(StoreError) as caught:
        await store.get("key")
    assert str(caught.value) == (
        f"Qdrant at 127.0.0.1:{port} refused: the answer is no JSON; is this the port of Qdrant's "
        "REST interface, which is 6333 as a rule?"
    )
    await store.aclose()
    listener.close()


def test_a_key_that_would_go_through_the_open_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for url in ("http://127.0.0.1:6333", "https://qdrant.example"):
        at(url, api_key="s3cret")
    assert caplog.messages == []
    at("http://qdrant.example:6333", api_key="s3cret")
    assert caplog.messages == [
        "Qdrant at qdrant.example:6333 gets its API key unencrypted: use https"
    ]


async def test_a_server_that_is_not_there_is_a_store_error() -> None:
    store = at("http://127.0.0.1:1")
    with pytest.raises(StoreError, match=r"^Qdrant at 127\.0\.0\.1:1 cannot be reached: "):
        await store.get("key")
    await store.aclose()


async def test_a_server_that_hangs_is_not_waited_for_and_gets_a_rest() -> None:
    connections, gone = 0, asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read()
        writer.close()
        gone.set()

    listener = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    store = at(f"http://127.0.0.1:{port}", timeout=0.05)
    for _ in range(3):
        with pytest.raises(StoreError, match="cannot be reached: TimeoutError"):
            await store.get("key")
    assert connections == 1
    await store.aclose()
    await gone.wait()
    listener.close()


async def test_calls_go_on_without_the_server_and_come_back_to_it(
    server: QdrantLoopback, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "flashlite.cache")
    store = at(server.url, api_key=API_KEY)
    provider = ScriptedProvider(["1", "2", "3", "4"])
    client = Flashlite("m", provider=provider, cache=store, temperature=0)
    server.is_down = True
    assert [(await client.complete("Hi")).content for _ in range(2)] == ["1", "2"]
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("the cache cannot be used, every call is asked: Qdrant at")
    assert (
        store.expenses()["embeddings"] == 1
    )  # to store it; it is not sought by its meaning where all is down
    server.is_down = False
    assert [(await client.complete("Hi")).content for _ in range(2)] == ["3", "3"]
    await client.aclose()


async def test_what_is_required_fails_before_anything_is_sent(server: QdrantLoopback) -> None:
    store = at(server.url, api_key=API_KEY, required=True)
    provider = ScriptedProvider(["1"])
    client = Flashlite("m", provider=provider, cache=store, temperature=0)
    server.is_down = True
    with pytest.raises(StoreError, match="refused: Unexpected Response: 503"):
        await client.complete("Hi")
    assert provider.requests == []
    await client.aclose()


async def test_what_somebody_removed_is_made_again(server: QdrantLoopback) -> None:
    store = at(server.url, api_key=API_KEY)
    await store.put(asked(FRANCE))
    await server._client.delete_collection("flashlite-answers")
    with pytest.raises(StoreError, match="404"):
        await store.get("key")
    await store.put(entry := asked(FRANCE))
    assert await store.get(entry.key) == entry
    await store.aclose()


async def test_a_point_of_somebody_elses_is_no_answer(server: QdrantLoopback) -> None:
    store = at(server.url, api_key=API_KEY)
    await store.put(entry := asked(FRANCE))
    await server._client.delete_payload("flashlite-answers", ["response"], points=_everything())
    with pytest.raises(StoreError, match="a point of Qdrant is no stored answer"):
        await store.get(entry.key)
    await store.aclose()


async def test_a_cancelled_call_leaves_the_store_usable(server: QdrantLoopback) -> None:
    store = at(server.url, api_key=API_KEY)
    await store.get("key")
    for _ in range(5):
        task = asyncio.create_task(store.put(asked(FRANCE)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await store.put(entry := asked(FRANCE))
    assert await store.get(entry.key) == entry
    await store.aclose()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="a Qdrant URL"):
        at("qdrant.example")


def _everything() -> Any:
    from qdrant_client.models import Filter

    return Filter(must=[])
