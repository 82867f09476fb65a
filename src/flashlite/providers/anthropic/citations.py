"""Claude's citations, in answers and in histories.

Text blocks with `citations` become one text and `annotations` in OpenAI's form, each with the
original citation. Their positions tell where to split the text again, because search results must
be sent back with the text that cites them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

Span = tuple[int, int]


def annotation(citation: Mapping[str, Any], span: Span) -> dict[str, Any]:
    """Return the annotation of a citation; `span` is its position in the answer's whole text."""
    title = citation.get("title") or citation.get("document_title") or ""
    kind, told = "file_citation", {"filename": title}
    if "url" in citation:
        kind, told = "url_citation", {"url": citation["url"], "title": title}
    place = dict(zip(("start_index", "end_index"), span, strict=True))
    return {"type": kind, kind: {**told, **place}, "citation": dict(citation)}


def cited(parts: Iterable[Mapping[str, Any]], annotations: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of an answer, with texts split at citations."""
    spans = _spans(annotations)
    start = 0
    for part in parts:
        text = part.get("text") if part.get("type") == "text" else None
        if not isinstance(text, str):
            yield part
            continue
        end = start + len(text)
        inside = {span: spans[span] for span in spans if start <= span[0] < span[1] <= end}
        yield from _cut(part, start, inside) if inside else (part,)
        start = end


def _spans(annotations: Any) -> dict[Span, list[Any]]:
    """Return Claude's citations by position; other providers' annotations are ignored."""
    spans: dict[Span, list[Any]] = {}
    for note in annotations or ():
        place = note.get(note.get("type"))
        if "citation" in note and isinstance(place, Mapping) and "start_index" in place:
            span = (place["start_index"], place["end_index"])
            spans.setdefault(span, []).append(note["citation"])
    return spans


def _cut(
    part: Mapping[str, Any], start: int, spans: Mapping[Span, list[Any]]
) -> Iterator[Mapping[str, Any]]:
    """Yield the pieces of a text; mere white space stays with the preceding piece, if any."""
    text: str = part["text"]
    cuts = sorted({start, start + len(text), *(cut for span in spans for cut in span)})
    pieces: list[dict[str, Any]] = []
    for span in pairwise(cuts):
        piece = text[span[0] - start : span[1] - start]
        if pieces and span not in spans and not piece.strip():
            pieces[-1]["text"] += piece
            continue
        citations = {"citations": spans[span]} if span in spans else {}
        pieces.append({**part, "text": piece, **citations})
    yield from pieces
