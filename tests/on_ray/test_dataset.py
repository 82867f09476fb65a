"""Datasets of Ray: each row gets its answer, in a file that appears when all were tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flashlite import BadRequestError, ConfigError, Flashlite
from flashlite.ray import Ray, complete_dataset, complete_dataset_sync

from .providers import Refusing

ONE = Ray(actors=1)

pytestmark = pytest.mark.usefixtures("ray_address")


def dataset(rows: list[dict[str, Any]]) -> Any:
    """Return rows as a dataset that needs a core to be read."""
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray.data.from_items(rows).map(lambda row: row)


ROWS = [{"number": n, "messages": [{"role": "user", "content": f"question {n}"}]} for n in range(7)]


@pytest.mark.parametrize("name", ["answers.parquet", "answers.jsonl"])
async def test_each_row_keeps_its_columns_and_gets_its_answer(tmp_path: Path, name: str) -> None:
    answers = await complete_dataset(
        dataset(ROWS), Flashlite("mock/echo"), output=tmp_path / "deep" / name
    )
    found = sorted((row["number"], row["answer"], row["error"]) for row in answers.take_all())
    assert found == [(n, f"question {n}", None) for n in range(7)]


def test_more_rows_than_are_read_at_once_each_get_their_own_answer(tmp_path: Path) -> None:
    texts = [f"question {n}" for n in range(1500)]
    answers = complete_dataset_sync(
        dataset([{"text": text} for text in texts]),
        Flashlite("mock/echo"),
        column="text",
        engine=ONE,
        output=tmp_path / "answers.parquet",
    )
    assert {row["text"]: row["answer"] for row in answers.take_all()} == {
        text: text for text in texts
    }


async def test_a_failure_is_raised_and_the_same_call_goes_on_from_there(tmp_path: Path) -> None:
    provider, output = Refusing(folder=tmp_path, question="question 3"), tmp_path / "a.parquet"
    client = Flashlite("m", provider=provider)
    with pytest.raises(BadRequestError, match="I would rather not"):
        await complete_dataset(dataset(ROWS), client, engine=ONE, output=output)
    assert not output.exists()
    answers = await complete_dataset(
        dataset(ROWS), client, engine=ONE, output=output, return_exceptions=True
    )
    found = {row["number"]: (row["answer"], row["error"]) for row in answers.take_all()}
    assert (found[2], found[3]) == (("question 2", None), (None, "I would rather not"))
    assert provider.bill == {f"question {n}": 2 if n == 3 else 1 for n in range(7)}


async def test_a_request_can_be_made_of_a_row(tmp_path: Path) -> None:
    answers = await complete_dataset(
        dataset([{"a": 2, "b": 3}]),
        Flashlite("mock/echo"),
        request=lambda row: {"messages": f"{row['a']} + {row['b']}", "temperature": 0},
        engine=ONE,
        output=tmp_path / "answers.jsonl",
    )
    assert [row["answer"] for row in answers.take_all()] == ["2 + 3"]


async def test_a_column_that_is_missing_or_taken_is_named(tmp_path: Path) -> None:
    client, output = Flashlite("mock/echo"), tmp_path / "answers.parquet"
    with pytest.raises(ConfigError, match="no column 'text'; it has number, messages"):
        await complete_dataset(dataset(ROWS), client, column="text", engine=ONE, output=output)
    taken = dataset([{"messages": "a", "answer": "b"}])
    with pytest.raises(ConfigError, match="columns of its own called answer: rename them"):
        await complete_dataset(taken, client, engine=ONE, output=tmp_path / "taken.parquet")
    with pytest.raises(ConfigError, match=r"ends in \.parquet or \.jsonl; got .*answers\.csv"):
        await complete_dataset(taken, client, engine=ONE, output=tmp_path / "answers.csv")
