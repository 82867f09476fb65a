"""The contenders: one function for each, which opens its client and wraps it as a `Client`.

Each sends the same request and returns the text, with its own defaults except for retries, which
would hide failures. Libraries are imported inside, because each process measures only one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

Messages = list[dict[str, str]]

# A model with a known price: without one, some contenders fail at the end of a call.
MODEL = "gpt-4o-mini"
KEY = "bench"
AT_ONCE = 64  # concurrent calls in runs of very many calls


class Client(NamedTuple):
    """A contender's client: `complete` returns the text, `stream` the number of pieces of text.

    `many`, if present, takes an iterable of any length and yields the texts as they arrive.
    """

    complete: Callable[[Messages], Awaitable[str]]
    stream: Callable[[Messages], Awaitable[int]]
    many: Callable[[Iterable[Messages]], AsyncIterator[str]] | None = None


@asynccontextmanager
async def raw_aiohttp(url: str) -> AsyncIterator[Client]:
    """The minimum in Python: send a request with aiohttp, read the answer, extract the text."""
    import aiohttp
    import orjson

    path = f"{url}/chat/completions"
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session:

        async def complete(messages: Messages) -> str:
            body = orjson.dumps({"model": MODEL, "messages": messages})
            async with session.post(path, data=body, headers=headers) as response:
                answer = orjson.loads(await response.read())
            text: str = answer["choices"][0]["message"]["content"]
            return text

        async def stream(messages: Messages) -> int:
            options = {"stream": True, "stream_options": {"include_usage": True}}
            body = orjson.dumps({"model": MODEL, "messages": messages, **options})
            pieces = 0
            async with session.post(path, data=body, headers=headers) as response:
                async for line in response.content:
                    if line.startswith(b"data: {"):
                        choices = orjson.loads(line[6:])["choices"]
                        pieces += bool(choices and choices[0]["delta"].get("content"))
            return pieces

        yield Client(complete, stream)


@asynccontextmanager
async def openai_sdk(url: str) -> AsyncIterator[Client]:
    """OpenAI's own client."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
        ask: Any = client.chat.completions.create

        async def complete(messages: Messages) -> str:
            answer = await ask(model=MODEL, messages=messages)
            text: str = answer.choices[0].message.content
            return text

        async def stream(messages: Messages) -> int:
            usage = {"include_usage": True}
            chunks = await ask(model=MODEL, messages=messages, stream=True, stream_options=usage)
            return await _pieces(chunks)

        yield Client(complete, stream)


@asynccontextmanager
async def litellm(url: str, *, model: str = f"openai/{MODEL}") -> AsyncIterator[Client]:
    """litellm's `acompletion`."""
    import litellm

    litellm.suppress_debug_info = True
    where: dict[str, Any] = {"api_base": url, "api_key": KEY, "num_retries": 0, "max_retries": 0}
    ask: Any = litellm.acompletion

    async def complete(messages: Messages) -> str:
        answer = await ask(model=model, messages=messages, **where)
        text: str = answer.choices[0].message.content
        return text

    async def stream(messages: Messages) -> int:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        return await _pieces(await ask(model=model, messages=messages, **options, **where))

    yield Client(complete, stream)


@asynccontextmanager
async def flashlite(
    url: str, *, model: str = f"openai/{MODEL}", **options: Any
) -> AsyncIterator[Client]:
    """Flashlite with its defaults."""
    from flashlite import Flashlite, StreamEventType

    async with Flashlite(model, base_url=url, api_key=KEY, **options) as client:

        async def complete(messages: Messages) -> str:
            return (await client.complete(messages)).content

        async def stream(messages: Messages) -> int:
            token = StreamEventType.TOKEN
            return sum([event.type is token async for event in client.stream(messages)])

        async def many(questions: Iterable[Messages]) -> AsyncIterator[str]:
            async for _, outcome in client.as_completed(questions, max_concurrency=AT_ONCE):
                if isinstance(outcome, Exception):
                    raise outcome
                yield outcome.content

        yield Client(complete, stream, many)


@asynccontextmanager
async def flashlite_all_layers(url: str, **options: Any) -> AsyncIterator[Client]:
    """Flashlite with every layer switched on."""
    with TemporaryDirectory() as folder:
        async with flashlite(url, **all_layers(Path(folder)) | options) as client:
            yield client


def all_layers(folder: Path) -> dict[str, Any]:
    """Return the options that switch on every layer, with limits that are never reached.

    Files are written in `folder`. The cache always misses, because all prompts differ.
    """
    from flashlite import DiskCache, RateLimitConfig, RetryConfig, StructuredLogger

    return {
        "cache": DiskCache(folder / "answers.db"),
        "rate_limit": RateLimitConfig(requests_per_minute=1e9, tokens_per_minute=1e12),
        "budget_limit": 1e6,
        "track_costs": True,
        "callbacks": _callbacks(),
        "structured_logger": StructuredLogger(folder / "calls.jsonl"),
        "retry": RetryConfig(max_attempts=5),
        "timeout": 120.0,
        "temperature": 0,
    }


def _callbacks() -> Any:
    from flashlite import CallbackManager

    callbacks = CallbackManager()
    callbacks.on_request(lambda request, request_id: None)
    callbacks.on_response(lambda response, request_id, latency_ms, cached: None)
    callbacks.on_error(lambda error, request_id, latency_ms: None)
    return callbacks


async def _pieces(chunks: Any) -> int:
    pieces = 0
    async for chunk in chunks:
        pieces += bool(chunk.choices and chunk.choices[0].delta.content)
    return pieces


class Contender(NamedTuple):
    """A library that is measured.

    `share` is the share of the calls that a slow contender makes, so that a round stays short.
    """

    name: str
    title: str
    package: str
    imports: str
    open: Callable[..., AbstractAsyncContextManager[Client]]
    share: float = 1.0


CONTENDERS = (
    Contender("aiohttp", "raw aiohttp", "aiohttp", "import aiohttp", raw_aiohttp),
    Contender("openai", "openai SDK", "openai", "import openai", openai_sdk, 0.25),
    Contender("litellm", "litellm", "litellm", "import litellm", litellm, 0.25),
    Contender("flashlite", "flashlite", "flashlite", "import flashlite", flashlite),
    Contender(
        "flashlite-all",
        "flashlite, all layers",
        "flashlite",
        # Importing the package alone loads nothing; this is a user's first line.
        "from flashlite import Flashlite",
        flashlite_all_layers,
    ),
)
