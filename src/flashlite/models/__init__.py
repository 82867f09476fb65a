"""Facts about models: prices, limits, abilities, token counts. No request is ever made here.

`GPT5` and the like are profiles, looked up when the name is used.
"""

from __future__ import annotations

from .catalog import (
    ModelProfile,
    family,
    is_provider,
    lookup,
    priced,
    register_model,
    unregister_model,
)
from .prices import Prices, cost
from .queries import (
    completion_cost,
    cost_per_token,
    get_max_tokens,
    supports_function_calling,
    supports_pdf_input,
    supports_reasoning,
    supports_response_schema,
    supports_structured_output,
    supports_tools,
    supports_vision,
)
from .tokens import MEDIA_TOKENS, count_tokens
from .usage import read_usage

GPT5: ModelProfile
GPT5Mini: ModelProfile
GPT5Nano: ModelProfile
GPT5Point1: ModelProfile
GPT5Point2: ModelProfile
TextEmbedding3Large: ModelProfile
TextEmbedding3Small: ModelProfile

_NAMED = {
    "GPT5": "gpt-5",
    "GPT5Mini": "gpt-5-mini",
    "GPT5Nano": "gpt-5-nano",
    "GPT5Point1": "gpt-5.1",
    "GPT5Point2": "gpt-5.2",
    "TextEmbedding3Large": "text-embedding-3-large",
    "TextEmbedding3Small": "text-embedding-3-small",
}

__all__ = [
    "GPT5",
    "MEDIA_TOKENS",
    "GPT5Mini",
    "GPT5Nano",
    "GPT5Point1",
    "GPT5Point2",
    "ModelProfile",
    "Prices",
    "TextEmbedding3Large",
    "TextEmbedding3Small",
    "completion_cost",
    "cost",
    "cost_per_token",
    "count_tokens",
    "family",
    "get_max_tokens",
    "is_provider",
    "lookup",
    "priced",
    "read_usage",
    "register_model",
    "supports_function_calling",
    "supports_pdf_input",
    "supports_reasoning",
    "supports_response_schema",
    "supports_structured_output",
    "supports_tools",
    "supports_vision",
    "unregister_model",
]


def __getattr__(name: str) -> ModelProfile:
    if name not in _NAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return ModelProfile.get(_NAMED[name])
