"""Where runs take place: the clock, the models, the store, and the sessions that are being written."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import final

import anyio

from par._clock import Clock
from par._context import RunContext
from par._engine.execute import execute
from par._engine.models import ModelRegistry
from par._engine.plan import Plan
from par._engine.run import EventSink, Run
from par._engine.session import Session
from par._engine.steps import MemorySteps
from par._engine.stream import RunStream, StreamItem, event_sink, open_stream
from par._ids import UlidSource
from par._store import Store
from par.calls import RunCall, RunResult
from par.deltas import discard
from par.errors import UsageError
from par.events import Envelope
from par.messages import Message

__all__ = ["Host"]


@final
class Host:
    """Starts runs and knows which are alive. A runtime has one; a run without a runtime makes one of its own."""

    def __init__(self, *, store: Store | None, models: ModelRegistry, clock: Clock) -> None:
        self._store = store
        self._models = models
        self._clock = clock
        self._ids = UlidSource()
        self._alive: set[Run] = set()
        self._idle: anyio.Event | None = None
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
        timeout_s: float | None,
        parent: str | None = None,
    ) -> RunResult[object]:
        """Run one turn of a session, after those that already wait to write it."""
        async with session.lock:
            await self._meet(session)
            run = self._begin(plan, deps, session, sinks=self._sinks(), stream=False, parent=parent)
            call = RunCall(input=new, history=session.history, emit=discard, ctx=RunContext[object](deps, run))
            return await self._execute(run, call, timeout_s)

    @asynccontextmanager
    async def stream(
        self, plan: Plan, deps: object, session: Session, new: tuple[Message, ...], *, timeout_s: float | None
    ) -> AsyncGenerator[RunStream[object]]:
        """Run one turn beside a block that watches it."""
        async with session.lock:
            await self._meet(session)

            def start(
                deliver: Callable[[StreamItem], Awaitable[None]],
            ) -> tuple[Run, Callable[[], Awaitable[RunResult[object]]]]:
                sinks = [*self._sinks(), event_sink(deliver)]
                run = self._begin(plan, deps, session, sinks=sinks, stream=True)
                call = RunCall(input=new, history=session.history, emit=deliver, ctx=RunContext[object](deps, run))
                return run, lambda: self._execute(run, call, timeout_s)

            watched: AbstractAsyncContextManager[RunStream[object]] = open_stream(start)
            async with watched as stream:
                yield stream

    def _sinks(self) -> Sequence[EventSink]:
        store = self._store
        if store is None:
            return ()

        async def keep(envelope: Envelope) -> None:
            await store.append((envelope,))

        return (keep,)

    async def _meet(self, session: Session) -> None:
        """Learn how many events of a session the store already has."""
        if self._store is not None and not session.known_to_store:
            session.seq = await self._store.last_seq(session.id)
            session.known_to_store = True

    def _begin(
        self,
        plan: Plan,
        deps: object,
        session: Session,
        *,
        sinks: Sequence[EventSink],
        stream: bool,
        parent: str | None = None,
    ) -> Run:
        if self._closed is not None:
            raise UsageError(f"no run can start here: {self._closed}")
        return Run(
            plan,
            deps,
            session,
            clock=self._clock,
            models=self._models,
            steps=MemorySteps(),
            ids=self._ids,
            sinks=sinks,
            stream=stream,
            host=self,
            parent=parent,
        )

    async def _execute(self, run: Run, call: RunCall, timeout_s: float | None) -> RunResult[object]:
        self._alive.add(run)
        try:
            if self._closed is not None:  # between the beginning and here the host may have been closed
                run.cancel(self._closed)
            return await execute(run, call, timeout_s=timeout_s)
        finally:
            self._alive.discard(run)
            if not self._alive and self._idle is not None:
                self._idle.set()

    # --- the end ---------------------------------------------------------------------------------------

    async def close(self, cause: str) -> None:
        """Cancel every run, wait until they have ended, and close the models that were made here."""
        self._closed = cause
        for run in list(self._alive):
            run.cancel(cause)
        if self._alive:
            self._idle = anyio.Event()
            await self._idle.wait()
        await self._models.aclose()
