"""Citations of an answer, from our form to Inspect's and back.

Each citation keeps the annotation it was made from, so that it is sent back unchanged: Claude needs
its search results again. Positions are character offsets in the whole text of an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from inspect_ai.model import (
    Citation,
    ContentCitation,
    ContentText,
    DocumentCitation,
    UrlCitation,
)

_KEPT = "annotation"
_RANGES = {
    "char_location": ("char", "start_char_index", "end_char_index", 0),
    "content_block_location": ("block", "start_block_index", "end_block_index", 0),
    "page_location": ("page", "start_page_number", "end_page_number", 1),
}


def citations_in(notes: Any, *, start: int, end: int, is_last: bool) -> list[Citation] | None:
    """Return the citations between two offsets; the last text has those without an offset."""
    found = [
        _citation(note, start)
        for note in (notes if isinstance(notes, list) else ())
        if isinstance(note, Mapping)
        and (is_last if (place := _text_range(note)) is None else start <= place[0] < end)
    ]
    return found or None


def annotations_of(texts: Iterable[ContentText]) -> list[Any]:
    """Return the annotations that the citations were made from."""
    return [
        citation.internal[_KEPT]
        for text in texts
        for citation in text.citations or ()
        if citation.internal and _KEPT in citation.internal
    ]


def _citation(note: Mapping[str, Any], start: int) -> Citation:
    told = _payload(note)
    source = note.get("citation")
    source = source if isinstance(source, Mapping) else {}
    cited: Any = source.get("cited_text")
    if cited is None and (place := _text_range(note)) is not None:
        cited = (place[0] - start, place[1] - start)
    common: dict[str, Any] = {
        "cited_text": cited if isinstance(cited, str | tuple) else None,
        "title": _text(told.get("title") or told.get("filename") or source.get("title")),
        "internal": {_KEPT: dict(note)},
    }
    if isinstance(url := told.get("url"), str):
        return UrlCitation(url=url, **common)
    if note.get("type") in ("file_citation", "file_path"):
        return DocumentCitation(range=_range(source), **common)
    return ContentCitation(**common)


def _range(source: Mapping[str, Any]) -> Any:
    """Return the cited range of a document; Claude counts pages from 1, Inspect from 0."""
    known = _RANGES.get(str(source.get("type")))
    if known is None:
        return None
    kind, first, last, base = known
    start, end = source.get(first), source.get(last)
    if not isinstance(start, int) or not isinstance(end, int):
        return None
    return {"type": kind, "start_index": start - base, "end_index": end - base}


def _payload(note: Mapping[str, Any]) -> Mapping[str, Any]:
    told = note.get(str(note.get("type")))
    return told if isinstance(told, Mapping) else note


def _text_range(note: Mapping[str, Any]) -> tuple[int, int] | None:
    told = _payload(note)
    start, end = told.get("start_index"), told.get("end_index")
    return (start, end) if isinstance(start, int) and isinstance(end, int) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
