"""What each field of a config becomes in each dialect: config_table.json, field by field.

`sent` is what a field adds to the body of a request, `headers` to its headers; `refused` is the
sentence where it cannot act, which needs `strict_params` unless it would change the measurement.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.model import (
    ChatMessage,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    ResponseSchema,
)
from inspect_ai.tool import ToolInfo, ToolParams
from inspect_ai.util import JSONSchema

from flashlite.inspect_ai import FlashliteModelAPI
from flashlite.inspect_ai._config import OBEYED_BY_INSPECT, OF_TRAVEL
from flashlite.inspect_ai._private import PrerequisiteError

from .loopback import ANSWERS, MODELS, Loopback

INPUT: list[ChatMessage] = [ChatMessageSystem(content="S"), ChatMessageUser(content="Hi")]
TOOL = ToolInfo(name="add", description="Add.", parameters=ToolParams())
SHAPE = JSONSchema(type="object", properties={"x": JSONSchema(type="integer")}, required=["x"])
FIELDS: dict[str, Any] = {
    "best_of": 2,
    "cache_prompt": False,
    "effort": "medium",
    "extra_body": {"custom": 1},
    "extra_headers": {"x-custom": "1"},
    "fallback_models": ["claude-sonnet-4-5"],
    "frequency_penalty": 0.1,
    "logit_bias": {42: 1.0},
    "logprobs": True,
    "max_tokens": 2000,
    "modalities": ["image"],
    "num_choices": 2,
    "parallel_tool_calls": False,
    "presence_penalty": 0.2,
    "prompt_logprobs": 1,
    "reasoning_effort": "low",
    "reasoning_mode": "pro",
    "reasoning_summary": "detailed",
    "reasoning_tokens": 1500,
    "response_schema": ResponseSchema(name="a", json_schema=SHAPE, strict=True),
    "seed": 7,
    "stop_seqs": ["END"],
    "temperature": 0.5,
    "top_k": 5,
    "top_logprobs": 3,
    "top_p": 0.97,
    "verbosity": "low",
}
_TABLE = Path(__file__).with_name("config_table.json")


def test_the_table_has_every_field_that_inspect_does_not_obey_itself() -> None:
    own = set(GenerateConfig.model_fields) - OBEYED_BY_INSPECT
    assert set(FIELDS) == own - OF_TRAVEL


@pytest.mark.parametrize("dialect", MODELS)
async def test_each_field_becomes_what_the_table_says(dialect: str) -> None:
    found = await table_of(dialect)
    assert found == json.loads(_TABLE.read_text("utf-8"))[dialect]


async def table_of(dialect: str) -> dict[str, Any]:
    """Ask once for each field and return what it added."""
    with Loopback(ANSWERS[dialect]) as server:
        api = FlashliteModelAPI(
            MODELS[dialect],
            base_url=server.base_url,
            api_key="k",
            strict_params=True,
            stream=False,
            responses_api="auto" if dialect != "responses" else True,
        )
        return {name: await _added(api, server, name) for name in FIELDS}


async def _added(api: FlashliteModelAPI, server: Loopback, name: str) -> dict[str, Any]:
    tools = [TOOL] if name == "parallel_tool_calls" else []
    await api.generate(INPUT, tools, "auto", GenerateConfig())
    try:
        await api.generate(INPUT, tools, "auto", GenerateConfig(**{name: FIELDS[name]}))
    except PrerequisiteError as error:
        return {"refused": str(error.message)}
    without, body = server.bodies[-2:]
    before, headers = server.headers[-2:]
    sent = {key: value for key, value in body.items() if without.get(key) != value}
    told = {
        key: value
        for key, value in headers.items()
        if before.get(key) != value and key != "content-length"
    }
    return {"sent": sent} | ({"headers": told} if told else {})
