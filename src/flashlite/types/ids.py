"""Names for calls."""

from __future__ import annotations

import os
from random import Random

# A generator of our own: `os.urandom` gives up the interpreter lock at each call, and the shared
# generator of `random` belongs to those who seed it. A forked child would go on with the same ids.
_random = Random()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def new_id() -> str:
    """Return 16 hexadecimal digits that no other call has."""
    return f"{_random.getrandbits(64):016x}"
