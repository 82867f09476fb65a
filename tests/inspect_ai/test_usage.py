"""What is counted: tokens and dollars of all attempts, of fallbacks, and the prompt of the last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from inspect_ai.model import (
    GenerateConfig,
    ModelCost,
    ModelOutput,
    ModelUsage,
    ResponseSchema,
    ServedModelUsage,
    get_model,
)
from inspect_ai.tool import ToolInfo
from inspect_ai.util import JSONSchema

from flashlite import Usage
from flashlite.inspect_ai import FlashliteModelAPI
from flashlite.inspect_ai._output import to_output
from flashlite.inspect_ai._private import PrerequisiteError
from flashlite.types import CompletionResponse

from .loopback import ANSWERS, Loopback

SHAPE = JSONSchema(type="object", properties={"x": JSONSchema(type="integer")}, required=["x"])
SHAPED = GenerateConfig(response_schema=ResponseSchema(name="answer", json_schema=SHAPE))
SEARCH = ToolInfo(name="web_search", description=".", options={"anthropic": {}})
PAUSED = {**ANSWERS["anthropic"], "stop_reason": "pause_turn"}
DOWN = (503, {"retry-after": "0"}, {"error": {"message": "down"}})


def _said(text: str) -> tuple[int, dict[str, str], Any]:
    choice = {"index": 0, "message": {"content": text}, "finish_reason": "stop"}
    return 200, {}, {**ANSWERS["openai"], "choices": [choice]}


async def _asked(model: str, *replies: Any, config: GenerateConfig, **options: Any) -> ModelOutput:
    left: Iterator[Any] = iter(replies)
    with Loopback(lambda _: next(left)) as server:
        asked = get_model(model, base_url=server.base_url, api_key="k", memoize=False, **options)
        tools = [SEARCH] if "claude" in model else []
        output = await asked.generate("Hi", tools=tools, config=config)
    assert list(left) == []
    return output


async def test_an_attempt_that_failed_in_its_midst_counts() -> None:
    output = await _asked(
        "flashlite/openai/gpt-4o",
        *(_said("no"), DOWN, _said("no"), _said('{"x": 1}')),
        config=SHAPED,
        structured_retries=1,
    )
    assert output.usage is not None
    assert output.metadata is not None
    told = output.metadata["flashlite"]
    counted = (output.usage.input_tokens, output.usage.output_tokens, output.input_context_tokens)
    assert counted == (30, 6, 10)
    assert output.usage.total_cost == pytest.approx(told["cost"])
    assert (told["wasted"]["input_tokens"], "context_tokens" in told) == (20, False)


async def test_so_it_does_where_the_last_answer_is_a_refusal() -> None:
    refused = {"error": {"message": "too long", "code": "context_length_exceeded"}}
    output = await _asked(
        "flashlite/openai/gpt-4o",
        *(_said("no"), DOWN, _said("no"), (400, {}, refused)),
        config=SHAPED,
        structured_retries=1,
    )
    assert (output.stop_reason, output.usage and output.usage.input_tokens) == ("model_length", 20)


async def test_so_it_does_where_no_answer_fits() -> None:
    output = await _asked(
        "flashlite/openai/gpt-4o",
        *(_said("no"), DOWN, _said("no"), _said("never")),
        config=SHAPED,
        structured_retries=1,
    )
    assert (output.completion, output.usage and output.usage.input_tokens) == ("never", 30)


async def test_so_it_does_where_another_model_stands_in() -> None:
    output = await _asked(
        "flashlite/anthropic/claude-opus-4-6",
        *((200, {}, PAUSED), (401, {}, {"error": {"message": "no"}})),
        config=GenerateConfig(),
        fallbacks="mock/echo",
        stream=False,
    )
    assert output.usage is not None
    assert output.input_context_tokens is not None
    assert (output.completion, output.usage.input_tokens_cache_read) == ("Hi", 5)
    assert output.usage.input_tokens == 3 + output.input_context_tokens


async def test_of_an_answer_in_parts_the_prompt_of_the_last_fills_the_context() -> None:
    output = await _asked(
        "flashlite/anthropic/claude-opus-4-6",
        *((200, {}, PAUSED), (200, {}, ANSWERS["anthropic"])),
        config=GenerateConfig(),
        stream=False,
    )
    assert output.usage is not None
    assert (output.usage.input_tokens, output.input_context_tokens) == (6, 10)


@pytest.mark.parametrize(
    ("facts", "context"), [({"context_tokens": 7}, 7), ({}, 30)], ids=["in parts", "in one"]
)
def test_an_answer_of_a_cache_tells_its_prompt(facts: dict[str, Any], context: int) -> None:
    response = CompletionResponse.of("x", cached=True, usage=Usage(input_tokens=30), facts=facts)
    output = to_output(response, model="m")
    assert (output.usage, output.input_context_tokens) == (None, context)


def test_what_failed_before_an_answer_of_a_cache_was_used_all_the_same() -> None:
    response = CompletionResponse.of("x", cached=True, usage=Usage(input_tokens=30))
    output = to_output(response, model="m", before=Usage(input_tokens=5))
    assert output.usage == ModelUsage(input_tokens=5, total_tokens=5)
    assert output.input_context_tokens == 30


@pytest.mark.parametrize(
    ("provider", "served", "cost"),
    [
        ("mock", "echo", ModelCost(input=0, output=0, input_cache_write=0, input_cache_read=0)),
        (
            "openai",
            "gpt-4o-mini-2024-07-18",
            ModelCost(input=0.15, output=0.6, input_cache_write=0.15, input_cache_read=0.075),
        ),
        ("vllm", "gpt-4o", None),  # Inspect says so, and takes the price of the model it asked
    ],
)
def test_an_answer_of_a_fallback_has_the_prices_of_whoever_gave_it(
    provider: str, served: str, cost: ModelCost | None
) -> None:
    response = CompletionResponse.of(
        "x",
        model=served,
        provider=provider,
        usage=Usage(input_tokens=1),
        fallback_from=("openai/gpt-4o",),
    )
    output = to_output(response, model="gpt-4o")
    assert output.usage is not None
    found = FlashliteModelAPI("openai/gpt-4o", api_key="k").served_model_usage(output)
    assert found == [ServedModelUsage(f"flashlite/{provider}/{served}", output.usage, cost)]


def test_a_budget_needs_the_prices_of_the_fallbacks_too() -> None:
    told: dict[str, Any] = {"api_key": "k", "budget": 1, "fallbacks": "mock/echo,vllm/mine"}
    with pytest.raises(PrerequisiteError) as caught:
        FlashliteModelAPI("openai/gpt-4o", **told)
    assert str(caught.value.message).startswith("a budget needs the price of vllm/mine")
