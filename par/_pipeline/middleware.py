"""Middleware: any object with one or more of the three hooks; plain functions become one by a decorator."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias, final, runtime_checkable

import attrs
from attrs import validators

from par._pipeline.handler import ModelHandler, RunHandler, ToolHandler
from par._pipeline.naming import name_of
from par.calls import ModelCall, ModelReply, RunCall, RunResult, ToolCall
from par.outcomes import ToolOutcome

__all__ = [
    "Middleware",
    "Order",
    "WrapsModel",
    "WrapsRun",
    "WrapsTool",
    "wrap_model",
    "wrap_run",
    "wrap_tool",
]


@runtime_checkable
class WrapsRun(Protocol):
    """Has a layer around whole runs."""

    async def wrap_run(self, call: RunCall, call_next: RunHandler, /) -> RunResult[object]: ...


@runtime_checkable
class WrapsModel(Protocol):
    """Has a layer around model calls."""

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply: ...


@runtime_checkable
class WrapsTool(Protocol):
    """Has a layer around tool calls."""

    async def wrap_tool(self, call: ToolCall, call_next: ToolHandler, /) -> ToolOutcome: ...


Middleware: TypeAlias = WrapsRun | WrapsModel | WrapsTool


_classes = validators.deep_iterable(validators.instance_of(type), validators.instance_of(tuple))


@attrs.frozen(kw_only=True)
class Order:
    """Where a middleware must stand, if the others are in the list too.

    Give a middleware class an attribute ``order = Order(outside_of=(RateLimit,))`` and every agent that is
    built checks it. Classes are matched with ``isinstance``.
    """

    outside_of: tuple[type, ...] = attrs.field(default=(), validator=_classes)
    """Those that must come later in the list, nearer to the call."""
    inside_of: tuple[type, ...] = attrs.field(default=(), validator=_classes)
    """Those that must come earlier in the list."""


_RunFunction: TypeAlias = Callable[[RunCall, RunHandler], Awaitable[RunResult[object]]]
_ModelFunction: TypeAlias = Callable[[ModelCall, ModelHandler], Awaitable[ModelReply]]
_ToolFunction: TypeAlias = Callable[[ToolCall, ToolHandler], Awaitable[ToolOutcome]]


def _function_name(function: object) -> str:
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"a middleware is made of an async function (call, call_next), not of {function!r}")
    return name_of(function)


@final
class _RunFunctionMiddleware:
    def __init__(self, function: _RunFunction) -> None:
        self.name = _function_name(function)
        self._function = function

    async def wrap_run(self, call: RunCall, call_next: RunHandler, /) -> RunResult[object]:
        return await self._function(call, call_next)


@final
class _ModelFunctionMiddleware:
    def __init__(self, function: _ModelFunction) -> None:
        self.name = _function_name(function)
        self._function = function

    async def wrap_model(self, call: ModelCall, call_next: ModelHandler, /) -> ModelReply:
        return await self._function(call, call_next)


@final
class _ToolFunctionMiddleware:
    def __init__(self, function: _ToolFunction) -> None:
        self.name = _function_name(function)
        self._function = function

    async def wrap_tool(self, call: ToolCall, call_next: ToolHandler, /) -> ToolOutcome:
        return await self._function(call, call_next)


def wrap_run(function: _RunFunction) -> WrapsRun:
    """Make an async function ``(call, call_next) -> RunResult`` a middleware around whole runs.

    Raises:
        TypeError: for what cannot be called, such as a middleware.
    """
    return _RunFunctionMiddleware(function)


def wrap_model(function: _ModelFunction) -> WrapsModel:
    """Make an async function ``(call, call_next) -> ModelReply`` a middleware around model calls.

    Raises:
        TypeError: for what cannot be called, such as a middleware.
    """
    return _ModelFunctionMiddleware(function)


def wrap_tool(function: _ToolFunction) -> WrapsTool:
    """Make an async function ``(call, call_next) -> ToolOutcome`` a middleware around tool calls.

    Raises:
        TypeError: for what cannot be called, such as a middleware.
    """
    return _ToolFunctionMiddleware(function)
