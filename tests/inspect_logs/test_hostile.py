"""Whatever a caller or a model sends: a log that Inspect reads, or a clear error."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inspect_ai.event import ModelEvent, ToolEvent
from inspect_ai.log import read_eval_log_sample_summaries

from flashlite import InspectLogger
from flashlite.types import (
    Choice,
    CompletionRequest,
    CompletionResponse,
    Message,
    ToolCall,
    Usage,
    audio_part,
    file_part,
    image_part,
    text_part,
)

from .logs import answer, members, read, samples, the_log

TEXTS = st.text(st.characters(exclude_categories=()), max_size=8)  # halves of emojis, NUL and all
ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=3)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)
PARTS = st.dictionaries(
    st.sampled_from(["type", "text", "image_url", "input_audio", "file", "x"]),
    VALUES | st.sampled_from(["text", "image_url", "input_audio", "file"]),
    max_size=4,
)
CONTENT = VALUES | st.lists(PARTS, max_size=3)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(
    content=CONTENT,
    said=CONTENT,
    extra=st.dictionaries(
        st.sampled_from(["reasoning_content", "thinking_blocks", "refusal", "name", "tool_calls"]),
        VALUES,
    ),
    params=st.dictionaries(st.sampled_from(["stop", "seed", "n", "logit_bias", "x"]), VALUES),
    tools=st.lists(st.fixed_dictionaries({"type": VALUES, "function": VALUES}), max_size=2),
    thing=VALUES,
)
def test_any_value_anywhere_is_read_again(
    content: Any, said: Any, extra: Any, params: Any, tools: Any, thing: Any
) -> None:
    message = Message(role="assistant", content=said, **extra)
    call = ToolCall("c", "f", str(thing))
    request = CompletionRequest(
        model="openai/m",
        messages=(Message(role="user", content=content), message),
        tools=tuple(tools),
        params={**params, "tool_choice": thing},
        extra_body={"y": thing},
    )
    choice = Choice(message=message, finish_reason="stop", logprobs={"content": thing})
    response = CompletionResponse(choices=(choice,), raw={"z": thing}, facts={"w": thing})
    with tempfile.TemporaryDirectory() as folder:
        with InspectLogger(folder, "x", metadata={"m": thing}, live=False) as logger:
            logger.log(request, response, thing if isinstance(thing, str) else None)
            with logger.sample(metadata={"m": thing}) as s:
                s.tool(call, thing)
                s.info(thing)
                s.store["v"] = thing
        first, second = sorted(samples(Path(folder)), key=lambda sample: -(sample.turn_count or 0))
        assert [event.event for event in first.events].count("model") == 1
        assert isinstance(second.events[3], ToolEvent)
        assert len(read_eval_log_sample_summaries(str(the_log(Path(folder))))) == 2


def test_a_value_in_itself_and_one_500_deep_are_noted(tmp_path: Path) -> None:
    deep: Any = "bottom"
    for _ in range(500):
        deep = [deep]
    endless: dict[str, Any] = {}
    endless["me"] = endless
    with InspectLogger(tmp_path) as logger, logger.sample("s") as s:
        s.info({"deep": deep, "endless": endless, "nan": float("nan"), 1: b"x"})
    [document] = [d for name, d in members(the_log(tmp_path)).items() if name.startswith("sam")]
    shown = document["events"][3]["data"]
    assert (shown["endless"], shown["nan"], shown["1"]) == (
        {"me": "<nested in itself>"}, "nan", "<bytes>"
    )  # fmt: skip
    assert "<nested too deeply>" in json.dumps(shown["deep"])
    assert len(samples(tmp_path)) == 1


def test_ten_megabytes_are_logged(tmp_path: Path) -> None:
    text = "0123456789" * 1_000_000
    with InspectLogger(tmp_path) as logger:
        logger.log(text, text[::-1], metadata={"long": text})
    [sample] = samples(tmp_path)
    assert sample.input == text
    [summary] = read_eval_log_sample_summaries(str(the_log(tmp_path)))
    assert len(summary.input) < 6000
    assert len(summary.metadata["long"]) < 1100


def test_media_are_in_a_sample_once(tmp_path: Path) -> None:
    image = "data:image/png;base64," + "AAAA" * 100
    message = Message.user(
        [
            text_part("See"),
            image_part(image, detail="low"),
            image_part("https://example.com/x.png"),
            audio_part("BBBB", format="mp3"),
            file_part(file_data="data:application/pdf;base64,CCCC", filename="a.pdf"),
            {"type": "video_url", "video_url": {"url": "https://example.com/x.mp4"}},
        ]
    )
    with InspectLogger(tmp_path) as logger, logger.sample("s", input=[message]) as s:
        s.model([message], answer("One."))
        s.model([message, Message.assistant("One."), Message.user("And?")], answer("Two."))
    assert the_log(tmp_path).read_bytes()
    document = members(the_log(tmp_path))["samples/s_epoch_1.json"]
    assert json.dumps(document).count(image) == 1
    [sample] = samples(tmp_path)
    text, shown, linked, sound, paper, video = sample.messages[0].content
    assert text.text == "See"  # type: ignore[union-attr]
    assert (shown.image, shown.detail) == (image, "low")  # type: ignore[union-attr]
    assert linked.image == "https://example.com/x.png"  # type: ignore[union-attr]
    assert sound.audio == "data:audio/mp3;base64,BBBB"  # type: ignore[union-attr]
    assert (paper.filename, paper.mime_type) == ("a.pdf", "application/pdf")  # type: ignore[union-attr]
    assert video.data["type"] == "video_url"  # type: ignore[union-attr]


def test_media_are_left_out_where_that_is_wanted(tmp_path: Path) -> None:
    message = Message.user([image_part("data:image/png;base64,AAAA")])
    with InspectLogger(tmp_path, log_images=False, log_raw=False) as logger:
        logger.log([message], answer(raw={"x": 1}))
    document = members(the_log(tmp_path))["samples/1_epoch_1.json"]
    assert "AAAA" not in json.dumps(document)
    assert document["attachments"] == {}
    assert [e for e in document["events"] if "call" in e] == []


def test_no_secret_is_in_a_log(tmp_path: Path) -> None:
    key = "sk-canary-0123456789\\é"
    request = CompletionRequest(
        model="openai/m",
        messages=(Message.user(f"My key is {key}."),),
        api_key=key,
        extra_body={"api_token": "token-0123456789", "n": 1},
    )
    with InspectLogger(tmp_path) as logger:
        logger.log(request, answer(f"It is {key}, token-0123456789.", raw={"echo": key}))
        with logger.sample("s") as s:
            s.model(request, error=ValueError(f"bad {key}"))
            s.error(ValueError(f"worse {key}"))
            s.info(f"{key}")
    written = json.dumps(members(the_log(tmp_path)), ensure_ascii=False)
    assert "canary" not in written
    assert "token-0123456789" not in written
    assert "My key is ***." in written


def test_a_schema_of_any_kind_is_read(tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": ["string", "null"], "minLength": "x", "default": None, "title": "A"},
            "b": {"oneOf": [{"type": "integer"}, {"$ref": "#/$defs/B"}], "type": "any"},
            "c": {"type": "array", "items": {"type": "string", "enum": ["x", 1]}},
        },
        "required": ["a"],
        "additionalProperties": False,
        "$defs": {"B": {"type": "string"}},
    }
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    request = CompletionRequest(model="m", messages=(Message.user("x"),), tools=(tool,))
    with InspectLogger(tmp_path) as logger:
        logger.log(request, "y")
    [event] = [e for e in samples(tmp_path)[0].events if isinstance(e, ModelEvent)]
    [info] = event.tools
    shown = {
        name: p.model_dump(exclude_none=True) for name, p in info.parameters.properties.items()
    }
    assert shown == {
        "a": {"type": ["string", "null"]},
        "b": {"anyOf": [{"type": "integer"}, {}]},
        "c": {"type": "array", "items": {"type": "string", "enum": ["x", 1]}},
    }
    assert (info.parameters.required, info.parameters.additionalProperties) == (["a"], False)


@pytest.mark.parametrize("tokens", [10**30, 2**63, float("inf"), float("nan"), -(10**30)])
def test_any_usage_is_used(tmp_path: Path, tokens: Any) -> None:
    used = dict.fromkeys(("input_tokens", "input_tokens_cached", "reasoning_tokens"), tokens)
    usage = Usage(**used, output_tokens=5, total_tokens=tokens, total_cost=float(tokens))
    with InspectLogger(tmp_path) as logger:
        for number in range(3):
            with logger.sample(number) as s:
                for _ in range(3):
                    s.model("x", answer(usage=usage))
    log = read(tmp_path)
    stats = json.loads(log.model_dump_json())["stats"]["model_usage"]["openai/gpt-4o-2024"]
    assert log.status == "success"
    assert 0 <= stats["total_tokens"] <= 2**53


@pytest.mark.parametrize("id", ["a/b", "..", "", "Ünïcode", "half \ud83d", 2**70, 1.5, True, None])
def test_any_id_is_an_id(tmp_path: Path, id: Any) -> None:
    with InspectLogger(tmp_path) as logger:
        logger.log("x", "y", id)
    log = read(tmp_path)
    assert log.status == "success"
    assert len(log.samples or ()) == 1
