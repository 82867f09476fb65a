"""What servers are given to keep, and what of their addresses is shown."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite.errors import StoreError
from flashlite.stores.rows import Row
from flashlite.stores.server import Server

from .shelf import Clock, make_entry


@given(st.text(), st.booleans(), st.none() | st.floats(0, 1e12))
def test_an_entry_comes_back_from_a_row(answer: str, compress: bool, expires: float | None) -> None:
    entry = make_entry("Hi", answer, expires=expires)
    assert Row.unpack(Row.of(entry, compress=compress).pack()).entry(entry.key) == entry


@given(st.binary())
def test_what_is_no_row_is_a_store_error(packed: bytes) -> None:
    with suppress(StoreError):
        Row.unpack(packed).entry("k")


def test_every_cut_of_a_packed_row_is_noticed() -> None:
    packed = Row.of(make_entry(), compress=True).pack()
    for end in range(len(packed)):
        with pytest.raises(StoreError):
            Row.unpack(packed[:end]).entry("k")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("redis://:s3cret@h:6379/0", "Redis at h:6379/0"),
        ("redis://user:s3cret/of@all@h:1?password=s3cret", "Redis at h:1"),
        ("postgresql://u@h/db?password=s3cret", "Redis at h/db"),
        ("u:s3cret@h", "Redis at an address without a scheme"),
        ("redis://[s3cret", "Redis at [s3cret"),
    ],
)
def test_a_servers_name_is_its_host(url: str, name: str) -> None:
    assert Server("Redis", url).name == name


def test_what_a_server_repeats_of_its_password_is_not_shown() -> None:
    server = Server("Redis", "redis://u:s3cret%2F@h/0")
    with pytest.raises(StoreError) as caught, server.errors((ValueError,), ()):
        raise ValueError("no user with s3cret/ or s3cret%2F at redis://u:s3cret%2F@h/0")
    assert str(caught.value) == "Redis at h/0 refused: no user with *** or *** at ***"
    assert caught.value.__cause__ is None


def test_a_server_that_cannot_be_reached_is_given_a_rest() -> None:
    clock, tries = Clock(), 0
    server = Server("Redis", "redis://h", clock=clock)

    def ask() -> None:
        nonlocal tries
        with server.errors((), (OSError,)):
            tries += 1
            raise OSError("refused")

    for clock.now in (10.0, 10.5, 10.9, 11.1):
        with pytest.raises(StoreError, match=r"^Redis at h cannot be reached: refused$"):
            ask()
    assert tries == 2
