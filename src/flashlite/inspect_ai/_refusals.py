"""Errors that are outcomes of a sample, not failures of the run."""

from __future__ import annotations

from collections.abc import Sequence

from inspect_ai.model import ModelOutput, StopDetails
from inspect_ai.tool import ToolInfo

from ..errors import (
    CompletionError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    StructuredOutputError,
)
from ._output import to_output


def answered_by_refusing(
    error: CompletionError, *, model: str, tools: Sequence[ToolInfo], dialect: str
) -> ModelOutput | None:
    """Return the output that an overflow, a refusal or a wrong shape is; None for a failure.

    What a model wrote in the wrong shape, after all its tries, is its answer: scorers judge it.
    """
    if isinstance(error, ContextWindowExceededError):
        return ModelOutput.from_content(model, error.reason, stop_reason="model_length")
    if isinstance(error, ContentPolicyViolationError):
        output = ModelOutput.from_content(model, error.reason, stop_reason="content_filter")
        output.choices[0].stop_details = StopDetails(type="refusal", explanation=error.reason)
        return output
    if isinstance(error, StructuredOutputError) and error.response is not None:
        return to_output(error.response, model=model, tools=tools, dialect=dialect)
    return None
