"""Gemini's dialect, for the Gemini API and Vertex AI."""

from .adapter import GoogleAdapter

__all__ = ["GoogleAdapter"]
