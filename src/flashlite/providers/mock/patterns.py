"""Making short texts that match a regular expression."""

from __future__ import annotations

import re
from collections.abc import Iterator

# An escape, a class in square brackets, or one character.
_ATOM = re.compile(r"\\(?:x[\da-fA-F]{2}|u[\da-fA-F]{4}|.)|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_COUNT = re.compile(r"(?:(?P<sign>[*+?])|\{(?P<low>\d*)(?P<comma>,?)(?P<high>\d*)\})[?+]?")
_GROUP = re.compile(r"\((?:\?(?:(?P<drop>=|!|<=|<!)|:|P?<\w+>))?")
_LIKELY = "a0A -_x1.!"
_MOST = 1000


def matches(pattern: str, longest: int) -> Iterator[str]:
    """Yield texts that should match, shortest first, longer ones by repetition.

    It understands what schemas use: literals, classes, groups, alternatives (it takes the first)
    and counts. The caller has to check whether a text matches.
    """
    seen = set[str]()
    for extra in range(min(longest, _MOST) + 1):
        text = _Reader(pattern, extra).branches()
        if text not in seen:
            seen.add(text)
            yield text


class _Reader:
    """Reads a pattern once and builds a text, with `extra` more repetitions where allowed."""

    def __init__(self, pattern: str, extra: int) -> None:
        self._rest = pattern
        self._extra = extra

    def branches(self) -> str:
        first = self._sequence()
        while self._rest.startswith("|"):
            self._rest = self._rest[1:]
            self._sequence()
        return first

    def _sequence(self) -> str:
        text = ""
        while self._rest and self._rest[0] not in "|)":
            text += self._piece()
        return text

    def _piece(self) -> str:
        if group := _GROUP.match(self._rest):
            self._rest = self._rest[group.end() :]
            text = self.branches()
            self._rest = self._rest[1:]
            text = "" if group["drop"] else text
        else:
            atom = _ATOM.match(self._rest)
            assert atom is not None
            self._rest = self._rest[atom.end() :]
            text = _character(atom.group())
        if count := _COUNT.match(self._rest):
            self._rest = self._rest[count.end() :]
            text *= self._times(count)
        return text

    def _times(self, count: re.Match[str]) -> int:
        low = 1 if count["sign"] == "+" else int(count["low"] or 0)
        if count["sign"] == "?":
            return min(self._extra, 1)
        if count["sign"] or (count["comma"] and not count["high"]):
            return min(low + self._extra, _MOST)
        return min(low + self._extra, int(count["high"] or low), _MOST)


def _character(atom: str) -> str:
    """Return a character that fits an atom; "" for an anchor."""
    if atom in ("^", "$", r"\b", r"\B", r"\A", r"\Z"):
        return ""
    if len(atom) == 1 and atom != ".":
        return atom
    try:
        fits = re.compile(atom)
    except re.error:
        return ""
    return next((one for one in _LIKELY + atom if fits.fullmatch(one)), "")
