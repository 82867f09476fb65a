"""Whatever is done to a store, in any order, it answers as a dict would."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashlite.stores import Entry, Store, StoreStats

from .shelf import KINDS, Clock, all_entries, key_of, make_entry, new_store

questions = st.sampled_from(["a", "b", "c"])
collections = st.sampled_from(["", "default", "other"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), questions, collections, st.sampled_from([None, 0, 3, 100])),
        st.tuples(st.just("get"), questions, collections),
        st.tuples(st.just("delete"), questions, collections),
        st.tuples(st.just("clear"), st.one_of(st.none(), collections)),
        st.tuples(st.just("entries"), collections, st.sampled_from([None, 1, 2])),
        st.tuples(st.sampled_from(["stats", "flush", "aclose"])),
    ),
    max_size=30,
)


class Model:
    """A store as it is meant."""

    def __init__(self, clock: Clock, *, default_ttl: float | None) -> None:
        self._clock = clock
        self._default_ttl = default_ttl
        self._entries: dict[tuple[str, str], Entry] = {}

    def put(self, entry: Entry, collection: str) -> None:
        if entry.expires is None and self._default_ttl is not None:
            entry = replace(entry, expires=entry.created + self._default_ttl)
        self._entries[collection, entry.key] = entry

    def get(self, key: str, collection: str) -> Entry | None:
        return self._valid().get((collection, key))

    def delete(self, key: str, collection: str) -> None:
        self._entries.pop((collection, key), None)

    def clear(self, collection: str | None) -> int:
        chosen = [name for name in self._valid() if collection in (None, name[0])]
        self._entries = {
            name: entry
            for name, entry in self._entries.items()
            if collection not in (None, name[0])
        }
        return len(chosen)

    def entries(self, collection: str, limit: int | None) -> list[Entry]:
        found = [entry for name, entry in self._valid().items() if name[0] == collection]
        return sorted(found, key=lambda entry: -entry.created)[:limit]

    def stats(self) -> StoreStats:
        sizes = [len(e.request) + len(e.response) for e in self._valid().values()]
        return StoreStats(entries=len(sizes), bytes=sum(sizes))

    def _valid(self) -> dict[tuple[str, str], Entry]:
        now = self._clock()
        return {
            name: entry
            for name, entry in self._entries.items()
            if entry.expires is None or entry.expires > now
        }


async def follow(store: Store, model: Model, clock: Clock, steps: list[Any]) -> None:
    for number, step in enumerate(steps):
        clock.now += 1
        match step:
            case "put", question, collection, ttl:
                expires = None if ttl is None else clock.now + ttl
                entry = make_entry(question, str(number), created=clock.now, expires=expires)
                model.put(entry, collection)
                await store.put(entry, collection=collection)
            case "get", question, collection:
                found = await store.get(key_of(question), collection=collection)
                assert found == model.get(key_of(question), collection)
            case "delete", question, collection:
                model.delete(key_of(question), collection)
                await store.delete(key_of(question), collection=collection)
            case "clear", collection:
                assert await store.clear(collection=collection) == model.clear(collection)
            case "entries", collection, limit:
                listed = await all_entries(store, collection=collection, limit=limit)
                assert listed == model.entries(collection, limit)
            case ("stats",):
                assert await store.stats() == model.stats()
            case (name,):
                await getattr(store, name)()
    await store.aclose()
    assert await store.stats() == model.stats()
    await store.aclose()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(steps=steps, default_ttl=st.sampled_from([None, 5]))
def test_a_store_answers_as_a_dict_would(
    kind: str, steps: list[Any], default_ttl: float | None
) -> None:
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        store = new_store(kind, Path(folder), clock, default_ttl=default_ttl)
        asyncio.run(follow(store, Model(clock, default_ttl=default_ttl), clock, steps))
