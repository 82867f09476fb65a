"""Where the lines of a template end: tags alone on a line leave none, all other ends are kept.

Jinja has two ways. Its default leaves an empty line for every line that holds only a tag;
`trim_blocks` takes the line end after any tag, and so joins a line that ends with `{% endif %}`,
or is an `{% include %}`, to the next. A prompt writer means neither. (Nothing takes the line end
after `{% raw %}`.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TAG_ENDS = ("block_end", "comment_end", "raw_end")
_TRIMMED = re.compile(r"(?<![-+])[%#]}\n\Z")
_INVISIBLE = re.compile(r"[ \t]+(?=\n)")
# What ends here writes something, or nothing, if it began on the same line.
_WRITING = {"include": "", "endblock": "block", "endcall": "call"}
_SILENT = {"endmacro": "macro", "endset": "set"}


def keep_line_ends(source: str, tokens: Iterable[tuple[int, str, str]]) -> str:
    """Mark, for a Jinja with `trim_blocks`, the tags whose line end is to stay: `%}` → `+%}`.

    `source` has only "\\n" at its line ends; `tokens` are those of `Environment.lex`. Lines keep
    their numbers.
    """
    pieces, done, place = list[str](), 0, 0
    line, before = _Line(), ""
    for _, kind, text in tokens:
        place = source.index(text, place)  # Jinja leaves out space that it will not keep
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
    """A line so far: the tags on it, and whether there is nothing but tags that write nothing."""

    def __init__(self) -> None:
        self.is_bare = True
        self.tags = {"": True}  # each with whether the line was bare before it

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
