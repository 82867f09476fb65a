"""No block of a seed is forgotten: each has its test, or a row here that says why it cannot run."""

from __future__ import annotations

from types import ModuleType

import pytest

from flashlite import OpenAIProvider, Usage

from . import test_000_flashlite, test_001_llm_client, test_002_llm_client
from .blocks import Run

CANNOT_RUN: dict[tuple[ModuleType, str], tuple[type[Exception], str]] = {
    # An answer is built by `CompletionResult.of(content=...)`.
    (test_002_llm_client, "completionresult"): (TypeError, "unexpected keyword .* 'content'"),
}


@pytest.mark.parametrize("module", [test_000_flashlite, test_001_llm_client, test_002_llm_client])
def test_every_block_has_its_test_or_a_reason(module: ModuleType) -> None:
    tested = {block for block in module.SEED.blocks if hasattr(module, f"test_{block}")}
    excused = {block for excused, block in CANNOT_RUN if excused is module}
    assert tested.isdisjoint(excused)
    assert tested | excused == set(module.SEED.blocks)


@pytest.mark.parametrize(("module", "block"), CANNOT_RUN)
def test_what_cannot_run_fails_for_its_reason(module: ModuleType, block: str, run: Run) -> None:
    error, words = CANNOT_RUN[module, block]
    source = module.SEED.blocks[block]
    filled = {source: source.replace("Usage(...)", "Usage()")}
    with pytest.raises(error, match=words):
        run(block, seed=module.SEED, changes=filled, OpenAIProvider=OpenAIProvider, Usage=Usage)
