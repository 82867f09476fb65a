"""What Gemini models accept on the wire, read from their names.

Sources: https://ai.google.dev/gemini-api/docs/thinking (levels, budgets, and which models can turn
thinking off), …/docs/thought-signatures (which models check them), …/docs/openai (efforts in
tokens).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .catalog import lookup

_GENERATION = re.compile(r"gemini-(?:live-)?(\d+(?:\.\d+)*)")
_NEWEST = (99,)
_THIRD = (3,)

_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576}


@dataclass(frozen=True, slots=True)
class Gemini:
    """A model by its name on the wire, such as `gemini-2.5-pro` or `models/gemini-3-flash`."""

    name: str

    @property
    def generation(self) -> tuple[int, ...]:
        """The version, (2, 5) for Gemini 2.5; a name without one (`gemini-flash-latest`) is new."""
        found = _GENERATION.match(self._bare)
        return tuple(map(int, found[1].split("."))) if found else _NEWEST

    @property
    def is_third(self) -> bool:
        """Whether this is Gemini 3 or later.

        These take thinking levels, check the signatures of their calls, and accept call ids and
        media inside results, which earlier models refuse as unknown fields.
        """
        return self._bare.startswith("gemini-") and self.generation >= _THIRD

    @property
    def always_thinks(self) -> bool:
        """Whether thinking cannot be turned off: in Gemini 2.5 Pro and from Gemini 3 on."""
        return self.is_third or "-pro" in self._bare

    @property
    def takes_system(self) -> bool:
        """Whether the model takes a system instruction; Gemma 3 does not."""
        return self._ability("system_messages") is not False

    @property
    def lowest_level(self) -> str:
        """The thinking level for the least effort."""
        is_quick = "flash" in self._bare and self._ability("minimal_reasoning_effort") is not False
        return "minimal" if is_quick else "low"

    def thinking_level(self, effort: str) -> str:
        """Return the thinking level for an effort; the highest is "high"."""
        return {"minimal": self.lowest_level, "xhigh": "high"}.get(effort, effort)

    def thinking_budget(self, effort: str) -> int | None:
        """Return an effort's token budget before Gemini 3, or None for an unknown effort."""
        return _BUDGETS.get(effort)

    @property
    def _bare(self) -> str:
        return self.name.rpartition("/")[2]

    def _ability(self, name: str) -> bool | None:
        profile = lookup(f"gemini/{self._bare}")
        return None if profile is None else profile.supports(name)


def takes_schema(model: str, *, with_tools: bool = False) -> bool:
    """Return whether a schema can be enforced; before Gemini 3 not together with tools.

    Source: https://ai.google.dev/gemini-api/docs/structured-output#structured_outputs_with_tools
    """
    return not with_tools or Gemini(model).is_third


def is_googles_own(name: str) -> bool:
    """Return whether a Vertex AI model speaks Gemini's API: Google's own, and tuned ones.

    Partner models (Claude, Llama, Mistral, …) and open ones have other addresses and dialects
    there, and their names never start like this.
    """
    return name.removeprefix("models/").startswith(("gemini-", "endpoints/"))
