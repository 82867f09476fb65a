"""One process of a measurement: `python -m tests.bench.child CONTENDER SCENARIO URL CALLS`.

It prints one line of JSON. Only what a contender itself needs is imported, because the first call
is timed from the start of the process.
"""

from __future__ import annotations

import asyncio
import json
import sys

from .contenders import CONTENDERS
from .scenarios import SCENARIOS


def main() -> None:
    """Measure one contender in one scenario."""
    contender, scenario, url, calls = sys.argv[1:]
    who = next(one for one in CONTENDERS if one.name == contender)
    what = next(one for one in SCENARIOS if one.name == scenario)

    async def measured() -> dict[str, float]:
        return await what.run(who, url, int(calls))

    numbers = asyncio.run(measured())
    sys.stdout.write(f"\n{json.dumps(numbers)}\n")


if __name__ == "__main__":
    main()
