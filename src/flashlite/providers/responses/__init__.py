"""The dialect of OpenAI's Responses API."""

from __future__ import annotations

from .adapter import ResponsesAdapter

__all__ = ["ResponsesAdapter"]
