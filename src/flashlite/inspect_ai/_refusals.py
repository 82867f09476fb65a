"""Errors that are outcomes of a sample, not failures of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspect_ai.model import ModelOutput, StopDetails
from inspect_ai.tool import ToolInfo

from ..errors import (
    CompletionError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    MalformedResponseError,
    StructuredOutputError,
)
from ..types import Usage
from ._output import to_output, usage_of


def answered_by_refusing(
    error: CompletionError,
    *,
    model: str,
    tools: Sequence[ToolInfo],
    dialect: str,
    before: Usage | None,
) -> ModelOutput | None:
    """Return the output for an overflow, a refusal or an unfit answer; None for a failure.

    After all tries, a model's last answer that does not fit the schema counts: scorers judge it.
    """
    if isinstance(error, StructuredOutputError) and error.response is not None:
        told: Any = {"model": model, "tools": tools, "dialect": dialect, "before": before}
        return to_output(error.response, **told)
    if isinstance(error, ContextWindowExceededError):
        output = ModelOutput.from_content(model, error.reason, stop_reason="model_length")
    elif isinstance(error, ContentPolicyViolationError):
        output = ModelOutput.from_content(model, error.reason, stop_reason="content_filter")
        output.choices[0].stop_details = StopDetails(type="refusal", explanation=error.reason)
    elif isinstance(error, MalformedResponseError) and error.code and not error.retryable:
        # The model wrote what its API could not read, in every attempt: that is how it answers.
        output = ModelOutput.from_content(model, error.reason, stop_reason="unknown")
    else:
        return None
    output.usage = usage_of(Usage.total_of([before, error.usage]))
    return output
