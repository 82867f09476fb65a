"""What Inspect finds through the entry point; the provider is imported when it is used."""

from __future__ import annotations

from inspect_ai.model import ModelAPI, modelapi

from ._agents import flashlite_agent, multi_agent_chat
from ._judges import pairwise, structured_judge, transcript_judge
from ._scorers import schema_match
from ._solvers import converse, multi_agent, prompt_template, structured, tool_loop

__all__ = [
    "converse",
    "flashlite",
    "flashlite_agent",
    "multi_agent",
    "multi_agent_chat",
    "pairwise",
    "prompt_template",
    "schema_match",
    "structured",
    "structured_judge",
    "tool_loop",
    "transcript_judge",
]


@modelapi(name="flashlite")
def flashlite() -> type[ModelAPI]:
    """Return the class behind `flashlite/<model>`."""
    from ._provider import FlashliteModelAPI

    return FlashliteModelAPI
