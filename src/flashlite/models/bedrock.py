"""What the models on Amazon Bedrock take beyond Converse's common fields, read from their ids.

Sources: https://docs.aws.amazon.com/bedrock/latest/userguide/ (claude-messages-extended-thinking,
…-adaptive-thinking, structured-output), https://docs.aws.amazon.com/nova/latest/nova2-userguide/
(extended-thinking) and the parameters that each maker's page lists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from .catalog import ModelProfile, lookup

ThinksBy = Literal["thinking", "reasoningConfig", "reasoning_effort", "reasoning"]
"""The field that an effort goes into: Claude's, Nova 2's, that of gpt-oss, that of later GPTs."""

_BY_MAKER: tuple[tuple[str, ThinksBy | None], ...] = (
    ("anthropic.claude-3-7-", "thinking"),
    ("anthropic.claude-3-", None),
    ("anthropic.claude-", "thinking"),
    ("amazon.nova-2-", "reasoningConfig"),
    ("openai.gpt-oss-", "reasoning_effort"),
    ("openai.gpt-", "reasoning"),
    ("deepseek.v3", "reasoning_effort"),
)


@dataclass(frozen=True, slots=True)
class BedrockModel:
    """A model by its id, by an inference profile (`us.anthropic.…`) or by an ARN."""

    name: str

    @property
    def profile(self) -> ModelProfile | None:
        """What is known about the model that the name ends with."""
        return lookup(f"bedrock/{self._bare}")

    @property
    def is_opaque(self) -> bool:
        """Whether the name hides the model, as an application's own profile does."""
        return "." not in self._bare

    @property
    def thinks_by(self) -> ThinksBy | None:
        """Return how the model is told an effort; None where it takes none or nobody knows."""
        return next((way for start, way in _BY_MAKER if self._is_of(start)), None)

    @property
    def takes_reasoning(self) -> bool:
        """Whether signed or encrypted reasoning of earlier turns goes back to the model."""
        return self.is_opaque or self._is_of("anthropic.") or self.thinks_by == "reasoning"

    @property
    def nests_top_k(self) -> bool:
        """Whether `top_k` goes into Nova's own `inferenceConfig`."""
        return self._is_of("amazon.nova")

    @property
    def takes_schema(self) -> bool | None:
        """Whether answers and calls can be held to a schema: yes, no, or None for unknown.

        The map's `supports_response_schema` is about a tool that litellm has the model call.
        """
        if self.profile is None:
            return None
        told = self.profile.supports("bedrock_native_structured_output")
        return bool(self.profile.supports("native_structured_output") if told is None else told)

    @property
    def can_call_one_by_one(self) -> bool:
        """Whether the model can be told to call one tool at a time."""
        return self.profile is not None and bool(self.profile.supports("parallel_tool_use_config"))

    @property
    def _bare(self) -> str:
        return self.name.rpartition("/")[2]

    def _is_of(self, start: str) -> bool:
        """Whether the id begins so, with or without a region in front."""
        return re.match(rf"(?:[a-z-]+\.)?{re.escape(start)}", self._bare) is not None


def takes_schema(model: str, *, with_tools: bool = False) -> bool:
    """Whether a model on Bedrock is known to hold its answers to a schema."""
    return BedrockModel(model).takes_schema is True


def is_of_converse(model: str) -> bool:
    """Whether a name is an id or an ARN, not one of litellm's for another of Bedrock's APIs.

    Those are `invoke/...`, `converse/...`, a region and a model, and so on.
    """
    return "/" not in model or model.startswith("arn:")
