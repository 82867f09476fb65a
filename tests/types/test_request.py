import copy
import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from flashlite.errors import ConfigError
from flashlite.types import PARAMS, CompletionRequest, Message, Target, Timeout, thinking_enabled

SECRET = "sk-0123456789"
REQUEST = CompletionRequest(
    model="openai/gpt-4o",
    messages=(Message.user("Hi"),),
    tools=({"type": "function", "function": {"name": "add"}},),
    params={"temperature": 0.5},
    extra_body={"top_a": 1},
    sample=3,
    base_url="http://127.0.0.1:1/v1",
    api_key=SECRET,
    extra_headers={"x-secret": SECRET},
    timeout=Timeout(total=5),
)


def test_with_gives_a_copy_that_differs_in_what_is_named() -> None:
    assert REQUEST.with_(stream=True, sample=4) == CompletionRequest(
        model="openai/gpt-4o",
        messages=(Message.user("Hi"),),
        tools=({"type": "function", "function": {"name": "add"}},),
        params={"temperature": 0.5},
        extra_body={"top_a": 1},
        sample=4,
        stream=True,
        base_url="http://127.0.0.1:1/v1",
        api_key=SECRET,
        extra_headers={"x-secret": SECRET},
        timeout=Timeout(total=5),
    )


def test_with_leaves_the_original_alone() -> None:
    before = copy.deepcopy(REQUEST)
    REQUEST.with_(messages=(), params={}, stream=True, api_key=None)
    assert before == REQUEST


def test_a_field_that_does_not_exist_cannot_be_set() -> None:
    with pytest.raises(TypeError, match="temperature"):
        REQUEST.with_(temperature=1)


def test_a_request_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        REQUEST.model = "other"  # type: ignore[misc]


def test_the_repr_shows_neither_key_nor_headers() -> None:
    shown = repr(REQUEST.with_(api_key="sk-0123456789", extra_headers={"x-key": "sk-9876543210"}))
    assert "openai/gpt-4o" in shown
    assert "sk-" not in shown


def test_another_model_address_or_key_means_another_target() -> None:
    target = Target(provider="openai", dialect="openai", model="m")
    there = REQUEST.with_(target=target)
    derived = [
        there.with_(**change) for change in ({"stream": True}, {"model": "x"}, {"api_key": "k"})
    ]
    assert [request.target for request in derived] == [target, None, None]


def test_who_listens_to_a_request_makes_no_difference_to_it() -> None:
    assert REQUEST.with_(on_send=print) == REQUEST


def test_a_request_comes_back_from_a_pickle() -> None:
    assert pickle.loads(pickle.dumps(REQUEST)) == REQUEST


def test_what_complete_takes_for_itself_is_no_parameter() -> None:
    fields = set(CompletionRequest.__dataclass_fields__)
    assert (PARAMS & fields, {"temperature", "max_tokens", "n", "stop"} - PARAMS) == (set(), set())


@pytest.mark.parametrize("name", ["total", "connect", "idle"])
@pytest.mark.parametrize("seconds", [0, -1, -0.001, float("inf"), float("nan"), "5", [5]])
def test_a_limit_that_is_no_positive_number_is_refused(name: str, seconds: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        Timeout(**{name: seconds})
    assert str(caught.value) == (
        f"a timeout is a positive number of seconds or None; got {seconds!r}"
    )


@pytest.mark.parametrize("seconds", [0.001, 1, 3600.0, None])
def test_a_limit_is_a_positive_number_or_none(seconds: float | None) -> None:
    timeout = Timeout(total=seconds, connect=seconds, idle=seconds)
    assert (timeout.total, timeout.connect, timeout.idle) == (seconds, seconds, seconds)


def test_a_call_takes_ten_minutes_at_most_unless_somebody_says_so() -> None:
    assert Timeout() == Timeout(total=600, connect=10, idle=None)


def test_a_timeout_can_be_given_in_seconds() -> None:
    assert Timeout.of(5) == Timeout(total=5, connect=10.0, idle=None)


def test_a_timeout_given_as_such_stays_what_it_is() -> None:
    timeout = Timeout(idle=1)
    assert Timeout.of(timeout) is timeout


def test_seconds_that_cannot_be_are_refused_in_the_short_form_too() -> None:
    with pytest.raises(ConfigError, match=r"positive number of seconds or None; got 0$"):
        Timeout.of(0)


def test_thinking_is_enabled_with_a_budget_in_tokens() -> None:
    assert thinking_enabled(10000) == {"type": "enabled", "budget_tokens": 10000}
    with pytest.raises(ConfigError, match="at least 1; got 0"):
        thinking_enabled(0)
