"""A tool: a typed function, what the model is told of it, and how one call of it becomes an outcome."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from inspect import iscoroutinefunction
from typing import Concatenate, Generic, Literal, ParamSpec, Protocol, TypeAlias, cast, final

import anyio
import anyio.to_thread
import attrs
from typing_extensions import TypeVar

from par._context import RunContext
from par._json import JsonObject
from par._shape.shape import MAX_PROBLEMS
from par._tool.function import Function
from par._tool.process import run_in_process
from par._tool.signature import Signature
from par.calls import ToolCall, ToolPort, ToolSpec
from par.errors import CommandRefused, InvalidArguments, MissingDeps, StoreError, ToolDefinitionError, ToolFailed
from par.outcomes import Cancelled, Done, Failed, Handoff, NeedsApproval, TimedOut, ToolOutcome, Unknown

__all__ = ["AgentTool", "SyncPolicy", "Tool"]

D_contra = TypeVar("D_contra", contravariant=True)
P = ParamSpec("P")
R = TypeVar("R")

SyncPolicy: TypeAlias = Literal["thread", "process", "abandon"]
_OUTCOMES = (Done, Failed, TimedOut, Cancelled, Unknown, Handoff, NeedsApproval)


class _Body(Protocol):
    async def __call__(self, ctx: RunContext[object], /, **arguments: object) -> object: ...


class _Probe(Protocol):
    def __call__(self, ctx: RunContext[object], /, **arguments: object) -> Awaitable[object]: ...


class _Layer(Protocol):
    def __call__(self, ctx: RunContext[object], call_next: "_Next", /, **arguments: object) -> Awaitable[object]: ...


@attrs.frozen
class _Next:
    """The rest of one call of a tool, taking the tool's parameters by place or by name as the function does."""

    body: _Body
    ctx: RunContext[object]
    tool: str
    positional: tuple[str, ...]

    def __call__(self, *args: object, **arguments: object) -> Awaitable[object]:
        names = self.positional[: len(args)]
        twice = [name for name in names if name in arguments]
        if len(args) > len(names) or twice:
            raise TypeError(f"call_next of {self.tool} takes ({', '.join(self.positional)}), each once")
        return self.body(self.ctx, **dict(zip(names, args, strict=True)), **arguments)


class AgentTool(ToolPort, Protocol[D_contra]):
    """What an agent takes as a tool, whatever its parameters are."""

    def check_deps(self, deps: D_contra, /) -> None:
        """Raise ``MissingDeps`` if a run with these deps could not call the tool."""
        ...


@final
class Tool(Generic[D_contra, P, R]):
    """What ``@tool`` makes of a function. ``function`` is the function itself, for tests."""

    def __init__(
        self,
        function: Function,
        signature: Signature,
        spec: ToolSpec,
        *,
        sync: SyncPolicy,
    ) -> None:
        self.function = function
        self.spec = spec
        self._signature = signature
        self._sync: SyncPolicy | None = None if iscoroutinefunction(function) else sync
        self._layers: list[_Layer] = []
        self._probe: _Probe | None = None
        self._body: _Body | None = None

    def __repr__(self) -> str:
        return f"<tool {self.spec.name}>"

    @property
    def sync(self) -> SyncPolicy | None:
        """How a sync function is run; ``None`` for an async one."""
        return self._sync

    # --- the definition --------------------------------------------------------------------------------

    def middleware(
        self, layer: Callable[Concatenate[RunContext[D_contra], Callable[P, Awaitable[R]], P], Awaitable[R]]
    ) -> Callable[Concatenate[RunContext[D_contra], Callable[P, Awaitable[R]], P], Awaitable[R]]:
        """Put a layer around this tool alone, typed to its arguments and its result.

        The layer is an async function ``(ctx, call_next, *the tool's parameters) -> the tool's result``. The
        first one attached is outermost. All of them run inside the agent's own middleware.

        Raises:
            ToolDefinitionError: once the tool has been called.
        """
        if self._body is not None:
            raise ToolDefinitionError(self.spec.name, "a layer was attached after the first call")
        if not iscoroutinefunction(layer):
            raise ToolDefinitionError(
                self.spec.name, "a layer is an async function (ctx, call_next, *the tool's parameters) -> result"
            )
        self._layers.append(cast("_Layer", layer))  # typed by the signature above
        return layer

    def probe(
        self, find: Callable[Concatenate[RunContext[D_contra], P], Awaitable[Done[R] | None]]
    ) -> Callable[Concatenate[RunContext[D_contra], P], Awaitable[Done[R] | None]]:
        """Say how to find out whether a call had its effect, for a session that resumes where its process died.

        The function is async, ``(ctx, *the tool's parameters) -> Done(result)`` if the call had its effect, ``None`` if it
        had not: it is then made, with the same key, unless the process that was at it may be alive after all (its lease
        has run out, and it is not known to be dead): then the model is told ``Unknown``. ``ctx.idempotency_key`` is the key
        that the call had. What the probe raises means that it cannot be told, and the model is told so.

        Raises:
            ToolDefinitionError: for a tool that may be repeated anyway, or that has a probe or ``on_unknown``.
        """
        name = self.spec.name
        if self.spec.on_unknown != "surface":
            raise ToolDefinitionError(name, f'a probe is for effect="once", and on_unknown is {self.spec.on_unknown!r}')
        if not iscoroutinefunction(find):
            raise ToolDefinitionError(
                name, "a probe is an async function (ctx, *the tool's parameters) -> Done or None"
            )
        self._probe = cast("_Probe", find)  # typed by the signature above
        self.spec = attrs.evolve(self.spec, on_unknown="probe")
        return find

    def check_deps(self, deps: D_contra, /) -> None:
        """Raise ``MissingDeps`` if the function declares a type for its deps and there are none."""
        needed = self._signature.deps_type
        if deps is None and needed is not None:
            raise MissingDeps(self.spec.name, needed.__name__)

    # --- what layers ask -------------------------------------------------------------------------------

    def problems(self, arguments: JsonObject, /) -> tuple[str, ...]:
        """Say what is wrong with the arguments, one sentence each, five at most; nothing: they fit."""
        found: list[str] = []
        self._signature.parameters.structure(arguments, "", found)
        return tuple(found[:MAX_PROBLEMS])

    def relaxed(self, arguments: JsonObject, /) -> JsonObject:
        """Return the arguments with the slips mended that have one meaning (``"5"`` for 5)."""
        relaxed = self._signature.parameters.relax(arguments)
        return relaxed if isinstance(relaxed, dict) else arguments

    def result_problem(self, value: object, /) -> str | None:
        """Say what is wrong with a result, if it is not of the declared type."""
        shape = self._signature.result
        if shape is None or shape.matches(value):
            return None
        return f"{self.spec.name} returned {type(value).__name__} instead of {shape.expected}"

    # --- one call --------------------------------------------------------------------------------------

    async def invoke(self, call: ToolCall[Mapping[str, object], object], /) -> ToolOutcome[object]:
        """Structure the arguments, run the function, and turn what comes of it into an outcome.

        Exceptions become ``Failed``; cancellation is never caught. The tool's ``timeout`` is enforced here:
        the outcome exists when the call has ended.
        """
        problems: list[str] = []
        arguments = self._signature.parameters.structure(call.arguments, "", problems)
        if problems:
            return _failed_arguments(InvalidArguments(call.name, problems[:MAX_PROBLEMS]))
        parts = cast("dict[str, object]", arguments)  # a Record without problems builds a dict of parts
        try:
            limit_s = self.spec.timeout_s
            if limit_s is None:
                return self._outcome(await self._run(call, parts))
            with anyio.move_on_after(limit_s) as scope:
                outcome = self._outcome(await self._run(call, parts))
                if not scope.cancel_called:
                    return outcome
            return self._late(limit_s, ended=not scope.cancelled_caught)
        except InvalidArguments as error:
            return _failed_arguments(error)
        except StoreError:
            raise  # what cannot be recorded must not go on, whatever the model would make of it
        except Exception as error:  # noqa: BLE001 # the boundary: what a tool raises is told to the model
            return _failure(call.name, _single(error))

    async def find_effect(self, call: ToolCall[Mapping[str, object], object], /) -> ToolOutcome[object] | None:
        """Ask the probe whether the call had its effect: its outcome, ``None`` if not, ``Unknown`` if nobody knows."""
        if self._probe is None:
            return None
        arguments = self._signature.parameters.structure(call.arguments, "", [])
        parts = cast("dict[str, object]", arguments)  # fitting, since the call was made before
        try:
            found = await self._probe(call.ctx, **parts)
        except StoreError:
            raise  # as in invoke
        except Exception as error:  # noqa: BLE001 # the boundary: a probe that fails has found nothing out
            return Unknown(
                reason=f"The process died during this call, and looking for its effect failed ({type(error).__name__}). "
                "It may or may not have happened: verify before repeating it."
            )
        return None if found is None else self._outcome(found)

    def _outcome(self, value: object) -> ToolOutcome[object]:
        if isinstance(value, _OUTCOMES):
            return cast("ToolOutcome[object]", value)  # one of the union's classes, as checked
        problem = self.result_problem(value)
        if problem is None:
            try:
                return Done(value)
            except TypeError as error:  # no JSON form
                problem = str(error)
        return Failed(kind="invalid_result", message=problem)

    def _late(self, after_s: float, *, ended: bool) -> ToolOutcome[object]:
        if self._sync == "abandon":
            return Unknown(reason=f"{self.spec.name} did not stop after {after_s:g} s and goes on in its thread")
        if ended:
            message = f"{self.spec.name} cannot be stopped and took longer than {after_s:g} s; it ran to its end."
        else:
            message = f"{self.spec.name} was stopped after {after_s:g} s."
        return TimedOut(after_s=after_s, message=message)

    async def _run(self, call: ToolCall[Mapping[str, object], object], arguments: dict[str, object]) -> object:
        ctx = call.ctx if call.emit is None else call.ctx.with_emit(call.emit)
        body = self._body
        if body is None:
            self._body = body = self._compiled()
        return await body(ctx, **arguments)

    def _compiled(self) -> _Body:
        body: _Body = self._call_function
        for layer in reversed(self._layers):
            body = self._around(layer, body)
        return body

    def _around(self, layer: _Layer, body: _Body) -> _Body:
        name, positional = self.spec.name, self._signature.positional

        async def step(ctx: RunContext[object], /, **arguments: object) -> object:
            return await layer(ctx, _Next(body, ctx, name, positional), **arguments)

        return step

    async def _call_function(self, ctx: RunContext[object], /, **arguments: object) -> object:
        function = self.function
        if self._sync is None:
            answer = function(ctx, **arguments) if self._signature.takes_context else function(**arguments)
            return await cast("Awaitable[object]", answer)  # an async function, as __init__ checked
        if self._sync == "process":
            return await run_in_process(function, arguments)
        bound = (
            partial(function, ctx.for_thread(), **arguments)
            if self._signature.takes_context
            else partial(function, **arguments)
        )
        return await anyio.to_thread.run_sync(bound, abandon_on_cancel=self._sync == "abandon")


def _single(error: Exception) -> Exception:
    """Take the one error out of a task group's group of one; the tool may well have used a task group."""
    if not isinstance(error, ExceptionGroup):
        return error
    group = cast("ExceptionGroup[Exception]", error)  # it was caught as an Exception
    return _single(group.exceptions[0]) if len(group.exceptions) == 1 else group


def _failed_arguments(error: InvalidArguments) -> Failed:
    return Failed(kind="invalid_arguments", message=str(error), error_type=type(error).__name__, error=error)


def _failure(name: str, error: Exception) -> Failed:
    error_type = type(error).__name__
    if isinstance(error, ToolFailed):
        return Failed(kind="failed", message=str(error), retryable=error.retryable, error_type=error_type, error=error)
    if isinstance(error, CommandRefused):
        return Failed(kind="refused", message=str(error), error_type=error_type, error=error)
    return Failed(kind="crashed", message=f"{name} crashed: {error_type}: {error}", error_type=error_type, error=error)
