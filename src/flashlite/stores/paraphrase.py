"""Whether two questions may be the same in other words.

A similarity score cannot tell a 3 from a 4, Paris from London, "safe" from "not safe", or "lock the
door" from "open the door": two sentences that differ in one word score as high as two that mean the
same. So the decisive parts must be equal and in the same order; other words may be added, dropped
or rephrased, but not replaced by another word in the same place. The word lists are English and
short: an added or missing word, or a differently built sentence, is left to the similarity score.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

_TOKEN = re.compile(
    r"""(?P<quoted>"[^"]*"|“[^”]*”|«[^»]*»|`[^`]*`)"""
    r"""|(?P<number>\d+(?:[.,:]\d+)*)"""
    r"""|(?P<word>\w+(?:['’]\w+)*)"""
    r"""|(?P<stop>[.!?:;])"""
    r"""|(?P<silent>[\s,'’"…])"""
    r"""|(?P<sign>.)"""
)
_NOT = """
cannot cant dont wont isnt arent wasnt werent doesnt didnt hasnt havent hadnt couldnt wouldnt
shouldnt mustnt neednt aint
"""
# Words that change the sense of a sentence, tell who or when, or count, and negations of other
# languages. A word that would be replaced by its opposite need not be listed.
_TURNING = """
no not never none nobody nothing nowhere nor neither without except unless only non hardly barely
scarcely seldom rarely almost nearly fail fails failed lack lacks stop stops avoid against versus
nicht kein keine nie nein ohne niet geen pas jamais sans nunca sin ningun não sem mai senza не нет
без никогда
and or but if whether because although though yes true false right wrong same different opposite
all any every each some both either few many most least more less fewer much little enough always
sometimes often better worse best worst good bad minimum maximum min max lowest highest smallest
largest shortest longest
before after above below under over up down out off from since until while during inside outside
within between left north south east west first last next previous start begin end open close
increase decrease rise fall add remove buy sell old new early late hot cold male female
he she him her his hers we us our ours they them their theirs my mine your yours am who whom whose
when where why was were did had will shall should must may might today tomorrow yesterday now ago
plus minus times multiplied divided per zero one two three four five six seven eight nine ten eleven
twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty
seventy eighty ninety hundred thousand million billion dozen half third quarter second twice double
once
"""
# Words that are capitalized only because they begin a sentence.
_OPENING = """
i a an the what which how is are do does can could would has have please tell give explain describe
name show write say let me you it this that there these those also then so
"""
_NEGATED, _TURNS, _OPENERS = (frozenset(words.split()) for words in (_NOT, _TURNING, _OPENING))
# Words with so little meaning that others may replace them.
_SMALL = _OPENERS.union(
    {"of", "in", "into", "on", "to", "for", "at", "by", "as", "with", "be", "been", "its", "about"}
)
_IN_THEIR_ORDER = {"a", "i", "me", "you"}  # variables, and who does what to whom
_ARTICLES = {"a", "an", "the"}
_NEGATING = ("un", "in", "im", "il", "ir", "dis", "non", "de", "anti", "mis")


def decisive_parts(text: str) -> Iterator[str]:
    """Yield the parts that must be equal: names, numbers, quotations, signs, turning words."""
    is_start = True
    for token in _TOKEN.finditer(text):
        kind, said = token.lastgroup, token.group()
        if kind == "word":
            yield from _decisive_word(said.replace("’", "'"), is_start=is_start)
        elif kind not in ("stop", "silent"):
            yield said
        if kind != "silent":
            is_start = kind == "stop"


def may_be_a_paraphrase(one: str, other: str) -> bool:
    """Return whether two questions with the same decisive parts may mean the same."""
    mine, others = _words(one), _words(other)
    return mine == others or not (
        _are_in_another_order(mine, others)
        or _has_exchanged(mine, others)
        or _has_exchanged(others, mine)
        or _has_negated(mine, others)
        or _has_negated(others, mine)
    )


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", re.sub(r"n['’]t\b", " not", text.lower()))


def _are_in_another_order(mine: list[str], others: list[str]) -> bool:
    """Return whether common words differ in order: miles to yards is not yards to miles."""
    common = (set(mine) & set(others)) - (_SMALL - _IN_THEIR_ORDER)
    return [word for word in mine if word in common] != [word for word in others if word in common]


def _has_exchanged(mine: list[str], others: list[str]) -> bool:
    """Return whether meaningful words were replaced by other meaningful words."""
    mine, others = ([word for word in words if word not in _ARTICLES] for words in (mine, others))
    steps = SequenceMatcher(None, mine, others, autojunk=False).get_opcodes()
    return any(
        step == "replace" and _SMALL.isdisjoint((*mine[a:b], *others[c:d]))
        for step, a, b, c, d in steps
    )


def _has_negated(mine: list[str], others: list[str]) -> bool:
    """Return whether one has a negated word of the other, as "illegal" and "legal"."""
    negated = {prefix + word for word in mine if len(word) > 2 for prefix in _NEGATING}
    return not negated.isdisjoint(set(others) - set(mine))


def _decisive_word(word: str, *, is_start: bool) -> Iterator[str]:
    """Yield a word that must be equal: any but a plain lower-case one."""
    stem, _, ending = word.partition("'")
    lowered = stem.lower()
    if word.lower().endswith("n't") or lowered in _NEGATED:
        yield "not"
    elif stem.isupper() and len(stem) > 1:  # WHO is not who
        yield word
    elif lowered in _TURNS:
        yield lowered
    elif not (_is_plain(stem, is_start=is_start) and (ending or "s").isalpha()):
        yield word


def _is_plain(word: str, *, is_start: bool) -> bool:
    """Return whether a word is not a name, a number or a variable."""
    if not word.isalpha() or (len(word) == 1 and word not in "IiAa"):
        return False
    return word.islower() or word == "I" or (is_start and word.lower() in _OPENERS)
