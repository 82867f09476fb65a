"""The blocks of seed 002 about batches, as they stand there; only the imports are replaced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flashlite.testing import MockServer


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MockServer]:
    """OpenAI, as far as the environment tells; every model echoes."""
    monkeypatch.chdir(tmp_path)
    with MockServer("echo") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "a-test-key")
        yield server


async def test_process_many_requests_with_checkpointing(host: MockServer) -> None:
    from flashlite import BatchManager, OpenAIClient

    client = OpenAIClient(model="gpt-5-nano")

    # Initialize manager
    manager = BatchManager(
        max_workers=10,
        checkpoint_file="batch_results.jsonl",
    )

    # Define requests
    requests = [{"messages": [{"role": "user", "content": f"Question {i}"}]} for i in range(1000)]

    # Define processor function
    async def processor(req: dict[str, Any]) -> Any:
        return await client.get_response(**req)

    # Process batch (auto-resumes if checkpoint_file exists)
    results = await manager.process_batch(
        items=requests, processor=processor, desc="Processing Batch"
    )
    assert [result["output"] for result in results] == [f"Question {i}" for i in range(1000)]
    assert len(host.requests) == 1000

    again = await manager.process_batch(
        items=requests, processor=processor, desc="Processing Batch"
    )
    assert again == results
    assert len(host.requests) == 1000
    await client.close()


def test_the_names_of_the_package() -> None:
    from flashlite import (
        BatchManager,
        RequestManager,  # Alias for BatchManager
    )

    assert RequestManager is BatchManager
