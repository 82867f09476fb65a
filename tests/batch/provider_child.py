"""A script that answers a batch by jobs until it is killed.

`provider_child.py base_url model checkpoint` says the position of each answer in hand.
"""

from __future__ import annotations

import asyncio
import sys

from flashlite import Flashlite

PROMPTS = [f"q{n}" for n in range(12)] + ["q0", "q0"]


async def main(base_url: str, model: str, checkpoint: str) -> None:
    """Answer the prompts."""
    async with Flashlite(model, base_url=base_url, api_key="k") as client:
        batch = client.batch(
            PROMPTS, checkpoint=checkpoint, mode="provider", poll_interval=0.005, order="completion"
        )
        async for position, _ in batch:
            sys.stdout.write(f"{position}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
