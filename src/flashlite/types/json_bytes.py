"""JSON as models and callers write it, including what orjson refuses.

The standard library handles the rest: half an emoji (a model was cut off inside it), integers of
more than 64 bits, and, in reading, infinity (a log probability).
"""

from __future__ import annotations

import json
from typing import Any


def dumps(value: Any, *, sort_keys: bool = False) -> bytes:
    """Return JSON; raises TypeError, ValueError or RecursionError for values it cannot hold.

    An infinite number becomes null, unless orjson refuses another part of the value.
    """
    import orjson

    options = orjson.OPT_NON_STR_KEYS | (orjson.OPT_SORT_KEYS if sort_keys else 0)
    try:
        return orjson.dumps(value, option=options)
    except TypeError:
        return json.dumps(value, sort_keys=sort_keys, separators=(",", ":")).encode()


def loads(text: bytes) -> Any:
    """Read JSON; raises ValueError or RecursionError if it is not valid."""
    import orjson

    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
