"""JSON schemas of types and functions, and reading answers as values of these types."""

from .answers import InvalidAnswer, partial, validate
from .arguments import Arguments
from .functions import described, parameters_of
from .shapes import in_words, instruction_for, response_format_for, schema_of
from .strictness import strict

__all__ = [
    "Arguments",
    "InvalidAnswer",
    "described",
    "in_words",
    "instruction_for",
    "parameters_of",
    "partial",
    "response_format_for",
    "schema_of",
    "strict",
    "validate",
]
