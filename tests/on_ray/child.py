"""A script that has actors answer a batch until it is killed.

`child.py ray_address base_url checkpoint count`; it says the position of each answer in hand.
"""

from __future__ import annotations

import asyncio
import sys

from flashlite import Flashlite
from flashlite.ray import Ray


def questions(count: int) -> list[str]:
    """Return so many questions; every tenth one is asked twice."""
    return [f"question {n - 1 if n % 10 == 9 else n}" for n in range(count)]


async def main(address: str, base_url: str, checkpoint: str, count: int) -> None:
    """Answer the questions."""
    client = Flashlite("openai/m", base_url=base_url, api_key="k")
    batch = client.batch(
        questions(count),
        checkpoint=checkpoint,
        engine=Ray(address=address),
        max_concurrency=20,
        order="completion",
    )
    async for position, _ in batch:
        sys.stdout.write(f"{position}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
