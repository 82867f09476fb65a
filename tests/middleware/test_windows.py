"""The window and its line: never over, in order, woken once, and no trace of who gave up."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine, Generator
from functools import partial
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashlite.middleware.waiting import WaitingLine
from flashlite.middleware.windows import SPAN, UNLIMITED, Amount, Grant, Window

from ..virtual_time import VirtualLoop, now, run, virtual_time

SLOT = Amount(requests=1)


def _window(requests: float = inf, tokens: float = inf) -> Window:
    return Window(UNLIMITED._replace(requests=requests, tokens=tokens))


def _tokens(count: int) -> Amount:
    return Amount(requests=1, tokens=count)


# The window alone: arithmetic.


def test_a_window_opens_when_its_oldest_grants_have_left() -> None:
    window = _window(requests=2)
    window.take(SLOT, 0.0)
    window.take(SLOT, 7.0)
    assert window.opens_at(SLOT, 8.0) == SPAN
    assert window.opens_at(SLOT, SPAN) <= SPAN
    window.take(SLOT, SPAN)
    assert window.opens_at(SLOT, SPAN) == 7.0 + SPAN


def test_a_large_request_waits_for_as_many_grants_as_it_needs() -> None:
    window = _window(tokens=100)
    for moment in range(10):
        window.take(_tokens(10), float(moment))
    assert window.opens_at(_tokens(10), 10.0) == SPAN
    assert window.opens_at(_tokens(35), 10.0) == 3 + SPAN
    assert window.opens_at(_tokens(100), 10.0) == 9 + SPAN
    assert window.opens_at(_tokens(900), 10.0) == 9 + SPAN


def test_a_window_looks_only_so_far_ahead() -> None:
    window = _window(tokens=1000)
    for moment in range(1000):
        window.take(_tokens(1), moment / 100)
    assert window.opens_at(_tokens(1000), 10.0) == pytest.approx(0.63 + SPAN)


def test_what_is_left_over_is_free_at_once() -> None:
    window = _window(tokens=100)
    grant = window.take(_tokens(90), 0.0)
    window.correct(grant, _tokens(20), 5.0)
    assert window.opens_at(_tokens(80), 5.0) <= 5.0
    assert window.opens_at(_tokens(81), 5.0) == SPAN


def test_what_was_taken_on_top_counts_too() -> None:
    window = _window(tokens=100)
    grant = window.take(_tokens(10), 0.0)
    window.correct(grant, _tokens(150), 5.0)
    assert window.opens_at(_tokens(1), 5.0) == SPAN


def test_the_surplus_of_a_request_longer_than_a_minute_counts_from_its_end() -> None:
    window = _window(tokens=100)
    grant = window.take(_tokens(10), 0.0)
    window.correct(grant, _tokens(110), 90.0)
    assert window.opens_at(_tokens(1), 90.0) == 90.0 + SPAN
    window.correct(window.take(_tokens(10), 200.0), _tokens(5), 300.0)
    assert window.opens_at(_tokens(100), 300.0) <= 300.0


def test_a_grant_that_is_struck_out_has_not_been() -> None:
    window = _window(requests=1)
    window.undo(window.take(SLOT, 0.0))
    assert window.opens_at(SLOT, 0.0) <= 0.0
    late = Grant(0.0, SLOT)
    window.undo(late)
    assert window.opens_at(SLOT, 0.0) <= 0.0


def test_a_closed_window_lets_nobody_through() -> None:
    window = _window()
    window.close_until(9.0)
    window.close_until(4.0)
    assert window.opens_at(SLOT, 5.0) == 9.0


def test_a_window_remembers_a_minute_and_no_more() -> None:
    window = _window()
    for moment in range(1000):
        window.opens_at(SLOT, float(moment))
        window.take(SLOT, float(moment))
    assert [grant.at for grant in window._log] == list(range(939, 1000))


# The line: who comes in, and when.


class Counted:
    """Runs a coroutine and counts how often it is woken."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine
        self.wakings = 0

    def __await__(self) -> Generator[Any, Any, None]:
        inner = self._coroutine.__await__()
        for waited_for in inner:
            yield waited_for
            self.wakings += 1


async def _settle_down() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@virtual_time
async def test_five_hundred_waiters_come_in_order_and_each_is_woken_once() -> None:
    line = WaitingLine(_window(requests=10), clock=now)
    order: list[int] = []
    times: list[float] = []

    async def call(number: int) -> None:
        await line.enter(SLOT)
        order.append(number)
        times.append(now())

    async def counted(number: int) -> int:
        call_ = Counted(call(number))
        await call_
        return call_.wakings

    wakings = await asyncio.gather(*(counted(number) for number in range(500)))
    assert order == list(range(500))
    assert wakings == [0] * 10 + [1] * 490
    assert times[-1] == pytest.approx(49 * SPAN)


@virtual_time
async def test_a_line_sets_one_timer_and_not_one_per_waiter() -> None:
    line = WaitingLine(_window(requests=1), clock=now)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    tasks = [asyncio.create_task(line.enter(SLOT)) for _ in range(500)]
    await _settle_down()
    assert len(loop._scheduled) == 1  # type: ignore[attr-defined]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await _settle_down()
    assert [timer for timer in loop._scheduled if not timer.cancelled()] == []  # type: ignore[attr-defined]


@virtual_time
async def test_the_lowest_priority_comes_first_and_within_it_who_came_first() -> None:
    line = WaitingLine(_window(requests=1), clock=now)
    await line.enter(SLOT)
    order: list[str] = []

    async def call(name: str, priority: int) -> None:
        await line.enter(SLOT, priority=priority)
        order.append(name)

    names = {"later": 1, "first": -1, "a": 0, "b": 0, "latest": 1}
    await asyncio.gather(*(call(name, priority) for name, priority in names.items()))
    assert order == ["first", "a", "b", "later", "latest"]


@virtual_time
async def test_nobody_small_overtakes_a_large_head() -> None:
    line = WaitingLine(_window(tokens=100), clock=now)
    await line.enter(_tokens(50))
    order: list[int] = []

    async def call(count: int) -> float:
        await line.enter(_tokens(count))
        order.append(count)
        return now()

    assert await asyncio.gather(call(90), call(10), call(1)) == [SPAN, SPAN, 2 * SPAN]
    assert order == [90, 10, 1]


@virtual_time
async def test_who_is_urgent_may_go_where_the_head_does_not_fit() -> None:
    line = WaitingLine(_window(tokens=100), clock=now)
    await line.enter(_tokens(50))
    large = asyncio.create_task(line.enter(_tokens(90)))
    await _settle_down()
    urgent = await line.enter(_tokens(10), priority=-1)
    assert (urgent.at, (await large).at) == (0.0, SPAN)


@virtual_time
async def test_a_change_of_the_room_lets_the_head_in_at_once() -> None:
    window = _window(tokens=100)
    line = WaitingLine(window, clock=now)
    grant = await line.enter(_tokens(90))
    waiting = asyncio.create_task(line.enter(_tokens(50)))
    await asyncio.sleep(3)
    line.tell(partial(window.correct, grant, _tokens(20), now()))
    assert (await waiting).at == 3.0


@virtual_time
async def test_a_longer_wait_replaces_the_timer() -> None:
    window = _window(requests=1)
    line = WaitingLine(window, clock=now)
    await line.enter(SLOT)
    waiting = asyncio.create_task(line.enter(SLOT))
    await asyncio.sleep(3)
    line.tell(partial(window.close_until, 100.0))
    assert (await waiting).at == 100.0


@virtual_time
async def test_cancelling_twice_leaves_no_trace() -> None:
    line = WaitingLine(_window(requests=1), clock=now)
    await line.enter(SLOT)
    quitter, patient = (asyncio.create_task(line.enter(SLOT)) for _ in range(2))
    await _settle_down()
    quitter.cancel()
    quitter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await quitter
    quitter.cancel()
    assert (await patient).at == SPAN


@virtual_time
async def test_cancelling_in_the_moment_of_the_grant_gives_it_to_the_next() -> None:
    window = _window(tokens=100)
    line = WaitingLine(window, clock=now)
    grant = await line.enter(_tokens(100))
    quitter, patient = (asyncio.create_task(line.enter(_tokens(100))) for _ in range(2))
    await asyncio.sleep(1)
    line.tell(partial(window.correct, grant, _tokens(0), now()))  # the quitter's turn
    quitter.cancel()
    quitter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await quitter
    assert (await patient).at == 1.0
    assert window.opens_at(_tokens(100), 1.0) == 1.0 + SPAN


@virtual_time
async def test_a_line_forgets_those_who_left() -> None:
    line = WaitingLine(_window(requests=1), clock=now)
    await line.enter(SLOT)
    head = asyncio.create_task(line.enter(SLOT))
    for _ in range(10):
        quitters = [asyncio.create_task(line.enter(SLOT)) for _ in range(100)]
        await _settle_down()
        for quitter in quitters:
            quitter.cancel()
        await asyncio.gather(*quitters, return_exceptions=True)
    assert len(line._line) <= 3
    assert (await head).at == SPAN


def test_a_room_changed_while_the_line_is_busy_is_changed_afterwards() -> None:
    """As the garbage collector does it: in the middle of somebody else's turn."""

    class Interrupted(Window):
        def take(self, amount: Amount, now: float) -> Grant:
            line.tell(lambda: heard.append("mail"))
            heard.append("take")
            return super().take(amount, now)

    heard: list[str] = []
    line = WaitingLine(Interrupted(), clock=now)
    run(line.enter(SLOT))
    assert heard == ["take", "mail"]


def test_waiters_of_a_loop_that_is_closed_hold_nobody_up() -> None:
    line = WaitingLine(_window(requests=1), clock=lambda: time)
    time = 0.0
    run(line.enter(SLOT))
    abandoned = VirtualLoop()
    stuck = line.enter(SLOT)
    task = abandoned.create_task(stuck)
    abandoned.run_until_complete(asyncio.sleep(0))
    abandoned.close()
    time = SPAN
    assert run(line.enter(SLOT), start=SPAN).at == SPAN
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    del task, stuck
    gc.collect()
    time = 2 * SPAN
    assert run(line.enter(SLOT)).at == 2 * SPAN


# Properties.


Arrival = tuple[float, int, int, float | None]
ARRIVALS = st.lists(
    st.tuples(
        st.floats(0, 100),  # when it comes
        st.integers(1, 60),  # tokens that it reserves
        st.integers(0, 60),  # tokens that it takes
        st.none() | st.floats(0, 200),  # when it gives up
    ),
    max_size=30,
)


async def _replay(
    line: WaitingLine[Amount, Grant], window: Window, arrivals: list[Arrival]
) -> tuple[list[int], list[tuple[int, Grant]]]:
    """Let callers come as written down; returns who came, and the grants, both in order."""
    came: list[int] = []
    log: list[tuple[int, Grant]] = []

    async def call(number: int, arrival: Arrival) -> None:
        comes, reserved, taken, quits = arrival
        await asyncio.sleep(comes)
        came.append(number)
        try:
            async with asyncio.timeout(quits):
                grant = await line.enter(_tokens(reserved))
        except TimeoutError:
            return
        log.append((number, grant))
        await asyncio.sleep(1)
        line.tell(partial(window.correct, grant, _tokens(min(reserved, taken)), now()))

    async with asyncio.TaskGroup() as group:
        for number, arrival in enumerate(arrivals):
            group.create_task(call(number, arrival))
    return came, log


@settings(max_examples=150, deadline=None)
@given(ARRIVALS)
def test_no_window_of_a_minute_is_ever_over_its_limits(arrivals: list[Arrival]) -> None:
    window = _window(requests=5, tokens=100)
    _, log = run(_replay(WaitingLine(window, clock=now), window, arrivals))
    for _, first in log:
        minute = [grant.amount for _, grant in log if 0 <= grant.at - first.at <= 60]
        assert len(minute) <= 5
        assert sum(amount.tokens for amount in minute) <= 100


@settings(max_examples=150, deadline=None)
@given(ARRIVALS)
def test_everybody_who_waits_is_served_in_order(arrivals: list[Arrival]) -> None:
    patient: list[Arrival] = [(comes, asked, took, None) for comes, asked, took, _ in arrivals]
    window = _window(requests=5, tokens=100)
    came, log = run(_replay(WaitingLine(window, clock=now), window, patient))
    assert [number for number, _ in log] == came


@settings(max_examples=150, deadline=None)
@given(ARRIVALS)
def test_who_gives_up_while_waiting_might_as_well_not_have_come(arrivals: list[Arrival]) -> None:
    window = _window(requests=5, tokens=100)
    line = WaitingLine(window, clock=now)

    async def replay() -> tuple[float, Amount, list[Any]]:
        await _replay(line, window, arrivals)
        await _settle_down()
        await asyncio.sleep(2 * SPAN)
        window.opens_at(SLOT, now())
        return window.opens_at(_tokens(100), now()), window._used, line._line

    opens, used, left = run(replay())
    assert (opens, used, left, line._gone, line._alarms) == (-inf, Amount(), [], 0, {})


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=40))
def test_cancelling_anybody_at_any_tick_leaves_the_room_as_it_was(
    quits: list[tuple[int, int]],
) -> None:
    window = _window(requests=3)
    line = WaitingLine(window, clock=now)

    async def main() -> None:
        tasks = [asyncio.create_task(line.enter(SLOT)) for _ in range(len(quits))]
        for moment in range(41):
            for task, (quit_at, ticks) in zip(tasks, quits, strict=True):
                if quit_at == moment:
                    for _ in range(ticks):
                        await asyncio.sleep(0)
                    task.cancel()
                    task.cancel()
            await asyncio.sleep(SPAN / 2)
        done = await asyncio.gather(*tasks, return_exceptions=True)
        grants = [grant for grant in done if isinstance(grant, Grant)]
        in_window = [grant for grant in grants if grant.at + SPAN > now()]
        window.opens_at(SLOT, now())
        assert (len(window._log), line._line) == (len(in_window), [])

    run(main())


def test_a_minute_of_many_settled_requests_takes_little_memory() -> None:
    window = Window(Amount(1e9, inf, inf, inf))
    for number in range(60_000):
        grant = window.take(Amount(1), number / 1000)
        window.correct(grant, Amount(1), number / 1000)
    assert len(window._log) + len(window._sums) < 2000
    assert window._used == Amount(60_000)
    assert window.opens_at(Amount(1e9), 60.0) > 60.0
    window.opens_at(Amount(), 200.0)
    assert window._used == Amount()
