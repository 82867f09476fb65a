"""What a room does with what it is told: exact in any order, and the same in Lua and in Python."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashlite import RedisPool
from flashlite.middleware.pool.minute import exchange_minute
from flashlite.middleware.pool.purse import exchange_purse

WHO = ("machine", 1, "program")
REQUESTS, TOKENS = 5, 100


@dataclass
class Room:
    """A room in memory, and its clock."""

    exchange: Any
    now: float = 1e9
    state: bytes = b"{}"

    def ask(self, said: dict[str, Any]) -> dict[str, Any]:
        state = orjson.loads(self.state)
        answer: dict[str, Any] = self.exchange(state, said, self.now)
        self.state = orjson.dumps(state)
        return answer


@dataclass
class Line:
    """What one event loop knows of a minute, and the room by whose clock it goes."""

    name: str
    room: Room
    told: list[tuple[float, ...]] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=lambda: {"epoch": "", "count": 0, "used": [0] * 4})
    seen_at: float = 0.0

    def says(self, heads: Sequence[tuple[float, ...]], *, close: float = 0.0) -> dict[str, Any]:
        told, self.told = self.told, []
        return {
            "line": self.name,
            "who": WHO,
            "label": "m",
            "limits": (REQUESTS, None, None, TOKENS),
            "waiting": len(heads),
            "heads": heads,
            "told": told,
            "close": close,
            "seen": {**self.seen, "ago": self.room.now - self.seen_at},
        }

    def hears(self, answer: dict[str, Any]) -> int:
        self.seen = {name: answer[name] for name in ("epoch", "count", "used")}
        self.seen_at = self.room.now
        return int(answer["granted"])


turns = st.lists(
    st.tuples(
        st.floats(0, 20),  # seconds that go by
        st.integers(0, 2),  # who speaks
        st.lists(st.integers(1, TOKENS), max_size=4),  # tokens of those who ask
        st.floats(0, 1),  # of what was reserved, what was used
    ),
    max_size=40,
)


@given(turns, st.integers(0, 40), st.integers(0, 40))
def test_no_minute_has_more_than_the_limits_whoever_asks_and_whenever(
    turns: list[tuple[float, int, list[int], float]], lost_at: int, put_back_to: int
) -> None:
    room = Room(exchange_minute)
    lines = [Line(name, room) for name in "abc"]
    let_in: list[tuple[float, float]] = []  # when, and the tokens that were used
    states = [room.state]
    for number, (seconds, speaker, tokens, used) in enumerate(turns):
        room.now += seconds
        line = lines[speaker]
        if number == lost_at:
            room.state = states[min(put_back_to, number)]
            for other in lines:  # in the grace all speak
                other.hears(room.ask(other.says([])))
        heads = [(1, 0, 0, size) for size in tokens]
        answer = room.ask(line.says(heads))
        for size in tokens[: line.hears(answer)]:
            let_in.append((room.now, size * used))
            line.told.append((answer["bucket"], 0, 0, 0, size * used - size))
        states.append(room.state)
        assert 0 <= answer["wait"] <= 1
    for start, _ in let_in:
        within = [used for at, used in let_in if start <= at < start + 60]
        assert len(within) <= REQUESTS
        assert sum(within) <= TOKENS + 1e-6


def test_what_was_seen_before_a_loss_counts_from_then_on() -> None:
    """One process saw the room a while ago, another one filled it again since."""
    room = Room(exchange_minute)
    early, late = Line("a", room), Line("b", room)
    heads = [(1, 0, 0, 1)] * REQUESTS
    assert early.hears(room.ask(early.says(heads))) == REQUESTS
    room.now += 58
    early.hears(room.ask(early.says([])))
    room.now += 4
    assert late.hears(room.ask(late.says(heads))) == REQUESTS
    room.state = b"{}"
    for line in (early, late):
        line.hears(room.ask(line.says([])))
    room.now += 59
    assert early.hears(room.ask(early.says(heads))) == 0
    room.now += 3
    assert early.hears(room.ask(early.says(heads))) == REQUESTS


def test_a_room_that_is_back_at_another_time_knows_how_long_ago_it_was_seen() -> None:
    room = Room(exchange_minute)
    line = Line("a", room)
    line.hears(room.ask(line.says([(1, 0, 0, 1)] * REQUESTS)))
    room.state, room.now, line.seen_at = b"{}", room.now + 1e6, line.seen_at + 1e6
    assert line.hears(room.ask(line.says([(1, 0, 0, 1)]))) == 0


def test_a_minute_that_is_put_back_to_what_it_was_is_told_what_came_after() -> None:
    room = Room(exchange_minute)
    line = Line("a", room)
    heads = [(1, 0, 0, 1)]
    line.hears(room.ask(line.says(heads)))
    before = room.state
    line.hears(room.ask(line.says(heads * (REQUESTS - 1))))
    room.state = before
    room.now += 30
    assert line.hears(room.ask(line.says(heads))) == 0
    room.now += 62
    assert line.hears(room.ask(line.says(heads))) == 1


def test_whoever_waits_is_let_in_in_turn() -> None:
    room = Room(exchange_minute)
    lines = [Line(name, room) for name in "abc"]
    asked = [(1, 0, 0, TOKENS)] * 2
    order = ""
    for _ in range(60 * 61):
        room.now += 0.1
        for line in lines:
            order += line.name * line.hears(room.ask(line.says(asked)))
    assert order == "aabcab"  # the second of the first line came before the others


def test_a_look_changes_nothing_and_says_who_is_there() -> None:
    room = Room(exchange_minute)
    line = Line("a", room)
    assert room.ask({"look": True})["limits"] is None
    line.hears(room.ask(line.says([(1, 0, 0, 60)] * 2)))
    before = room.state
    room.now += 0.5
    assert room.ask({"look": True}) == {
        "label": "m",
        "limits": [REQUESTS, None, None, TOKENS],
        "used": [1, 0, 0, 60],
        "closed": 0.0,
        "lines": [["a", 0.5, 1, *WHO]],
    }
    assert room.state == before


LIMIT = 100
costs = st.lists(
    st.tuples(
        st.floats(0, 12),  # seconds that go by
        st.integers(0, 2),  # who speaks
        st.lists(st.integers(0, 40), max_size=3),  # what those who ask may cost
        st.integers(0, 40),  # what is settled
    ),
    max_size=40,
)


@dataclass
class Holder:
    """What one event loop knows of a budget."""

    name: str
    number: int = 0
    spent: int = 0
    reserved: int = 0
    seen: dict[str, Any] = field(
        default_factory=lambda: {"epoch": "", "count": 0, "spent": 0, "told": 0}
    )

    def says(self, heads: Sequence[int]) -> dict[str, Any]:
        self.number += 1
        return {
            "line": self.name,
            "who": WHO,
            "number": self.number,
            "limit": LIMIT,
            "spent": self.spent,
            "reserved": self.reserved,
            "waiting": len(heads),
            "heads": heads,
            "seen": self.seen,
        }

    def hears(self, answer: dict[str, Any], heads: Sequence[int]) -> None:
        self.seen = {
            "epoch": answer["epoch"],
            "count": answer["count"],
            "spent": int(answer["spent"]),
            "told": self.spent,
        }
        letters = zip(heads, answer["answers"], strict=False)
        self.reserved += sum(amount for amount, letter in letters if letter == "y")

    def settle(self, cost: int) -> None:
        cost = min(cost, self.reserved)
        self.reserved, self.spent = self.reserved - cost, self.spent + cost


def test_what_was_given_up_and_comes_after_what_followed_it_says_nothing() -> None:
    room, holder = Room(exchange_purse), Holder("a")
    late = holder.says([10])
    holder.hears(room.ask(holder.says([50])), [50])
    holder.settle(20)
    holder.hears(room.ask(holder.says([])), [])
    before = room.state
    assert room.ask(late)["answers"] == ""
    assert room.state == before
    found = room.ask({"look": True})
    assert (found["spent"], found["reserved"]) == (20, 30)


def test_a_budget_that_is_put_back_counts_nothing_twice() -> None:
    room, holders = Room(exchange_purse), [Holder(name) for name in "ab"]

    def spend(*costs: int) -> None:
        for holder, cost in zip(holders, costs, strict=True):
            holder.hears(room.ask(holder.says([cost])), [cost])
            holder.settle(cost)
            holder.hears(room.ask(holder.says([])), [])

    spend(20, 10)
    before = room.state
    spend(5, 15)
    room.state = before
    spend(0, 0)
    room.now += 8
    spend(1, 2)
    assert room.ask({"look": True})["spent"] == 53


@given(costs, st.integers(0, 40), st.integers(0, 40))
def test_a_budget_that_is_lost_or_put_back_is_told_what_was_spent(
    costs: list[tuple[float, int, list[int], int]], lost_at: int, put_back_to: int
) -> None:
    room, holders = Room(exchange_purse), [Holder(name) for name in "abc"]
    states = [room.state]
    for number, (seconds, speaker, heads, cost) in enumerate(costs):
        room.now += seconds
        if number == lost_at:
            room.state = states[min(put_back_to, number)]
            for other in holders:  # in the grace all speak
                other.hears(room.ask(other.says([])), [])
        holder = holders[speaker]
        holder.settle(cost)
        holder.hears(room.ask(holder.says(heads)), heads)
        states.append(room.state)
        assert sum(one.spent + one.reserved for one in holders) <= LIMIT
    for holder in holders:
        holder.settle(holder.reserved)
        room.ask(holder.says([]))
    assert room.ask({"look": True})["spent"] >= sum(one.spent for one in holders)


@given(costs)
def test_no_more_is_spent_than_the_budget_and_all_of_it_is_counted(
    costs: list[tuple[float, int, list[int], int]],
) -> None:
    room, holders = Room(exchange_purse), [Holder(name) for name in "abc"]
    for seconds, speaker, heads, cost in costs:
        room.now += seconds
        holder = holders[speaker]
        holder.settle(cost)
        answer = room.ask(holder.says(heads))
        if cost % 3:  # or the answer was lost on its way, and what it reserved is not used
            holder.hears(answer, heads)
        assert sum(one.spent + one.reserved for one in holders) <= LIMIT
    for holder in holders:
        holder.settle(holder.reserved)
        room.ask(holder.says([]))
    found = room.ask({"look": True})
    assert (found["spent"], found["reserved"]) == (sum(one.spent for one in holders), 0)


@pytest.mark.services
@given(turns)
@settings(max_examples=30)
async def test_the_script_of_a_minute_answers_as_its_twin_does(redis_url: str, turns: Any) -> None:
    pool, twin = RedisPool(redis_url, name=secrets.token_hex(4)), Room(exchange_minute)
    theirs, ours = ([Line(name, twin) for name in "abc"] for _ in range(2))
    for _, speaker, tokens, _ in turns:
        heads = [(1, 0, 0, size) for size in tokens]
        there = await pool.ask("minute:m", theirs[speaker].says(heads))
        here = twin.ask(ours[speaker].says(heads))
        assert (there["granted"], list(there["used"])) == (here["granted"], list(here["used"]))
        for line, answer in ((theirs[speaker], there), (ours[speaker], here)):
            for size in tokens[: line.hears(answer)]:
                line.told.append((answer["bucket"], 0, 0, 0, size // 2 - size))
    await pool.aclose()


@pytest.mark.services
@given(costs)
@settings(max_examples=30)
async def test_the_script_of_a_budget_answers_as_its_twin_does(redis_url: str, costs: Any) -> None:
    pool, twin = RedisPool(redis_url, name=secrets.token_hex(4)), Room(exchange_purse)
    theirs, ours = ([Holder(name) for name in "abc"] for _ in range(2))
    for _, speaker, heads, cost in costs:
        for holder in (theirs[speaker], ours[speaker]):
            holder.settle(cost)
        there = await pool.ask("purse", theirs[speaker].says(heads))
        here = twin.ask(ours[speaker].says(heads))
        compared = [
            (answer["answers"], int(answer["spent"]), int(answer["reserved"]))
            for answer in (there, here)
        ]
        assert compared[0] == compared[1]
        theirs[speaker].hears(there, heads)
        ours[speaker].hears(here, heads)
    await pool.aclose()
