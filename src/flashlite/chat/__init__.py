"""Chats between several agents, with public and private messages."""

from .chat import MultiAgentChat
from .policies import Policy, Stop, at_random, chosen_by, in_turn, says, spent
from .prompt import INTRODUCTION
from .state import ChatState
from .transcript import AgentStats, ChatEntry
from .turn import Turn

__all__ = [
    "INTRODUCTION",
    "AgentStats",
    "ChatEntry",
    "ChatState",
    "MultiAgentChat",
    "Policy",
    "Stop",
    "Turn",
    "at_random",
    "chosen_by",
    "in_turn",
    "says",
    "spent",
]
