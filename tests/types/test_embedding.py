"""Vectors, however they travelled."""

from __future__ import annotations

from base64 import b64encode
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite.errors import MalformedResponseError
from flashlite.types import (
    Choice,
    CompletionResponse,
    EmbeddingResult,
    Message,
    Usage,
    vector_of,
    vectors_of,
)

FLOATS = st.lists(
    st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=9
)


@given(FLOATS)
def test_base64_and_numbers_are_one_vector(numbers: list[float]) -> None:
    packed = b64encode(pack(f"<{len(numbers)}f", *numbers)).decode()
    assert vector_of(packed) == vector_of(numbers) == numbers


@pytest.mark.parametrize(
    "junk",
    [
        None,
        [],
        "",
        "no base64!",
        "AAAA",
        [True],
        ["1"],
        [None],
        [[1]],
        {"a": 1},
        1.0,
        [float("inf")],
        "AADAfw==",
        [10**400],
    ],
)
def test_anything_else_is_no_vector(junk: Any) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        vector_of(junk)


def test_a_result_is_its_vectors_and_what_they_cost() -> None:
    result = EmbeddingResult(embeddings=[[1.0], [2.0]], usage=Usage(input_tokens=1, total_cost=0.5))
    assert (result.embedding, result.cost, result.ok) == ([1.0], 0.5, True)
    failed = EmbeddingResult(embeddings=[], error="no")
    assert (failed.cost, failed.ok) == (None, False)


@pytest.mark.parametrize(
    ("message", "texts"), [(Message.assistant("Hi"), 1), (Message.assistant(embedding=[1]), 2)]
)
def test_an_answer_without_a_vector_for_each_text_is_malformed(
    message: Message, texts: int
) -> None:
    with pytest.raises(MalformedResponseError):
        vectors_of(CompletionResponse(choices=(Choice(message=message),)), texts=texts)
