"""Ids of calls."""

from __future__ import annotations

import os
from random import Random

# Not `os.urandom`, which releases the interpreter lock at each call, nor the shared generator of
# `random`, which callers may seed. A forked child seeds anew, because it would repeat the ids.
_random = Random()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def new_id() -> str:
    """Return a new random id of 16 hexadecimal digits."""
    return f"{_random.getrandbits(64):016x}"
