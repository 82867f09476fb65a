"""Providers without a native dialect, through litellm."""

from .provider import LiteLLMProvider
from .settings import FEWER_INPUTS

__all__ = ["FEWER_INPUTS", "LiteLLMProvider"]
