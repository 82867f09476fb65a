"""A store that compares meaning, in memory and in a folder; `test_qdrant_server` has the server."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flashlite import Flashlite
from flashlite.errors import ConfigError, StoreError
from flashlite.stores import Entry, QdrantCache, Semantic, Similar, StoreStats

from .shelf import Clock, all_entries, key_of, make_entry, no_embed

FRANCE, TOWN = "What is the capital of France?", "What is the capital city of France?"
SPAIN = "What is the capital of Spain?"
HASHED = Flashlite("mock/echo").embed
"""Vectors of words: those two questions are 0.93 alike."""


def store_of(**options: Any) -> QdrantCache:
    return QdrantCache(**{"path": ":memory:", "embed": HASHED, "threshold": 0.9, **options})


def question(text: str, **fields: Any) -> bytes:
    said = {"messages": [{"role": "user", "content": text}], "params": {}, **fields}
    return json.dumps(said, sort_keys=True).encode()


def asked(text: str, answer: str = "Paris", **fields: Any) -> Entry:
    entry = make_entry(text, answer)
    return replace(entry, request=question(text, **fields))


async def test_a_question_that_says_the_same_finds_the_answer() -> None:
    store = store_of()
    assert isinstance(store, Semantic)
    assert await store.nearest(question(TOWN)) is None
    await store.put(entry := asked(FRANCE))
    found = await store.nearest(question(TOWN))
    assert found is not None
    assert found == Similar.to(entry, similarity=found.similarity, question=FRANCE)
    assert found.similarity == pytest.approx(0.93, abs=0.01)
    assert await store.get(key_of(TOWN)) is None


async def test_the_most_alike_of_several_answers() -> None:
    store = store_of(threshold=0.5)
    for text in ("tell me the capital", "which capital has it", "what is a capital city"):
        await store.put(asked(text))
    found = await store.nearest(question("what is the capital city"))
    assert (found and found.question) == "what is a capital city"


async def test_what_is_most_alike_and_asks_something_else_hides_no_other_answer() -> None:
    store = store_of(threshold=0.5)
    for word in ("towel", "tower", "toast"):
        await store.put(asked(f"what is the largest {word}", word))
    assert await store.nearest(question("what is the largest town")) is None
    await store.put(asked("please tell me which is the largest town", "this"))
    found = await store.nearest(question("what is the largest town"))
    assert found is not None
    assert found.response == b'{"answer":"this"}'


async def test_what_is_less_alike_than_the_threshold_is_not_found() -> None:
    store = store_of(threshold=0.94)
    await store.put(asked(FRANCE))
    assert await store.nearest(question(TOWN)) is None


async def test_the_same_question_under_another_key_is_as_alike_as_can_be() -> None:
    store = store_of(threshold=1)
    await store.put(asked("hello there"))
    found = await store.nearest(question("hello there"))
    assert found is None or found.similarity == 1  # float32: the last digit decides
    store = store_of(threshold=0.999)
    await store.put(asked("hello there"))
    found = await store.nearest(question("hello there"))
    assert found is not None
    assert 0.999 <= found.similarity <= 1


@pytest.mark.parametrize(
    "other", [question(SPAIN), question(TOWN, model="n"), question(TOWN, params={"seed": 1})]
)
async def test_what_has_to_be_the_same_is(other: bytes) -> None:
    store = store_of(threshold=0.01)
    await store.put(asked(FRANCE))
    assert await store.nearest(other) is None


async def test_collections_do_not_answer_for_each_other() -> None:
    store = store_of()
    await store.put(asked(FRANCE, "a"), collection="a")
    await store.put(asked(FRANCE, "b"), collection="b")
    found = await store.nearest(question(TOWN), collection="b")
    assert found is not None
    assert found.response == b'{"answer":"b"}'
    assert await store.nearest(question(TOWN)) is None
    assert await store.clear(collection="b") == 1
    assert await store.nearest(question(TOWN), collection="b") is None
    assert await store.nearest(question(TOWN), collection="a") is not None


async def test_vectors_of_two_models_are_not_compared() -> None:
    def embed(texts: list[str]) -> list[list[float]]:
        return [[1.0, 2.0]]

    def another(texts: list[str]) -> list[list[float]]:
        return [[1.0, 2.0]]

    def longer(texts: list[str]) -> list[list[float]]:
        return [[1.0, 2.0, 3.0]]

    first, second, third = store_of(embed=embed), store_of(embed=another), store_of(embed=longer)
    second._points = third._points = first._points  # one Qdrant
    await first.put(asked(FRANCE))
    assert await first.nearest(question(TOWN)) is not None
    assert await second.nearest(question(TOWN)) is None
    assert await third.nearest(question(TOWN)) is None
    await third.put(asked(SPAIN, "Madrid"))
    assert await first.stats() == StoreStats(
        entries=2, bytes=asked(FRANCE).size + asked(SPAIN, "Madrid").size
    )
    assert await first.clear() == 2
    assert await third.nearest(question(SPAIN)) is None


async def test_an_expired_answer_is_not_found_by_likeness_either() -> None:
    clock = Clock()
    store = store_of(default_ttl=10, clock=clock)
    await store.put(asked(FRANCE))
    clock.now += 9.9
    assert await store.nearest(question(TOWN)) is not None
    clock.now += 0.1
    assert await store.nearest(question(TOWN)) is None


async def test_expired_points_are_removed_when_something_is_written() -> None:
    clock = Clock()
    store = store_of(clock=clock)
    await store.put(replace(asked(FRANCE), expires=clock.now + 1))
    clock.now += 2
    for number in range(99):
        await store.put(make_entry(str(number)))

    async def counts(client: Any) -> list[int]:
        places = [each.name for each in (await client.get_collections()).collections]
        return sorted([(await client.count(place)).count for place in places])

    assert await store._points._qdrant.run(counts) == [0, 99]


async def test_a_deleted_answer_is_not_found_by_likeness_either() -> None:
    store = store_of()
    await store.put(entry := asked(FRANCE))
    await store.delete(entry.key)
    assert await store.nearest(question(TOWN)) is None


async def test_what_has_no_question_needs_no_embedding() -> None:
    store = store_of(embed=no_embed)
    await store.put(entry := asked(FRANCE, sample=1))
    assert await store.get(entry.key) == entry
    assert await store.nearest(question(FRANCE, sample=1)) is None
    assert store.expenses() == {"embeddings": 0, "embedding_cost": 0.0}


async def test_a_look_and_a_write_embed_once() -> None:
    store = store_of()
    await store.nearest(question(FRANCE))
    await store.put(asked(FRANCE))
    await store.nearest(question(TOWN))
    await store.nearest(question(TOWN))
    assert store.expenses() == {"embeddings": 2, "embedding_cost": 0.0}


async def test_without_embeddings_an_answer_is_kept_under_its_key() -> None:
    def embed(texts: list[str]) -> list[list[float]]:
        raise OSError("no network")

    store = store_of(embed=embed)
    with pytest.raises(StoreError, match=r"^the question cannot be embedded: no network$"):
        await store.put(entry := asked(FRANCE))
    assert await store.get(entry.key) == entry
    with pytest.raises(StoreError, match="no network"):
        await store.nearest(question(FRANCE))


async def test_what_is_no_text_cannot_be_kept() -> None:
    entry = replace(make_entry(), response=b"\xff")
    with pytest.raises(StoreError, match=r"^Qdrant keeps texts, and an entry is none: "):
        await store_of().put(entry)
    with pytest.raises(ConfigError, match="a collection's name is text"):
        await store_of().get("key", collection="\ud800")


async def test_a_folder_keeps_what_was_put(tmp_path: Path) -> None:
    store = store_of(path=tmp_path / "new" / "answers")
    await store.put(entry := asked(FRANCE))
    await store.aclose()
    again = store_of(path=tmp_path / "new" / "answers")
    assert await all_entries(again) == [entry]
    assert await again.nearest(question(TOWN)) is not None
    await again.aclose()


async def test_stores_of_one_process_share_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = store_of(path="answers"), store_of(path=tmp_path / "answers")
    await first.put(entry := asked(FRANCE))
    assert await second.get(entry.key) == entry
    await first.aclose()
    assert await second.get(entry.key) == entry
    await second.aclose()


async def test_two_paths_to_one_folder_are_one_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "answers")
    first, second = store_of(path=tmp_path / "answers"), store_of(path=tmp_path / "link")
    await first.put(entry := asked(FRANCE))
    assert await second.get(entry.key) == entry
    await second.aclose()


def test_without_the_package_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "qdrant_client", None)
    with pytest.raises(ConfigError, match=r"pip install 'flashlite\[qdrant\]'"):
        store_of()


def test_several_threads_share_a_folder(tmp_path: Path) -> None:
    store = store_of(path=tmp_path)
    found: list[Entry | None] = []

    async def work(number: int) -> None:
        await store.put(make_entry(str(number)))
        found.append(await store.get(key_of(str(number))))

    threads = [
        threading.Thread(target=lambda n=number: asyncio.run(work(n))) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=str) == sorted((make_entry(str(n)) for n in range(8)), key=str)
    asyncio.run(store.aclose())


_OTHER = """
import asyncio, sys
from flashlite.stores import QdrantCache

async def main():
    store = QdrantCache(path=sys.argv[1], embed=len)
    print(await store.get("key"), flush=True)
    sys.stdin.readline()

asyncio.run(main())
"""


def test_a_second_process_is_told_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", _OTHER, str(tmp_path)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, stderr=subprocess.PIPE, **pipes) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "None\n"
        store = store_of(path=tmp_path)
        with pytest.raises(ConfigError) as caught:
            asyncio.run(store.get("key"))
        assert str(caught.value) == (
            f"another process uses {tmp_path}, and Qdrant serves several from a server only: "
            "pass QdrantCache(url=...), or give each process a path of its own"
        )
        _, said = other.communicate("\n")
    assert (other.returncode, said) == (0, "")  # nobody closed it, and it ended in peace
    assert asyncio.run(store.get("key")) is None
    asyncio.run(store.aclose())


def _in_fork(path: Path, answers: Any) -> None:
    try:
        answers.put(asyncio.run(store_of(path=path).get("key")))
    except ConfigError as error:
        answers.put(str(error))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are a matter of Unix")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_a_forked_process_is_told_too(tmp_path: Path) -> None:
    store = store_of(path=tmp_path)
    asyncio.run(store.put(entry := make_entry()))
    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()
    child = fork.Process(target=_in_fork, args=(tmp_path, answers))
    child.start()
    child.join(60)
    assert answers.get().startswith(f"another process uses {tmp_path}")
    assert asyncio.run(store.get(entry.key)) == entry
    asyncio.run(store.aclose())


async def test_a_folder_that_cannot_be_read_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text("{ torn")
    with pytest.raises(StoreError, match=f"^Qdrant in {tmp_path} cannot do it: "):
        await store_of(path=tmp_path).get("key")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot do it"):
        await store_of(path=tmp_path / "file").get("key")


async def test_the_loop_goes_on_while_a_folder_is_written(tmp_path: Path) -> None:
    store = store_of(path=tmp_path)
    await store.get("key")
    threads = set()

    async def note(client: Any) -> None:
        threads.add(threading.current_thread().name)

    await store._points._qdrant.run(note)
    assert threads == {"flashlite-qdrant"}
    await store.aclose()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"threshold": 0}, "threshold is a likeness above 0, at most 1; got 0"),
        ({"threshold": 1.1}, "threshold is a likeness above 0, at most 1; got 1.1"),
        ({"url": "http://h:6333"}, "Qdrant is at a url, or in a path: pass one of them"),
        (
            {"path": None},
            "where is Qdrant? Pass url=... or path='./answers', or set QDRANT_URL",
        ),
        (
            {"path": None, "url": "h:6333"},
            "a Qdrant URL (url=... or QDRANT_URL) is http://host:6333 or https",
        ),
        (
            {"path": None, "url": "http://h:port"},
            "a Qdrant URL (url=... or QDRANT_URL) is http://host:6333 or https",
        ),
        ({"default_ttl": -1}, "default_ttl is a number of seconds, or None for ever: -1"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    options: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QDRANT_URL", raising=False)
    with pytest.raises(ConfigError) as caught:
        store_of(**options)
    assert str(caught.value) == said
