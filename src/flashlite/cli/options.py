"""The options and helpers that several commands share."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click


def read_pairs(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, Any]:
    """Read `name=value` pairs; a value is read as JSON if it is valid, else as text."""
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"write name=value; got {pair!r}")
        try:
            values[name.strip()] = json.loads(value)
        except ValueError:
            values[name.strip()] = value
    return values


model = click.option(
    "--model",
    metavar="NAME",
    help="Such as openai/gpt-4o or mock/echo. [default: FLASHLITE_DEFAULT_MODEL]",
)
system = click.option("--system", metavar="TEXT", help="A system message to put in front.")
template = click.option(
    "--template",
    metavar="FILE|TEXT",
    help='A template for the prompt: a file, or a text such as "Translate: {{ text }}".',
)
parameters = click.option(
    "-M",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    callback=read_pairs,
    help="A parameter or an option of the call: -M temperature=0 -M base_url=http://…",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def asking(command: Any) -> Any:
    """Add the options that all commands that ask a model have."""
    return model(system(template(parameters(command))))


def client(model: str | None, parameters: dict[str, Any], **options: Any) -> Any:
    """Create a client; raises ConfigError, with a hint, for unknown parameters."""
    from ..build import check_names
    from ..client import Flashlite
    from ..options import ClientOptions

    check_names(parameters, ClientOptions.__annotations__.keys() - {"on_send"})
    return Flashlite(model, **parameters, **options)


def read_template(template: str) -> tuple[str, Path | None]:
    """Return a template file's name and the folder for its includes, or the text and None."""
    path = Path(template)
    if len(template) < 4096 and "\n" not in template and "{" not in template and path.is_file():
        return path.name, path.parent
    return template, None


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    say(text if text == _sayable(text) else json.dumps(value, indent=2))


def say(text: str, *, end: str = "\n") -> None:
    """Print a text; characters that the terminal cannot show are escaped."""
    click.echo(_sayable(text) + end, nl=False)


def _sayable(text: str) -> str:
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)
