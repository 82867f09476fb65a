"""The batch APIs as their providers describe them: what is sent, and what is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite.errors import (
    APITimeoutError,
    BadRequestError,
    CompletionError,
    ConfigError,
    MalformedResponseError,
    RateLimitError,
)
from flashlite.providers import HOSTS
from flashlite.providers.batches import (
    BatchAdapter,
    JobResult,
    RemoteJob,
    batch_adapter_for,
    seconds_in,
)
from flashlite.wire import WireRequest

OPENAI, ANTHROPIC, GOOGLE = map(batch_adapter_for, ("openai", "anthropic", "google"))
CHAT = WireRequest(
    url="https://api.openai.com/v1/chat/completions",
    json={"model": "gpt-4o", "messages": []},
    headers={"Authorization": "Bearer k"},
)
RESPONSES = WireRequest(url="https://api.openai.com/v1/responses", json={"model": "gpt-5-pro"})
MESSAGES = WireRequest(
    url="https://api.anthropic.com/v1/messages",
    json={"model": "claude-sonnet-4-5", "max_tokens": 1},
    headers={"x-api-key": "k", "anthropic-version": "2023-06-01"},
)
GENERATE = WireRequest(
    url="https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
    json={"contents": []},
    headers={"x-goog-api-key": "k"},
)


def spelled(request: WireRequest) -> tuple[str, str, Any]:
    """Return the method, the address and the body of a request."""
    return request.method, request.url, request.json or None


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_a_line_has_the_request_and_its_id() -> None:
    assert [
        json.loads(OPENAI.line("a-0-b", CHAT)),
        json.loads(OPENAI.line("a-1-b", RESPONSES)),
        json.loads(ANTHROPIC.line("a-0-b", MESSAGES)),
        json.loads(GOOGLE.line("a-0-b", GENERATE)),
    ] == [
        {
            "custom_id": "a-0-b",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "gpt-4o", "messages": []},
        },
        {
            "custom_id": "a-1-b",
            "method": "POST",
            "url": "/v1/responses",
            "body": {"model": "gpt-5-pro"},
        },
        {"custom_id": "a-0-b", "params": {"model": "claude-sonnet-4-5", "max_tokens": 1}},
        {"key": "a-0-b", "request": {"contents": []}},
    ]


def test_openais_file_is_a_form() -> None:
    assert OPENAI.files is not None
    assert OPENAI.files.begin("n", [b"{}"], CHAT) is None
    upload = OPENAI.files.upload("n", [b"{}", b"[]"], place=None, like=CHAT)
    assert (upload.method, upload.url) == ("POST", "https://api.openai.com/v1/files")
    assert upload.headers == {
        "Authorization": "Bearer k",
        "Content-Type": "multipart/form-data; boundary=flashlite-n",
    }
    assert upload.pieces is not None
    assert b"".join(upload.pieces) == (
        b'--flashlite-n\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        b'--flashlite-n\r\nContent-Disposition: form-data; name="file"; filename="n.jsonl"\r\n'
        b"Content-Type: application/jsonl\r\n\r\n"
        b"{}\n[]\n\r\n--flashlite-n--\r\n"
    )
    assert OPENAI.files.read_upload(b'{"id": "file-1", "object": "file"}') == "file-1"


def test_geminis_file_is_announced_and_then_put_where_it_may_be() -> None:
    assert GOOGLE.files is not None
    begin = GOOGLE.files.begin("n", [b"{}", b"[]"], GENERATE)
    assert begin is not None
    assert spelled(begin) == (
        "POST",
        "https://generativelanguage.googleapis.com/upload/v1beta/files",
        {"file": {"display_name": "n"}},
    )
    assert begin.headers == {
        "x-goog-api-key": "k",
        "X-Goog-Upload-Protocol": "resumable",
        "X-Goog-Upload-Command": "start",
        "X-Goog-Upload-Header-Content-Length": "6",
        "X-Goog-Upload-Header-Content-Type": "application/jsonl",
    }
    place = GOOGLE.files.read_place({"x-goog-upload-url": f"{begin.url}?upload_id=u"})
    upload = GOOGLE.files.upload("n", [b"{}", b"[]"], place=place, like=GENERATE)
    assert (upload.method, upload.url) == ("POST", f"{begin.url}?upload_id=u")
    assert upload.headers == {
        "x-goog-api-key": "k",
        "X-Goog-Upload-Command": "upload, finalize",
        "X-Goog-Upload-Offset": "0",
        "Content-Type": "application/jsonl",
    }
    assert upload.pieces is not None
    assert b"".join(upload.pieces) == b"{}\n[]\n"
    assert GOOGLE.files.read_upload(b'{"file": {"name": "files/a"}}') == "files/a"


@pytest.mark.parametrize(
    ("place", "url", "has_key"),
    [
        (
            "/upload/x?upload_id=u",
            "https://generativelanguage.googleapis.com/upload/x?upload_id=u",
            1,
        ),
        ("https://elsewhere.example/x?upload_id=u", "https://elsewhere.example/x?upload_id=u", 0),
        (
            "http://generativelanguage.googleapis.com/x",
            "http://generativelanguage.googleapis.com/x",
            0,
        ),
    ],
)
def test_the_key_goes_only_where_the_requests_go(place: str, url: str, has_key: bool) -> None:
    assert GOOGLE.files is not None
    upload = GOOGLE.files.upload("n", [b"{}"], place=place, like=GENERATE)
    assert (upload.url, "x-goog-api-key" in upload.headers) == (url, has_key)


def test_an_upload_without_an_address_is_tried_again() -> None:
    assert GOOGLE.files is not None
    with pytest.raises(MalformedResponseError, match="no address to put a file at"):
        GOOGLE.files.read_place({})


def test_a_job_is_created_from_a_file_or_with_its_requests() -> None:
    created = OPENAI.create("n", file="file-1", lines=[], like=RESPONSES)
    assert spelled(created) == (
        "POST",
        "https://api.openai.com/v1/batches",
        {
            "input_file_id": "file-1",
            "endpoint": "/v1/responses",
            "completion_window": "24h",
            "metadata": {"flashlite_job": "n"},
        },
    )
    created = ANTHROPIC.create("n", file=None, lines=[b'{"a":1}', b"{}"], like=MESSAGES)
    assert spelled(created) == ("POST", "https://api.anthropic.com/v1/messages/batches", None)
    assert created.pieces is not None
    assert b"".join(created.pieces) == b'{"requests":[{"a":1},{}]}'
    assert created.headers == MESSAGES.headers
    created = GOOGLE.create("n", file="files/a", lines=[], like=GENERATE)
    assert spelled(created) == (
        "POST",
        GENERATE.url.replace("generateContent", "batchGenerateContent"),
        {"batch": {"displayName": "n", "inputConfig": {"fileName": "files/a"}}},
    )


@pytest.mark.parametrize(
    ("adapter", "like", "id", "addresses"),
    [
        (
            OPENAI,
            CHAT,
            "b",
            [
                "GET https://api.openai.com/v1/batches/b",
                "POST https://api.openai.com/v1/batches/b/cancel",
                "GET https://api.openai.com/v1/batches?limit=100",
                "GET https://api.openai.com/v1/batches?limit=100&after=x",
                "GET https://api.openai.com/v1/files/f/content",
            ],
        ),
        (
            ANTHROPIC,
            MESSAGES,
            "b",
            [
                "GET https://api.anthropic.com/v1/messages/batches/b",
                "POST https://api.anthropic.com/v1/messages/batches/b/cancel",
                "GET https://api.anthropic.com/v1/messages/batches?limit=100",
                "GET https://api.anthropic.com/v1/messages/batches?limit=100&after_id=x",
                "GET https://api.anthropic.com/v1/messages/batches/f/results",
            ],
        ),
        (
            GOOGLE,
            GENERATE,
            "batches/b",
            [
                "GET https://generativelanguage.googleapis.com/v1beta/batches/b",
                "POST https://generativelanguage.googleapis.com/v1beta/batches/b:cancel",
                "GET https://generativelanguage.googleapis.com/v1beta/batches?pageSize=100",
                "GET https://generativelanguage.googleapis.com/v1beta/batches?pageSize=100&pageToken=x",
                "GET https://generativelanguage.googleapis.com/download/v1beta/f:download?alt=media",
            ],
        ),
    ],
)
def test_where_a_job_is_asked_for(
    adapter: BatchAdapter, like: WireRequest, id: str, addresses: list[str]
) -> None:
    asked = [
        adapter.fetch(id, like),
        adapter.cancel(id, like),
        adapter.list_jobs(like, after=None),
        adapter.list_jobs(like, after="x"),
        adapter.download("f", like),
    ]
    assert [f"{request.method} {request.url}" for request in asked] == addresses
    assert all(request.headers == like.headers for request in asked)


def test_a_batch_is_for_answers_only() -> None:
    like = WireRequest(url="https://api.openai.com/v1/embeddings?key=secret")
    with pytest.raises(
        ConfigError, match=r"not for https://api.openai.com/v1/embeddings\?"
    ) as raised:
        OPENAI.line("a", like)
    assert "secret" not in str(raised.value)


def test_how_openais_jobs_are() -> None:
    told = {
        "id": "b",
        "status": "completed",
        "input_file_id": "i",
        "output_file_id": "o",
        "error_file_id": None,
        "created_at": 1_700_000_000,
        "metadata": {"flashlite_job": "n", "other": "x"},
        "request_counts": {"total": 3, "completed": 3, "failed": 0},
    }
    assert OPENAI.read_job(encoded(told)) == RemoteJob(
        id="b",
        state="completed",
        is_over=True,
        name="n",
        file="i",
        count=3,
        created=1_700_000_000.0,
        results=("o",),
    )
    begun = OPENAI.read_job(encoded({"id": "b", "status": "VALIDATING", "metadata": None}))
    assert begun == RemoteJob(id="b", state="validating")
    page = {"data": [told, {"id": "c", "status": "in_progress"}], "has_more": True}
    jobs, after = OPENAI.read_jobs(encoded(page))
    assert ([job.id for job in jobs], after) == (["b", "c"], "c")
    assert OPENAI.read_jobs(b'{"data": [], "has_more": false}') == ([], None)


def test_why_openai_refused_a_job() -> None:
    problem = {"code": "invalid_url", "message": "No such URL.", "line": 4, "param": "url"}
    told: dict[str, Any] = {"id": "b", "status": "failed", "errors": {"data": [problem]}}
    error = OPENAI.read_job(encoded(told)).error
    assert isinstance(error, BadRequestError)
    assert error.reason == "the job was refused: No such URL. (line 4 of its file)"
    problem |= {"code": "token_limit_exceeded", "line": None}
    error = OPENAI.read_job(encoded(told)).error
    assert isinstance(error, RateLimitError)
    assert error.retryable
    del told["errors"]
    error = OPENAI.read_job(encoded(told)).error
    assert error is not None
    assert error.reason == "the job was refused: no reason is told"


def test_how_anthropics_jobs_are() -> None:
    counts = {"processing": 2, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0}
    told = {
        "id": "b",
        "processing_status": "in_progress",
        "request_counts": counts,
        "created_at": "2024-08-20T18:37:24.100435Z",
    }
    begun = RemoteJob(id="b", state="in_progress", count=3, created=1724179044.100435)
    assert ANTHROPIC.read_job(encoded(told)) == begun
    over = ANTHROPIC.read_job(encoded({"id": "b", "processing_status": "ended"}))
    assert over == RemoteJob(id="b", state="ended", is_over=True, results=("b",))


def test_how_geminis_jobs_are() -> None:
    metadata = {
        "state": "BATCH_STATE_SUCCEEDED",
        "displayName": "n",
        "createTime": "2024-08-20T18:37:24Z",
        "batchStats": {"requestCount": "3"},
    }
    told = {"name": "batches/b", "metadata": metadata, "response": {"responsesFile": "files/r"}}
    over = RemoteJob(
        id="batches/b",
        state="succeeded",
        is_over=True,
        name="n",
        count=3,
        created=1724179044.0,
        results=("files/r",),
    )
    assert GOOGLE.read_job(encoded(told)) == over
    del told["response"]
    metadata["output"] = {"responsesFile": "files/r"}
    metadata["state"] = "JOB_STATE_SUCCEEDED"
    assert GOOGLE.read_job(encoded(told)) == over
    for state in ("BATCH_STATE_FAILED", "JOB_STATE_PARTIALLY_SUCCEEDED"):  # and yet has results
        metadata["state"] = state
        job = GOOGLE.read_job(encoded(told))
        assert (job.is_over, job.results, job.error) == (True, ("files/r",), None)
    del metadata["output"]
    metadata["state"] = "BATCH_STATE_FAILED"
    error = GOOGLE.read_job(encoded(told | {"error": {"code": 8, "message": "too many"}})).error
    assert isinstance(error, RateLimitError)
    assert error.reason == "the job failed: too many"
    assert GOOGLE.read_job(encoded({"name": "batches/b", "done": True})).is_over
    page = {"operations": [told], "nextPageToken": "t"}
    jobs, after = GOOGLE.read_jobs(encoded(page))
    assert ([job.id for job in jobs], after) == (["batches/b"], "t")
    assert GOOGLE.read_jobs(b"{}") == ([], None)


@pytest.mark.parametrize(
    ("adapter", "line", "status", "body"),
    [
        (
            OPENAI,
            {"custom_id": "a", "response": {"status_code": 200, "body": {"x": 1}}, "error": None},
            200,
            {"x": 1},
        ),
        (
            OPENAI,
            {"custom_id": "a", "response": {"status_code": 400, "body": {"error": {}}}},
            400,
            {"error": {}},
        ),
        (
            OPENAI,
            {"custom_id": "a", "response": {"status_code": 0, "body": ""}, "error": None},
            500,
            "",
        ),
        (
            OPENAI,
            {"custom_id": "a", "response": None, "error": {"code": "server_error", "message": "m"}},
            500,
            {"error": {"code": "server_error", "message": "m"}},
        ),
        (
            ANTHROPIC,
            {"custom_id": "a", "result": {"type": "succeeded", "message": {"x": 1}}},
            200,
            {"x": 1},
        ),
        (
            ANTHROPIC,
            {
                "custom_id": "a",
                "result": {
                    "type": "errored",
                    "error": {"type": "error", "error": {"type": "overloaded_error"}},
                },
            },
            529,
            {"type": "error", "error": {"type": "overloaded_error"}},
        ),
        (GOOGLE, {"key": "a", "response": {"x": 1}}, 200, {"x": 1}),
        (
            GOOGLE,
            {"key": "a", "error": {"code": 1, "message": "The operation was cancelled."}},
            503,
            {"error": {"code": 1, "message": "The operation was cancelled."}},
        ),
        (GOOGLE, {"key": "a", "error": {"code": 3}}, 400, {"error": {"code": 3}}),
    ],
)
def test_a_result_is_an_answer_as_if_the_request_had_been_sent_alone(
    adapter: BatchAdapter, line: Any, status: int, body: Any
) -> None:
    result = adapter.read_result(encoded(line))
    assert (result.custom_id, result.status, json.loads(result.body)) == ("a", status, body)
    assert result.is_answer is (status == 200)


@pytest.mark.parametrize(
    ("adapter", "line"),
    [
        (OPENAI, {"custom_id": "a", "response": None, "error": {"code": "batch_expired"}}),
        (ANTHROPIC, {"custom_id": "a", "result": {"type": "expired"}}),
    ],
)
def test_what_expired_may_be_sent_again_and_was_never_paid_for(
    adapter: BatchAdapter, line: Any
) -> None:
    error = adapter.read_result(encoded(line)).error
    assert isinstance(error, APITimeoutError)
    assert (error.retryable, error.may_be_billed) == (True, False)


@pytest.mark.parametrize(
    ("adapter", "line"),
    [
        (OPENAI, {"custom_id": "a", "response": None, "error": {"code": "batch_cancelled"}}),
        (ANTHROPIC, {"custom_id": "a", "result": {"type": "canceled"}}),
    ],
)
def test_what_was_cancelled_is_left_and_was_never_paid_for(
    adapter: BatchAdapter, line: Any
) -> None:
    error = adapter.read_result(encoded(line)).error
    assert isinstance(error, CompletionError)
    assert (error.retryable, error.may_be_billed) == (False, False)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "custom_id",
                    "key",
                    "response",
                    "error",
                    "result",
                    "type",
                    "body",
                    "message",
                    "code",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
)


@given(line=_JSON)
@pytest.mark.parametrize("adapter", [OPENAI, ANTHROPIC, GOOGLE])
def test_a_line_of_any_form_is_a_result_or_says_that_it_is_none(
    adapter: BatchAdapter, line: Any
) -> None:
    try:
        result = adapter.read_result(encoded(line))
    except MalformedResponseError:
        return
    assert isinstance(result, JobResult)
    assert isinstance(result.custom_id, str)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 5}', b'{"name": null}', b"<html>"])
@pytest.mark.parametrize("adapter", [OPENAI, ANTHROPIC, GOOGLE])
def test_a_job_without_an_id_is_none(adapter: BatchAdapter, body: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        adapter.read_job(body)


def test_moments_are_numbers_or_dates() -> None:
    moments: list[Any] = [5, "2024-08-20T18:37:24Z", "soon", None]
    assert [seconds_in(moment) for moment in moments] == [5.0, 1724179044.0, None, None]


def test_the_hosts_with_a_batch_api_have_an_adapter_for_it() -> None:
    apis = {host.name: host.batches for host in HOSTS if host.batches is not None}
    assert apis == {
        "openai": "openai",
        "anthropic": "anthropic",
        "google": "google",
        "groq": "openai",
        "dashscope": "openai",
        "novita": "openai",
    }
    assert all(batch_adapter_for(api) for api in apis.values())
