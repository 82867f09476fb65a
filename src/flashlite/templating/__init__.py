"""Prompt templates: Jinja templates in files, registered by name, or given as text."""

from .templates import Templates

__all__ = ["Templates"]
