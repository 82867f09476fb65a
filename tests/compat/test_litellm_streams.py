"""litellm's streams, with and without `await`."""

from __future__ import annotations

from typing import Any

import pytest

import flashlite.compat.litellm as litellm
from flashlite.testing import Reply
from tests.providers.loopback import SILENCE, Loopback, serving

MESSAGES = [{"role": "user", "content": "Hi"}]
USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}


def chunk(finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


CALL = {"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}}
EVENTS = [
    chunk(role="assistant", reasoning_content="Hm."),
    chunk(content="He"),
    chunk(content="llo"),
    chunk(tool_calls=[CALL]),
    chunk(tool_calls=[{"index": 0, "function": {"arguments": '{"a"'}}]),
    chunk(tool_calls=[{"index": 0, "function": {"arguments": ": 1}"}}]),
    chunk("tool_calls"),
    {"id": "c", "choices": [], "usage": USAGE},
    "[DONE]",
]


def arguments(server: Loopback, **more: Any) -> dict[str, Any]:
    given = {"model": "vllm/m", "messages": MESSAGES, "api_base": server.base_url}
    return given | {"stream": True, "num_retries": 0} | more


def written(chunks: list[Any]) -> dict[str, Any]:
    """Add a stream up as its readers do."""
    deltas = [piece.choices[0].delta for piece in chunks if piece.choices]
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    return {
        "roles": [delta.role for delta in deltas if delta.role],
        "reasoning": "".join(delta.get("reasoning_content") or "" for delta in deltas),
        "content": "".join(delta.content or "" for delta in deltas),
        "names": "".join(call.function.name or "" for call in calls),
        "arguments": "".join(call.function.arguments for call in calls),
        "reasons": [p.choices[0].finish_reason for p in chunks if p.choices][-1],
        "usages": [piece.usage.total_tokens for piece in chunks if "usage" in piece],
    }


WRITTEN = {
    "roles": ["assistant"],
    "reasoning": "Hm.",
    "content": "Hello",
    "names": "f",
    "arguments": '{"a": 1}',
    "reasons": "tool_calls",
    "usages": [],
}


def test_the_pieces_add_up() -> None:
    with serving(Reply.stream(EVENTS)) as server:
        chunks: Any = litellm.completion(**arguments(server))
        assert written(list(chunks)) == WRITTEN


def test_the_usage_comes_last_where_it_was_asked_for() -> None:
    with serving(Reply.stream(EVENTS)) as server:
        chunks: Any = litellm.completion(
            **arguments(server, stream_options={"include_usage": True})
        )
        assert written(list(chunks)) == WRITTEN | {"usages": [8]}


async def test_a_stream_is_read_with_async_for() -> None:
    with serving(Reply.stream(EVENTS)) as server:
        chunks: Any = await litellm.acompletion(**arguments(server))
        assert written([piece async for piece in chunks]) == WRITTEN


def test_all_chunks_are_of_one_answer() -> None:
    with serving(Reply.stream(EVENTS)) as server:
        chunks = list(litellm.completion(**arguments(server)))
    ids = {(piece.id, piece.created, piece.object) for piece in chunks}  # type: ignore[union-attr]
    assert len(ids) == 1
    assert next(iter(ids))[2] == "chat.completion.chunk"


def test_a_reader_who_leaves_closes_the_connection() -> None:
    begun = Reply.stream(EVENTS[:2])
    reply = Reply(headers=begun.headers, chunks=(*begun.chunks, SILENCE))
    with serving(reply) as server:
        for _ in litellm.completion(**arguments(server)):
            break
        assert server.lost.wait(10)


def test_a_refusal_is_raised_by_the_call_itself() -> None:
    refused = Reply.of({"error": {"message": "No."}}, status=503)
    with serving(refused) as server, pytest.raises(litellm.ServiceUnavailableError):
        litellm.completion(**arguments(server))


def test_a_cut_stream_raises() -> None:
    with serving(Reply.stream(EVENTS[:3])) as server:
        chunks = litellm.completion(**arguments(server))
        with pytest.raises(litellm.APIError):
            list(chunks)


def test_a_mocked_response_streams() -> None:
    chunks: Any = litellm.completion("gpt-4o", MESSAGES, mock_response="Yo", stream=True)
    assert written(list(chunks))["content"] == "Yo"
