"""Deriving the schema of a function's parameters."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, get_type_hints

from ..errors import ConfigError
from .docstrings import read_docstring
from .shapes import adapter_of, generator

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_SPREAD = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def parameters_of(function: Callable[..., Any]) -> tuple[str, dict[str, Any]]:
    """Return the description of a function and the JSON schema of its parameters, for a tool.

    Types, constraints and defaults come from the signature; descriptions come from `Field`, from a
    text in `Annotated`, or from the docstring. `*args` and `**kwargs` are left out, because a model
    cannot know what they take, and so are arguments set by a `functools.partial`. Raises
    ConfigError for a type that pydantic cannot validate.
    """
    inner = _inner(function)
    description, told = read_docstring(inspect.getdoc(inner) or "")
    parameters = _parameters(function)
    hints = _hints(inner, parameters)
    schemas, definitions = _schemas(_name(inner), {name: hints[name] for name in parameters})
    properties, required = dict[str, Any](), list[str]()
    for name, parameter in parameters.items():
        text = next(_texts(hints[name]), None) or told.get(name)
        properties[name] = ({"description": text} if text else {}) | schemas[name]
        properties[name] |= _default(parameter)
        if _is_required(parameter):
            required.append(name)
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    return description, schema | definitions


def described(function: Callable[..., Any]) -> str:
    """Return the description in a function's docstring, empty if there is none."""
    return read_docstring(inspect.getdoc(_inner(function)) or "")[0]


def arguments_type(function: Callable[..., Any]) -> Any:
    """Return the parameters of a function as a TypedDict, for pydantic to read arguments."""
    from pydantic import ConfigDict
    from typing_extensions import TypedDict  # before Python 3.12, pydantic takes no other

    parameters = _parameters(function)
    hints = _hints(_inner(function), parameters)
    keys = {
        name: hints[name] if _is_required(parameter) else NotRequired[hints[name]]
        for name, parameter in parameters.items()
    }
    make: Any = TypedDict  # type checkers accept only a literal call
    kind = make("arguments", keys)
    kind.__pydantic_config__ = ConfigDict(extra="forbid")
    return kind


def _inner(function: Any) -> Callable[..., Any]:
    """Return the function that has the annotations and the docstring."""
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function):
        function = type(function).__call__
    inner: Callable[..., Any] = inspect.unwrap(function)
    return inner


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    filled = function.keywords if isinstance(function, functools.partial) else {}
    return {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind not in _SPREAD and name not in filled
    }


def _hints(
    inner: Callable[..., Any], parameters: Mapping[str, inspect.Parameter]
) -> dict[str, Any]:
    """Return the types of these parameters, without evaluating other annotations."""
    from pydantic.fields import FieldInfo

    annotations = {
        name: Any if parameter.annotation is parameter.empty else parameter.annotation
        for name, parameter in parameters.items()
    }
    holder = SimpleNamespace(__annotations__=annotations)
    try:
        hints = get_type_hints(
            holder, globalns=getattr(inner, "__globals__", {}), include_extras=True
        )
    except NameError as error:
        raise ConfigError(
            f"a parameter of {_name(inner)} has a type that is not there ({error}): "
            "import or define it at the top of the module"
        ) from error
    for name, parameter in parameters.items():
        if isinstance(parameter.default, FieldInfo):
            hints[name] = Annotated[hints[name], parameter.default]
    return hints


def _schemas(
    function: str, hints: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return the schema of each parameter, and the definitions they share."""
    from pydantic import PydanticUserError, TypeAdapter

    adapters: list[tuple[str, Any, TypeAdapter[Any]]] = [
        (name, "validation", adapter_of(hint, f"the parameter {name!r} of {function}"))
        for name, hint in hints.items()
    ]
    try:
        schemas, definitions = TypeAdapter.json_schemas(adapters, schema_generator=generator())
    except PydanticUserError as error:
        raise ConfigError(f"a parameter of {function} cannot be said in JSON: {error}") from error
    return {name: schema for (name, _), schema in schemas.items()}, definitions


def _texts(hint: Any) -> Iterator[str]:
    yield from (note for note in getattr(hint, "__metadata__", ()) if isinstance(note, str))


def _is_required(parameter: inspect.Parameter) -> bool:
    from pydantic.fields import FieldInfo

    default = parameter.default
    return default.is_required() if isinstance(default, FieldInfo) else default is parameter.empty


def _default(parameter: inspect.Parameter) -> dict[str, Any]:
    """Return the default as JSON; one that is not JSON (a marker, a connection) is left out."""
    from pydantic.fields import FieldInfo
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    if parameter.default is parameter.empty or isinstance(parameter.default, FieldInfo):
        return {}
    try:
        return {"default": to_jsonable_python(parameter.default)}
    except PydanticSerializationError:
        return {}


def _name(function: Callable[..., Any]) -> str:
    return f"{getattr(function, '__qualname__', function)}()"
