"""JSON as models and callers write it, which is more than orjson takes.

Half an emoji (a model was cut off inside it), an integer of more than 64 bits, and infinity (a log
probability) are what the standard library reads and writes too.
"""

from __future__ import annotations

import json
from typing import Any


def dumps(value: Any, *, sort_keys: bool = False) -> bytes:
    """Write JSON; raises TypeError, ValueError or RecursionError for what is none.

    An infinite number becomes null.
    """
    import orjson

    options = orjson.OPT_NON_STR_KEYS | (orjson.OPT_SORT_KEYS if sort_keys else 0)
    try:
        return orjson.dumps(value, option=options)
    except TypeError:
        return json.dumps(value, sort_keys=sort_keys, separators=(",", ":")).encode()


def loads(text: bytes) -> Any:
    """Read JSON; raises ValueError or RecursionError for what is none."""
    import orjson

    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)
