"""The client: the public methods on top of the engine."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal, TypeVar, Unpack, overload

from .batch import Batch, BatchMode, Order, Ray, run_batch
from .context import ContextManager
from .conversation import Conversation
from .embed import embed
from .engine import Engine
from .errors import ConfigError
from .inspect_logs import Sample
from .many import OneInput, collect
from .middleware import fitting, with_local_files
from .options import CallOptions, EmbeddingOptions
from .progress import shown
from .sync import run_sync
from .types import CompletionResponse, EmbeddingResult, MessageInput

T = TypeVar("T")


class Flashlite(Engine):
    """A client for every model.

    `cache` is a store (`MemoryCache`, `DiskCache`, `FSCache`). `rate_limit` is what may be sent in
    a minute, `max_concurrency` how many calls may run at once, `budget_limit` how many dollars may
    be spent; several clients may share a `RateLimit` or a `Budget` object. `callbacks` are notified
    of every call, `structured_logger` writes each call as a JSON line, `log_requests` logs it to
    Python's logger "flashlite.requests", and `track_costs=False` turns the cost report off.
    `inspect_logger` writes every call into an `.eval` log. `template_dir` is the directory of
    templates, or a list of directories.

    `provider` answers all calls, instead of the provider that a model's name selects. `middleware`
    is a list of your own layers, outermost first, around those of flashlite. All other arguments
    are call options: defaults that a single call can override. One client serves any number of
    tasks, threads (through `complete_sync`) and event loops.
    """

    @overload
    async def complete(
        self,
        messages: MessageInput | None = ...,
        *,
        model: str | None = ...,
        response_model: type[T],
        **options: Unpack[CallOptions],
    ) -> T: ...

    @overload
    async def complete(
        self,
        messages: MessageInput | None = ...,
        *,
        model: str | None = ...,
        response_model: None = ...,
        **options: Unpack[CallOptions],
    ) -> CompletionResponse: ...

    async def complete(
        self,
        messages: MessageInput | None = None,
        *,
        model: str | None = None,
        response_model: type[Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Any:
        """Ask for one answer; with a `response_model`, return the answer as an instance of it.

        Raises ConfigError before anything is sent if the call cannot work as written,
        CompletionError if the request was sent and brought no answer, and StructuredOutputError if
        no answer fits the `response_model`, after asking again up to `structured_retries` times.
        """
        response = await self._fitting(
            messages, model=model, response_model=response_model, **options
        )
        return response if response_model is None else response.parsed

    async def complete_many(
        self,
        requests: Iterable[OneInput] | AsyncIterable[OneInput],
        *,
        max_concurrency: int = 10,
        return_exceptions: bool = False,
        progress: bool = False,
    ) -> list[Any]:
        """Ask for many answers at once and return them in the order of the requests.

        A request is a dict of arguments of `complete`, or just its messages. An answer is a
        CompletionResponse, or an instance of the request's `response_model`. After the first
        failure no more requests are sent; it is raised once those already sent have come back, and
        `error.answers` has all answers, by position. With `return_exceptions`, each failure is
        returned in its place instead. `progress` draws a bar if standard error is a terminal.
        """
        crowd = self.crowd(self._fitting, requests, workers=max_concurrency)
        outcomes = crowd.outcomes()
        if progress:
            outcomes = shown(outcomes, requests=requests)
        return await collect(outcomes, None if return_exceptions else crowd.stop)

    async def as_completed(
        self,
        requests: Iterable[OneInput] | AsyncIterable[OneInput],
        *,
        max_concurrency: int = 10,
    ) -> AsyncGenerator[tuple[int, CompletionResponse | Exception]]:
        """Ask for many answers and yield each when it arrives, with its request's position.

        `requests` may be endless or asynchronous, and nothing that was yielded is kept. A failure
        is yielded like an answer. To stop early, close the iterator (use `contextlib.aclosing`),
        which cancels the running calls.
        """
        crowd = self.crowd(self.ask, requests, workers=max_concurrency)
        async with aclosing(crowd.outcomes()) as outcomes:
            async for outcome in outcomes:
                yield outcome

    def batch(
        self,
        requests: Iterable[OneInput] | AsyncIterable[OneInput],
        *,
        checkpoint: str | os.PathLike[str],
        mode: BatchMode = "calls",
        max_concurrency: int | None = None,
        order: Order = "input",
        return_exceptions: bool = False,
        progress: bool = False,
        poll_interval: float = 15.0,
        engine: Literal["ray"] | Ray | None = None,
    ) -> Batch:
        """Ask for many answers and save each in the file `checkpoint`, to resume after any kill.

        Await the batch to get a list, or read it with `async for`. `mode="provider"` uses the
        provider's batch API at half the price, `engine="ray"` uses Ray actors; see `run_batch`.
        """
        return run_batch(
            self,
            requests,
            checkpoint=checkpoint,
            mode=mode,
            max_concurrency=max_concurrency,
            order=order,
            return_exceptions=return_exceptions,
            progress=progress,
            poll_interval=poll_interval,
            engine=engine,
        )

    @overload
    def complete_sync(
        self,
        messages: MessageInput | None = ...,
        *,
        model: str | None = ...,
        response_model: type[T],
        **options: Unpack[CallOptions],
    ) -> T: ...

    @overload
    def complete_sync(
        self,
        messages: MessageInput | None = ...,
        *,
        model: str | None = ...,
        response_model: None = ...,
        **options: Unpack[CallOptions],
    ) -> CompletionResponse: ...

    def complete_sync(
        self,
        messages: MessageInput | None = None,
        *,
        model: str | None = None,
        response_model: type[Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> Any:
        """Do what `complete` does without `await`, for scripts, threads and notebooks."""
        call = self.complete(messages, model=model, response_model=response_model, **options)
        return run_sync(call)

    async def embed(
        self,
        inputs: str | Iterable[str],
        *,
        model: str | None = None,
        **options: Unpack[EmbeddingOptions],
    ) -> EmbeddingResult:
        """Turn a text, or each text of a list, into a vector.

        A long list takes several requests, which run at once. After the first failure no more are
        sent; it is raised once those already sent have come back, and `error.answers` has the
        vectors that came, by position. Of the client's default call options, those on delivery
        (keys, headers, timeouts) apply; parameters of completions (such as a temperature) do not.
        """
        return await embed(self, inputs, model=model, options=options)

    def embed_sync(
        self,
        inputs: str | Iterable[str],
        *,
        model: str | None = None,
        **options: Unpack[EmbeddingOptions],
    ) -> EmbeddingResult:
        """Do what `embed` does without `await`, for scripts, threads and notebooks."""
        return run_sync(self.embed(inputs, model=model, **options))

    @property
    def total_cost(self) -> float:
        """The cost of all calls of this client in US dollars, as far as prices are known."""
        return self.ledger.total.paid

    @property
    def total_tokens(self) -> int:
        """The number of tokens that were paid for, input and output."""
        return self.ledger.total.tokens["total"]

    def get_cost_report(self) -> dict[str, Any]:
        """Return what was paid, saved and wasted: in total, `by_model`, `by_agent` and `by_tag`.

        `total_requests` counts calls; all attempts of a call count as one. `cached` counts the
        calls answered from the cache, `saved_usd` is what those answers had cost originally, and
        `failed` counts the calls without an answer. `total_cost_usd` and `total_tokens` are what
        providers bill, as far as that is known; `unknown` counts the requests whose cost is not
        known, including failed ones that may be billed. `wasted_usd` is the part of the cost that
        went into answers that did not fit and into calls that failed in the end.
        """
        return self.ledger.report()

    async def cache_stats(self) -> dict[str, Any]:
        """Return the cache's hits, misses, `hit_rate` (0 to 1) and how much it holds."""
        return await self.require_cache().stats()

    async def clear_cache(self, *, collection: str | None = None) -> int:
        """Delete one collection of stored answers, or all; return how many answers were deleted."""
        return await self.require_cache().store.clear(collection=collection)

    async def explain(
        self,
        messages: MessageInput | None = None,
        *,
        model: str | None = None,
        response_model: type[Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> list[str]:
        """Return why a call is not answered from the cache: how the nearest stored request differs.

        The list has one line per field, such as `params.temperature: 0 here, 0.7 stored`; it is
        empty if the cache has the answer.
        """
        request = await with_local_files(self.build(messages, model, options, response_model))
        return await self.require_cache().explain(request.with_(target=self.target(request)))

    def conversation(
        self, system: str | Sequence[Mapping[str, Any]] | None = None, **options: Any
    ) -> Conversation:
        """Return a conversation that this client answers; `options` are those of `Conversation`."""
        return Conversation(system, client=self, **options)

    def context_manager(self, model: str | None = None, **options: Any) -> ContextManager:
        """Return a `ContextManager` with these options, which cuts messages to a model's window."""
        return ContextManager(model or self.default_model, **options)

    def log_sample(self, id: str | int | None = None, **about: Any) -> Sample:
        """Return a sample of the `inspect_logger`: all calls made in its `with` block belong to it.

        `about` are the arguments of `InspectLogger.sample`.
        """
        if self.inspect_logger is None:
            raise ConfigError("this client has no inspect_logger: InspectLogger('./logs')")
        return self.inspect_logger.sample(id, **{"hears_all": True, **about})

    def register_template(self, name: str, text: str) -> None:
        """Register a template by name, for `template=` and for other templates; see `Templates`."""
        self.templates.register(name, text)

    def render_template(self, name: str, /, **variables: Any) -> str:
        """Return a template, given by name or as text, with its variables filled in."""
        return self.templates.render(name, variables)

    async def _fitting(
        self, messages: MessageInput | None = None, **arguments: Any
    ) -> CompletionResponse:
        return fitting(await self.ask(messages, **arguments), arguments.get("response_model"))
