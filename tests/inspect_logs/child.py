"""A script that logs until it is killed, and says what is safe: `child.py folder size`."""

from __future__ import annotations

import sys

from flashlite import InspectLogger


def main(folder: str, size: int) -> None:
    """Log samples of about `size` bytes, and the events of one that never ends."""
    text = "0123456789" * (size // 10)
    logger = InspectLogger(folder, "killed", snapshot_interval=0.02)
    with logger.sample("running", input="x") as sample:
        for number in range(1_000_000):
            logger.log(f"{number} {text}", "an answer", number, score=number % 2)
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            sample.model(f"{number}", "an answer")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
