"""What models on Amazon Bedrock accept beyond Converse's common fields, read from their ids.

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
"""The field for a reasoning effort: of Claude, Nova 2, gpt-oss, and later GPTs."""

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
    """A model given by its id, an inference profile (`us.anthropic.…`) or an ARN."""

    name: str

    @property
    def profile(self) -> ModelProfile | None:
        """The profile of the model that the name ends with."""
        return lookup(f"bedrock/{self._bare}")

    @property
    def is_opaque(self) -> bool:
        """Whether the name hides the model, as an application's own profile does."""
        return "." not in self._bare

    @property
    def thinks_by(self) -> ThinksBy | None:
        """The field for a reasoning effort; None if the model takes none or it is unknown."""
        return next((way for start, way in _BY_MAKER if self._is_of(start)), None)

    @property
    def takes_reasoning(self) -> bool:
        """Whether signed or encrypted reasoning of earlier turns is sent back to the model."""
        return self.is_opaque or self._is_of("anthropic.") or self.thinks_by == "reasoning"

    @property
    def nests_top_k(self) -> bool:
        """Whether `top_k` goes into Nova's own `inferenceConfig`."""
        return self._is_of("amazon.nova")

    @property
    def takes_schema(self) -> bool | None:
        """Whether a schema can be enforced on answers and calls; None if unknown.

        The price map's `supports_response_schema` is not used: it is about litellm's own
        workaround, a tool that the model is made to call.
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
        """Return whether the id starts with a text, with or without a region in front."""
        return re.match(rf"(?:[a-z-]+\.)?{re.escape(start)}", self._bare) is not None


def takes_schema(model: str, *, with_tools: bool = False) -> bool:
    """Return whether a schema is known to be enforced on a Bedrock model's answers."""
    return BedrockModel(model).takes_schema is True


def is_of_converse(model: str) -> bool:
    """Return whether a name is an id or an ARN, not a litellm name for another Bedrock API.

    Such names are `invoke/...`, `converse/...`, a region and a model, and so on.
    """
    return "/" not in model or model.startswith("arn:")
