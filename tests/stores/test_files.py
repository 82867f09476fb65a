"""The store of plain files: what stands in them, and what happens to files that are not ours."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashlite.stores import Entry, FSCache, StoreError

from .shelf import Clock, all_entries, key_of, make_entry


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> FSCache:
    return FSCache(tmp_path / "answers", clock=clock)


def files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


async def test_a_file_reads_well(store: FSCache, tmp_path: Path) -> None:
    entry = make_entry("Hi 🙂", expires=1_700_000_060.5)
    await store.put(entry)
    path = tmp_path / "answers" / "default" / entry.key[:2] / f"{entry.key}.json"
    assert path.read_text() == (
        f'{{\n"key": "{entry.key}",\n"created": 1700000000.0,\n"expires": 1700000060.5,\n'
        '"request": {"question":"Hi 🙂"},\n"response": {"answer":"Hello"}\n}\n'
    )
    assert json.loads(path.read_text())["request"] == {"question": "Hi 🙂"}
    assert path.stat().st_mtime == entry.created


async def test_there_is_one_file_for_each_entry_and_no_other(
    store: FSCache, tmp_path: Path
) -> None:
    await store.put(make_entry("a"))
    await store.put(make_entry("a", "again"))
    await store.put(make_entry("a"), collection="x/../y z")
    key = key_of("a")
    assert files_in(tmp_path) == [
        f"answers/default/{key[:2]}/{key}.json",
        f"answers/x%2F..%2Fy%20z/{key[:2]}/{key}.json",
    ]


@pytest.mark.parametrize("name", ["..", ".", "../../x", "/etc", "a/../../..", "\\..\\", "\0", "x."])
async def test_no_name_leads_out_of_the_folder(store: FSCache, tmp_path: Path, name: str) -> None:
    entry = Entry(key=name, request=b"1", response=b"2", created=1.0)
    await store.put(entry, collection=name)
    assert await store.get(name, collection=name) == entry
    assert await all_entries(store, collection=name) == [entry]
    (path,) = files_in(tmp_path)
    assert path.startswith("answers/")
    assert len(Path(path).parts) == 4
    assert await store.clear(collection=name) == 1
    assert files_in(tmp_path) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def with_json(value: Any) -> bytes:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="surrogatepass")


def with_orjson(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer of more than 64 bits
        return with_json(value)


@pytest.mark.parametrize("write", [with_json, with_orjson])
@settings(max_examples=60, deadline=None)
@given(request=json_values, response=json_values)
def test_json_comes_back_byte_for_byte(write: Any, request: Any, response: Any) -> None:
    entry = Entry(key="ab", request=write(request), response=write(response), created=1.5)

    async def there_and_back(store: FSCache) -> Entry | None:
        await store.put(entry)
        return await store.get("ab")

    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(there_and_back(FSCache(folder))) == entry


async def test_json_on_several_lines_comes_back_compact(store: FSCache) -> None:
    pretty = b'{\n  "text": "one\\ntwo",\n  "list": [1, 2.50]\n}'
    await store.put(Entry(key="ab", request=pretty, response=b" [1, 2]", created=1.0))
    expected = b'{"text":"one\\ntwo","list":[1,2.5]}'
    found = await store.get("ab")
    assert found == Entry(key="ab", request=expected, response=b" [1, 2]", created=1.0)


async def test_a_file_that_somebody_formatted_is_still_read(store: FSCache, tmp_path: Path) -> None:
    await store.put(entry := make_entry("Hi 🙂"))
    (path,) = (tmp_path / "answers").rglob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()), indent=2))
    assert await store.get(entry.key) == entry


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b"[" * 100_000,
        b'{"key": 1, "created": 1, "expires": null, "request": 1, "response": 1}',
        b'{"key": "K", "created": "now", "expires": null, "request": 1, "response": 1}',
        b'{"key": "K", "created": 1, "expires": "then", "request": 1, "response": 1}',
        b'{"key": "other", "created": 1, "expires": null, "request": 1, "response": 1}',
    ],
)
async def test_a_foreign_file_is_a_miss(store: FSCache, tmp_path: Path, text: bytes) -> None:
    key = key_of("Hi")
    path = tmp_path / "answers" / "default" / key[:2] / f"{key}.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.replace(b"K", key.encode()))
    assert await store.get(key) is None
    assert await all_entries(store) == []
    await store.put(make_entry())
    assert await store.get(key) == make_entry()


async def test_a_file_that_is_torn_anywhere_is_a_miss(store: FSCache, tmp_path: Path) -> None:
    await store.put(entry := make_entry("Hi"))
    (path,) = (tmp_path / "answers").rglob("*.json")
    whole = path.read_bytes()
    for length in range(len(whole) - 1):  # the last byte is the end of the line
        path.write_bytes(whole[:length])
        assert await store.get(entry.key) is None


async def test_a_folder_in_the_place_of_a_file_is_a_miss(store: FSCache, tmp_path: Path) -> None:
    key = key_of("Hi")
    (tmp_path / "answers" / "default" / key[:2] / f"{key}.json").mkdir(parents=True)
    assert await store.get(key) is None
    with pytest.raises(StoreError, match=f"{key}.json"):
        await store.put(make_entry())
    assert files_in(tmp_path) == []


async def test_a_file_in_the_place_of_a_folder_is_a_miss_and_cannot_be_written(
    store: FSCache, tmp_path: Path
) -> None:
    (tmp_path / "answers").write_text("mine")
    assert await store.get(key_of("Hi")) is None
    assert await all_entries(store) == []
    with pytest.raises(StoreError, match="answers"):
        await store.put(make_entry())


async def test_clear_leaves_files_that_are_not_entries(store: FSCache, tmp_path: Path) -> None:
    await store.put(make_entry())
    folder = tmp_path / "answers"
    others = ["notes.json", "default/notes.json", "default/ab/notes.txt", "default/ab/notes.json"]
    (folder / "default" / "ab").mkdir(exist_ok=True)
    for name in others:
        (folder / name).write_text("mine")
    assert await store.clear() == 1
    assert files_in(folder) == sorted(others)


async def test_the_date_of_a_file_orders_entries(store: FSCache, tmp_path: Path) -> None:
    for n in range(3):
        await store.put(make_entry(str(n), created=1_700_000_000.0 + n))
    first = make_entry("0")
    path = tmp_path / "answers" / "default" / first.key[:2] / f"{first.key}.json"
    os.utime(path, (1_800_000_000, 1_800_000_000))
    assert (await all_entries(store, limit=1)) == [first]
