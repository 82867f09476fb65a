"""Agents: a model that can take turns, with tools, memory and a client."""

from .agent import Agent
from .config import AgentConfig
from .result import AgentResult, TurnResult

__all__ = ["Agent", "AgentConfig", "AgentResult", "TurnResult"]
