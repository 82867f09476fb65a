"""Every field of GenerateConfig has a place."""

from __future__ import annotations

import logging

import pytest
from inspect_ai.model import GenerateConfig, ResponseSchema
from inspect_ai.util import JSONSchema

from flashlite.inspect_ai._config import (
    BY_DIALECT,
    OBEYED_BY_INSPECT,
    OF_TRAVEL,
    REFUSED,
    SENT,
    TRANSLATED,
    to_options,
)
from flashlite.inspect_ai._private import PrerequisiteError


def test_every_field_is_in_exactly_one_group() -> None:
    groups = [set(SENT), TRANSLATED, OBEYED_BY_INSPECT, BY_DIALECT, OF_TRAVEL, REFUSED]
    assert sorted(name for group in groups for name in group) == sorted(GenerateConfig.model_fields)


def test_what_is_unset_is_not_sent() -> None:
    assert to_options(GenerateConfig(), model="m", has_tools=True) == {}


def test_parameters_are_sent_under_our_names() -> None:
    config = GenerateConfig(
        max_tokens=100,
        temperature=0.0,
        top_p=0.9,
        top_k=5,
        stop_seqs=["END"],
        frequency_penalty=0.1,
        presence_penalty=0.2,
        logit_bias={42: 10.0},
        seed=7,
        num_choices=2,
        logprobs=True,
        top_logprobs=3,
        parallel_tool_calls=False,
        verbosity="low",
        reasoning_effort="high",
        reasoning_tokens=2000,
        extra_headers={"x-a": "1"},
        extra_body={"b": 2},
    )
    assert to_options(config, model="m", has_tools=True) == {
        "max_tokens": 100,
        "temperature": 0.0,
        "top_p": 0.9,
        "top_k": 5,
        "stop": ["END"],
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "logit_bias": {"42": 10.0},
        "seed": 7,
        "n": 2,
        "logprobs": True,
        "top_logprobs": 3,
        "parallel_tool_calls": False,
        "verbosity": "low",
        "reasoning_effort": "high",
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "extra_headers": {"x-a": "1"},
        "extra_body": {"b": 2},
    }


def test_parallel_tool_calls_goes_only_with_tools() -> None:
    config = GenerateConfig(parallel_tool_calls=True)
    assert to_options(config, model="m", has_tools=False) == {}


def test_a_response_schema_becomes_a_response_format() -> None:
    schema = ResponseSchema(
        name="answer",
        json_schema=JSONSchema(type="object", properties={"x": JSONSchema(type="integer")}),
        strict=True,
    )
    options = to_options(GenerateConfig(response_schema=schema), model="m", has_tools=False)
    assert options == {
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "answer",
                "strict": True,
                "schema": {"type": "object", "properties": {"x": {"type": "integer"}}},
            },
        }
    }


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            GenerateConfig(best_of=2),
            "cannot do best_of: ask num_choices and choose in the scorer; leave it out.",
        ),
        (GenerateConfig(modalities=["image"]), "cannot do modalities; leave it out."),
        (GenerateConfig(prompt_logprobs=1), "cannot do prompt_logprobs; leave it out."),
    ],
)
def test_what_would_change_the_measurement_is_refused(
    config: GenerateConfig, sentence: str
) -> None:
    with pytest.raises(PrerequisiteError) as caught:
        to_options(config, model="openai/m", has_tools=False)
    assert caught.value.message == f"flashlite/openai/m {sentence}"


def test_what_is_switched_off_is_neither_refused_nor_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = GenerateConfig(batch=False, cache_prompt=False, reasoning_summary="none")
    assert to_options(config, model="m", has_tools=False) == {}
    assert caplog.records == []


def test_what_is_not_used_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    config = GenerateConfig(effort="low", fallback_models=["b"])
    for _ in range(3):
        to_options(config, model="reported-once", has_tools=False)
    assert [record.getMessage() for record in caplog.records] == [
        "flashlite/reported-once does not use effort: it is not sent.",
        "flashlite/reported-once does not use fallback_models: it is not sent.",
    ]
