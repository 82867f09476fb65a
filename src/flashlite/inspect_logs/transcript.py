"""The events of a sample as JSON, ready to be written, and their totals.

Messages that calls have in common are in the log once, in a pool that events refer to by ranges
(`inspect_ai/event/_pool.py`); so the size of a conversation's log is linear, not quadratic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson

from ..types.ids import new_id
from .messages import Attachments, authored, chained_ids, to_message
from .model_events import NO_MODEL, ModelCall, to_event
from .plain import encode
from .usage import NOTHING, add_usage

_HISTORIES = ("messages", "contents", "input", "inputs")  # fields of providers' request bodies


class Pool:
    """Distinct JSON values, in the order in which they were added."""

    def __init__(self) -> None:
        self.items: list[bytes] = []
        self._places: dict[Any, int] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def add(self, key: Any, item: bytes) -> None:
        """Keep an item under a key that is new."""
        self._places[key] = len(self.items)
        self.items.append(item)

    def ranges(self, keys: Iterable[Any]) -> list[list[int]]:
        """Return the positions of these keys' items, as half-open ranges."""
        places = enumerate(self._places[key] for key in keys)
        runs = (list(run) for _, run in groupby(places, lambda pair: pair[1] - pair[0]))
        return [[run[0][1], run[-1][1] + 1] for run in runs]

    def within(self, ranges: Iterable[Sequence[int]]) -> list[bytes]:
        """Return the items in these ranges."""
        return [item for start, end in ranges for item in self.items[start:end]]


class Transcript:
    """The events of one sample; it may be called by one thread at a time.

    With `is_private`, its calls contain private messages, so they are not used for the sample's
    messages and output, which judges read.
    """

    def __init__(
        self, *, keep_media: bool = True, with_raw: bool = True, is_private: bool = False
    ) -> None:
        self.is_private = is_private
        self.events: list[bytes] = []
        self.messages, self.calls = Pool(), Pool()
        self.attachments = Attachments(keep=keep_media)
        self.model_usage: dict[str, Any] = {}
        self.role_usage: dict[str, Any] = {}
        self.turns, self.working_time = 0, 0.0
        self.output: Mapping[str, Any] = {"choices": []}
        self.seed = new_id()  # of the messages' ids
        self._with_raw = with_raw
        self._asked: list[Sequence[int]] = []
        self._opening: list[Sequence[int]] = []
        self._said: list[tuple[str | None, Mapping[str, Any]]] = []

    def add(self, event: Mapping[str, Any], *, secrets: tuple[str, ...] = ()) -> None:
        """Add an event."""
        self.events.append(encode(event, secrets=secrets))
        if event["event"] == "model":
            self._count(event)

    def add_call(
        self,
        call: ModelCall,
        place: Mapping[str, Any],
        *,
        role: str | None,
        secrets: tuple[str, ...],
    ) -> None:
        """Add a model call; `place` has the fields of its event for place and time."""
        ids = self.pooled(call.request.messages, secrets=secrets)
        event = to_event(call, ids=ids, attachments=self.attachments, with_raw=self._with_raw)
        event |= place
        event["input_refs"] = self.messages.ranges(ids)
        if role is not None:
            event["role"] = role
        if raw := event.get("call"):
            self._pool_raw(raw, secrets)
        self.add(event, secrets=secrets)

    @property
    def spelling(self) -> dict[str, Any]:
        """The arguments of `to_messages` for other messages of this sample."""
        return {"attachments": self.attachments, "before": self.seed}

    def pooled(
        self, messages: Sequence[Mapping[str, Any]], *, secrets: tuple[str, ...]
    ) -> list[str]:
        """Add the messages of a history to the pool; return their ids."""
        ids = chained_ids(messages, self.seed)
        for id, message in zip(ids, messages, strict=True):
            if id not in self.messages:
                spelled = to_message(message, id=id, attachments=self.attachments)
                self.messages.add(id, encode(spelled, secrets=secrets))
        return ids

    def restore(self, line: Mapping[str, Any]) -> None:
        """Add what a line of a killed process's journal has of this sample."""
        for message in line.get("messages", ()):
            self.messages.add(message["id"], encode(message))
        for item in line.get("calls", ()):
            self.calls.add(len(self.calls.items), encode(item))
        self.attachments.update(line.get("attachments", {}))
        for event in line.get("events", ()):
            self.add(event)

    def opening(self) -> list[bytes]:
        """Return the encoded messages of the first call."""
        return self.messages.within(self._opening)

    def conversation(self) -> list[Any]:
        """Return the messages of the whole sample.

        That is the last call and its answer; if several agents spoke, the user messages of the
        first call, then all answers in order, each with its agent's name in front.
        """
        speakers = {role for role, _ in self._said}
        if len(speakers) < 2:
            last = [self._said[-1][1]] if self._said and self.output["choices"] else []
            return [*_fragments(self.messages.within(self._asked)), *last]
        opening = map(orjson.loads, self.opening())
        said = [authored(message, role) if role else message for role, message in self._said]
        return [*(message for message in opening if message["role"] == "user"), *said]

    def _count(self, event: Mapping[str, Any]) -> None:
        self.turns += 1
        self.working_time += event["working_time"]
        output = event["output"]
        # An answer from a cache was paid for earlier, so as in Inspect it has no usage here.
        usage = NOTHING if event.get("cache") == "read" else output.get("usage", NOTHING)
        if event["model"] != NO_MODEL:
            add_usage(self.model_usage, event["model"], usage)
        if "role" in event:
            add_usage(self.role_usage, event["role"], usage)
        if not self.is_private:
            self._hear(event, output)

    def _hear(self, event: Mapping[str, Any], output: Mapping[str, Any]) -> None:
        """Remember what `conversation` and `opening` need of a call."""
        self.output, self._asked = output, event["input_refs"]
        if not self._said:
            self._opening = self._asked
        for choice in output["choices"][:1]:
            self._said.append((event.get("role"), choice["message"]))

    def _pool_raw(self, raw: dict[str, Any], secrets: tuple[str, ...]) -> None:
        request = raw["request"]
        name = next((name for name in _HISTORIES if isinstance(request.get(name), list)), None)
        if name is None or not request[name]:
            return
        items = [encode(item, secrets=secrets) for item in request[name]]
        for item in items:
            if item not in self.calls:
                self.calls.add(item, item)
        raw["request"] = {key: value for key, value in request.items() if key != name}
        raw |= {"call_refs": self.calls.ranges(items), "call_key": name}


def _fragments(items: Iterable[bytes]) -> list[orjson.Fragment]:
    return [orjson.Fragment(item) for item in items]
