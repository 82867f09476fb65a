"""The command that writes down what Inspect's own provider does: see the package."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from .recording import recorded

HOME = Path(__file__).with_name("recordings")


RIVALS: dict[str, tuple[str, dict[str, Any]]] = {
    "openai": ("openai/gpt-4o", {"responses_api": False}),
    "openai-api": ("openai-api/parity/gpt-4o", {}),
}
"""Inspect's own providers, and the arguments of their models."""


def main() -> int:
    """Record, or with `--check` compare with what was recorded; return the exit code."""
    changed = False
    for name, (model, arguments) in RIVALS.items():
        found = asyncio.run(recorded(model, **arguments))
        lines = (f"{json.dumps(case)}: {json.dumps(found[case], sort_keys=True)}" for case in found)
        text = "{\n" + ",\n".join(lines) + "\n}\n"
        path = HOME / f"{name}.json"
        if "--check" not in sys.argv:
            path.write_text(text, "utf-8")
        elif json.loads(path.read_text("utf-8")) != json.loads(text):
            changed = True
            sys.stderr.write(f"{name}: Inspect's own provider does otherwise now; record anew\n")
    return int(changed)


if __name__ == "__main__":
    sys.exit(main())
