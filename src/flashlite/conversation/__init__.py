"""Conversations: a history that can answer, be forked, saved and cut to a model's window."""

from .config import ConversationConfig
from .conversation import Conversation
from .history import History
from .state import ConversationState
from .summary import Summary

__all__ = ["Conversation", "ConversationConfig", "ConversationState", "History", "Summary"]
