"""What a server says when it does not answer, and the error that it becomes."""

from __future__ import annotations

import json
import traceback
from dataclasses import replace
from typing import Any

import pytest

from flashlite import Flashlite
from flashlite.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    CompletionError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    MalformedResponseError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
)
from flashlite.middleware import RetryConfig
from flashlite.providers import Host, HTTPProvider, OpenAIAdapter
from flashlite.testing import ReplayTransport, Reply
from flashlite.types import CompletionRequest, Message
from flashlite.wire import WireRequest

KEY = "sk-proj-0123456789abcdef"
REQUEST_ID = {"x-request-id": "req_1"}
NOW, SOON, LATER = (f"Wed, 21 Oct 2026 07:{time} GMT" for time in ("28:00", "28:30", "29:00"))


async def fail(reply: Reply, model: str = "openai/m", key: str = KEY) -> CompletionError:
    """Return the error that a reply becomes."""
    client = Flashlite(
        model,
        api_key=key,
        transport=ReplayTransport([reply]),
        retry=RetryConfig(max_attempts=1),
    )
    with pytest.raises(CompletionError) as caught:
        await client.complete("Hi")
    return caught.value


def told(error: CompletionError) -> dict[str, Any]:
    """Return what an error knows, but for whose it is."""
    names = ("reason", "status_code", "code", "request_id", "retry_after", "retryable", "body")
    return {"type": type(error)} | {name: getattr(error, name) for name in names}


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (300, APIStatusError, False),
        (400, BadRequestError, False),
        (401, AuthenticationError, False),
        (402, QuotaExceededError, False),
        (403, PermissionDeniedError, False),
        (404, NotFoundError, False),
        (408, APIStatusError, True),
        (409, APIStatusError, True),
        (413, BadRequestError, False),
        (422, BadRequestError, False),
        (424, APIStatusError, False),
        (425, APIStatusError, True),
        (429, RateLimitError, True),
        (500, InternalServerError, True),
        (501, APIStatusError, False),
        (502, InternalServerError, True),
        (503, InternalServerError, True),
        (504, InternalServerError, True),
        (529, InternalServerError, True),
        (599, InternalServerError, True),
    ],
)
async def test_a_status_decides_the_class_and_whether_to_try_again(
    status: int, kind: type[CompletionError], retryable: bool
) -> None:
    body = {"error": {"message": "No.", "type": "some_error", "param": None, "code": "some_code"}}
    headers = {**REQUEST_ID, "retry-after": "7"}
    error = await fail(Reply.of(body, status=status, headers=headers))
    assert told(error) == {
        "type": kind,
        "reason": "No.",
        "status_code": status,
        "code": "some_code",
        "request_id": "req_1",
        "retry_after": 7.0,
        "retryable": retryable,
        "body": body,
    }
    assert str(error) == (f"openai/m: No. (status {status}, request req_1, asked to wait 7 s)")


@pytest.mark.parametrize(
    ("body", "reason", "code"),
    [
        ({"error": {"message": "No.", "type": "t", "code": "c"}}, "No.", "c"),
        ({"error": {"message": "No.", "type": "t", "code": None}}, "No.", "t"),
        ({"error": {"message": "No.", "type": "t", "code": 400}}, "No.", "t"),
        ({"error": {"message": "No."}}, "No.", None),
        ({"error": {"why": "No."}}, '{"why":"No."}', None),
        ({"error": "model 'm' not found"}, "model 'm' not found", None),
        (
            {"object": "error", "message": "No.", "type": "BadRequestError", "code": 400},
            "No.",
            "BadRequestError",
        ),
        ({"detail": "Not Found"}, "Not Found", None),
        (
            {"detail": [{"type": "missing", "loc": ["body", "model"], "msg": "Field required"}]},
            '[{"type":"missing","loc":["body","model"],"msg":"Field required"}]',
            None,
        ),
        ({"error": None, "message": "No."}, "No.", None),
        ({"error": {}, "message": "No.", "code": "c"}, "No.", "c"),
        (["No."], "['No.']", None),
        ("No.", "No.", None),
        (None, "None", None),
    ],
)
async def test_a_server_is_heard_in_whatever_shape_it_speaks(
    body: Any, reason: str, code: str | None
) -> None:
    error = await fail(Reply.of(body, status=400))
    assert told(error) == {
        "type": BadRequestError,
        "reason": reason,
        "status_code": 400,
        "code": code,
        "request_id": None,
        "retry_after": None,
        "retryable": False,
        "body": body,
    }


@pytest.mark.parametrize(
    ("body", "reason", "kept"),
    [
        (b"<html>Bad Gateway</html>\n", "<html>Bad Gateway</html>", "<html>Bad Gateway</html>"),
        (b"", "Bad Gateway", ""),
        (b"\xff\xfe", "\ufffd\ufffd", "\ufffd\ufffd"),
        (b'{"error": {"mess', '{"error": {"mess', '{"error": {"mess'),
        (b"x" * 9000, "x" * 500, "x" * 9000),
    ],
    ids=["html", "empty", "not UTF-8", "cut JSON", "long"],
)
async def test_a_refusal_that_is_no_json_is_kept_as_text(
    body: bytes, reason: str, kept: str
) -> None:
    error = await fail(Reply(status=502, headers={"content-type": "text/html"}, chunks=(body,)))
    assert told(error) == {
        "type": InternalServerError,
        "reason": reason,
        "status_code": 502,
        "code": None,
        "request_id": None,
        "retry_after": None,
        "retryable": True,
        "body": kept,
    }


@pytest.mark.parametrize("odd", [b"[" * 300 + b"]" * 300, b"[NaN, 123456789012345678901]"])
@pytest.mark.parametrize("status", [400, 200])
async def test_an_error_that_cannot_be_written_down_is_still_an_error(
    odd: bytes, status: int
) -> None:
    error = await fail(Reply(status=status, chunks=(b'{"error": {"x": ' + odd + b"}}",)))
    assert error.reason == "an error in no usual form"
    assert type(error) is (InternalServerError if status == 200 else BadRequestError)


async def test_a_status_without_a_name_and_without_words_still_says_something() -> None:
    assert str(await fail(Reply(status=599))) == "openai/m: the server refused (status 599)"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "1"}, 1.0),
        (
            {"retry-after": SOON, "date": NOW},
            30.0,
        ),
        (
            {"retry-after": NOW, "date": LATER},
            0.0,
        ),
        ({"retry-after": SOON}, None),
        ({"retry-after": SOON, "date": "today"}, None),
        (
            {"retry-after": SOON.replace("GMT", "-0000"), "date": NOW},
            None,
        ),
        ({"retry-after": "tomorrow", "date": NOW}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
async def test_the_wait_that_a_server_asks_for(
    headers: dict[str, str], seconds: float | None
) -> None:
    error = await fail(Reply.of({}, status=429, headers=headers))
    assert error.retry_after == seconds


@pytest.mark.parametrize("name", ["x-request-id", "request-id", "x-amzn-requestid", "cf-ray"])
async def test_a_servers_id_of_the_request_has_several_names(name: str) -> None:
    error = await fail(Reply.of({}, status=500, headers={name: "req_7"}))
    assert error.request_id == "req_7"


@pytest.mark.parametrize(
    "body",
    [
        {
            "message": "You exceeded your current quota, please check your plan and billing "
            "details.",
            "type": "insufficient_quota",
            "param": None,
            "code": "insufficient_quota",
        },
        {"message": "No.", "type": "insufficient_quota", "code": None},
        {"message": "You exceeded your current quota.", "type": None, "code": None},
    ],
    ids=["as OpenAI says it", "by its type", "by its words"],
)
async def test_a_quota_that_is_used_up_is_not_worth_another_try(body: dict[str, Any]) -> None:
    error = await fail(Reply.of({"error": body}, status=429, headers={"retry-after": "1"}))
    assert (type(error), error.retryable, error.retry_after) == (QuotaExceededError, False, 1.0)


@pytest.mark.parametrize(
    "body",
    [
        {
            "error": {
                "message": "This model's maximum context length is 8192 tokens. However, your "
                "messages resulted in 9001 tokens. Please reduce the length of the messages.",
                "type": "invalid_request_error",
                "param": "messages",
                "code": "context_length_exceeded",
            }
        },
        {"error": {"message": "Too long.", "code": "context_length_exceeded"}},
        {
            "error": {
                "code": 400,
                "message": "request (9001 tokens) exceeds the available context size (8192 tokens)",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 9001,
                "n_ctx": 8192,
            }
        },
        {
            "object": "error",
            "message": "This model's maximum context length is 6048 tokens. However, you requested "
            "6616 tokens (568 in the messages, 6048 in the completion). Please reduce the length "
            "of the messages or completion.",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
    ],
    ids=["OpenAI", "by its code", "llama.cpp", "vLLM"],
)
@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_prompt_that_is_too_long_has_an_error_of_its_own(
    status: int, body: dict[str, Any]
) -> None:
    error = await fail(Reply.of(body, status=status))
    assert (type(error), error.retryable) == (ContextWindowExceededError, False)


@pytest.mark.parametrize("code", ["content_policy_violation", "content_filter"])
async def test_a_prompt_that_the_provider_forbids_has_an_error_of_its_own(code: str) -> None:
    error = await fail(Reply.of({"error": {"message": "No.", "code": code}}, status=400))
    assert (type(error), error.code) == (ContentPolicyViolationError, code)


async def test_words_about_context_do_not_change_what_another_status_means() -> None:
    body = {"error": {"message": "Lost the context window. content_filter"}}
    assert type(await fail(Reply.of(body, status=500))) is InternalServerError


@pytest.mark.parametrize(
    ("inner", "kind", "status", "code"),
    [
        ({"code": 503, "message": "No."}, InternalServerError, 503, None),
        ({"code": 429, "message": "No."}, RateLimitError, 429, None),
        (
            {"code": 400, "message": "No.", "type": "exceed_context_size_error"},
            ContextWindowExceededError,
            400,
            "exceed_context_size_error",
        ),
        ({"code": 401, "message": "No."}, AuthenticationError, 401, None),
        ({"message": "No.", "type": "server_error"}, InternalServerError, 500, "server_error"),
        ({"code": 200, "message": "No."}, InternalServerError, 500, None),
        ({"code": "overloaded", "message": "No."}, InternalServerError, 500, "overloaded"),
        ({"code": "429", "message": "No."}, RateLimitError, 429, None),
        ({"status": 503, "code": "busy", "message": "No."}, InternalServerError, 503, "busy"),
        (
            {"code": "context_length_exceeded", "message": "No."},
            ContextWindowExceededError,
            400,
            "context_length_exceeded",
        ),
        (
            {"code": None, "type": "insufficient_quota", "message": "No."},
            QuotaExceededError,
            429,
            "insufficient_quota",
        ),
        (
            {"code": "rate_limit_exceeded", "type": "tokens", "message": "No."},
            RateLimitError,
            429,
            "rate_limit_exceeded",
        ),
        (
            {"type": "invalid_request_error", "message": "No."},
            BadRequestError,
            400,
            "invalid_request_error",
        ),
        ("No.", InternalServerError, 500, None),
    ],
)
@pytest.mark.parametrize("beside", [{}, {"choices": []}, {"choices": [{"finish_reason": "error"}]}])
async def test_an_error_inside_a_200_is_an_error(
    inner: Any, kind: type[CompletionError], status: int, code: str | None, beside: dict[str, Any]
) -> None:
    body = {"error": inner, **beside}
    assert told(await fail(Reply.of(body))) == {
        "type": kind,
        "reason": "No.",
        "status_code": status,
        "code": code,
        "request_id": None,
        "retry_after": None,
        "retryable": kind.retryable,
        "body": body,
    }


async def test_an_error_inside_a_choice_is_an_error() -> None:
    choice = {"message": {"content": "Hal"}, "error": {"code": 502, "message": "Provider gone."}}
    error = await fail(Reply.of({"choices": [choice]}))
    assert (type(error), error.reason) == (InternalServerError, "Provider gone.")


@pytest.mark.parametrize("reason", ["error", "abort"])
async def test_an_answer_that_the_server_broke_off_is_no_answer(reason: str) -> None:
    choice = {"message": {"content": "Hal"}, "finish_reason": reason}
    error = await fail(Reply.of({"choices": [choice]}, headers={"x-request-id": "req-1"}))
    assert (type(error), error.reason, error.request_id) == (
        MalformedResponseError,
        f"the server broke the answer off: finish_reason {reason!r}",
        "req-1",
    )


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"<html>busy</html>", "the body is not JSON: '<html>busy</html>'"),
        (b"", "the body is empty"),
        (b" \n", "the body is empty"),
        (b'{"choices": [{"mess', 'the body is not JSON: \'{"choices": [{"mess\''),
        (b"\xff", "the body is not JSON: '\ufffd'"),
        (b"[]", "the body is not a JSON object"),
        (b"null", "the body is not a JSON object"),
        (b"{}", "the answer has no choices"),
        (b'{"choices": []}', "the answer has no choices"),
        (b'{"choices": null}', "the answer has no choices"),
        (b'{"choices": {"0": {}}}', "the answer has no choices"),
        (b'{"choices": [{}]}', "not an answer: KeyError('message')"),
        (
            b'{"choices": ["x"]}',
            """not an answer: AttributeError("'str' object has no attribute 'get'")""",
        ),
        (
            b'{"choices": [{"message": null}]}',
            """not an answer: AttributeError("'NoneType' object has no attribute 'get'")""",
        ),
        (
            b'{"choices": [{"message": {"content": 5}}]}',
            "not an answer: TypeError('5 is not text')",
        ),
        (
            b'{"choices": [{"message": {"tool_calls": [{}]}}]}',
            "not an answer: KeyError('function')",
        ),
        (
            b'{"choices": [{"message": {}, "finish_reason": {}}]}',
            "not an answer: TypeError('{} is not text')",
        ),
        (
            b'{"choices": [{"message": {}, "logprobs": [1]}]}',
            "not an answer: TypeError('[1] are not log probabilities')",
        ),
    ],
)
async def test_a_200_that_is_no_answer_says_so_and_is_tried_again(body: bytes, what: str) -> None:
    error = await fail(Reply(chunks=(body,)))
    assert (type(error), error.retryable) == (MalformedResponseError, True)
    assert error.reason == f"status 200, but {what}"


@pytest.mark.parametrize(
    "told",
    [
        *('"n/a"', "[]", "NaN", "12", '{"prompt_tokens": "5"}', '{"prompt_tokens": 0}'),
        *('{"prompt_tokens": -1, "completion_tokens": -1}', '{"total_tokens": 1e30}'),
        *('{"prompt_tokens": Infinity}', '{"prompt_tokens": 5, "prompt_tokens_details": "x"}'),
    ],
)
async def test_no_answer_is_refused_for_a_usage_that_cannot_be_and_none_is_free(told: str) -> None:
    body = f'{{"choices": [{{"message": {{"content": "ok"}}}}], "usage": {told}}}'
    client = Flashlite(
        "openai/gpt-4o", api_key=KEY, transport=ReplayTransport([Reply(chunks=(body.encode(),))])
    )
    response = await client.ask("Hi")
    assert (response.content, response.usage) == ("ok", None)
    assert client.get_cost_report()["unknown"] == 1


def all_of(error: BaseException) -> str:
    """Return everything that a log, a debugger or a report could print of an error."""
    attributes = json.dumps(vars(error), default=str)
    return "".join([str(error), repr(error), attributes, *traceback.format_exception(error)])


@pytest.mark.parametrize(
    "reply",
    [
        Reply.of({"error": {"message": f"Bad key {KEY}!", "code": KEY}}, status=401),
        Reply.of({"error": f"Bad key {KEY}!", KEY: [KEY]}, status=400),
        Reply(status=502, chunks=(f"<p>{KEY}</p>".encode(),)),
        Reply.of({"error": {"message": f"Bad key {KEY}!"}}),
        Reply(chunks=(f"<p>Bearer {KEY}</p>".encode(),)),
        Reply.of({"choices": [], "debug": {"headers": [f"Bearer {KEY}"]}}),
        Reply.of({"choices": [{"message": {"content": {"x": KEY}}}]}),
        Reply.of({}, status=500, headers={"x-echo": f"Bearer {KEY}", "x-request-id": KEY}),
        Reply.stream([{"error": {"message": f"Bad key {KEY}!"}}]),
        Reply.stream([f"<p>{KEY}</p>"]),
        Reply.stream([{"choices": [{"delta": {"content": {"x": KEY}}}]}]),
    ],
)
async def test_a_key_that_the_server_repeats_is_nowhere_in_the_error(reply: Reply) -> None:
    client = Flashlite(
        "openai/m",
        api_key=KEY,
        transport=ReplayTransport([reply]),
        retry=RetryConfig(max_attempts=1),
    )
    with pytest.raises(CompletionError) as caught:
        async for _ in client.stream("Hi"):
            pass
    assert KEY not in all_of(caught.value)
    assert "***" in all_of(caught.value)


@pytest.mark.parametrize("header", ["Authorization", "X-Credential", "cookie"])
async def test_a_secret_among_the_callers_own_headers_is_nowhere_in_the_error(header: str) -> None:
    secret = "pat-0123456789abcdef"
    client = Flashlite(
        "openai/m",
        api_key=KEY,
        extra_headers={header: f"Bearer {secret}", "x-trace": "a-long-trace-id"},
        transport=ReplayTransport(
            [Reply.of({"error": {"message": f"no {secret}, a-long-trace-id"}}, status=401)]
        ),
    )
    with pytest.raises(CompletionError) as caught:
        await client.complete("Hi")
    assert secret not in all_of(caught.value)
    assert caught.value.reason == "no ***, a-long-trace-id"


async def test_a_key_that_is_a_plain_word_leaves_the_words_of_the_server_alone() -> None:
    body = {"error": {"message": "No such key: none", "code": "none"}}
    error = await fail(Reply.of(body, status=401), key="none")
    assert (error.reason, error.code, error.body) == ("No such key: none", "none", body)


class Proof:
    """Credentials that put a token into each request."""

    async def __call__(self, wire: WireRequest) -> WireRequest:
        return replace(wire, headers={**wire.headers, "Authorization": f"Bearer {KEY}"})


async def test_a_token_that_proves_who_asks_is_nowhere_in_the_error() -> None:
    host = Host(name="h", base_url="https://h/v1", needs_key=False, credentials=Proof)
    reply = Reply.of({"error": {"message": f"Bad token {KEY}!"}}, status=401)
    provider = HTTPProvider(host, OpenAIAdapter(), ReplayTransport([reply]))
    with pytest.raises(CompletionError) as caught:
        await provider(CompletionRequest(model="m", messages=(Message.user("Hi"),)))
    assert KEY not in all_of(caught.value)
    assert caught.value.reason == "Bad token ***!"


async def test_an_error_without_a_bottom_is_an_error() -> None:
    deep: Any = KEY
    for _ in range(900):
        deep = [deep]
    reply = Reply.of({"error": {"message": "no", "details": deep}}, status=400)
    client = Flashlite("openai/m", api_key=KEY, transport=ReplayTransport([reply]))
    with pytest.raises(CompletionError) as caught:
        await client.complete("Hi")
    assert KEY not in all_of(caught.value)
