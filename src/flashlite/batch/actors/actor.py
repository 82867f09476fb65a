"""What an actor does, in a process of its own: it answers, and has it on file before it says so."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ...engine import Engine
from ...errors import FlashliteError, StoreError
from ...middleware import before_sending, fitting
from ...types import CompletionResponse
from ...types.holding import holding
from ..checkpoint import Checkpoint
from ..records import is_failure
from .question import Question

log = logging.getLogger("flashlite.batch")


class Actor:
    """An engine and a journal; `options` are those of the engine."""

    def __init__(self, options: Mapping[str, Any], journal: Path) -> None:
        self._engine = Engine(**options)
        self._checkpoint = Checkpoint(journal)

    async def begin(self) -> None:
        """Return when there is an actor to return from."""

    async def answer(self, question: Question) -> CompletionResponse | FlashliteError:
        """Return an answer that is on file, or what went wrong."""
        intend = partial(self._checkpoint.intend, question.item, question.position)
        request = question.request
        try:
            with holding(before_sending, intend):
                response = fitting(await self._engine.handle(request), request.response_model)
        except FlashliteError as error:
            self._checkpoint.fail(error, item=question.item, position=question.position)
            return error
        await self._keep(question, response)
        return response

    async def aclose(self) -> None:
        """Let stores and pools have what they have to be told."""
        await self._engine.aclose()
        self._checkpoint.close()

    async def _keep(self, question: Question, response: CompletionResponse) -> None:
        about = {"item": question.item, "position": question.position}
        if is_failure(response):
            self._checkpoint.fail(response, **about)
            return
        try:
            self._checkpoint.keep(response, **about)
            await self._checkpoint.sync()
        except StoreError as error:  # it is paid for; the batch's own file may have room for it
            log.warning("an answer is reported without being on file: %s", error)
