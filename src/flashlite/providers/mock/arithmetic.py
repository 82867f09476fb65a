"""Finding arithmetic in a text and evaluating it exactly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate

_VALUES = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_WORD = "|".join(sorted([*_VALUES, "hundred", "thousand"], key=len, reverse=True))
_NUMBER_WORDS = re.compile(rf"\b(?:{_WORD})(?:(?:-|\s+|\s+and\s+)(?:{_WORD}))*\b")
_SPELLED = (
    (r"\bplus\b|\badded to\b", "+"),
    (r"\bminus\b|−|–", "-"),
    (r"\btimes\b|\bmultiplied by\b|×|·", "*"),
    (r"\bdivided by\b|÷", "/"),
)
_EXPRESSION = re.compile(r"[\d(][\d\s.+\-*/()]*[\d)]")
_STEP = re.compile(
    r"\b(?:(?P<start>start|begin) with|(?P<add>add)|(?P<sub>subtract|take away)"
    r"|(?P<mul>multiply)(?: \w+){0,2} by|(?P<div>divide)(?: \w+){0,2} by) (?P<n>\d+)"
    r"|\b(?P<double>double)\b|\b(?P<halve>halve)\b"
)
_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([+\-*/()]))")
_LONGEST, _DEEPEST = 1000, 50


def read_arithmetic(text: str) -> str | None:
    """Return the arithmetic in a text as an expression, or None if there is none.

    Understands symbols, number words, operators in words, and recipes such as "Start with 40.
    Divide it by 8, then add 17."
    """
    plain = _NUMBER_WORDS.sub(lambda found: str(_number(found.group())), text.lower())
    if (recipe := _read_recipe(plain)) is not None:
        return recipe if _is_sound(recipe) else None
    for pattern, symbol in _SPELLED:
        plain = re.sub(pattern, symbol, plain)
    found = [match.group().strip() for match in _EXPRESSION.finditer(plain)]
    candidates = [one for one in found if re.search(r"\d\)?\s*[+\-*/]", one) and _is_sound(one)]
    return max(candidates, key=len, default=None)


def work_out(expression: str) -> Fraction:
    """Return the exact value; raise ValueError for an invalid or unreasonable expression."""
    if len(expression) > _LONGEST or _depth(expression) > _DEEPEST:
        raise ValueError("the expression is too long")
    tokens = _tokens(expression)
    value = _sum(tokens)
    if tokens:
        raise ValueError(f"no expression: {expression!r}")
    return value


def _number(words: str) -> int:
    total = group = 0
    for word in re.split(r"[-\s]+", words):
        if word == "hundred":
            group = max(group, 1) * 100
        elif word == "thousand":
            total, group = total + max(group, 1) * 1000, 0
        else:
            group += _VALUES.get(word, 0)
    return total + group


def _read_recipe(text: str) -> str | None:
    expression: str | None = None
    for step in _STEP.finditer(text):
        kind = step.lastgroup if step["n"] is None else _kind(step)
        if kind == "start":
            expression = step["n"]
        elif expression is not None:
            expression = _apply(expression, kind or "", step["n"])
    return expression


def _kind(step: re.Match[str]) -> str:
    return next(name for name in ("start", "add", "sub", "mul", "div") if step[name])


def _apply(expression: str, kind: str, operand: str) -> str:
    if kind in ("add", "sub"):
        return f"{expression} {'+' if kind == 'add' else '-'} {operand}"
    inner = f"({expression})" if " " in expression else expression
    symbol = "*" if kind in ("mul", "double") else "/"
    return f"{inner} {symbol} {operand or 2}"


def _is_sound(expression: str) -> bool:
    try:
        work_out(expression)
    except (ValueError, ZeroDivisionError):
        return False
    return True


def _tokens(expression: str) -> list[str]:
    def cut() -> Iterator[str]:
        position = 0
        while position < len(expression.rstrip()):
            found = _TOKEN.match(expression, position)
            if found is None:
                raise ValueError(f"no expression: {expression!r}")
            position = found.end()
            yield found.group().strip()

    return list(cut())


def _depth(expression: str) -> int:
    """Return an upper bound on the nesting of brackets and signs."""
    open_brackets = accumulate({"(": 1, ")": -1}.get(character, 0) for character in expression)
    signs = max(map(len, re.findall("-+", re.sub(r"\s", "", expression))), default=0)
    return max(open_brackets, default=0) + signs


def _sum(tokens: list[str]) -> Fraction:
    value = _product(tokens)
    while tokens and tokens[0] in "+-":
        operator = tokens.pop(0)
        operand = _product(tokens)
        value = value + operand if operator == "+" else value - operand
    return value


def _product(tokens: list[str]) -> Fraction:
    value = _factor(tokens)
    while tokens and tokens[0] in "*/":
        operator = tokens.pop(0)
        operand = _factor(tokens)
        value = value * operand if operator == "*" else value / operand
    return value


def _factor(tokens: list[str]) -> Fraction:
    if not tokens:
        raise ValueError("the expression ends too early")
    token = tokens.pop(0)
    if token == "-":
        return -_factor(tokens)
    if token != "(":
        return Fraction(token)
    value = _sum(tokens)
    if not tokens or tokens.pop(0) != ")":
        raise ValueError("a bracket is not closed")
    return value
