"""The command: `python -m tests.bench`.

On two idle cores, a full run takes about half an hour, `--short` less than 90 seconds. Ctrl-C ends
a run early and prints the results so far.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from .contenders import CONTENDERS
from .measure import Results, measure
from .scenarios import SCENARIOS
from .table import print_results, print_targets
from .targets import TARGETS

_ROUNDS, _CALLS = 5, 4000
_SHORT_ROUNDS, _SHORT_CALLS = 1, 400


def main() -> int:
    """Measure and print; return the exit code: 1 with `--check` if a wide margin is exceeded."""
    asked = _arguments()
    chosen = set(asked.only or ())
    scenarios = [one for one in SCENARIOS if one.name in chosen] or SCENARIOS
    contenders = [one for one in CONTENDERS if one.name in chosen] or CONTENDERS
    console = Console(width=None if sys.stdout.isatty() else 160)
    progress = Console(stderr=True)
    results = Results()
    if asked.short:
        scenarios = [one.shortened() for one in scenarios]
    try:
        with progress.status("starting") as status:
            measure(
                results,
                scenarios=scenarios,
                contenders=contenders,
                rounds=asked.rounds or (_SHORT_ROUNDS if asked.short else _ROUNDS),
                calls=asked.calls or (_SHORT_CALLS if asked.short else _CALLS),
                announce=status.update,
            )
    except KeyboardInterrupt:
        progress.print("interrupted; this is what there is")
    print_results(console, results, scenarios=scenarios, contenders=contenders)
    print_targets(console, results, targets=TARGETS)
    if asked.json:
        asked.json.write_text(json.dumps(results.to_dict(), indent=1))
    return int(asked.check and any(target.broken(results) for target in TARGETS))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    add = parser.add_argument
    names = [*(one.name for one in SCENARIOS), *(one.name for one in CONTENDERS)]
    add("--rounds", type=int, help=f"how often everybody has a turn ({_ROUNDS})")
    add("--calls", type=int, help=f"answers that a fast contender gives in a turn ({_CALLS})")
    add("--only", nargs="+", choices=names, metavar="NAME", help=f"some of: {', '.join(names)}")
    add(
        "--short",
        action="store_true",
        help="a look: one round, a tenth of the calls, less of the slow",
    )
    add("--json", type=Path, metavar="PATH", help="write every number of every round there")
    add("--check", action="store_true", help="exit 1 if a ratio is far outside of its target")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
