"""A batch of any length takes the same memory; going on with one, some bytes for each answer."""

from __future__ import annotations

import tracemalloc
from contextlib import aclosing
from hashlib import sha256
from pathlib import Path

from flashlite import CompletionRequest, CompletionResponse, Flashlite, run_batch
from flashlite.batch.checkpoint import Checkpoint


async def peak_of(count: int, path: Path) -> int:
    """Return the most bytes that a batch of so many requests took."""

    async def provider(request: CompletionRequest) -> CompletionResponse:
        return CompletionResponse.of("x" * 500)

    client = Flashlite("m", provider=provider, track_costs=False)
    batch = run_batch(client, (f"q{n}" for n in range(count)), checkpoint=path)
    tracemalloc.start()
    try:
        async with aclosing(batch):
            async for _ in batch:
                pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_memory_does_not_grow_with_the_batch(tmp_path: Path) -> None:
    few = await peak_of(100, tmp_path / "few")
    many = await peak_of(1500, tmp_path / "many")
    assert many < few + 100_000


def test_an_answer_on_file_takes_less_than_200_bytes(tmp_path: Path) -> None:
    path, count = tmp_path / "run", 20_000
    with path.open("w") as file:
        file.write('{"kind": "checkpoint", "version": 1}\n')
        for n in range(count):
            item = sha256(str(n).encode()).hexdigest()
            file.write(f'{{"kind":"answer","item":"{item}","position":{n},"result":{n}}}\n')
    tracemalloc.start()
    checkpoint = Checkpoint(path)
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    checkpoint.close()
    assert 100 < taken / count < 200
