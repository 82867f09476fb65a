"""A model whose answers come from a log, by which they are put into a cache.

It is the plugin's own model, on an engine whose provider is the log. So requests are built, hashed
and stored by the same code that will look them up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from inspect_ai.event import ModelEvent
from inspect_ai.model import GenerateConfig, ModelOutput

from ..client import Flashlite
from ..errors import BadRequestError, CompletionError, ConfigError
from ..middleware import RetryConfig
from ..models import is_provider
from ..stores import Store
from ..types import CompletionRequest, CompletionResponse, Handler, target_of
from ._asking import Question
from ._attempts import count_attempt
from ._call import Call
from ._completer import to_response
from ._logged_answers import is_the_same
from ._output import to_output
from ._private import PrerequisiteError
from ._provider import FlashliteModelAPI

STORED, KNOWN = "stored", "known"
NOT_KEPT = "are refusals, or were cut off"
GIVEN_OTHERWISE = "would be given back otherwise than they were given"
NOT_FOR_CACHES = "ask for what no cache keeps"
ANSWERED_OTHERWISE = "had been asked, and answered otherwise: the first answer stays"

_NO_KEY = "nothing is sent"
_NOT_HERE = frozenset({"cache_only", "fallbacks", "stream"})  # they only change how to ask


class RecordedModel(FlashliteModelAPI):
    """The model of `inspect eval --model flashlite/<name>`, with a log as its provider.

    `arguments` are its `-M` arguments; no key is needed.
    """

    def __init__(
        self, name: str, store: Store, *, base_url: str | None, arguments: Mapping[str, Any]
    ) -> None:
        self._store = store
        given = {name: value for name, value in arguments.items() if name not in _NOT_HERE}
        super().__init__(name, base_url, _NO_KEY, **given)
        provider = name.partition("/")[0]
        if self._route and self._route.provider == "litellm" and not is_provider(provider):
            raise ConfigError("it has no provider of that name: say by which name it will be asked")

    def _make_engine(self, rest: dict[str, Any]) -> Flashlite:
        self._log = _Log(self._handler(rest))
        once = RetryConfig(max_attempts=1)
        return Flashlite(provider=self._log, retry=once, cache=self._store, track_costs=False)

    def _in_jobs(self, config: GenerateConfig) -> None:
        """Use no batch API: the answer is already known."""

    async def keep(self, event: ModelEvent, *, sample: int | None) -> str:
        """Store the answer of a call; return STORED, KNOWN, or why it is not stored.

        KNOWN means that the cache has this answer. An answer that would not be replayed exactly is
        not stored, nor is a second answer to the same question.
        """
        answer = _answer(event.output, self._dialect)
        if not is_the_same(event.output, self._as_told(answer, event)):
            return GIVEN_OTHERWISE
        config = event.config.model_copy(update={"batch": None})  # it does not affect the answer
        question = Question(event.input, event.tools, event.tool_choice, config, sample)
        counts = self._asking.engine.require_cache().counts
        before, self._log.answer = replace(counts), answer
        try:
            found = await self._asking(
                question,
                call=Call(),
                attempts=count_attempt(GenerateConfig()),
                api_key=None,
                base_url=self.base_url,
            )
        except (CompletionError, ConfigError, PrerequisiteError) as error:
            return f"could not be asked by flashlite: {error}"
        if not found.cached:
            if counts.misses == before.misses:
                return NOT_FOR_CACHES
            return STORED if counts.stored > before.stored else NOT_KEPT
        if is_the_same(event.output, self._as_told(found, event)):
            return KNOWN
        return ANSWERED_OTHERWISE

    def _as_told(self, response: CompletionResponse, event: ModelEvent) -> ModelOutput:
        told: Any = {"model": self.model_name, "tools": event.tools, "dialect": self._dialect}
        return to_output(response, **told)


class _Log:
    """A provider that holds one answer, for the next request."""

    def __init__(self, handler: Handler) -> None:
        self.target = target_of(handler)
        self.answer: CompletionResponse | None = None

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        answer, self.answer = self.answer, None
        if answer is None:
            raise BadRequestError("the answer does not fit the schema that was asked for")
        return answer


def _answer(output: ModelOutput, dialect: str) -> CompletionResponse:
    """Return an answer as its provider gave it, with the facts that our plugin had logged."""
    response = to_response(output, dialect=dialect)
    facts = dict((output.metadata or {}).get("flashlite") or output.metadata or {})
    response.provider = facts.pop("provider", None)
    response.request_id = facts.pop("request_id", None)
    for name in ("cost", "wasted"):
        facts.pop(name, None)
    if output.input_context_tokens is not None:
        facts["context_tokens"] = output.input_context_tokens
    response.facts = facts
    return response
