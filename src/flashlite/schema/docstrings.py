"""Reading the descriptions of a function and its parameters from its docstring."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from textwrap import dedent

_PARAMETERS = re.compile(r"(Args|Arguments|Parameters|Params):\s*$")
_OTHER_SECTION = re.compile(r"(Returns?|Yields?|Raises|Examples?):\s*$")
_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:\s*(.*)")
_FIELD = re.compile(r":(?:param|parameter|arg|argument)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)")
_OTHER_FIELD = re.compile(r":(?:type|returns?|rtype|raises?|yields?)\b[^:]*:")


def read_docstring(doc: str) -> tuple[str, dict[str, str]]:
    """Return the description of a function and those of its parameters.

    Google's `Args:` and Sphinx's `:param name:` are understood. Other sections and fields are for
    programmers and are left out. `doc` is what `inspect.getdoc` returns.
    """
    prose, parameters = list[str](), dict[str, str]()
    for first, *rest in _blocks(doc.splitlines()):
        if _PARAMETERS.match(first):
            parameters |= _entries(rest)
        elif field := _FIELD.match(first):
            parameters[field[1]] = _joined([field[2], *rest])
        elif not _OTHER_SECTION.match(first) and not _OTHER_FIELD.match(first):
            prose += [first, *rest]
    return "\n".join(prose).strip(), parameters


def _entries(lines: list[str]) -> Iterator[tuple[str, str]]:
    for first, *rest in _blocks(dedent("\n".join(lines)).splitlines()):
        if entry := _ENTRY.match(first):
            yield entry[1], _joined([entry[2], *rest])


def _blocks(lines: Iterable[str]) -> list[list[str]]:
    """Split lines into blocks, each a line at the margin and the indented lines below it."""
    blocks = list[list[str]]()
    for line in lines:
        if blocks and (not line.strip() or line[0].isspace()):
            blocks[-1].append(line)
        else:
            blocks.append([line])
    return blocks


def _joined(lines: Iterable[str]) -> str:
    return " ".join(" ".join(lines).split())
