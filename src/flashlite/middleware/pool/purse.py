"""A budget that a pool shares, in a file; `purse.lua` does the same in Redis.

Each line reports its total spent and reserved amounts, so a repeated report changes nothing. A line
that is silent for LEASE seconds is taken for dead: what it had reserved may have been spent, and
counts as spent unless the line comes back.

A line sends: line, who, number (of its exchanges), limit, spent, reserved, waiting (number of
callers, including the heads), heads (amounts), and seen (epoch, count, spent, told). The answer
has: answers ("y" or "n" for each head that was decided), wait (seconds), epoch, count, spent,
reserved. A request with `look` is answered with: limit, spent, reserved, lines.
"""

from __future__ import annotations

from typing import Any

from ...stores import State
from .epoch import Epoch
from .turns import Turns

LEASE = 30.0
GRACE = 7.0  # seconds in which all lines report, after the file was lost
LOOK = 0.1


def exchange_purse(state: State, said: dict[str, Any], now: float) -> dict[str, Any]:
    """Process one exchange of a line and return the answer; an empty state is an unused budget."""
    purse = _Purse(state, said, now)
    purse.write_off_the_dead()
    return purse.look() if "look" in said else purse.exchange()


class _Purse:
    def __init__(self, state: State, said: dict[str, Any], now: float) -> None:
        self._state, self._said, self._now = state, said, now
        self._spent: int = state.setdefault("spent", 0)
        self._reserved: int = state.setdefault("reserved", 0)
        # By line: what it has reserved and until when it lives; and what was written off when it
        # died.
        self._holders: dict[str, list[Any]] = state.setdefault("holders", {})
        self._lost: dict[str, int] = state.setdefault("lost", {})
        self._epoch, self._turns = Epoch(state, now), Turns(state, now)

    def look(self) -> dict[str, Any]:
        return {
            "limit": self._state.get("limit"),
            "spent": self._spent,
            "reserved": self._reserved,
            "lines": self._turns.everybody(),
        }

    def exchange(self) -> dict[str, Any]:
        said, line, heads = self._said, self._said["line"], self._said["heads"]
        told = self._turns.told_by(line)
        if told is not None and said["number"] <= told[0]:
            # Nobody reads this answer: the line gave up on this exchange and has sent another
            # since.
            return self._reply("", 0.0)
        self._restore(said["seen"])
        self._account(told, said["seen"])
        answers, wait, held = "", 0.0, said["reserved"]
        first, closed = self._turns.first(), self._epoch.closed
        if self._now >= closed and (first is None or first[0] == line):
            answers, held = self._answers(held)
        if len(answers) == len(heads):
            self._turns.leave(line)
        else:
            self._turns.wait(line, heads[len(answers)], at_end=False)
            wait = self._turns.pause(line, max(closed, self._now + LOOK))
        self._hold(held)
        told = (said["number"], said["spent"], self._epoch.name)
        self._turns.enlist(line, said["waiting"] - len(answers), said["who"], told=told)
        self._state.update(spent=self._spent, reserved=self._reserved, limit=said["limit"])
        self._epoch.advance()
        return self._reply(answers, wait)

    def write_off_the_dead(self) -> None:
        """Count as spent what silent lines had reserved."""
        for line in [one for one, (_, until) in self._holders.items() if until <= self._now]:
            lost, _ = self._holders.pop(line)
            self._spent, self._reserved = self._spent + lost, self._reserved - lost
            self._lost[line] = lost
        self._state.update(spent=self._spent, reserved=self._reserved)

    def _restore(self, seen: dict[str, Any]) -> None:
        """Take over what a line saw spent in an earlier epoch.

        That amount only grows, so the largest report includes all others.
        """
        state = self._state
        if self._epoch.begin(seen):
            state["restored"] = self._spent
        if seen["epoch"] not in ("", self._epoch.name):
            self._spent += max(0, seen["spent"] - state["restored"])
            state["restored"] = max(state["restored"], seen["spent"])
            self._epoch.close_until(self._epoch.born + GRACE)

    def _account(self, told: list[Any] | None, seen: dict[str, Any]) -> None:
        """Count what a line spent and reserved since its last report, in this epoch or before."""
        said, line, epoch = self._said, self._said["line"], self._epoch.name
        is_known = told is not None and told[2] == epoch
        before = told[1] if told is not None and is_known else seen["told"]
        lost = self._lost.pop(line, 0)
        if is_known or seen["epoch"] == epoch:
            self._spent -= lost
        held, _ = self._holders.get(line, (0, 0))
        self._spent += said["spent"] - before
        self._reserved += said["reserved"] - held

    def _answers(self, held: int) -> tuple[str, int]:
        """Decide as many heads as possible: let in those that fit, refuse those that never will."""
        answers = ""
        for amount in self._said["heads"]:
            left = self._said["limit"] - self._spent - amount
            if left < 0:
                answers += "n"
            elif left >= self._reserved:
                answers += "y"
                self._reserved, held = self._reserved + amount, held + amount
            else:
                break
        return answers, held

    def _hold(self, amount: int) -> None:
        line = self._said["line"]
        if amount > 0:
            self._holders[line] = [amount, self._now + LEASE]
        else:
            self._holders.pop(line, None)

    def _reply(self, answers: str, wait: float) -> dict[str, Any]:
        return {
            "answers": answers,
            "wait": wait,
            "epoch": self._epoch.name,
            "count": self._epoch.count,
            "spent": self._spent,
            "reserved": self._reserved,
        }
