"""Line ends of templates: lines with only tags are removed, all other line ends are kept.

Jinja has two modes. By default, every line that holds only a tag leaves an empty line;
`trim_blocks` removes the line end after any tag, which also joins a line that ends with
`{% endif %}`, or is an `{% include %}`, to the next. Neither is what a prompt writer expects.
(Nothing removes the line end after `{% raw %}`.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TAG_ENDS = ("block_end", "comment_end", "raw_end")
_TRIMMED = re.compile(r"(?<![-+])[%#]}\n\Z")
_INVISIBLE = re.compile(r"[ \t]+(?=\n)")
# Tags that write something, or nothing, if what they end began on the same line.
_WRITING = {"include": "", "endblock": "block", "endcall": "call"}
_SILENT = {"endmacro": "macro", "endset": "set"}


def keep_line_ends(source: str, tokens: Iterable[tuple[int, str, str]]) -> str:
    """Return the source with the tags whose line end `trim_blocks` must keep marked: `%}` → `+%}`.

    `source` has only "\\n" as line ends; `tokens` are those of `Environment.lex`. Line numbers do
    not change.
    """
    pieces, done, place = list[str](), 0, 0
    line, before = _Line(), ""
    for _, kind, text in tokens:
        place = source.index(text, place)  # the tokens lack the space that Jinja removes
        if kind in _TAG_ENDS and (end := _TRIMMED.search(text)):
            if not line.is_bare:
                pieces += source[done : place + end.start()], "+"
                done = place + end.start()
            line = _Line()
        elif kind == "data":
            if before in _TAG_ENDS and line.is_bare and (space := _INVISIBLE.match(text)):
                pieces.append(source[done:place])
                done = place + space.end()
            line = line.after_text(text)
        elif kind == "variable_begin":
            line.is_bare = False
        elif kind == "name" and before == "block_begin":
            line.add_tag(text)
        place += len(text)
        before = before if kind == "whitespace" else kind
    return "".join(pieces) + source[done:]


class _Line:
    """A line so far: its tags, and whether it is bare, with only tags that write nothing."""

    def __init__(self) -> None:
        self.is_bare = True
        self.tags = {"": True}  # by name, whether the line was bare before the tag

    def add_tag(self, name: str) -> None:
        self.tags[name] = self.is_bare
        if _WRITING.get(name) in self.tags:
            self.is_bare = False
        elif (begun := _SILENT.get(name)) in self.tags:
            self.is_bare = self.tags[str(begun)]

    def after_text(self, text: str) -> _Line:
        line = _Line() if "\n" in text else self
        line.is_bare = line.is_bare and not text.rpartition("\n")[2].strip()
        return line
