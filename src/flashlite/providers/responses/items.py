"""Converting messages to the items of the Responses API.

System and developer messages keep their place and role. An answer of this API is sent back in its
original order: its text and the items of the provider's own tools from `content`, the calls from
`tool_calls`, and the reasoning in between from `thinking_blocks`, which also has marks of messages
(see `answers.py`). Blocks of other providers are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...types import Message, Role

Item = Mapping[str, Any]


def input_items(messages: Sequence[Message], *, stored: bool) -> list[Item]:
    """Return the items; messages and reasoning have ids only if the provider `stored` them."""
    custom = [
        part.get("call_id")
        for message in messages
        for part in _parts(message)
        if part.get("type") == "custom_tool_call"
    ]
    items: list[Item] = []
    for message in messages:
        if message.role is Role.ASSISTANT:
            items += _answer(message, stored=stored)
        elif message.role is Role.TOOL:
            items.append(_result(message, is_custom=message.tool_call_id in custom))
        else:
            items.append({"role": message.role.value, "content": _content(message.content)})
    return items


def _parts(message: Message) -> Sequence[Mapping[str, Any]]:
    content = message.content
    return () if content is None or isinstance(content, str) else content


def _content(content: Any) -> Any:
    if content is None or isinstance(content, str):
        return content or ""
    return [_part(part) for part in content]


def _part(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Convert a part of the chat API; any other is taken to be in this API's form already."""
    match part:
        case {"type": "text", "text": text}:
            return {"type": "input_text", "text": text}
        case {"type": "image_url", "image_url": {"url": url, **rest}}:
            return {"type": "input_image", "image_url": url, "detail": rest.get("detail", "auto")}
        case {"type": "file", "file": Mapping() as file}:
            return {"type": "input_file"} | dict(file)
        case _:
            return part


def _result(message: Message, *, is_custom: bool) -> Item:
    return {
        "type": "custom_tool_call_output" if is_custom else "function_call_output",
        "call_id": message.tool_call_id,
        "output": _content(message.content),
    }


def _answer(message: Message, *, stored: bool) -> list[Item]:
    """Return an answer's items without trailing reasoning, which the API refuses."""
    blocks = message.get("thinking_blocks") or ()
    marks = [
        block for block in blocks if block.get("type") == "message" and _place(block, "length")
    ]
    items = [
        *_message_items(message, _fitting(marks, message.text), stored=stored),
        *_calls(message),
    ]
    if not items:
        return []
    thoughts = [block for block in blocks if block.get("type") == "reasoning"]
    for order, thought in enumerate(thoughts):
        items.insert(min(_place(thought, "output_index", order), len(items) - 1), thought)
    sent = (_thought(item, stored=stored) if item in thoughts else item for item in items)
    return [item for item in sent if item is not None]


def _place(block: Item, name: str, otherwise: int = 0) -> int:
    """Return a number from a block, or the default: foreign histories may have anything there."""
    number = block.get(name)
    return number if isinstance(number, int) and number >= 0 else otherwise


def _fitting(marks: list[Item], text: str) -> list[Item]:
    """Return the marks if they still fit the text, else only the last phase.

    A mark has the number of characters that a message contributed to the text.
    """
    if sum(mark["length"] for mark in marks) == len(text) or not marks:
        return marks
    return [{"phase": marks[-1].get("phase"), "length": len(text)}]


def _message_items(message: Message, marks: list[Item], *, stored: bool) -> Iterator[Item]:
    content = message.content
    left = iter(marks)
    for part in [{"type": "text", "text": content}] if isinstance(content, str) else content or ():
        if part.get("type") == "text":
            yield from _texts(part.get("text") or "", left, stored=stored)
        elif part.get("type") == "refusal":
            yield _message(part, {}, stored=stored)
        elif _OWN.search(kind := str(part.get("type"))):
            yield from (_STORED if stored else _STATELESS).get(kind, _same)(part)
    if refused := message.get("refusal"):
        yield _message({"type": "refusal", "refusal": refused}, {}, stored=stored)


# The item types of this API; any other part of an answer is another provider's.
_OWN = re.compile("_call$|_call_output$|^mcp_|^tool_search_|^compaction$|^program")


def _texts(text: str, marks: Iterator[Item], *, stored: bool) -> Iterator[Item]:
    while text:
        mark = next(marks, {})
        length = mark.get("length") or len(text)
        part = {"type": "output_text", "text": text[:length], "annotations": []}
        yield _message(part, mark, stored=stored)
        text = text[length:]


def _message(part: Item, mark: Item, *, stored: bool) -> Item:
    known = {"id": mark.get("id") if stored else None, "phase": mark.get("phase")}
    item = {"type": "message", "role": "assistant", "status": "completed", "content": [part]}
    return item | {name: value for name, value in known.items() if value}


def _calls(message: Message) -> Iterable[Item]:
    for call in message.tool_calls or ():
        yield {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments_json or "{}",
        }


def _thought(block: Item, *, stored: bool) -> Item | None:
    """Return reasoning in the form to send back, or None if the provider could not use it.

    Unstored reasoning is identified by its encrypted content, and looking up its id would fail;
    servers of open models send the plain text instead.
    """
    wanted = ("type", "id", "summary", "encrypted_content") if stored else _UNSTORED
    if not stored and not block.get("encrypted_content"):
        wanted = ("type", "summary", "content")
        if not block.get("content"):
            return None
    kept = {name: block[name] for name in wanted if block.get(name) is not None}
    return {"summary": [], **kept}


_UNSTORED = ("type", "summary", "encrypted_content")


def _same(part: Item) -> Iterable[Item]:
    yield part


def _known_image(part: Item) -> Iterable[Item]:
    """Yield an image call without the fields that the API refuses (`action`, `size`, ...)."""
    yield {name: part.get(name) for name in ("type", "id", "status", "result")}


def _image(part: Item) -> Iterable[Item]:
    """Yield an unstored generated image as an input image."""
    if result := part.get("result"):
        url = f"data:image/{part.get('output_format') or 'png'};base64,{result}"
        shown = {"type": "input_image", "image_url": url, "detail": "auto"}
        yield {"role": "user", "content": [shown]}


def _code(part: Item) -> Iterable[Item]:
    """Yield unstored code that the model ran as text, because the API refuses the item."""
    outputs = part.get("outputs")
    given = outputs if isinstance(outputs, list) else ()
    told = [part.get("code"), *(out.get("logs") for out in given if isinstance(out, Mapping))]
    text = "\n\n".join(["code_interpreter:", *(t for t in told if isinstance(t, str))])
    shown = {"type": "output_text", "text": text, "annotations": []}
    yield _message(shown, {}, stored=False)


_STORED = {"image_generation_call": _known_image}
_STATELESS = {"image_generation_call": _image, "code_interpreter_call": _code}
