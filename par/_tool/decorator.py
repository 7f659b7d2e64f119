"""``@tool``: make a function a tool."""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isasyncgenfunction, iscoroutinefunction, isfunction, isgeneratorfunction, ismethod, unwrap
from math import isfinite
from typing import Concatenate, ParamSpec, Protocol, cast, get_args, overload

from typing_extensions import TypeVar

from par._context import RunContext
from par._shape.read import json_schema
from par._tool.function import Function
from par._tool.signature import read_signature
from par._tool.tool import SyncPolicy, Tool
from par.calls import Effect, OnUnknown, ToolSpec
from par.errors import ToolDefinitionError

__all__ = ["tool"]

D = TypeVar("D")
P = ParamSpec("P")
R = TypeVar("R")

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")


class ToolDecorator(Protocol):
    """What ``tool(...)`` returns."""

    @overload
    def __call__(self, function: Callable[Concatenate[RunContext[D], P], Awaitable[R]], /) -> Tool[D, P, R]: ...
    @overload
    def __call__(self, function: Callable[P, Awaitable[R]], /) -> Tool[object, P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[RunContext[D], P], R], /) -> Tool[D, P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Tool[object, P, R]: ...


@overload
def tool(function: Callable[Concatenate[RunContext[D], P], Awaitable[R]], /) -> Tool[D, P, R]: ...
@overload
def tool(function: Callable[P, Awaitable[R]], /) -> Tool[object, P, R]: ...
@overload
def tool(function: Callable[Concatenate[RunContext[D], P], R], /) -> Tool[D, P, R]: ...
@overload
def tool(function: Callable[P, R], /) -> Tool[object, P, R]: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = "once",
    timeout: float | None = None,
    sync: SyncPolicy = "thread",
    sees_pii: bool = False,
    on_unknown: OnUnknown | None = None,
    strict: bool | None = None,
) -> ToolDecorator: ...
def tool(  # noqa: PLR0913 # one option for each thing that a tool can say of itself; all have defaults
    function: object = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    effect: Effect = "once",
    timeout: float | None = None,
    sync: SyncPolicy = "thread",
    sees_pii: bool = False,
    on_unknown: OnUnknown | None = None,
    strict: bool | None = None,
) -> object:
    """Make a function a tool: its signature and docstring become the JSON Schema that the model is given.

    Functions, bound methods and static methods can be tools; a method is decorated where it is bound,
    ``tool(service.search)``. The first parameter may be a ``RunContext``; the model fills the others. The first paragraph of the
    docstring describes the tool, its ``Args:`` section the parameters.

    Args:
        function: the function, when the decorator is used without parentheses.
        name: what the model calls it; the function's own name by default.
        description: what the model is told instead of the docstring.
        effect: ``"read"`` changes nothing, ``"idempotent"`` may be repeated, ``"once"`` (the default) must not
            be. Retries and resumption obey it.
        timeout: seconds for one call, from argument checking to the result; none by default.
        sync: how a plain ``def`` runs. ``"thread"``: in a worker thread, and a cancelled run waits for it.
            ``"process"``: in a process that is killed on cancellation; needs a function at the top of a module
            and no ``RunContext``. ``"abandon"``: in a thread that a cancelled run leaves behind; the outcome is
            then ``Unknown``.
        sees_pii: whether ``PiiMask`` gives this tool the real values instead of surrogates.
        on_unknown: what a resumed session does about a call that was at work when its process died.
            ``"retry"``: makes it again with the same key; the default, and the only way, for what may be repeated.
            ``"surface"``, the default for ``effect="once"``: tells the model that it may or may not have happened.
            ``"fail"``: ends the turn with ``UnknownEffect``. A function that finds out is attached by ``Tool.probe``.
        strict: whether the provider shall hold the model to the schema while it writes, where it can; it then
            wants a schema in which every parameter is required. Left to the provider by default.

    Raises:
        ToolDefinitionError: if a model could not call the function.
    """

    def decorate(candidate: object) -> Tool[object, [], object]:
        candidate = cast("object", candidate.__func__) if isinstance(candidate, staticmethod) else candidate
        called = str(getattr(candidate, "__name__", type(candidate).__name__)) if name is None else name
        _check_function(candidate, called)
        target = cast("Function", candidate)  # as checked
        _check_name(called)
        _check_options(target, called, effect=effect, timeout=timeout, sync=sync)
        signature = read_signature(target, called)
        if sync == "process" and signature.takes_context:
            raise ToolDefinitionError(
                called, 'a RunContext cannot go into another process: leave it out or use sync="thread"'
            )
        spec = ToolSpec(
            name=called,
            description=signature.description if description is None else description,
            parameters=json_schema(signature.parameters),
            effect=effect,
            sees_pii=sees_pii,
            timeout_s=timeout,
            abandons=sync == "abandon" and not iscoroutinefunction(target),
            on_unknown=_on_unknown(called, effect, on_unknown),
            strict=strict,
        )
        return Tool[object, [], object](target, signature, spec, sync=sync)

    return decorate if function is None else decorate(function)


def _check_function(target: object, name: str) -> None:
    if not isfunction(target) and not ismethod(target):
        raise ToolDefinitionError(name, f"{_what(target)} is not a function: {_instead(target)}")
    if target.__name__ == "<lambda>":
        raise ToolDefinitionError(name, "a lambda has neither types nor a docstring: write a def")
    if isgeneratorfunction(target) or isasyncgenfunction(target):
        raise ToolDefinitionError(
            name, "a generator has no one result: return a value, and tell progress by ctx.progress"
        )
    if iscoroutinefunction(unwrap(target)) and not iscoroutinefunction(target):
        raise ToolDefinitionError(
            name, "a plain wrapper stands around an async function: make the wrapper async def, and await in it"
        )


def _what(target: object) -> str:
    return f"the class {target.__name__}" if isinstance(target, type) else f"a value of type {type(target).__name__}"


def _instead(target: object) -> str:
    if isinstance(target, type):
        return "pass a function that makes and returns one"
    if isinstance(target, partial):
        return "write a def with the remaining parameters"
    if callable(target):
        return "pass its method, tool(name=...)(value.method), or write a def around it"
    return "pass a def or an async def"


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ToolDefinitionError(
            str(name), "a name has 1 to 64 letters, digits, _ or -, and begins with a letter or _"
        )


def _check_options(target: Function, name: str, *, effect: object, timeout: object, sync: object) -> None:
    if effect not in get_args(Effect):
        raise ToolDefinitionError(name, f"effect is one of {', '.join(get_args(Effect))}, not {effect!r}")
    if sync not in get_args(SyncPolicy):
        raise ToolDefinitionError(name, f"sync is one of {', '.join(get_args(SyncPolicy))}, not {sync!r}")
    if timeout is not None and not _is_time(timeout):
        raise ToolDefinitionError(name, f"timeout is seconds greater than 0, not {timeout!r}")
    if iscoroutinefunction(target):
        if sync != "thread":
            raise ToolDefinitionError(name, f"sync={sync!r} is for plain functions, and this one is async")
    elif sync == "process" and (hasattr(target, "__self__") or "<locals>" in target.__qualname__):
        raise ToolDefinitionError(name, 'sync="process" needs a function at the top of a module')


def _on_unknown(name: str, effect: Effect, wanted: OnUnknown | None) -> OnUnknown:
    usual: OnUnknown = "surface" if effect == "once" else "retry"
    allowed = ("surface", "fail") if effect == "once" else ("retry",)
    if wanted is not None and wanted not in allowed:
        also = '; attach a function with Tool.probe, or say effect="idempotent"' if effect == "once" else ""
        raise ToolDefinitionError(
            name, f"on_unknown is one of {', '.join(allowed)} with effect={effect!r}, not {wanted!r}{also}"
        )
    return wanted or usual


def _is_time(timeout: object) -> bool:
    return isinstance(timeout, (int, float)) and not isinstance(timeout, bool) and isfinite(timeout) and timeout > 0
