"""`mock/<behaviour>`: models that answer from inside the process."""

from .asked import Refused
from .behaviours import BEHAVIOURS
from .model import Cut, MockAnswer, MockModel, refuse
from .options import MockOptions
from .provider import MockProvider

__all__ = [
    "BEHAVIOURS",
    "Cut",
    "MockAnswer",
    "MockModel",
    "MockOptions",
    "MockProvider",
    "Refused",
    "refuse",
]
