"""A script that answers a batch until it is killed: `child.py base_url checkpoint count`.

It says the position of each answer that it has in hand.
"""

from __future__ import annotations

import asyncio
import sys

from flashlite import Flashlite, run_batch


def questions(count: int) -> list[str]:
    """Return so many questions; every tenth one is asked twice."""
    return [f"question {n - 1 if n % 10 == 9 else n}" for n in range(count)]


async def main(base_url: str, checkpoint: str, count: int) -> None:
    """Answer the questions."""
    async with Flashlite("openai/echo?latency=0.004", base_url=base_url) as client:
        batch = run_batch(
            client, questions(count), checkpoint=checkpoint, max_concurrency=5, order="completion"
        )
        async for position, _ in batch:
            sys.stdout.write(f"{position}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
