"""The Python blocks of a seed, each by the heading it stands under, and what runs one."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PIECES = re.compile(r"^```(\w*)\n(.*?)^```|^#+ ([^\n]*)$", flags=re.DOTALL | re.MULTILINE)
_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

VECTOR: dict[str, Any] = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": "AACAPwAAIMA="}],
    "model": "text-embedding-3-large",
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}
"""OpenAI's answer to a text: the vector [1.0, -2.5] in base64."""


class Seed:
    """A document whose Python is run as it stands.

    A block's name is its heading's, as in `save_and_load_state`; a further block under the same
    words has a number, as in `streaming_2`.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        text = (Path(__file__).parent / file).read_text()
        self.blocks = _blocks(text, "python")
        self.templates = _blocks(text, "jinja")
        self.schemas = _blocks(text, "json")

    def run(self, block: str, given: dict[str, Any], changes: dict[str, str]) -> dict[str, Any]:
        """Run a block with these names, on a loop of its own; return the names it leaves.

        `changes` are for what a reader would fill in too (a host, a key, an ellipsis), and for a
        number that a test wants to be another (a wait, a limit).
        """
        source = self.blocks[block]
        for old, new in changes.items():
            assert old in source
            source = source.replace(old, new)
        names = {"__name__": "__main__", **given}
        code = compile(source, f"{self.file}:{block}", "exec", _FLAGS, dont_inherit=True)
        result = eval(code, names)
        if inspect.iscoroutine(result):
            asyncio.run(result)
        return names


@dataclass
class Script:
    """What the host is to say: these answers in turn, then what it was asked last."""

    answers: list[str | dict[str, Any]] = field(default_factory=list)

    def __call__(self, body: dict[str, Any]) -> str | dict[str, Any]:
        if self.answers:
            return self.answers.pop(0)
        return str(body["messages"][-1]["content"])


Run = Callable[..., dict[str, Any]]
"""`run(block, *, seed, changes, **given)`: if not said, the module's seed and the test's block."""


def calls(*functions: tuple[str, str]) -> dict[str, Any]:
    """Return a message that calls functions, each by its name and its arguments as JSON."""
    made = [
        {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(functions)
    ]
    return {"content": None, "tool_calls": made}


def _blocks(text: str, wanted: str) -> dict[str, str]:
    found: dict[str, str] = {}
    count: Counter[str] = Counter()
    heading = ""
    for language, code, title in _PIECES.findall(text):
        if title:
            heading = "_".join(re.findall(r"\w+", title.lower()))
        elif language == wanted:
            count[heading] += 1
            number = f"_{count[heading]}" if count[heading] > 1 else ""
            found[heading + number] = code
    return found
