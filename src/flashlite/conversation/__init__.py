"""Conversations: a history that a model answers, and that can be forked, saved and truncated."""

from .config import ConversationConfig
from .conversation import Conversation
from .history import History
from .state import ConversationState
from .summary import Summary

__all__ = ["Conversation", "ConversationConfig", "ConversationState", "History", "Summary"]
