"""Many calls that survive anything: each answer is on file before the next step."""

from .batch import Batch, Order
from .manager import BatchManager
from .requests import run_batch

__all__ = ["Batch", "BatchManager", "Order", "run_batch"]
