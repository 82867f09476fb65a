"""Code that was written for litellm runs on this engine."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

import flashlite.compat.litellm as litellm
from flashlite import ConfigError, Message
from flashlite.testing import MockServer, Reply
from tests.providers.loopback import Loopback, serving

MESSAGES = [{"role": "user", "content": "Hi"}]
CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 200},
    "completion_tokens_details": {"reasoning_tokens": 60},
}


def reply(**message: Any) -> Reply:
    said = {"role": "assistant", "content": "Hello", **message}
    choice = {"index": 0, "message": said, "finish_reason": "stop"}
    body = {"id": "c1", "created": 123, "model": "gpt-4o", "choices": [choice], "usage": USAGE}
    return Reply.of(body | {"system_fingerprint": "fp"}, headers={"X-Request-Id": "r1"})


def refusal(status: int) -> Reply:
    return Reply.of({"error": {"message": "No."}}, status=status)


def ask(server: Loopback, model: str = "openai/gpt-4o", **arguments: Any) -> Any:
    """Ask a server for one answer, without trying again."""
    given = {"messages": MESSAGES, "api_base": server.base_url, "num_retries": 0, **arguments}
    return litellm.completion(model=model, **given)


@pytest.fixture
def settings() -> Iterator[None]:
    """Put back what a test sets."""
    names = ("api_base", "api_key", "drop_params", "num_retries", "request_timeout")
    before = {name: getattr(litellm, name) for name in names}
    yield
    for name, value in before.items():
        setattr(litellm, name, value)


def test_an_answer_is_read_by_attribute_and_by_key() -> None:
    with serving(reply(tool_calls=[CALL], reasoning_content="Hm.")) as server:
        response = ask(server, "vllm/m")
    message = response.choices[0].message
    assert isinstance(response, litellm.ModelResponse)
    assert message.content == response["choices"][0]["message"]["content"] == "Hello"
    assert message.tool_calls[0].function.arguments == '{"a": 1}'
    assert message.reasoning_content == "Hm."
    assert (response.id, response.created, response.object) == ("c1", 123, "chat.completion")
    assert response.system_fingerprint == "fp"
    assert json.loads(response.model_dump_json()) == response.model_dump() == response.json()
    assert pickle.loads(pickle.dumps(response)) == copy.deepcopy(response) == response


def test_usage_and_cost_are_where_litellm_has_them() -> None:
    with serving(reply()) as server:
        response = ask(server)
    usage = response.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (1000, 100, 1100)
    assert usage.prompt_tokens_details.cached_tokens == 200
    assert usage.completion_tokens_details.reasoning_tokens == 60
    assert response.model_extra["usage"] is usage
    cost = (800 * 2.5 + 200 * 1.25 + 100 * 10) / 1e6
    assert response._hidden_params["response_cost"] == pytest.approx(cost)
    assert litellm.completion_cost(response) == pytest.approx(cost)
    assert response._hidden_params["additional_headers"]["llm_provider-x-request-id"] == "r1"


async def test_an_answer_is_awaited() -> None:
    with serving(reply()) as server:
        response: Any = await litellm.acompletion("openai/m", MESSAGES, api_base=server.base_url)
    assert response.choices[0].message.content == "Hello"


def test_a_message_goes_back_as_it_came() -> None:
    with serving(reply(tool_calls=[CALL])) as server:
        message = ask(server).choices[0].message
        result = {"role": "tool", "tool_call_id": "t1", "content": "2"}
        ask(server, messages=[*MESSAGES, message, result])
    _, again, _ = server.requests[1].json["messages"]
    assert (again["role"], again["content"], again["tool_calls"]) == ("assistant", "Hello", [CALL])


def test_parameters_are_sent_and_unknown_ones_go_into_the_body() -> None:
    with serving(reply()) as server:
        ask(
            server,
            temperature=0,
            max_tokens=5,
            seed=None,
            min_p=0.1,
            metadata={"trace": "x"},
            extra_body={"best_of": 2},
            extra_headers={"x-a": "1"},
            organization="org",
            api_key="k",
        )
    (request,) = server.requests
    assert request.json == {
        "model": "gpt-4o",
        "messages": MESSAGES,
        "temperature": 0,
        "max_tokens": 5,
        "min_p": 0.1,
        "best_of": 2,
    }
    headers = ("authorization", "x-a", "openai-organization")
    assert [request.headers[name] for name in headers] == ["Bearer k", "1", "org"]


class City(BaseModel):
    name: str


def test_a_response_format_may_be_a_pydantic_model() -> None:
    with serving(reply(content='{"name": "Rome"}')) as server:
        response = ask(server, response_format=City)
    assert City.model_validate_json(response.choices[0].message.content) == City(name="Rome")
    assert server.requests[0].json["response_format"]["json_schema"]["name"] == "City"


def test_functions_are_tools_of_the_old_kind() -> None:
    function = {"name": "f", "parameters": {"type": "object"}}
    with serving(reply(content=None, tool_calls=[CALL])) as server:
        choice = ask(server, functions=[function], function_call={"name": "f"}).choices[0]
        history = [*MESSAGES, choice.message, {"role": "function", "name": "f", "content": "2"}]
        ask(server, messages=history, functions=[function])
    assert choice.message.function_call == {"name": "f", "arguments": '{"a": 1}'}
    assert (choice.message.tool_calls, choice.finish_reason) == (None, "function_call")
    asked, again = (request.json for request in server.requests)
    assert asked["tools"] == [{"type": "function", "function": function}]
    assert asked["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    _, called, result = again["messages"]
    assert called["tool_calls"] == [{**CALL, "id": "call_1"}]
    assert (result["role"], result["tool_call_id"]) == ("tool", "call_1")


@pytest.mark.parametrize("arguments", [{"num_retries": 1}, {"num_retries": None, "max_retries": 1}])
def test_retries_are_attempts_after_the_first(arguments: dict[str, Any]) -> None:
    late = Reply.of({"error": {"message": "No."}}, status=500, headers={"retry-after-ms": "1"})
    with serving(late, late, reply()) as server, pytest.raises(litellm.InternalServerError):
        ask(server, **arguments)
    assert len(server.requests) == 2


def test_a_mocked_response_asks_nobody() -> None:
    response: Any = litellm.completion("gpt-4o", MESSAGES, mock_response="Yo")
    assert response.choices[0].message.content == "Yo"
    with pytest.raises(litellm.RateLimitError, match="slow down"):
        litellm.completion("gpt-4o", MESSAGES, mock_response=litellm.RateLimitError("slow down"))


KINDS = {
    400: litellm.BadRequestError,
    401: litellm.AuthenticationError,
    403: litellm.PermissionDeniedError,
    404: litellm.NotFoundError,
    409: litellm.APIError,
    422: litellm.UnprocessableEntityError,
    429: litellm.RateLimitError,
    500: litellm.InternalServerError,
    502: litellm.BadGatewayError,
    503: litellm.ServiceUnavailableError,
}


@pytest.mark.parametrize(("status", "kind"), KINDS.items())
def test_refusals_have_litellms_names(status: int, kind: type[Exception]) -> None:
    with serving(refusal(status)) as server, pytest.raises(kind, match="No") as caught:
        ask(server)
    assert caught.value.status_code == status  # type: ignore[attr-defined]
    assert isinstance(caught.value, litellm.APIError)


def test_what_cannot_work_is_a_bad_request_and_a_config_error() -> None:
    with pytest.raises(litellm.BadRequestError, match="finite number") as caught:
        litellm.completion("openai/m", MESSAGES, api_key="k", temperature=float("nan"))
    assert isinstance(caught.value, ConfigError)
    assert caught.value.may_be_billed is False


@pytest.mark.parametrize("name", ["caching", "model_list", "aws_secret_access_key"])
def test_what_would_have_no_effect_is_refused_and_not_sent(name: str) -> None:
    with serving(reply()) as server, pytest.raises(litellm.BadRequestError, match=name):
        ask(server, **{name: "x"})
    assert server.requests == []


@pytest.mark.usefixtures("settings")
def test_parameters_are_dropped_only_with_leave() -> None:
    with serving(reply()) as server:
        with pytest.raises(litellm.UnsupportedParamsError, match="thinking"):
            ask(server, thinking={"type": "enabled"})
        litellm.drop_params = True
        ask(server, thinking={"type": "enabled"})
    assert [request.json.keys() for request in server.requests] == [{"model", "messages"}]


@pytest.mark.usefixtures("settings")
def test_settings_hold_for_every_call() -> None:
    with serving(refusal(500), reply()) as server:
        litellm.api_base, litellm.api_key, litellm.num_retries = server.base_url, "k", 0
        with pytest.raises(litellm.InternalServerError):
            litellm.completion("openai/m", MESSAGES)
    assert server.requests[0].headers["authorization"] == "Bearer k"


def test_a_setting_that_has_no_effect_is_refused() -> None:
    litellm.suppress_debug_info = True
    litellm.callbacks = []
    for name, value in {"callbacks": ["langfuse"], "set_verbose": True, "nope": 1}.items():
        with pytest.raises(ConfigError, match=name):
            setattr(litellm, name, value)
    with pytest.raises(AttributeError, match="nope"):
        litellm.nope  # noqa: B018 - as a caller would


def test_an_address_without_a_path_gets_that_of_its_host(mock_server: MockServer) -> None:
    address = mock_server.base_url.removesuffix("/v1")
    response: Any = litellm.completion("ollama/echo", MESSAGES, api_base=address)
    assert response.choices[0].message.content == "Hi"


def test_embeddings_have_openais_form() -> None:
    answer = {
        "data": [{"embedding": [1.0, 2.0], "index": 0}],
        "model": "e",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    with serving(Reply.of(answer)) as server:
        response = litellm.embedding(
            "openai/text-embedding-3-small", ["a"], api_base=server.base_url, dimensions=2
        )
    assert response["data"][0]["embedding"] == response.data[0].embedding == [1.0, 2.0]
    assert (response.model, response.object, response.usage.prompt_tokens) == ("e", "list", 3)
    assert server.requests[0].json["dimensions"] == 2


def test_questions_about_models_are_answered_offline() -> None:
    assert litellm.cost_per_token("gpt-4o", 1000, 100) == pytest.approx((0.0025, 0.001))
    assert litellm.get_max_tokens("gpt-4o") == 16384
    assert litellm.supports_vision("gpt-4o")
    assert litellm.supports_tools("gpt-4o")
    assert not litellm.supports_reasoning("gpt-4o")
    assert litellm.get_model_info("gpt-4o")["max_input_tokens"] == 128_000
    assert litellm.token_counter(model="gpt-4o", text="hello") == 1
    assert litellm.token_counter(model="gpt-4o", messages=[Message.user("hello")]) == 8


def test_the_process_ends_quietly() -> None:
    code = (
        "import flashlite.compat.litellm as litellm, sys\n"
        "from flashlite.testing import MockServer\n"
        "with MockServer() as server:\n"
        "    ask = dict(model='openai/echo', messages='Hi', api_base=server.base_url)\n"
        "    chunks = litellm.completion(**ask, stream=True)\n"
        "    print(litellm.completion(**ask).choices[0].message.content, next(chunks).object)\n"
        "assert 'litellm' not in sys.modules"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("Hi chat.completion.chunk\n", "")
