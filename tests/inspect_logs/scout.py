"""A script that scans a log with Inspect Scout, and says what it saw: `scout.py log folder`."""

from __future__ import annotations

import json
import sys

from inspect_scout import (
    Result,
    Scanner,
    Transcript,
    scan,
    scan_results_df,
    scanner,
    transcripts_from,
)


@scanner(name="sizes", messages="all", events="all")
def sizes() -> Scanner[Transcript]:
    """Count the messages and the events of a sample."""

    async def count(transcript: Transcript) -> Result:
        return Result(value=len(transcript.messages), answer=str(len(transcript.events)))

    return count


def main(log: str, folder: str) -> None:
    """Scan, and print a list for each sample: its name, messages, events, and its score."""
    scanned = scan([sizes()], transcripts_from(log), scans=folder, max_processes=1, display="none")
    rows = scan_results_df(scanned.location).scanners["sizes"].to_dict("records")
    names = ("transcript_task_id", "transcript_task_repeat", "value", "answer")
    sys.stdout.write(json.dumps([[row[name] for name in names] for row in rows]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
