"""Token estimates: bytes and what recent answers really took."""

from __future__ import annotations

from typing import Any

import pytest

from flashlite.middleware.token_estimate import PromptSize, TokenEstimate, measure
from flashlite.middleware.windows import Amount
from flashlite.types import CompletionRequest, Message, ToolCall, Usage
from flashlite.types.content import image_part, text_part


def _request(*messages: Message, **fields: Any) -> CompletionRequest:
    return CompletionRequest(model="m", messages=messages, **fields)


def test_a_prompt_is_measured_in_bytes() -> None:
    request = _request(Message.system("a" * 100), Message.user("ü" * 50))
    assert measure(request) == PromptSize(100 + 100 + 2 * 16)


def test_long_texts_are_measured_by_a_sample() -> None:
    chinese = "语言模型" * 100_000
    assert measure(_request(Message.user(chinese))).text == pytest.approx(1_200_000, rel=0.01)
    mixed = "a" * 500_000 + "é" * 500_000
    assert measure(_request(Message.user(mixed))).text == pytest.approx(1_500_000, rel=0.01)


def test_half_a_surrogate_pair_can_be_measured() -> None:
    assert measure(_request(Message.user("\ud83d"))) == PromptSize(3 + 16)


def test_media_count_as_such_and_not_by_their_length() -> None:
    image = image_part("data:image/png;base64," + "A" * 1_000_000)
    refusal = {"type": "refusal", "refusal": "never"}
    request = _request(Message.user([text_part("what?"), image, image, refusal]))
    assert measure(request) == PromptSize(5 + 5 + 16, media=2)


def test_tools_and_calls_count() -> None:
    call = ToolCall("id", "add", {"a": 1})
    said = _request(Message.assistant(tool_calls=[call]), tools=({"type": "function"},))
    assert measure(said).text > measure(_request(Message.assistant())).text + 40


def test_nothing_is_counted_for_an_empty_message() -> None:
    assert measure(_request(Message.assistant())) == PromptSize(16)


def test_before_any_answer_a_token_is_four_bytes_and_an_answer_512_tokens() -> None:
    amount = TokenEstimate().amount(_request(Message.user("a")), PromptSize(400, media=2))
    assert amount == Amount(1, 2100, 512, 2612)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_longest_answer_allowed_is_reserved_for_each_choice(name: str) -> None:
    request = _request(Message.user("a"), params={name: 50, "n": 3})
    assert TokenEstimate().amount(request, PromptSize(4)) == Amount(1, 1, 150, 151)


def test_estimates_come_to_what_answers_really_take() -> None:
    estimate = TokenEstimate()
    for _ in range(100):
        usage = Usage(input_tokens=500, output_tokens=200)
        estimate.learn(PromptSize(1000), usage, choices=2)
    amount = estimate.amount(_request(Message.user("a")), PromptSize(2000))
    assert amount == Amount(1, pytest.approx(1000, rel=0.01), 150, pytest.approx(1150, rel=0.01))


def test_media_and_estimated_usage_teach_nothing_about_text() -> None:
    estimate, request = TokenEstimate(), _request(Message.user("a"), params={"max_tokens": 1})
    before = estimate.amount(request, PromptSize(1000))
    estimate.learn(PromptSize(10, media=1), Usage(input_tokens=9000), choices=1)
    guess = Usage(input_tokens=9000, output_tokens=9, estimated=True)
    estimate.learn(PromptSize(10), guess, choices=1)
    estimate.learn(PromptSize(10), Usage(output_tokens=9), choices=1)
    assert estimate.amount(request, PromptSize(1000)) == before
