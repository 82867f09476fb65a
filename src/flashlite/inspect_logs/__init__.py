"""Logs in Inspect's own format, from any script."""

from .conversion import convert
from .layer import InspectLog, record_model_call
from .logger import InspectLogger
from .recovery import recover
from .samples import Sample, current_sample

__all__ = [
    "InspectLog",
    "InspectLogger",
    "Sample",
    "convert",
    "current_sample",
    "record_model_call",
    "recover",
]
