"""The templates of a client."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cached_property, lru_cache
from inspect import isroutine
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ConfigError
from ..types import Message, MessageInput, normalize_messages
from .files import SUFFIXES, TemplateFiles
from .filters import FILTERS
from .lines import keep_line_ends

if TYPE_CHECKING:
    from jinja2 import Environment, Template

T = TypeVar("T")

_INLINE = "<template>"  # Jinja's name for a template without a name
_COMPILED_TEXTS = 256


class Templates:
    """Jinja templates: in directories, registered by name, or given as text.

    A file can be named without `.jinja`, `.jinja2`, `.j2`, `.txt` or `.md`; templates include,
    extend and import files and registered templates under the same names. A template is compiled
    once, and again when a file has changed. Templates run in Jinja's sandbox, where they cannot
    change the lists and dicts they are given. Nothing is escaped; an undefined variable is an
    error. A line that holds only tags leaves no empty line, and the line end at the end of a file
    is left out.
    """

    def __init__(
        self, directories: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = ()
    ) -> None:
        self._files = TemplateFiles(directories)
        self._registered: dict[str, str] = {}
        self._version = 0
        self._sources: dict[str, _Stamp | None] = {_INLINE: None}
        self._compiled = lru_cache(maxsize=_COMPILED_TEXTS)(self._compile)

    @property
    def names(self) -> list[str]:
        """The names of all templates."""
        return sorted(self._files.names() | self._registered.keys())

    def register(self, name: str, text: str) -> None:
        """Register a text under a name, ahead of files; raises ConfigError for bad syntax."""
        if not isinstance(name, str) or not name.strip() or _is_text(name):
            raise ConfigError(f"a template's name is a line without {{{{ or {{%; got {name!r:.80}")
        if not isinstance(text, str):
            raise ConfigError(f"a template is a text; got {text!r:.80}")
        filename = f"<{name}>"
        self._explained(
            lambda: self._environment.compile(self._marked(text, name, filename), name, filename)
        )
        self._registered[name] = text
        self._forget()

    def render(self, template: str, variables: Mapping[str, Any] | None = None) -> str:
        """Return a template, given by name or as text, with the variables filled in.

        A text has `{{`, `{%`, `{#` or more than one line; everything else is a name, so that a
        mistyped name is never used as a prompt. Raises ConfigError, with the line, for unknown
        names, bad syntax, undefined variables and other failures in the template.
        """
        if not isinstance(template, str):
            raise ConfigError(f"a template is a name or a text; got {template!r:.80}")
        if not isinstance(variables or {}, Mapping):
            raise ConfigError(f"variables is a dict; got a {type(variables).__name__}")
        if any(_stamp(path) != stamp for path, stamp in [*self._sources.items()] if stamp):
            self._forget()
        found = self._found(template)
        return self._explained(lambda: found.render(variables or {}), variables or {})

    def messages(
        self,
        template: str,
        variables: Mapping[str, Any] | None = None,
        *,
        after: MessageInput | None = None,
    ) -> list[Message]:
        """Return the rendered template as a user message, after the messages in `after`."""
        before = normalize_messages(after) if after else ()
        return [*before, Message.user(self.render(template, variables))]

    def _found(self, template: str) -> Template:
        if _is_text(template):
            return self._explained(lambda: self._compiled(template))
        return self._explained(lambda: self._environment.get_template(template))

    def _compile(self, text: str) -> Template:
        return self._environment.from_string(self._marked(text))

    def _load(self, name: str) -> tuple[str, str, Callable[[], bool]] | None:
        """Find a template for Jinja: one to render, or one that it includes or imports."""
        version = self._version
        if name in self._registered:
            filename, text = f"<{name}>", self._registered[name]
            self._sources[filename] = None
        elif path := self._files.find(name):
            filename = path
            self._sources[filename] = _stamp(path)  # before reading, to notice any change
            text = _read(path)
        else:
            return None
        # A change makes all templates stale, because they keep the macros they import.
        return self._marked(text, name, filename), filename, lambda: version == self._version

    def _marked(self, text: str, name: str | None = None, filename: str | None = None) -> str:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return keep_line_ends(text, self._environment.lex(text, name, filename))

    def _forget(self) -> None:
        self._version += 1
        self._sources = {_INLINE: None}

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import FunctionLoader, StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        class Missing(StrictUndefined):
            __slots__ = ()
            __repr__ = StrictUndefined.__str__  # else a list of it would be written "[Undefined]"

        environment = ImmutableSandboxedEnvironment(
            loader=FunctionLoader(self._load),
            undefined=Missing,
            finalize=_written,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(FILTERS)
        return environment

    def _explained(self, step: Callable[[], T], variables: Mapping[str, Any] | None = None) -> T:
        """Run a step and turn template errors into a ConfigError that says where they are."""
        from jinja2 import TemplateError

        try:
            return step()
        # What an expression can raise; anything else comes from the caller's own objects.
        except (
            TemplateError,
            TypeError,
            ValueError,
            ArithmeticError,
            LookupError,
            AttributeError,
            RecursionError,
        ) as error:
            raise ConfigError(self._place(error) + self._reason(error, variables)) from error

    def _place(self, error: Exception) -> str:
        from jinja2 import TemplateSyntaxError

        if isinstance(error, TemplateSyntaxError):
            return f"{error.filename or _INLINE}, line {error.lineno}: "
        frames = ((frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__))
        place = ""
        for filename, line in frames:
            if filename in self._sources:
                place = f"{filename}, line {line}: "
        return place

    def _reason(self, error: Exception, variables: Mapping[str, Any] | None) -> str:
        from jinja2 import TemplateError, TemplateNotFound, TemplatesNotFound, UndefinedError

        if isinstance(error, TemplateNotFound) and not isinstance(error, TemplatesNotFound):
            return self._unknown(str(error.name))
        if isinstance(error, UndefinedError):
            return f"{error}; the variables given are: {', '.join(variables or ()) or 'none'}"
        if isinstance(error, TemplateError):
            return error.message or type(error).__name__
        return f"{type(error).__name__}: {error}"

    def _unknown(self, name: str) -> str:
        names = self.names
        plain = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
        if near := get_close_matches(plain.strip(), names, n=3):
            hint = f"did you mean {' or '.join(map(repr, near))}?"
        elif names:
            hint = f"there are {', '.join(names[:20])}{', …' if len(names) > 20 else ''}"
        else:
            hint = "there are none: pass template_dir=... or register one"
        if " " in name:
            hint += " (a text without {{ variables }} is a message: messages=...)"
        return f"no template is called {name!r:.80}; {hint}"


def _written(value: Any) -> Any:
    """Raise TypeError for a function: in Jinja, `row.items` is the dict's method, not its item."""
    if isroutine(value):
        name = value.__name__
        raise TypeError(f"{name} is a function here: write row[{name!r}] for an item, or call it")
    return value


_Stamp = tuple[int, int]


def _stamp(path: str) -> _Stamp | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the template {path}: {error}") from error


def _is_text(template: str) -> bool:
    return any(mark in template for mark in ("{{", "{%", "{#")) or "\n" in template.strip()
