"""The arguments of a tool: a schema for the model, and reading what it wrote."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import ConfigError
from .answers import MOST_PROBLEMS, InvalidAnswer, complaint
from .functions import arguments_type, parameters_of
from .shapes import adapter_of, schema_of
from .strictness import at_root

if TYPE_CHECKING:
    from pydantic import BaseModel, TypeAdapter

Call: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]
"""The arguments of a call: `function(*args, **kwargs)`."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a tool.

    `read` turns JSON values into the arguments of the function: a parameter whose type is a model,
    an enum or a `Path` gets an instance. It raises InvalidAnswer, whose message is for the model.
    `description` is the docstring of a Pydantic model.
    """

    schema: Mapping[str, Any]
    read: Callable[[Mapping[str, Any]], Call]
    description: str = ""

    @classmethod
    def of_function(cls, function: Callable[..., Any]) -> Arguments:
        """Read types, defaults and descriptions from a function; raises ConfigError if invalid."""
        _, schema = parameters_of(function)
        adapter = adapter_of(arguments_type(function), f"a parameter of {function!r:.80}")
        signature = inspect.signature(function)

        def read(given: Mapping[str, Any]) -> Call:
            bound = signature.bind_partial()
            bound.arguments |= _validated(adapter, given)
            bound.apply_defaults()
            return bound.args, bound.kwargs

        return cls(schema, read)

    @classmethod
    def of_model(cls, model: type[BaseModel]) -> Arguments:
        """Read a Pydantic model, whose fields are the parameters; raises ConfigError if invalid."""
        adapter = adapter_of(model, "parameters")
        schema = at_root(schema_of(model))
        if schema.get("type") != "object":
            raise ConfigError(f"parameters is a model with fields; got {model!r:.80}")
        schema.pop("title", None)
        description = schema.pop("description", "")

        def read(given: Mapping[str, Any]) -> Call:
            return (), dict(_validated(adapter, given))

        return cls(schema, read, description)

    @classmethod
    def of_schema(cls, schema: Mapping[str, Any]) -> Arguments:
        """Read a JSON schema, whose values are passed unchanged; raises ConfigError if invalid."""
        from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]
        from referencing.jsonschema import EMPTY_REGISTRY

        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ConfigError(f"parameters is no JSON schema: {error.message}") from error
        validator = Draft202012Validator(schema, registry=EMPTY_REGISTRY)

        def read(given: Mapping[str, Any]) -> Call:
            if lines := [_line(error) for error in validator.iter_errors(given)]:
                raise InvalidAnswer("\n".join(lines[:MOST_PROBLEMS]))
            return (), dict(given)

        return cls(schema, read)


def _validated(adapter: TypeAdapter[Any], given: Mapping[str, Any]) -> Any:
    """Validate as JSON: from Python values, a strict model would not read a date or an enum."""
    from pydantic import ValidationError
    from pydantic_core import PydanticSerializationError, to_json

    try:
        return adapter.validate_json(to_json(given, inf_nan_mode="constants"))
    except PydanticSerializationError as error:  # half an emoji, or nested too deeply
        raise InvalidAnswer(f"the arguments cannot be read: {error}") from error
    except ValidationError as error:
        raise InvalidAnswer(complaint(error, whole="the arguments")) from error


def _line(error: Any) -> str:
    path = error.json_path.removeprefix("$").removeprefix(".") or "the arguments"
    return f"{path}: {error.message[:200]}"
