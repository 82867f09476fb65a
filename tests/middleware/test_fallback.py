"""Asking another model when one fails for good."""

from __future__ import annotations

import pytest

from flashlite import (
    BadRequestError,
    CallbackManager,
    ContextWindowExceededError,
    Flashlite,
    InternalServerError,
    MemoryCache,
    NotFoundError,
    QuotaExceededError,
)
from flashlite.middleware import RetryConfig
from flashlite.testing import ReplayTransport, Reply, ScriptedProvider

ONCE = RetryConfig(max_attempts=1)
DOWN = InternalServerError("down", status_code=500)


async def test_the_next_model_answers_and_the_answer_says_who_failed() -> None:
    provider = ScriptedProvider([DOWN, NotFoundError("gone", status_code=404), "hello"])
    engine = Flashlite("a", provider=provider, retry=ONCE, fallbacks=["b", "c"])
    response = await engine.complete("Hi")
    assert (response.content, response.fallback_from) == ("hello", ("a", "b"))
    assert [request.model for request in provider.requests] == ["a", "b", "c"]


async def test_nobody_else_is_asked_when_the_first_answers() -> None:
    provider = ScriptedProvider(["hello"])
    response = await Flashlite("a", provider=provider, fallbacks=["b"]).complete("Hi")
    assert (response.fallback_from, len(provider.requests)) == ((), 1)


async def test_the_last_failure_is_raised() -> None:
    last = QuotaExceededError("no money", status_code=429)
    engine = Flashlite("a", provider=ScriptedProvider([DOWN, last]), retry=ONCE, fallbacks=["b"])
    with pytest.raises(QuotaExceededError) as caught:
        await engine.complete("Hi")
    assert caught.value is last


async def test_a_request_that_no_model_would_take_is_not_passed_on() -> None:
    provider = ScriptedProvider([BadRequestError("wrong", status_code=400)])
    with pytest.raises(BadRequestError):
        await Flashlite("a", provider=provider, fallbacks=["b"]).complete("Hi")
    assert len(provider.requests) == 1


async def test_a_prompt_too_long_for_one_may_fit_another() -> None:
    provider = ScriptedProvider([ContextWindowExceededError("long", status_code=400), "hello"])
    response = await Flashlite("a", provider=provider, fallbacks=["b"]).complete("Hi")
    assert response.content == "hello"


async def test_what_was_given_for_one_provider_goes_to_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "deep")
    down = Reply.of({"error": "down"}, status=500)
    whole = {"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}
    transport = ReplayTransport([down, down, Reply.of(whole)])
    engine = Flashlite("gpt-4o", transport=transport, retry=ONCE)
    response = await engine.complete(
        "Hi",
        fallbacks=["openai/gpt-4o-mini", "deepseek-chat"],
        api_key="mine",
        extra_headers={"x-portkey-key": "secret"},
        extra_body={"top_a": 1},
    )
    assert response.fallback_from == ("gpt-4o", "openai/gpt-4o-mini")
    sent = [(r.headers, r.json.get("top_a")) for r in transport.requests]
    own = {"Authorization": "Bearer mine", "x-portkey-key": "secret"}
    assert sent == [(own, 1), (own, 1), ({"Authorization": "Bearer deep"}, None)]


async def test_the_api_of_one_provider_is_not_asked_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "deep")
    whole = {"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}
    transport = ReplayTransport([Reply.of({"error": "down"}, status=500), Reply.of(whole)])
    engine = Flashlite("openai/gpt-4o", api_key="mine", transport=transport, retry=ONCE)
    response = await engine.complete("Hi", api="responses", fallbacks=["deepseek/deepseek-chat"])
    assert response.content == "hello"
    assert [request.url.rpartition("/v1")[2] for request in transport.requests] == [
        "/responses",
        "/chat/completions",
    ]


async def test_the_log_and_the_callbacks_know_who_failed_before() -> None:
    callbacks, seen = CallbackManager(), list[tuple[str, ...]]()
    callbacks.on_response(lambda response, *_: seen.append(response.fallback_from))
    provider = ScriptedProvider([DOWN, "hello"])
    engine = Flashlite("a", provider=provider, retry=ONCE, fallbacks=["b"], callbacks=callbacks)
    await engine.complete("Hi")
    assert seen == [("a",)]


async def test_an_answer_that_another_gave_is_replayed() -> None:
    provider = ScriptedProvider([DOWN, "hello"])
    engine = Flashlite(
        "a", provider=provider, retry=ONCE, fallbacks=["b"], cache=MemoryCache(), temperature=0
    )
    await engine.complete("Hi")
    replayed = await engine.complete("Hi", cache="only")
    assert (replayed.content, replayed.cached, replayed.fallback_from) == ("hello", True, ("a",))


async def test_each_try_has_its_own_account_and_place_in_the_cache() -> None:
    provider = ScriptedProvider([DOWN, "hello", "from a"])
    engine = Flashlite("a", provider=provider, retry=ONCE, cache=MemoryCache(), temperature=0)
    assert (await engine.complete("Hi", fallbacks=["b"])).content == "hello"
    assert (await engine.complete("Hi", model="b")).cached
    assert (await engine.complete("Hi", fallbacks=["b"])).content == "from a"
    failed = {name: account.failed for name, account in engine.ledger.by_model.items()}
    assert failed == {"a": 1, "b": 0}


async def test_a_stream_falls_back_before_its_first_event() -> None:
    provider = ScriptedProvider([DOWN, "hello"])
    engine = Flashlite("a", provider=provider, retry=ONCE, fallbacks=["b"])
    events = [event async for event in engine.stream("Hi")]
    assert events[-1].data.fallback_from == ("a",)


async def test_a_text_is_no_list_of_fallbacks() -> None:
    with pytest.raises(Exception, match="fallbacks is a list of texts; got 'b'"):
        await Flashlite("a", fallbacks="b").complete("Hi")
