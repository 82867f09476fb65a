"""Gemini's dialect, as the Gemini API and Vertex AI speak it."""

from .adapter import GoogleAdapter

__all__ = ["GoogleAdapter"]
