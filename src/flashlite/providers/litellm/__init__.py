"""Providers without a native dialect, by way of litellm."""

from .provider import LiteLLMProvider

__all__ = ["LiteLLMProvider"]
