"""The behaviours of mock models: functions from a request's body to a reply."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from .arithmetic import read_arithmetic, work_out
from .asked import Refused, functions
from .instances import NoInstance, instance
from .options import MockOptions, json_fault


@dataclass(frozen=True, slots=True)
class Turn:
    """One request as a behaviour sees it; `number` counts requests, `draw` its choices.

    The body has been checked: see `asked`.
    """

    body: Mapping[str, Any]
    options: MockOptions
    number: int = 0
    draw: int = 0

    @property
    def messages(self) -> list[Mapping[str, Any]]:
        return list(self.body.get("messages") or ())

    @property
    def prompt(self) -> str:
        """The text of the last user message."""
        asked = [message for message in self.messages if message.get("role") == "user"]
        return _text(asked[-1].get("content")) if asked else ""

    @property
    def results(self) -> list[str]:
        """The tool results that came after the last user message."""
        roles = [message.get("role") for message in self.messages]
        last = len(roles) - roles[::-1].index("user") if "user" in roles else 0
        return [_text(m.get("content")) for m in self.messages[last:] if m.get("role") == "tool"]

    @property
    def tools(self) -> list[Mapping[str, Any]]:
        """The functions that may be called now, according to `tool_choice`."""
        offered, choice = functions(self.body), self.body.get("tool_choice")
        if choice == "none":
            return []
        wanted = choice.get("function") if isinstance(choice, Mapping) else None
        if isinstance(wanted, Mapping):
            return [one for one in offered if one["name"] == wanted.get("name")]
        return offered

    def chance(self) -> float:
        """A number from 0 to 1 that depends only on the seed, the prompt and the draw."""
        key = [self.options.seed, self.body.get("sample"), self.draw, self.prompt]
        digest = hashlib.sha256(json.dumps(key, default=str).encode()).digest()
        return int.from_bytes(digest[:8]) / 2**64


Behaviour: TypeAlias = Callable[[Turn], Mapping[str, Any]]
"""Returns a message in OpenAI's form; a `finish_reason` in it becomes the choice's."""


def echo(turn: Turn) -> Mapping[str, Any]:
    """Repeat the last user message."""
    return _say(turn.prompt)


def calculator(turn: Turn) -> Mapping[str, Any]:
    """Solve the arithmetic in the prompt, with wrong answers to a share of 1 - skill of prompts.

    Calls a tool named `calculate` first, if one is offered.
    """
    expression = read_arithmetic(turn.prompt)
    if expression is None:
        return _say("I see no arithmetic here.")
    offered = [tool for tool in turn.tools if tool["name"] == "calculate"]
    if offered and not turn.results:
        return _call([("calculate", {"expression": expression})])
    value, chance = work_out(expression), turn.chance()
    if chance >= turn.options.skill:
        value += 1 + int(chance * 1e6) % 9
    return _say(f"{expression} = {_number(value)}\n\nANSWER: {_number(value)}")


def json_instance(turn: Turn) -> Mapping[str, Any]:
    """Return an instance of the schema in `response_format`."""
    asked = turn.body.get("response_format") or {}
    if asked.get("type") == "json_object":
        return _say("{}")
    schema = (asked.get("json_schema") or {}).get("schema")
    if schema is None:
        raise Refused("mock/json needs a response_format with a schema", param="response_format")
    try:
        return _say(json.dumps(instance(schema)))
    except NoInstance as error:
        message = f"Invalid schema for response_format: {error}."
        raise Refused(message, param="response_format") from error


def tools(turn: Turn) -> Mapping[str, Any]:
    """Call every offered tool once, with arguments that fit its schema, then answer."""
    if turn.results:
        return _say("The tools said: " + "; ".join(turn.results))
    if not turn.tools:
        return _say("I was offered no tools.")
    return _call([(tool["name"], _arguments(tool)) for tool in turn.tools])


def script(turn: Turn) -> Mapping[str, Any]:
    """Return the caller's answers, one for each request."""
    answers = turn.options.answers
    if callable(answers):
        answer = answers(turn.body)
        if fault := json_fault(answer):
            raise Refused(f"the script's function gave no answer: {fault}")
    elif turn.number < len(answers):
        answer = answers[turn.number]
    else:
        raise Refused(f"the script is over: it had {len(answers)} answers")
    return _say(answer) if isinstance(answer, str) else {"role": "assistant", **answer}


BEHAVIOURS: dict[str, Behaviour] = {
    "calculator": calculator,
    "echo": echo,
    "json": json_instance,
    "script": script,
    "tools": tools,
}


def _say(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def _arguments(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments that fit a tool's schema; always an object, even if the schema omits it."""
    try:
        made = instance({"type": "object", **(tool.get("parameters") or {})})
    except NoInstance as error:
        fault = str(error)
    else:
        if isinstance(made, dict):
            return made
        fault = "its type is not object"
    message = f"Invalid schema for function {tool['name']!r}: {fault}."
    raise Refused(message, param="tools", code="invalid_function_parameters")


def _call(calls: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a message with tool calls, in OpenAI's form."""
    wire = [
        {
            "id": f"call_mock_{position}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for position, (name, arguments) in enumerate(calls)
    ]
    return {"role": "assistant", "content": None, "tool_calls": wire}


def _text(content: Any) -> str:
    """Return the text of a message; a part that is not text is named in brackets."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(
        part["text"] if part["type"] == "text" else f"[{part['type']}]" for part in content
    )


def _number(value: Fraction) -> str:
    if value.denominator == 1 or abs(value) >= 1e15:  # a float has no decimals beyond this
        return str(round(value))
    return str(round(float(value), 6))
