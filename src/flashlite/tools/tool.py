"""A function that a model may call."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import traceback
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from functools import cached_property
from math import inf
from types import MethodType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from ..errors import ConfigError
from ..schema import Arguments, InvalidAnswer, described, strict
from .result import ToolResult
from .threads import in_thread

if TYPE_CHECKING:
    from pydantic import BaseModel

P = ParamSpec("P")
R = TypeVar("R")


class Tool(Generic[P, R]):
    """A function that a model can call; also callable like the function itself.

    The name, the description and the parameters come from the function's name, docstring and
    signature, unless they are given: `parameters` is a JSON schema, or a Pydantic model whose
    fields the function takes. They are read on first use, so types may be defined later in the
    module. `strict` asks the provider to enforce the schema. `timeout` is in seconds.

    A coroutine function runs in the event loop, any other in a thread of its own. To use a method
    as a tool, take it from an instance: `tools=[db.search]`.
    """

    __name__: str

    def __init__(
        self,
        handler: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        parameters: Mapping[str, Any] | type[BaseModel] | None = None,
        strict: bool = False,
        timeout: float | None = None,
    ) -> None:
        if not callable(handler) or isinstance(handler, staticmethod | classmethod):
            raise ConfigError(f"a tool is a function, below @staticmethod; got {handler!r:.80}")
        functools.update_wrapper(self, handler, updated=())
        self.handler = handler
        self.name = _checked_name(_name_of(handler) if name is None else name)
        self.strict = strict
        self.timeout = checked_timeout(timeout)
        self._described, self._given = description, parameters
        self._is_method = False
        self._unbound: Tool[..., R] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function directly, without any checks."""
        return self.handler(*args, **kwargs)

    async def execute(self, /, **arguments: Any) -> ToolResult:
        """Run the function with JSON values as arguments, as a model would pass them; see `run`."""
        return await self.run(arguments)

    async def run(
        self, arguments: Mapping[str, Any], *, limit: float | None = None, call_id: str = ""
    ) -> ToolResult:
        """Check the arguments, run the function and return its result.

        Invalid arguments, any exception of the function, and a passed time limit (the tool's
        `timeout`, else `limit`, in seconds) give a result with an `error`. Cancellation is passed
        on at once; a function in a thread then runs on and its result is dropped.
        """
        takes, limit = self._arguments, limit if self.timeout is None else self.timeout
        clock = asyncio.timeout(limit)
        raised: BaseException
        try:
            args, kwargs = takes.read(arguments)
            async with clock:
                value = await self._call(functools.partial(self.handler, *args, **kwargs))
            return self._result(value, call_id)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raised = error
        except Exception as error:  # noqa: BLE001 - the model reads whatever a tool raises
            raised = error
        is_late = isinstance(raised, TimeoutError) and clock.expired()
        said = f"it took longer than {limit:g} s" if is_late else _told(raised)
        return ToolResult(error=said, exception=raised, name=self.name, call_id=call_id)

    @property
    def description(self) -> str:
        """The description for the model; empty if there is none."""
        if self._described is not None:
            return self._described
        return described(self.handler) or self._arguments.description

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The JSON schema of the arguments."""
        return self._arguments.schema

    def to_openai(self) -> dict[str, Any]:
        """Return the tool in OpenAI's form; raises ConfigError if that is impossible."""
        if self._is_method:
            raise ConfigError(f"{self.name} is a method: take the tool from an instance")
        function: dict[str, Any] = {"name": self.name}
        if self.description:
            function["description"] = self.description
        function["parameters"] = self.parameters
        if self.strict:
            function |= {"parameters": self._strict_parameters(), "strict": True}
        return {"type": "function", "function": function}

    def to_dict(self) -> dict[str, Any]:
        """Return the same as `to_openai`."""
        return self.to_openai()

    def __repr__(self) -> str:
        return f"Tool({self.name!r})"

    def __set_name__(self, owner: type, name: str) -> None:
        # A tool defined elsewhere and only stored in a class is not a method of it.
        own = getattr(self.handler, "__qualname__", None)
        self._is_method = own == f"{owner.__qualname__}.{name}"

    def __get__(self, instance: object, owner: type | None = None) -> Tool[..., R]:
        """Return the tool bound to an instance, like a method."""
        if not self._is_method or instance is None:
            return self
        bound: Tool[..., R] = copy(self)
        bound.handler = MethodType(self.handler, instance)
        bound._is_method, bound._unbound = False, self
        return bound

    @cached_property
    def _arguments(self) -> Arguments:
        if self._unbound is not None:  # all instances share them
            return self._unbound._arguments
        if isinstance(self._given, type):
            return Arguments.of_model(self._given)
        if self._given is not None:
            return Arguments.of_schema(self._given)
        function: Any = self.handler
        return Arguments.of_function(
            functools.partial(function, None) if self._is_method else function
        )

    def _strict_parameters(self) -> dict[str, Any]:
        parameters = strict(self.parameters)
        if parameters is None:
            raise ConfigError(
                f"the parameters of {self.name} have no strict form (free keys, untyped values): "
                "leave strict out"
            )
        return parameters

    async def _call(self, call: Callable[[], Any]) -> Any:
        value = call() if _is_async(self.handler) else await in_thread(call)
        return await value if inspect.isawaitable(value) else value

    def _result(self, value: Any, call_id: str) -> ToolResult:
        if isinstance(value, ToolResult):
            return replace(value, name=self.name, call_id=call_id)
        return ToolResult(content=value, name=self.name, call_id=call_id)


@overload
def tool(
    function: Callable[P, R],
    *,
    name: str | None = ...,
    description: str | None = ...,
    strict: bool = ...,
    timeout: float | None = ...,
) -> Tool[P, R]: ...


@overload
def tool(
    function: None = None,
    *,
    name: str | None = ...,
    description: str | None = ...,
    strict: bool = ...,
    timeout: float | None = ...,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Turn a function into a `Tool`; a decorator, with or without options."""
    if function is None:
        return functools.partial(Tool, **options)
    return Tool(function, **options)


sync_tool = tool_from_function = tool


def tool_from_pydantic(
    model: type[BaseModel],
    handler: Callable[P, R],
    *,
    name: str | None = None,
    description: str | None = None,
    strict: bool = False,
    timeout: float | None = None,
) -> Tool[P, R]:
    """Turn a function into a `Tool` whose parameters are the fields of a Pydantic model.

    The function gets the fields as keyword arguments. If it has no docstring, the description is
    the model's docstring.
    """
    return Tool(
        handler,
        name=name,
        description=description,
        parameters=model,
        strict=strict,
        timeout=timeout,
    )


def checked_timeout(seconds: float | None) -> float | None:
    """Return a time limit, or raise ConfigError if it is invalid."""
    if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds < inf):
        raise ConfigError(f"a timeout is a positive number of seconds or None; got {seconds!r:.80}")
    return seconds


def _name_of(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"a tool's name has letters, digits, _ and -, at most 64: name=...; got {name!r:.80}"
        )
    return name


# Source: `FunctionObject.name` in https://github.com/openai/openai-openapi; others accept as much.
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object whose __call__ is a coroutine
    )


def _told(error: BaseException) -> str:
    """Return what was raised as a sentence for the model."""
    if isinstance(error, InvalidAnswer):
        return f"the arguments do not fit:\n{error}"
    if isinstance(error, asyncio.CancelledError):
        return "it was cancelled from inside"
    if isinstance(error, ConfigError):  # its text is a sentence already
        return str(error)
    return "".join(traceback.format_exception_only(error)).strip()
