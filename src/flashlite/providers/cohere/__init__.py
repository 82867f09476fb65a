"""Cohere's own chat API."""

from .adapter import CohereAdapter

__all__ = ["CohereAdapter"]
