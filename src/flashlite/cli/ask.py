"""`flashlite ask`: one question, answered in the terminal."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from typing import Any

import click

from ..errors import ConfigError
from . import options
from .options import print_json, read_pairs, read_template, say


@click.command
@click.argument("prompt", required=False)
@options.asking
@click.option(
    "-V",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    callback=read_pairs,
    help="A variable of the template.",
)
@options.as_json
def ask(
    prompt: str | None,
    model: str | None,
    system: str | None,
    template: str | None,
    parameters: dict[str, Any],
    variables: dict[str, Any],
    as_json: bool,
) -> None:
    """Ask a model and print its answer as it is written.

    Without PROMPT, or with -, the prompt is read from standard input. With --template, the prompt
    is the filled-in template.

    \b
    flashlite ask "Why is the sky blue?" --model openai/gpt-4o
    git diff | flashlite ask --model anthropic/claude-sonnet-4-5 --system "Review this change."
    flashlite ask --template "Capital of {{ country }}?" -V country=Peru --model mock/echo
    """
    before = [{"role": "system", "content": system}] if system is not None else []
    folder = None
    if template is not None:
        if prompt is not None:
            raise ConfigError("a prompt and a template are two prompts: give one of them")
        name, folder = read_template(template)
        call: dict[str, Any] = {"messages": before, "template": name, "variables": variables}
    else:
        if variables:
            raise ConfigError("-V fills in a template: give --template")
        call = {"messages": [*before, {"role": "user", "content": _prompt(prompt)}]}
    client = options.client(model, parameters, template_dir=folder or ())
    asyncio.run(_whole(client, call) if as_json else _streamed(client, call))


def _prompt(given: str | None) -> str:
    if given is None and sys.stdin.isatty():
        raise ConfigError("there is no prompt: write it, or - to type it in")
    text = sys.stdin.read().strip() if given in (None, "-") else given
    if not text:
        raise ConfigError("the prompt is empty")
    return text


async def _whole(client: Any, call: dict[str, Any]) -> None:
    async with client:
        response = await client.ask(**call)
    print_json(response.to_dict() | {"cost": response.cost})


async def _streamed(client: Any, call: dict[str, Any]) -> None:
    is_in_line = False
    async with client, aclosing(client.stream(**call)) as events:
        async for event in events:
            if event.type == "token":
                say(event.data, end="")
                is_in_line = not event.data.endswith("\n")
            elif event.type == "tool_call_end":
                start = "\n" if is_in_line else ""
                say(f"{start}{event.data.name}({event.data.arguments_json})")
                is_in_line = False
    if is_in_line:
        say("")
