"""The mutable state of one run, in one place, with one owner: the task that executes it."""

from collections.abc import Callable
from typing import Protocol, final

import anyio

from par._clock import Clock
from par._context import RunContext
from par._engine.closing import stray_cancellation
from par._engine.feed import Feed
from par._engine.journal import Journal
from par._engine.models import ModelRegistry
from par._engine.plan import Plan
from par._engine.session import Session
from par._engine.steps import MemorySteps, StepRunner, TurnEnded
from par._ids import UlidSource
from par._store import Store
from par.calls import NoOutput, RunResult
from par.deltas import Emit, discard
from par.events import ErrorInfo, Event, RunEnded, StopReason
from par.messages import Message
from par.outcomes import Handoff, NeedsApproval
from par.states import TaskState, transition
from par.usage import Usage

__all__ = ["OpenTurn", "Run", "RunHost"]

_NO_USAGE = Usage()

_FINAL_STATE: dict[StopReason, TaskState] = {
    "finished": TaskState.COMPLETED,
    "handed_off": TaskState.COMPLETED,
    "max_steps": TaskState.FAILED,
    "budget": TaskState.FAILED,
    "failed": TaskState.FAILED,
    "cancelled": TaskState.CANCELLED,
    "suspended": TaskState.SUSPENDED,
}


class RunHost(Protocol):
    """Where a run takes place, as far as the runs that it starts need to know."""

    async def run(
        self,
        plan: Plan,
        deps: object,
        session: Session,
        new: tuple[Message, ...],
        *,
        earlier: tuple[Message, ...],
        timeout_s: float | None,
        parent: "Run | None" = None,
    ) -> RunResult[object]: ...


class OpenTurn(Protocol):
    """A turn that this process has the right to work at: a new one, or one that another process began."""

    @property
    def state(self) -> TaskState:
        """The state in which the turn was left, ``pending`` if it is new."""
        ...

    @property
    def input(self) -> tuple[Message, ...] | None:
        """What was said to begin the turn, as it is inside of the run; ``None`` if it is new."""
        ...

    @property
    def store(self) -> Store:
        """Where the run's events go: together with its checkpoints, and only as long as nobody else has the session."""
        ...

    @property
    def waiting(self) -> Callable[[], bool]:
        """Tells whether there is something to record beside events."""
        ...

    def id_for(self, run_id: str, /) -> str:
        """Return the id of the turn, which is that of its first run."""
        ...

    def runner(self, run: "Run", emit: Emit, /) -> StepRunner:
        """Return what runs the steps of this run."""
        ...

    async def keep(self, run: "Run", /) -> None:
        """Keep the right to the session, and end the run when it is lost or somebody asks for that; until cancelled."""
        ...

    async def give_up(self) -> None:
        """Give the session back: no run will work at the turn. Shields itself, for a bounded time."""
        ...


@final
class Run:
    """One run. It is the ``RunPort`` that contexts hold."""

    __slots__ = (
        "_journal",
        "cause",
        "clock",
        "deps",
        "ended_with",
        "feed",
        "host",
        "models",
        "ordinal",
        "parked",
        "plan",
        "root_run_id",
        "run_id",
        "scope",
        "session",
        "started_s",
        "status",
        "step",
        "steps",
        "transcript",
        "turn",
        "usage",
    )

    def __init__(  # noqa: PLR0913 # the one place where a run is put together
        self,
        plan: Plan,
        deps: object,
        session: Session,
        *,
        clock: Clock,
        models: ModelRegistry,
        ids: UlidSource,
        store: Store | None,
        feed: Feed | None,
        host: RunHost,
        parent: "Run | None" = None,
        turn: OpenTurn | None = None,
    ) -> None:
        self.ordinal = 0
        """The number of the last step that was drawn."""
        self.clock = clock
        self.plan = plan
        self.deps = deps
        self.session = session
        self.models = models
        self.host = host
        self.feed = feed
        self.run_id = ids.next()
        self.turn = turn
        self.root_run_id: str = self.run_id if parent is None else parent.root_run_id
        self._journal = (
            None
            if store is None and feed is None
            else Journal(
                session,
                self.run_id,
                parent and parent.run_id,
                store=store,
                feed=feed,
                clock=clock,
                ids=ids,
                waiting=None if turn is None else turn.waiting,
            )
        )
        emit = discard if feed is None else feed.put
        runner: StepRunner = MemorySteps(session, self.emit, emit) if turn is None else turn.runner(self, emit)
        self.steps = runner
        self.scope = anyio.CancelScope()
        self.cause: str | None = None
        self.parked = False
        """Whether it was cancelled so that it can be resumed."""
        self.status = TaskState.PENDING if turn is None else turn.state
        self.step = 0
        self.usage = _NO_USAGE
        self.transcript: list[Message] = list(session.history)
        self.started_s = clock.steady_s()
        self.ended_with: RunResult[object] | Exception | None = None
        """What came of it, once nothing of it is alive."""

    # --- what contexts see -----------------------------------------------------------------------------

    @property
    def turn_id(self) -> str:
        """The id of the run that began the turn: this one, unless it resumes another's."""
        return self.run_id if self.turn is None else self.turn.id_for(self.run_id)

    @property
    def can_suspend(self) -> bool:
        """Whether the turn may be left unfinished."""
        return self.steps.can_suspend

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self.session.id

    @property
    def agent_name(self) -> str:
        """The agent's name."""
        return self.plan.name

    @property
    def listening(self) -> bool:
        """Whether anybody takes events; hot paths build none if not."""
        return self._journal is not None

    async def emit(self, event: Event) -> None:
        """Record the event: when this returns, the store has it, and the reader has read it.

        One that is cancelled here is recorded all the same.

        Raises:
            StoreError: if it is not recorded.
            UsageError: after the end of the run.
        """
        if self._journal is not None:
            await self._journal.emit(event, self.step)

    def tell(self, event: Event) -> None:
        """Promise that the event will be recorded: with the next one, with ``flush``, or when the run ends."""
        if self._journal is not None:
            self._journal.tell(event, self.step)

    async def flush(self) -> None:
        """Record what was told.

        Raises:
            StoreError: if it could not be recorded now; it is tried again when the run ends.
        """
        if self._journal is not None:
            await self._journal.flush()

    async def record_end(self) -> None:
        """Record all that was told, the end with it, though the store may have failed before.

        Raises:
            StoreError: if something of it could not be recorded.
        """
        if self._journal is not None:
            await self._journal.close()

    # --- what the engine does with it ------------------------------------------------------------------

    @staticmethod
    def of(ctx: RunContext[object]) -> "Run":
        """Return the run that a context belongs to.

        Raises:
            TypeError: for a context that belongs to none.
        """
        if not isinstance(ctx.port, Run):
            raise TypeError("this call belongs to no run: layers pass on the call's own ctx")
        return ctx.port

    def next_ordinal(self) -> int:
        """Return the number of the next step; drawn in list order, before anything runs concurrently."""
        self.ordinal += 1
        return self.ordinal

    def key_of(self, ordinal: int) -> str:
        """Return the idempotency key of a step."""
        return f"{self.turn_id}:{ordinal}"

    def enter(self) -> None:
        """Go to work: by way of ``suspended`` if a process died that was at work."""
        if self.status is TaskState.RUNNING:
            self.move(TaskState.SUSPENDED)
        self.move(TaskState.SCHEDULED)
        self.move(TaskState.RUNNING)

    def move(self, target: TaskState) -> None:
        """Change the status by a legal move.

        Raises:
            IllegalTransition: for any other.
        """
        self.status = transition(self.status, target)

    def cancel(self, cause: str) -> None:
        """End the run from inside the program; the first cause is the one that is recorded."""
        if self.cause is None and not self.scope.cancel_called:  # else its deadline came first
            self.cause = cause
        self.scope.cancel()
        if self.feed is not None:
            self.feed.hurry()

    def park(self, cause: str) -> None:
        """End the run; its turn is resumed later if it can be."""
        if not self.scope.cancel_called:
            self.parked = self.can_suspend
        self.cancel(cause)

    def outcome(self) -> RunResult[object]:
        """Return what the ended run came to, or raise what it failed with."""
        ended_with = self.ended_with
        if isinstance(ended_with, RunResult):
            return ended_with
        raise ended_with or stray_cancellation()

    def catch_up(self) -> None:
        """Say all that is recorded of the turn, though the run has ended before it had gone through that again."""
        said = self.steps.unsaid()
        if said is not None:
            self.transcript[said.before :] = said.messages
            self.usage, self.step = said.usage, said.model_calls

    def result(
        self,
        stop_reason: StopReason,
        *,
        value: object = None,
        cause: str | None = None,
        handoff: Handoff | None = None,
        approvals: tuple[NeedsApproval, ...] = (),
    ) -> RunResult[object]:
        """Describe the run as it stands; ``value`` counts only if it finished."""
        self.catch_up()
        return RunResult(
            value=value if stop_reason == "finished" else NoOutput(),
            messages=tuple(self.transcript),
            usage=self.usage,
            steps=self.step,
            stop_reason=stop_reason,
            cause=cause,
            run_id=self.run_id,
            session_id=self.session.id,
            handoff=handoff,
            approvals=approvals,
        )

    def end(self, stop_reason: StopReason, cause: str | None, error: Exception | None = None) -> None:
        """Move to the final state of ``stop_reason`` and tell so; only the first call counts."""
        if self.status is not TaskState.RUNNING:
            return
        self.catch_up()
        self.move(_FINAL_STATE[stop_reason])
        info = None if error is None else ErrorInfo.of(error)
        self.steps.ends(
            TurnEnded(
                stop_reason=stop_reason,
                cause=cause,
                error=info,
                messages=tuple(self.transcript),
                model_calls=self.step,
            )
        )
        if self._journal is None:
            return
        event = RunEnded(
            stop_reason=stop_reason,
            status=self.status,
            steps=self.step,
            usage=self.usage,
            duration_s=self.clock.steady_s() - self.started_s,
            cause=cause,
            error=info,
        )
        self._journal.end(event, self.step)
