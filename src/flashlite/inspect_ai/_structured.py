"""A JSON schema as a type, so that the engine can check answers by it and ask again."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from inspect_ai.model import ResponseSchema


def type_of(wanted: ResponseSchema) -> type[Any]:
    """Return a type that validates against the schema."""
    schema = wanted.json_schema.model_dump(exclude_none=True)
    return _made(json.dumps(schema, sort_keys=True), wanted.name, wanted.description)


@lru_cache(maxsize=64)
def _made(text: str, name: str, description: str | None) -> type[Any]:
    from jsonschema.validators import validator_for  # type: ignore[import-untyped]
    from pydantic_core import PydanticCustomError, core_schema

    schema = json.loads(text)
    validator = validator_for(schema)(schema)

    def check(value: Any) -> Any:
        for error in validator.iter_errors(value):
            # The model reads the path and the message when it is asked again.
            place = error.json_path.removeprefix("$").removeprefix(".")
            said = f"{place}: {error.message}" if place else error.message
            raise PydanticCustomError("schema", "{said}", {"said": said})
        return value

    def core(_source: Any, _handler: Any) -> Any:
        return core_schema.no_info_plain_validator_function(check)

    def described(_core: Any, _handler: Any) -> dict[str, Any]:
        told = {"description": description} if description else {}
        return {**json.loads(text), **told}

    hooks = {
        "__get_pydantic_core_schema__": staticmethod(core),
        "__get_pydantic_json_schema__": staticmethod(described),
        "__doc__": description,
    }
    return type(name, (), hooks)
