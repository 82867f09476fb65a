"""Turning types into what a model is asked for, with pydantic."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, is_dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .strictness import at_root, strict

if TYPE_CHECKING:
    from pydantic import TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema


def schema_of(model: type[Any]) -> dict[str, Any]:
    """Return the JSON schema of a Pydantic model or of anything else that pydantic validates.

    It is pydantic's schema, without titles that only repeat a field's name. Raises ConfigError for
    types that pydantic cannot validate or JSON cannot express.
    """
    return deepcopy(shape_of(model).schema)


def response_format_for(model: type[Any]) -> dict[str, Any]:
    """Return the `response_format` that asks for this type, in strict form if there is one.

    A type that is not an object (a list, a union) is asked for as the `value` of one, because
    providers accept only objects; `validate` unwraps it.
    """
    return deepcopy(shape_of(model).response_format)


def instruction_for(model: type[Any]) -> str:
    """Return the instruction to answer with this type, for a model that takes no schema."""
    return shape_of(model).instruction


def in_words(schema: Mapping[str, Any]) -> str:
    """Return the instruction to follow a schema that the provider does not enforce."""
    return (
        "Your answer has to be one JSON object that fits this JSON schema, with nothing before or "
        f"after it:\n{json.dumps(schema, ensure_ascii=False)}"
    )


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model is asked for; `inside` reads a type that is wrapped as an object's `value`."""

    adapter: TypeAdapter[Any]
    inside: TypeAdapter[Any] | None
    schema: dict[str, Any]
    response_format: dict[str, Any]
    instruction: str

    @property
    def is_wrapped(self) -> bool:
        return self.inside is not None

    def read(self, text: str) -> Any:
        """Return the instance in a JSON text; raises pydantic's ValidationError."""
        from pydantic import ValidationError

        if self.inside is None:
            return self.adapter.validate_json(text)
        try:
            return self.inside.validate_json(text).value
        except ValidationError as error:
            try:
                return self.adapter.validate_json(text)
            except ValidationError:
                raise error from None


def shape_of(model: Any) -> Shape:
    """Return the shape of a type, which is computed once."""
    try:
        hash(model)
    except TypeError:  # such as Annotated with a list
        return _shape(model)
    # int | str is equal to str | int, but their schemas differ in order.
    return _kept(model, "" if isinstance(model, type) else repr(model))


def adapter_of(kind: Any, what: str) -> TypeAdapter[Any]:
    """Return pydantic's adapter of a type; `what` names it in the ConfigError if it is invalid."""
    from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter

    if isinstance(kind, Mapping):
        raise ConfigError(
            f"{what} is a class: got a dict; pass the class itself, or pass a JSON schema as "
            "response_format={...}"
        )
    if is_dataclass(type(kind)) or hasattr(type(kind), "__pydantic_fields__"):
        name = type(kind).__name__
        raise ConfigError(f"{what} is a class: got an instance of {name}; pass {name}")
    try:
        return TypeAdapter(kind)
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        raise _wrong(what, kind, error) from error


@cache
def generator() -> type[GenerateJsonSchema]:
    """Return pydantic's schema generator, without generated titles."""
    from pydantic.json_schema import GenerateJsonSchema

    class Untitled(GenerateJsonSchema):
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

        def field_title_should_be_set(self, schema: Any) -> bool:
            return False

    return Untitled


def _shape(model: Any) -> Shape:
    adapter = adapter_of(model, "response_model")
    schema = asked = _schema(adapter, model)
    inside = None
    if at_root(schema).get("type") != "object":
        inside = adapter_of(_wrapper(model), "response_model")
        asked = _schema(inside, model)
    asked = at_root(asked)
    strictly = strict(asked)
    wanted = {
        "name": _name(model),
        "schema": asked if strictly is None else strictly,
        "strict": strictly is not None,
    }
    form = {"type": "json_schema", "json_schema": wanted}
    return Shape(adapter, inside, schema, form, in_words(asked))


@lru_cache(maxsize=256)
def _kept(model: Any, _order: str) -> Shape:
    return _shape(model)


def _schema(adapter: TypeAdapter[Any], model: Any) -> dict[str, Any]:
    from pydantic import PydanticUserError

    try:
        return adapter.json_schema(schema_generator=generator())
    except PydanticUserError as error:
        raise _wrong("response_model", model, error) from error


def _wrapper(model: Any) -> Any:
    from pydantic import ConfigDict, create_model

    return create_model("answer", __config__=ConfigDict(extra="forbid"), value=(model, ...))


def _name(model: Any) -> str:
    """Return a name for the type that providers accept."""
    name = model.__name__ if isinstance(model, type) else "answer"
    return re.sub(r"[^a-zA-Z0-9_-]+", "_", name).strip("_")[:64] or "answer"


def _wrong(what: str, kind: Any, error: Exception) -> ConfigError:
    reason = str(error).partition("\n")[0]
    return ConfigError(f"{what} is a type that pydantic can validate; got {kind!r:.80}: {reason}")
