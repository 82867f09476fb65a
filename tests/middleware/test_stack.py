"""The one mechanism: layers on a handler."""

from __future__ import annotations

from flashlite.middleware import stack
from flashlite.types import CompletionRequest, CompletionResponse, Handler, Message

REQUEST = CompletionRequest(model="m", messages=(Message.user("Hi"),))


async def _answer(request: CompletionRequest) -> CompletionResponse:
    return CompletionResponse.of(request.messages[-1].text)


def _noting(name: str, notes: list[str]):
    async def layer(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        notes.append(f"{name} in")
        response = await call_next(request)
        notes.append(f"{name} out")
        return response

    return layer


async def test_the_first_layer_is_the_outermost() -> None:
    notes: list[str] = []
    handler = stack([_noting("a", notes), _noting("b", notes)], _answer)
    assert (await handler(REQUEST)).content == "Hi"
    assert notes == ["a in", "b in", "b out", "a out"]


async def test_no_layers_leave_the_handler_as_it_is() -> None:
    assert stack([], _answer) is _answer


async def test_a_layer_may_change_the_request_for_those_below() -> None:
    async def shout(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        return await call_next(request.with_(messages=(Message.user("HI"),)))

    assert (await stack([shout], _answer)(REQUEST)).content == "HI"
    assert REQUEST.messages == (Message.user("Hi"),)


async def test_a_layer_may_answer_by_itself() -> None:
    async def short(request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        return CompletionResponse.of("mine")

    assert (await stack([short], _answer)(REQUEST)).content == "mine"
