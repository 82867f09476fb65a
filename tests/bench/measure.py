"""Running the processes in turns, and collecting their numbers."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement

from .contenders import KEY, Contender
from .meter import Numbers
from .scenarios import Scenario

_ROOT = Path(__file__).parents[2]
_LONGEST = 1800.0  # seconds that one process may take

# What Python needs to start. Proxies and keys are left out: nothing may leave the machine.
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")
_SET = {
    "OPENAI_API_KEY": KEY,
    # Else litellm would fetch prices from the network, and read any .env in a parent folder.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",
}


class Results:
    """The numbers of all rounds, by scenario and contender; `failures` says which are missing."""

    def __init__(self) -> None:
        self.rounds: dict[tuple[str, str], list[Numbers]] = defaultdict(list)
        self.failures: dict[tuple[str, str], str] = {}

    def median(self, scenario: str, contender: str, number: str) -> float | None:
        """Return the median over the rounds, None if nothing was measured."""
        rounds = self.rounds.get((scenario, contender))
        return statistics.median(one[number] for one in rounds) if rounds else None

    def to_dict(self) -> dict[str, dict[str, list[Numbers] | str]]:
        """Return every number of every round, as plain JSON."""
        found: dict[str, dict[str, list[Numbers] | str]] = defaultdict(dict)
        for (scenario, contender), numbers in self.rounds.items():
            found[scenario][contender] = numbers
        for (scenario, contender), reason in self.failures.items():
            found[scenario][contender] = reason
        return dict(found)


def measure(
    results: Results,
    *,
    scenarios: Sequence[Scenario],
    contenders: Sequence[Contender],
    rounds: int,
    calls: int,
    announce: Callable[[str], None],
) -> None:
    """Let the contenders take turns in every round, so that noise affects all alike."""
    with loopback_server() as url:
        for scenario in scenarios:
            for number in range(min(rounds, scenario.rounds or rounds)):
                announce(f"{scenario.name}: round {number + 1}")
                first = number % len(contenders)  # nobody always follows the slowest one
                for contender in (*contenders[first:], *contenders[:first]):
                    _take_turn(results, scenario, contender, url, calls)


def _take_turn(
    results: Results, scenario: Scenario, contender: Contender, url: str, calls: int
) -> None:
    key = scenario.name, contender.name
    if contender.name in scenario.without or key in results.failures:
        return
    if reason := _missing(contender.package, scenario.needs.get(contender.name)):
        results.failures[key] = reason
        return
    share = int(calls * scenario.calls * contender.share)
    try:
        results.rounds[key].append(_run(contender.name, scenario.name, url, share))
    except _Failed as error:
        results.rounds.pop(key, None)
        results.failures[key] = str(error)


def _missing(package: str, needed: str | None) -> str | None:
    """Return why a contender cannot take part in a scenario, None if it can."""
    if find_spec(package) is None:
        return "not installed"
    if needed is None:
        return None
    requirement = Requirement(needed)
    is_met = requirement.specifier.contains(version(requirement.name))
    return None if is_met else f"needs {needed}"


class _Failed(Exception):
    """A process that ended without numbers."""


def _run(contender: str, scenario: str, url: str, calls: int) -> Numbers:
    command = [sys.executable, "-m", "tests.bench.child", contender, scenario, url, str(calls)]
    # An empty folder has no .env, and no cache that an earlier process has filled.
    with tempfile.TemporaryDirectory() as here:
        try:
            done = subprocess.run(
                command,
                cwd=here,
                env=_environment(),
                capture_output=True,
                text=True,
                check=False,
                timeout=_LONGEST,
            )
        except subprocess.TimeoutExpired as error:
            raise _Failed(f"took more than {_LONGEST:.0f} s") from error
    if done.returncode:
        raise _Failed((done.stderr.strip().splitlines() or ["ended without a word"])[-1])
    numbers: Numbers = json.loads(done.stdout.strip().splitlines()[-1])
    return numbers


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, **_SET, "PYTHONPATH": os.pathsep.join(paths)}


@contextmanager
def loopback_server() -> Iterator[str]:
    """Run the server in a process of its own during the block, and yield its base URL."""
    command = [sys.executable, "-m", "tests.bench.server"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        cwd=_ROOT,
        env=_environment(),
        stdin=pipe,
        stdout=pipe,
        text=True,
        start_new_session=True,  # Ctrl-C does not reach the server, which ends with its input
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        finally:
            server.stdin.close()
