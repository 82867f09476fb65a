"""Counting tokens offline, before or after a request; too slow to do during one.

Counts are exact for OpenAI's models, whose vocabularies litellm ships. For all others OpenAI's
newest public vocabulary gives an approximation. The first count with a vocabulary takes half a
second. Nothing is downloaded and the environment is not changed, so tiktoken's own loader, which
does both, is not used.
"""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from .litellm_files import find_file
from .names import split_fine_tune
from .price_map import find_entry, provider_of

if TYPE_CHECKING:
    from tiktoken import Encoding


MEDIA_TOKENS = 1000
"""The tokens assumed for an image, a sound or a document, whatever its size.

OpenAI's and Anthropic's vision guides give 85 to 1600 tokens for an ordinary image.
"""


def count_tokens(text: str, *, model: str | None = None) -> int:
    """Return the number of tokens in a text; special tokens like `<|endoftext|>` count as text.

    Without tiktoken or the vocabulary, every four bytes of UTF-8 count as a token, rounded up.
    """
    encoding = _load(_vocabulary(model))
    if encoding is None:
        return -(-len(text.encode("utf-8", "surrogatepass")) // 4)
    return len(encoding.encode_ordinary(text))


def _vocabulary(model: str | None) -> str:
    """Return the name of a model's vocabulary; tiktoken knows those of OpenAI's models."""
    if model is None or not _may_be_openai(model):
        return _NEWEST
    name = split_fine_tune(model)[0].rpartition("/")[2].removeprefix("ft:")
    try:
        from tiktoken import encoding_name_for_model

        vocabulary = encoding_name_for_model(name)
    except (ImportError, KeyError):
        return _NEWEST
    return vocabulary if vocabulary in _VOCABULARIES else _NEWEST


def _may_be_openai(model: str) -> bool:
    found = find_entry(split_fine_tune(model)[0])
    return found is None or provider_of(found[1]) in ("openai", "azure")


@cache
def _load(vocabulary: str) -> Encoding | None:
    known = _VOCABULARIES[vocabulary]
    path = find_file("litellm_core_utils", "tokenizers", known.file)
    try:
        from tiktoken import Encoding
    except ImportError:
        return None
    if path is None:
        return None
    lines = (line.split() for line in path.read_bytes().splitlines())
    ranks = {b64decode(token): int(rank) for token, rank in lines}
    return Encoding(vocabulary, pat_str=known.pattern, mergeable_ranks=ranks, special_tokens={})


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """A file of ranked tokens, and the pattern that splits text first (tiktoken's `pat_str`).

    The file has tiktoken's name: the SHA-1 of the URL it was published at.
    """

    file: str
    pattern: str


_NEWEST = "o200k_base"

_VOCABULARIES = {
    "cl100k_base": _Vocabulary(
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
        r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    ),
    "o200k_base": _Vocabulary(
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    ),
}
