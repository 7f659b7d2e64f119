"""Where runs take place: the clock, the models, the store, and the sessions that are being written."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from functools import partial
from typing import final

import anyio

from par._bus.bus import EventBus
from par._bus.published import Published
from par._clock import Clock
from par._context import RunContext
from par._engine.execute import execute
from par._engine.feed import Feed
from par._engine.models import ModelRegistry
from par._engine.plan import Plan
from par._engine.run import OpenTurn, Run
from par._engine.session import Session
from par._engine.stream import RunStream, open_stream
from par._engine.turns import Opening
from par._ids import UlidSource
from par._store import Store
from par.calls import RunCall, RunResult
from par.errors import UsageError
from par.messages import Message

__all__ = ["Host"]

_around: ContextVar[tuple[Run, ...]] = ContextVar("par_runs_around", default=())
"""The runs of runtimes that this code is part of; set in the task of each run, and gone with it."""


@final
class Host:
    """Starts runs and knows which are alive. A runtime has one; a run without a runtime makes one of its own."""

    __slots__ = ("_alive", "_bus", "_clock", "_closed", "_idle", "_ids", "_models", "_private", "_store")

    def __init__(
        self,
        *,
        store: Store | None,
        models: ModelRegistry,
        clock: Clock,
        bus: EventBus | None = None,
        private: bool = False,
    ) -> None:
        self._store = store if store is None or bus is None else Published(store, bus)
        self._bus = bus
        self._models = models
        self._private = private
        self._clock = clock
        self._ids = UlidSource()
        self._alive: set[Run] = set()
        self._idle: anyio.Event | None = None  # set when a run has ended, for those who wait for that
        self._closed: str | None = None

    @property
    def holds_models(self) -> bool:
        """Whether there are models to close."""
        return self._models.holds_any

    # --- runs ------------------------------------------------------------------------------------------

    async def run(
        self,
        plan: Plan,
        deps: object,
        session: Session,
        new: tuple[Message, ...],
        *,
        earlier: tuple[Message, ...],
        timeout_s: float | None,
        parent: Run | None = None,
        opening: Opening | None = None,
    ) -> RunResult[object]:
        """Run one turn of a session, after those that already wait to write it.

        With ``opening`` the session is a durable one, and the turn may be one that another process began: its input
        then is what was recorded.
        """
        _refuse_to_wait_for_itself(session)
        async with session.turn:
            turn = None if opening is None else await opening.open(session)
            run = await self._begun(plan, deps, session, earlier, turn=turn, parent=parent)
            call = _call(run, new)
            # in a task of its own, which task.cancel() cannot reach while it cleans up: see in_own_task
            async with anyio.create_task_group() as group:  # noqa: ASYNC112 # a task of its own is the point
                group.start_soon(self._work, run, call, timeout_s, name=plan.name)
            return run.outcome()

    @asynccontextmanager
    async def stream(
        self,
        plan: Plan,
        deps: object,
        session: Session,
        new: tuple[Message, ...],
        *,
        earlier: tuple[Message, ...],
        timeout_s: float | None,
        opening: Opening | None = None,
    ) -> AsyncGenerator[RunStream[object]]:
        """Run one turn beside a block that watches it."""
        _refuse_to_wait_for_itself(session)
        async with session.turn:
            feed = Feed()
            turn = None if opening is None else await opening.open(session)
            run = await self._begun(plan, deps, session, earlier, turn=turn, feed=feed)
            watched: AbstractAsyncContextManager[RunStream[object]] = open_stream(
                run, feed, partial(self._work, run, _call(run, new), timeout_s)
            )
            async with watched as stream:
                yield stream

    async def _begun(
        self,
        plan: Plan,
        deps: object,
        session: Session,
        earlier: tuple[Message, ...],
        *,
        turn: OpenTurn | None,
        feed: Feed | None = None,
        parent: Run | None = None,
    ) -> Run:
        """Make the run, or give back the turn that was opened for it; does not checkpoint where all is well."""
        try:
            session.begin_with(earlier)
            session.interrupted = None
            return self._begin(plan, deps, session, feed=feed, parent=parent, turn=turn)
        except UsageError:
            if turn is not None:
                await turn.give_up()  # noqa: ASYNC120 # shields itself
            raise

    def _begin(
        self,
        plan: Plan,
        deps: object,
        session: Session,
        *,
        feed: Feed | None,
        parent: Run | None,
        turn: OpenTurn | None,
    ) -> Run:
        if self._closed is not None:
            raise UsageError(f"no run can start here: {self._closed}")
        run = Run(
            plan,
            deps,
            session,
            clock=self._clock,
            models=self._models,
            ids=self._ids,
            store=self._place(turn),
            feed=feed,
            host=self,
            parent=parent,
            turn=turn,
        )
        self._alive.add(run)  # from here on closing waits for it; whoever began it executes it
        return run

    def _place(self, turn: OpenTurn | None) -> Store | None:
        """Return where the events of a run go."""
        if turn is not None:
            return turn.store if self._bus is None else Published(turn.store, self._bus)
        if self._store is None and self._bus is not None and self._bus.wanted:
            return Published(None, self._bus)
        return self._store

    def at_work(self, session_id: str) -> Run | None:
        """Return the run that is writing a session here."""
        return next((run for run in self._alive if run.session_id == session_id and run.ended_with is None), None)

    async def cancel(self, run: Run, cause: str) -> None:
        """End a run, and return when it has ended."""
        run.cancel(cause)
        while run in self._alive:
            if self._idle is None:
                self._idle = anyio.Event()
            await self._idle.wait()

    async def _work(self, run: Run, call: RunCall, timeout_s: float | None) -> None:
        turn = run.turn
        if turn is None:
            await self._execute(run, call, timeout_s)
            return
        keeping = anyio.CancelScope(
            shield=True
        )  # a run that is cancelled may go on for as long as a thread of its does

        async def keep() -> None:
            with keeping:
                await turn.keep(run)

        async with anyio.create_task_group() as group:
            group.start_soon(keep)
            try:
                await self._execute(run, call, timeout_s)
            finally:
                keeping.cancel()

    async def _execute(self, run: Run, call: RunCall, timeout_s: float | None) -> None:
        """Execute the run; what came of it is for whoever began it to take from it."""
        if not self._private:
            _around.set((*_around.get(), run))
        try:
            run.ended_with = await execute(run, call, timeout_s=timeout_s)
        except Exception as error:  # noqa: BLE001 # raised by ``run.outcome()``, where a task group would wrap it
            run.ended_with = error
        finally:
            self._alive.discard(run)
            if self._idle is not None:
                self._idle.set()
                self._idle = None
            if run.feed is not None:
                run.feed.end()

    # --- the end ---------------------------------------------------------------------------------------

    def refuse_to_close_inside(self) -> None:
        """Refuse to close while nothing is closed yet.

        Raises:
            UsageError: inside one of the runs, which would wait for itself.
        """
        if any(run in self._alive for run in _around.get()):
            raise UsageError("a run cannot close the runtime that it is part of")

    async def close(self, cause: str) -> None:
        """Cancel every run (what can be resumed is suspended), wait until they have ended, and close the models that were made here.

        Raises:
            UsageError: inside one of the runs, which would wait for itself.
        """
        self.refuse_to_close_inside()
        self._closed = cause
        for run in list(self._alive):
            run.park(cause)
        while self._alive:
            if self._idle is None:
                self._idle = anyio.Event()
            await self._idle.wait()
        await self._models.aclose()


def _call(run: Run, new: tuple[Message, ...]) -> RunCall:
    turn = run.turn
    return RunCall(
        input=new if turn is None or turn.input is None else turn.input,
        history=run.session.history,
        emit=run.steps.publish,
        ctx=RunContext(run.deps, run),
    )


def _refuse_to_wait_for_itself(session: Session) -> None:
    if any(run.session is session and run.ended_with is None for run in _around.get()):
        raise UsageError(f"the session {session.id!r} is being written by the run that this call is part of")
