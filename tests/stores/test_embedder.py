"""Texts as vectors: what a function may be, what is kept in mind, what it cost, how it fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flashlite.errors import APIConnectionError, ConfigError, StoreError
from flashlite.stores.embedder import Embedder
from flashlite.types import EmbeddingResult, Usage

from .shelf import Clock


class Asked:
    """Gives each text the vector of its length and 1, and counts."""

    def __init__(self, cost: float | None = None) -> None:
        self.texts: list[str] = []
        self._cost = cost

    async def __call__(self, texts: list[str]) -> EmbeddingResult:
        self.texts += texts
        usage = Usage(input_tokens=1, total_cost=self._cost)
        return EmbeddingResult(embeddings=[[len(texts[0]), 1.0]], model="e", usage=usage)


async def test_a_text_is_asked_for_once() -> None:
    embedder = Embedder(asked := Asked(0.25), timeout=5)
    vectors = [await embedder.vector(text) for text in ("Hi", "Hello", "Hi")]
    assert [list(vector.numbers) for vector in vectors] == [[2.0, 1.0], [5.0, 1.0], [2.0, 1.0]]
    assert {vector.space for vector in vectors} == {"e 2"}
    assert asked.texts == ["Hi", "Hello"]
    assert embedder.expenses() == {"embeddings": 2, "embedding_cost": 0.5}


async def test_only_the_last_thousand_are_kept_in_mind() -> None:
    embedder = Embedder(asked := Asked(), timeout=5)
    for number in range(1001):
        await embedder.vector(str(number))
    await embedder.vector("1000")
    await embedder.vector("0")
    assert asked.texts[1000:] == ["1000", "0"]


async def test_a_plain_function_and_one_that_returns_an_awaitable_will_do() -> None:
    def plain(texts: list[str]) -> list[tuple[int, int]]:
        with pytest.raises(RuntimeError):  # it is not on the loop
            asyncio.get_running_loop()
        return [(3, 4)]

    plainly = await Embedder(plain, timeout=5).vector("Hi")
    assert list(plainly.numbers) == [3.0, 4.0]
    assert plainly.space.endswith("plain 2")
    asked = Asked()
    later = await Embedder(lambda texts: asked(texts), timeout=5).vector("Hi")
    assert (list(later.numbers), later.space) == ([2.0, 1.0], "e 2")


async def test_what_nobody_told_the_price_of_has_none() -> None:
    embedder = Embedder(Asked(), timeout=5)
    await embedder.vector("Hi")
    assert embedder.expenses() == {"embeddings": 1, "embedding_cost": None}


@pytest.mark.parametrize(
    "answer", [[], [[]], [[1.0], [2.0]], [[0.0, 0.0]], [["a"]], [[float("nan")]], [None], None, 7]
)
async def test_what_is_no_vector_is_the_callers_mistake(answer: Any) -> None:
    with pytest.raises(ConfigError, match="embed returns one vector for each text"):
        await Embedder(lambda texts: answer, timeout=5).vector("Hi")


@pytest.mark.parametrize("embed", [None, "openai/text-embedding-3-small", object()])
def test_what_is_no_function_is_refused(embed: Any) -> None:
    with pytest.raises(ConfigError, match="embed is a function from texts to vectors, such as"):
        Embedder(embed, timeout=5)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (APIConnectionError("refused"), "the question cannot be embedded: refused"),
        (OSError("no route"), "the question cannot be embedded: no route"),
        (TimeoutError(), "the question cannot be embedded: no answer within 5 s"),
    ],
)
async def test_an_outage_is_a_store_error_and_gets_a_rest(error: Exception, said: str) -> None:
    calls: list[list[str]] = []

    async def embed(texts: list[str]) -> list[list[float]]:
        calls.append(texts)
        raise error

    clock = Clock()
    embedder = Embedder(embed, timeout=5, clock=clock)
    for _ in range(3):
        with pytest.raises(StoreError) as caught:
            await embedder.vector("Hi")
        assert str(caught.value) == said
    clock.now += 1
    with pytest.raises(StoreError):
        await embedder.vector("Hi")
    assert calls == [["Hi"], ["Hi"]]
    assert embedder.expenses() == {"embeddings": 2, "embedding_cost": None}


async def test_who_takes_too_long_is_not_waited_for() -> None:
    async def embed(texts: list[str]) -> list[list[float]]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(StoreError, match=r"no answer within 0\.01 s"):
        await Embedder(embed, timeout=0.01).vector("Hi")


async def test_a_config_error_and_a_bug_go_through() -> None:
    for error in (ConfigError("no such model"), ZeroDivisionError()):

        async def embed(texts: list[str], error: Exception = error) -> list[list[float]]:
            raise error

        with pytest.raises(type(error)):
            await Embedder(embed, timeout=5).vector("Hi")
