"""Cost of logging, compared with Inspect's own writer: `python -m tests.bench.logs [samples]`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from inspect_ai.log import read_eval_log, write_eval_log

from flashlite import InspectLogger
from flashlite.types import CompletionRequest, CompletionResponse, Message, Usage


def main(count: int) -> None:
    """Log samples with one call, about 9 kB of JSON each, then let Inspect write the same."""
    calls = [_call(number) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        logger, times = InspectLogger(folder, "bench"), list[float]()
        began = time.perf_counter()
        for number, (request, response) in enumerate(calls):
            start = time.perf_counter()
            logger.log(request, response, number, target="42", score=1.0)
            times.append(time.perf_counter() - start)
        logger.close()
        ours = time.perf_counter() - began
        log = read_eval_log(str(logger.path))
        began = time.perf_counter()
        write_eval_log(log, str(Path(folder) / "theirs.eval"))
        theirs = time.perf_counter() - began
    times.sort()
    middle, late = (times[int(count * share)] * 1e6 for share in (0.5, 0.99))
    sys.stdout.write(
        f"{count:,} samples: log() p50 {middle:.0f} µs, p99 {late:.0f} µs; in all {ours:.2f} s; "
        f"write_eval_log {theirs:.2f} s, {theirs / ours:.1f} times as long\n"
    )


def _call(number: int) -> tuple[CompletionRequest, CompletionResponse]:
    question = f"Question {number}: " + "what is the answer to this riddle? " * 20
    messages = (Message.system("You are a careful assistant. " * 10), Message.user(question))
    params = {"temperature": 0.5, "max_tokens": 300}
    answer = f"The answer to {number} is this, " + "because of the reasons given " * 20
    response = CompletionResponse.of(
        answer,
        model="gpt-4o-2024",
        provider="openai",
        usage=Usage(input_tokens=100, output_tokens=20, total_cost=0.001),
        latency=0.5,
        raw={"id": f"x{number}", "choices": [{"message": {"content": answer}}]},
    )
    return CompletionRequest(model="openai/gpt-4o", messages=messages, params=params), response


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
