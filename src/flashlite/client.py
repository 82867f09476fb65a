"""The client: what a caller may ask of the engine."""

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
    be spent; a `RateLimit` or a `Budget` object may be shared by several clients. `callbacks` are
    told of every call, `structured_logger` writes them down as JSON lines, `log_requests` does so
    in Python's log "flashlite.requests", and `track_costs=False` leaves the cost report out.
    `inspect_logger` writes every call into an `.eval` log. `template_dir` is where templates are,
    one directory or several.

    `provider` answers all calls instead of the provider that a model's name leads to. `middleware`
    are layers of your own, outermost first, around those of flashlite. The rest are call options
    that hold for every call which does not say otherwise. One client serves any number of tasks,
    threads (through `complete_sync`) and event loops.
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

        Raises ConfigError, before anything is sent, when the call cannot work as written,
        CompletionError when it was tried and brought no answer, and StructuredOutputError when
        no answer fitted the `response_model`, which was asked for `structured_retries` times more.
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
        CompletionResponse, or an instance of the request's `response_model`. The first failure
        stops what was not sent yet and is raised when what was sent has come back; `error.answers`
        has all that was answered, by position. With `return_exceptions`, each failure is in its
        place instead. `progress` draws a bar where standard error is a terminal.
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
        """Ask for many answers and yield each when it comes, with its request's position.

        Takes any source, also an endless or asynchronous one, and keeps nothing that was yielded. A
        failure is yielded in its place. A reader who may stop early closes the iterator
        (`contextlib.aclosing`), which ends what is running.
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
        """Ask for many answers and keep each in a file, to go on from there after any kill.

        Await the batch for a list, or read it with `async for`. `mode="provider"` uses the batch
        API of the provider, at half the price, `engine="ray"` actors of Ray; see `run_batch`.
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
        """Do what `complete` does, without `await`: in scripts, threads and notebooks."""
        call = self.complete(messages, model=model, response_model=response_model, **options)
        return run_sync(call)

    async def embed(
        self,
        inputs: str | Iterable[str],
        *,
        model: str | None = None,
        **options: Unpack[EmbeddingOptions],
    ) -> EmbeddingResult:
        """Turn a text, or each of a list, into a vector.

        A long list takes several requests, which run at once. The first failure stops what was not
        sent yet and is raised when what was sent has come back; `error.answers` has the vectors
        that came, by position. What a client was told for all its completions (a temperature, say)
        does not count here, how to deliver them (keys, headers, timeouts) does.
        """
        return await embed(self, inputs, model=model, options=options)

    def embed_sync(
        self,
        inputs: str | Iterable[str],
        *,
        model: str | None = None,
        **options: Unpack[EmbeddingOptions],
    ) -> EmbeddingResult:
        """Do what `embed` does, without `await`: in scripts, threads and notebooks."""
        return run_sync(self.embed(inputs, model=model, **options))

    @property
    def total_cost(self) -> float:
        """US dollars that all calls of this client cost, as far as prices are known."""
        return self.ledger.total.paid

    @property
    def total_tokens(self) -> int:
        """Tokens that were paid for, in and out."""
        return self.ledger.total.tokens["total"]

    def get_cost_report(self) -> dict[str, Any]:
        """Return what was paid, saved and wasted: in all, and `by_model`, `by_agent` and `by_tag`.

        `total_requests` counts calls, each with all its attempts; `cached` are those that the cache
        answered, with what had cost `saved_usd`; `failed` those that brought no answer.
        `total_cost_usd` and `total_tokens` are what providers bill, as far as that is known:
        `unknown` counts the requests of which it is not, failed ones that may be billed among them.
        `wasted_usd` is the part that was paid for answers which did not fit, and for calls that
        failed in the end.
        """
        return self.ledger.report()

    async def cache_stats(self) -> dict[str, Any]:
        """Return hits, misses, `hit_rate` (0 to 1) and how much the cache holds."""
        return await self.require_cache().stats()

    async def clear_cache(self, *, collection: str | None = None) -> int:
        """Forget one collection of stored answers, or all; return how many answers that was."""
        return await self.require_cache().store.clear(collection=collection)

    async def explain(
        self,
        messages: MessageInput | None = None,
        *,
        model: str | None = None,
        response_model: type[Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> list[str]:
        """Say why a call is not answered from the cache: how the nearest stored request differs.

        One line a field, such as `params.temperature: 0 here, 0.7 stored`; empty for a hit.
        """
        request = await with_local_files(self.build(messages, model, options, response_model))
        return await self.require_cache().explain(request.with_(target=self.target(request)))

    def conversation(
        self, system: str | Sequence[Mapping[str, Any]] | None = None, **options: Any
    ) -> Conversation:
        """Begin a conversation that this client answers; `options` are those of `Conversation`."""
        return Conversation(system, client=self, **options)

    def context_manager(self, model: str | None = None, **options: Any) -> ContextManager:
        """Return what cuts messages to a model's window; `options` are those of the class."""
        return ContextManager(model or self.default_model, **options)

    def log_sample(self, id: str | int | None = None, **about: Any) -> Sample:
        """Begin a sample of the `inspect_logger`: all calls made in its `with` block belong to it.

        `about` are the arguments of `InspectLogger.sample`.
        """
        if self.inspect_logger is None:
            raise ConfigError("this client has no inspect_logger: InspectLogger('./logs')")
        return self.inspect_logger.sample(id, **{"hears_all": True, **about})

    def register_template(self, name: str, text: str) -> None:
        """Give a template a name, for `template=` and for other templates; see `Templates`."""
        self.templates.register(name, text)

    def render_template(self, name: str, /, **variables: Any) -> str:
        """Fill in a template, given by its name or as a text."""
        return self.templates.render(name, variables)

    async def _fitting(
        self, messages: MessageInput | None = None, **arguments: Any
    ) -> CompletionResponse:
        return fitting(await self.ask(messages, **arguments), arguments.get("response_model"))
