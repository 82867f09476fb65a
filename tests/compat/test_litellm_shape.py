"""The same bytes through litellm itself and through our door, field by field."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import flashlite.compat.litellm as ours
from flashlite.testing import Reply
from tests.providers.loopback import serving

USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 3,
    "total_tokens": 8,
    "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 1, "audio_tokens": 0},
}
CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
MESSAGES = [{"role": "user", "content": "Hi"}]


def answer(finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "refusal": None, "annotations": [], **message}
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": finish_reason}
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 123,
        "model": "gpt-4o-2024-08-06",
        "system_fingerprint": "fp",
        "service_tier": "default",
        "choices": [choice],
        "usage": USAGE,
    }


ANSWERS = {
    "text": answer(content="Hi"),
    "calls": answer("tool_calls", content=None, tool_calls=[CALL]),
    "reasoning": answer(content="Hi", reasoning_content="Hm."),
    "refusal": answer(content=None, refusal="No."),
}

# Fields that one of the two has and the other has not, and why.
EXPLAINED = {
    "moderation": "a part of litellm's own, for its proxy",
    "choices.0.provider_specific_fields": "what is not OpenAI's; our messages have it by name",
    "choices.0.message.provider_specific_fields": "likewise",
    "choices.0.message.refusal": "litellm has it among its provider_specific_fields only",
    "choices.0.message.annotations": "empty lists are left out",
    "usage.prompt_tokens_details.audio_tokens": "audio is not counted apart",
    "usage.completion_tokens_details.audio_tokens": "audio is not counted apart",
}


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return every leaf of a JSON value by its path."""
    members = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    leaves: dict[str, Any] = {}
    for name, member in members:
        leaves |= flat(member, f"{path}.{name}" if path else str(name))
    return leaves or {path: value}


def differences(mine: Any, theirs: Any) -> dict[str, tuple[Any, Any]]:
    """Return the fields that differ; None is as good as nothing."""
    here, there = flat(mine), flat(theirs)
    return {
        name: (here.get(name), there.get(name))
        for name in here.keys() | there.keys()
        if here.get(name) != there.get(name)
        and not any(f"{name}.".startswith(f"{known}.") for known in EXPLAINED)
    }


DELTAS: list[tuple[dict[str, Any], str | None]] = [
    ({"role": "assistant", "content": "He"}, None),
    ({"content": "llo"}, None),
    ({"tool_calls": [{"index": 0, **CALL, "function": {"name": "f", "arguments": ""}}]}, None),
    ({"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 1}'}}]}, None),
    ({}, "tool_calls"),
]
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 123, "model": "gpt-4o"}
CHUNKS = [
    {**HEAD, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
    for delta, reason in DELTAS
]
STREAM = Reply.stream([*CHUNKS, {**HEAD, "choices": [], "usage": USAGE}, "[DONE]"])
ARGUMENTS: dict[str, Any] = {"model": "openai/gpt-4o", "messages": MESSAGES, "api_key": "k"}
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}

# litellm leaves sockets and loops behind, so it runs in a process of its own.
THEIRS = """
import json, sys
from flashlite.compat.litellm import exceptions
from flashlite.providers.litellm.library import library
litellm, given = library(), json.load(sys.stdin)
answers = [litellm.completion(**given["arguments"]) for _ in range(given["answers"])]
chunks = list(litellm.completion(**given["arguments"], **given["streamed"]))
json.dump({
    "answers": [[answer.model_dump(), [*answer.model_extra]] for answer in answers],
    "costs": [answer._hidden_params["response_cost"] for answer in answers],
    "chunks": [chunk.model_dump() for chunk in chunks],
    "unknown": [name for name in exceptions.__all__ if not hasattr(litellm, name)],
}, sys.stdout)
"""


@pytest.fixture(scope="module")
def theirs() -> Any:
    """What litellm makes of each answer and of the stream."""
    with serving(*map(Reply.of, ANSWERS.values()), STREAM) as server:
        given = {
            "arguments": ARGUMENTS | {"api_base": server.base_url},
            "streamed": STREAMED,
            "answers": len(ANSWERS),
        }
        command = [sys.executable, "-c", THEIRS]
        done = subprocess.run(
            command, input=json.dumps(given), capture_output=True, text=True, timeout=60, check=True
        )
    return json.loads(done.stdout)


@pytest.mark.parametrize("number", range(len(ANSWERS)), ids=list(ANSWERS))
def test_an_answer_has_the_same_fields(number: int, theirs: Any) -> None:
    dumped, extra = theirs["answers"][number]
    with serving(Reply.of([*ANSWERS.values()][number])) as server:
        mine: Any = ours.completion(**ARGUMENTS, api_base=server.base_url)
    assert differences(mine.model_dump(), dumped) == {}
    assert mine._hidden_params["response_cost"] == theirs["costs"][number]
    assert mine.model_extra.keys() == {*extra} - {"moderation"}


def test_a_stream_has_the_same_chunks(theirs: Any) -> None:
    with serving(STREAM) as server:
        *mine, last = ours.completion(**ARGUMENTS, **STREAMED, api_base=server.base_url)
    *dumped, end = theirs["chunks"]
    # The id and the time are each stream's own; the last chunk of litellm has a choice too.
    for here, there in zip(mine, dumped, strict=True):
        assert differences(here["choices"], there["choices"]) == {}
    assert last["usage"]["total_tokens"] == end["usage"]["total_tokens"] == 8


def test_litellm_has_every_error_by_the_same_name(theirs: Any) -> None:
    assert theirs["unknown"] == []
