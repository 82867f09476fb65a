"""Processes that answer for a batch, on one machine or many: actors of Ray."""

from .actors import Actors
from .lives import ActorsDied
from .question import Question
from .settings import Ray

__all__ = ["Actors", "ActorsDied", "Question", "Ray"]
