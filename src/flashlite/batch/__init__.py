"""Batches that survive crashes: each answer is stored in a file before it is handed out."""

from .actors import Ray
from .batch import Batch, Order
from .manager import BatchManager
from .provider_batch import ProviderBatch
from .ray_batch import RayBatch
from .requests import BatchMode, run_batch

__all__ = [
    "Batch",
    "BatchManager",
    "BatchMode",
    "Order",
    "ProviderBatch",
    "Ray",
    "RayBatch",
    "run_batch",
]
