"""Prompts with blanks to fill in: Jinja templates in files, registered by name, or as text."""

from .templates import Templates

__all__ = ["Templates"]
