"""The one mechanism: a request goes in, a response comes out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from .request import CompletionRequest
from .response import CompletionResponse

Handler: TypeAlias = Callable[[CompletionRequest], Awaitable[CompletionResponse]]
"""Answers requests. A provider is one; a layer takes one and is one; a test's fake is one."""
