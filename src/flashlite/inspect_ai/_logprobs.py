"""Log probabilities of the answer and of the prompt, from our form to Inspect's."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from inspect_ai.model import Logprobs
from inspect_ai.util import warn_once

from ..types import Choice

log = logging.getLogger("flashlite.inspect_ai")


def answer_logprobs(choice: Choice) -> Logprobs | None:
    """Return the log probabilities of an answer; incomplete ones are dropped with a warning."""
    tokens = choice.logprobs and choice.logprobs.get("content")
    return _read(tokens) if tokens else None


def prompt_logprobs(raw: Mapping[str, Any] | None) -> Logprobs | None:
    """Return the log probabilities of the prompt, which vLLM puts beside its choices.

    Each position maps token numbers to log probabilities: first the actual token, then its
    alternatives. The first position has none.
    """
    places = (raw or {}).get("prompt_logprobs")
    if not isinstance(places, list):
        return None
    listed = [[*_tokens(place)] for place in places if isinstance(place, Mapping)]
    tokens = [
        {**place[0], "top_logprobs": place[1:] or None}  # as Inspect's own providers do
        for place in listed
        if place
    ]
    return _read(tokens) if tokens else None


def _tokens(place: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for number, told in place.items():
        told = told if isinstance(told, Mapping) else {}
        yield {"token": told.get("decoded_token") or number, "logprob": told.get("logprob")}


def _read(tokens: Any) -> Logprobs | None:
    try:
        return Logprobs.model_validate({"content": tokens})
    except ValueError as error:
        warn_once(log, f"the log probabilities of an answer cannot be read: {error}")
        return None
