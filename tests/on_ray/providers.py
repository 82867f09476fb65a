"""Providers for actors, which bill in a file and die at a chosen moment."""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flashlite import BadRequestError, CompletionRequest, CompletionResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Mortal:
    """Says what it was asked; its process dies `deaths` times.

    It dies with a question on the wire (`on_wire`), or with an answer that is ready to be reported
    (`before_report`).
    """

    folder: Path
    on_wire: str | None = None
    before_report: str | None = None
    deaths: int = 1

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        question = request.messages[-1].text
        self._note("bill", question)
        if question == self.on_wire:
            self.die()
        facts = Deadly(mortal=self) if question == self.before_report else {}
        return CompletionResponse.of(question, model="m", provider="mortal", facts=facts)

    @property
    def bill(self) -> Counter[str]:
        """How often each question was asked."""
        return Counter((self.folder / "bill").read_text().splitlines())

    def die(self) -> None:
        """Kill this process, unless it has died often enough."""
        deaths = self.folder / "deaths"
        if not deaths.exists() or len(deaths.read_text().splitlines()) < self.deaths:
            self._note("deaths", str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)

    def _note(self, file: str, text: str) -> None:
        with (self.folder / file).open("a") as lines:
            lines.write(text + "\n")


class Deadly(dict[str, Any]):
    """JSON that kills the process that would send it to another one."""

    def __init__(self, *, mortal: Mortal) -> None:
        super().__init__()
        self._mortal = mortal

    def __reduce__(self) -> tuple[Any, ...]:
        self._mortal.die()
        return dict, ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusing(Mortal):
    """Refuses one question."""

    question: str

    async def __call__(self, request: CompletionRequest) -> CompletionResponse:
        answer = await Mortal.__call__(self, request)
        if answer.content == self.question:
            raise BadRequestError("I would rather not")
        return answer
