"""What a tool or a layer may know of the run that it is part of."""

from collections.abc import Awaitable, Callable
from math import inf
from typing import Generic, Protocol, TypeAlias, cast, final

import anyio
import anyio.from_thread
from typing_extensions import TypeVar

from par._clock import Clock
from par.approvals import Approved, Grant
from par.events import Event, ToolProgress
from par.usage import Usage

__all__ = ["EventEmit", "RunContext", "RunPort"]

D_co = TypeVar("D_co", covariant=True, default=object)
D2 = TypeVar("D2")

EventEmit: TypeAlias = Callable[[Event], Awaitable[None]]


class RunPort(Protocol):
    """What a context needs of its run."""

    @property
    def run_id(self) -> str: ...
    @property
    def root_run_id(self) -> str: ...
    @property
    def session_id(self) -> str: ...
    @property
    def agent_name(self) -> str: ...
    @property
    def step(self) -> int: ...
    @property
    def usage(self) -> Usage: ...
    @property
    def can_suspend(self) -> bool: ...
    @property
    def clock(self) -> Clock: ...
    async def emit(self, event: Event) -> None: ...


@final
class _NoRun:
    """Stands in where a call is built by hand; what is emitted goes nowhere."""

    run_id = root_run_id = session_id = agent_name = "detached"
    step = 0
    usage = Usage()
    can_suspend = False
    clock = Clock()

    async def emit(self, event: Event) -> None:
        del event


_NO_RUN = _NoRun()


@final
class RunContext(Generic[D_co]):
    """What a tool handler receives as its first parameter, and a layer finds as ``call.ctx``.

    ``deps`` is what the caller passed to ``run``. One context belongs to one call; do not keep it.
    """

    __slots__ = (
        "_deadline",
        "_emit",
        "call_id",
        "deps",
        "grant",
        "idempotency_key",
        "in_doubt",
        "port",
        "rival",
        "tool",
    )

    deps: D_co

    def __init__(
        self,
        deps: D_co,
        port: RunPort = _NO_RUN,
        *,
        call_id: str = "",
        tool: str = "",
        idempotency_key: str = "",
        emit: EventEmit | None = None,
        deadline: float | None = None,
        grant: Grant | None = None,
    ) -> None:
        self.deps = deps
        self.port = port
        self.call_id = call_id
        """The id of the model call or of the tool use."""
        self.tool = tool
        """The tool's name; empty outside a tool call."""
        self.idempotency_key = idempotency_key
        """The same for every attempt at this call, also in another process after a crash, and different for every other:
        hand it to what you call."""
        self.grant = grant
        """What was decided about this very call ahead of it, if it has waited for that; see ``par.approvals``."""
        self.in_doubt = False
        """Whether this very call was being made, after every check, when its process died."""
        self.rival = False
        """Whether that process may be alive after all, frozen or cut off, and still make it."""
        self._emit = emit
        self._deadline = deadline

    @staticmethod
    def detached() -> "RunContext[object]":
        """Return a context of no run, for calls that are built by hand."""
        return RunContext[object](None)

    @property
    def run_id(self) -> str:
        """The run's ULID."""
        return self.port.run_id

    @property
    def root_run_id(self) -> str:
        """The id of the outermost run: of the one whose tools, and their tools, started this run."""
        return self.port.root_run_id

    @property
    def session_id(self) -> str:
        """The session's id; a fresh one where no session was named."""
        return self.port.session_id

    @property
    def agent(self) -> str:
        """The agent's name."""
        return self.port.agent_name

    @property
    def step(self) -> int:
        """The number of model calls that the run has started."""
        return self.port.step

    @property
    def usage(self) -> Usage:
        """What the model calls of the turn have cost so far, those of processes that died over it with them."""
        return self.port.usage

    @property
    def can_suspend(self) -> bool:
        """Whether the session is durable, so that a call may wait for a person while nothing runs."""
        return self.port.can_suspend

    @property
    def approval(self) -> Approved | None:
        """The approval for which the tool itself has asked, with a ``NeedsApproval`` of its own; ``None`` if it has not.

        What a layer asked for, or ``par.approvals.decide``, is no answer to that: others may give it.
        """
        decision = None if self.grant is None else self.grant.plain
        return decision if isinstance(decision, Approved) else None

    @property
    def remaining_s(self) -> float:
        """Seconds until the nearest deadline around this call, ``inf`` if there is none, never below 0.

        In a sync tool it is the deadline that was in force when the tool's thread started.
        """
        if self._deadline is not None:
            if self._deadline == inf:
                return inf
            return max(0.0, self._deadline - anyio.from_thread.run_sync(anyio.current_time))
        deadline = anyio.current_effective_deadline()
        return inf if deadline == inf else max(0.0, deadline - anyio.current_time())

    async def emit(self, event: Event) -> None:
        """Record an event of the run; returns when the store, if there is one, has it.

        Raises:
            StoreError: if the store cannot take it.
        """
        await (self._emit or self.port.emit)(event)

    async def progress(self, message: str, fraction: float | None = None) -> None:
        """Tell those who watch the run how far this tool call is; ``fraction`` is 0 to 1.

        Raises:
            ValueError: for a fraction outside 0 to 1.
        """
        if fraction is not None and not 0 <= fraction <= 1:
            raise ValueError(f"fraction must be between 0 and 1, got {fraction}")
        event = ToolProgress(call_id=self.call_id, name=self.tool, message=message, fraction=fraction)
        await self.emit(event)

    def progress_from_thread(self, message: str, fraction: float | None = None) -> None:
        """The same as ``progress``, for sync tools, which run in a worker thread."""
        anyio.from_thread.run(self.progress, message, fraction)

    def with_emit(self, emit: EventEmit) -> "RunContext[D_co]":
        """Return this context with the events that are told through it going to ``emit``."""
        return self._changed(emit, self._deadline)

    def for_thread(self) -> "RunContext[D_co]":
        """Return this context with the present deadline fixed, for use in a worker thread."""
        return self._changed(self._emit, anyio.current_effective_deadline())

    def _changed(self, emit: EventEmit | None, deadline: float | None) -> "RunContext[D_co]":
        changed = RunContext(
            self.deps,
            self.port,
            call_id=self.call_id,
            tool=self.tool,
            idempotency_key=self.idempotency_key,
            emit=emit,
            deadline=deadline,
            grant=self.grant,
        )
        changed.in_doubt = self.in_doubt
        changed.rival = self.rival
        return changed

    def with_deps_of(self, kind: type[D2]) -> "RunContext[D2]":
        """Return this context typed to the deps that it really has, for layers, which see ``object``.

        Raises:
            TypeError: if the deps are of another type.
        """
        if not isinstance(self.deps, kind):
            raise TypeError(f"the deps of this run are {type(self.deps).__name__}, not {kind.__name__}")
        return cast("RunContext[D2]", self)  # checked in the line above
