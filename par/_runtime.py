"""The runtime: where an application's runs live, and end."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self, cast, final

import anyio
from typing_extensions import TypeVar

from par._agent import Agent, check_timeout
from par._bus.bus import EventBus
from par._bus.options import BusOptions
from par._clock import Clock
from par._engine.closing import in_own_task
from par._engine.host import Host
from par._engine.models import ModelFactory, ModelRegistry
from par._engine.session import Session
from par._engine.stream import RunStream
from par._ids import new_ulid
from par._store import Store
from par.calls import RunResult
from par.errors import UsageError
from par.messages import Message, Prompt, as_messages

__all__ = ["Runtime"]

D = TypeVar("D")
O = TypeVar("O")  # noqa: E741 # the output type, beside D for the deps

_CLOSE_S = 30.0
"""How long a runtime that is itself cancelled waits for its runs; sync tools in threads may need it."""


@final
class Runtime:
    """Runs agents, keeps their sessions, and records their events in a store.

    ``async with Runtime(store=store) as rt: await rt.run(agent, "...", session="order-42")``. Leaving the block
    cancels every run that is still going on, waits until all have ended, and closes the models that the
    runtime made from strings. Then the subscribers of its bus get what is still queued, and end. The store belongs
    to the caller.

    Args:
        store: where events are recorded before the run goes on; nowhere by default.
        models: factories for model strings of your own: ``{"mine": factory}`` serves ``"mine:name"``. What is built
            in, or brought by an installed package, is replaced by one of its name.
        clock: where timestamps come from.
        bus: how events are brought to subscribers. With it the block has a task group for them, so it is left in the
            task that entered it, after every scope that was opened inside; see ``Runtime.bus``.

    Raises:
        TypeError: for a store or a factory that is none.
    """

    def __init__(
        self,
        *,
        store: Store | None = None,
        models: Mapping[str, ModelFactory] | None = None,
        clock: Clock | None = None,
        bus: BusOptions | None = None,
    ) -> None:
        if store is not None:
            _check_store(store)
        registry = ModelRegistry(models)
        clock = clock or Clock()
        self._bus = EventBus(bus, store=store, clock=clock)
        self._with_subscribers = bus is not None
        self._host = Host(store=store, models=registry, clock=clock, bus=self._bus)
        self._models = registry
        self._sessions: dict[str, Session] = {}
        self._entered = False

    async def __aenter__(self) -> Self:
        if self._entered:
            raise UsageError("a Runtime is entered once: make another")
        self._entered = True
        if self._with_subscribers:
            await self._bus.__aenter__()
        else:
            self._bus.refuse_subscribers()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._host.refuse_to_close_inside()
        try:
            await in_own_task(self._close)  # noqa: ASYNC102 # it shields itself, in a task that nothing else can cut
        finally:
            await self._bus.leave()  # noqa: ASYNC102 # every task of it has been told to end

    async def _close(self) -> None:
        try:
            await self._close_runs()
        finally:
            await self._bus.aclose()  # noqa: ASYNC102 # it shields itself; after the runs, whose ends it brings too

    async def _close_runs(self) -> None:
        try:
            await self._host.close("the runtime was closed")
        finally:
            # reached at once when the close above went through; else this task was cancelled while waiting
            with anyio.move_on_after(_CLOSE_S, shield=True):
                await self._host.close("the runtime was closed")

    @property
    def bus(self) -> EventBus:
        """Brings the events of this runtime's runs to subscribers, each after the store has it.

        Subscribe before the block, or inside one of ``Runtime(bus=BusOptions())``: a runtime has tasks for
        subscribers only if it knows of them when it is entered. Streams can be opened in any. Without a store, runs
        that began while nobody was subscribed tell nothing. Agents that run on their own, with ``Agent.run``, have
        no bus.
        """
        self._with_subscribers = True  # of no effect once the block was entered
        return self._bus

    async def run(
        self,
        agent: Agent[D, O],
        prompt: Prompt,
        *,
        deps: D | None = None,
        session: str | None = None,
        messages: Sequence[Message] = (),
        timeout_s: float | None = None,
    ) -> RunResult[O]:
        """Answer a prompt. With ``session``, go on where that session stands; its runs follow one another.

        ``messages`` is the conversation so far, for a session that this runtime has not seen. The rest is as
        for ``Agent.run``.

        Raises:
            UsageError: outside the runtime's block, or for ``messages`` of a session that has some.
            StoreError: if the store could not record the run.
        """
        self._check_entered()
        agent.check_deps(deps)
        result = await self._host.run(
            agent.plan,
            deps,
            self._session(session),
            as_messages(prompt),
            earlier=tuple(messages),
            timeout_s=check_timeout(timeout_s),
        )
        return cast("RunResult[O]", result)  # the agent's output spec made the value

    def run_stream(
        self,
        agent: Agent[D, O],
        prompt: Prompt,
        *,
        deps: D | None = None,
        session: str | None = None,
        messages: Sequence[Message] = (),
        timeout_s: float | None = None,
    ) -> AbstractAsyncContextManager[RunStream[O]]:
        """Show a run as it goes; what ``Agent.run_stream`` is, with the session and the store of ``run``."""
        self._check_entered()
        agent.check_deps(deps)
        stream = self._host.stream(
            agent.plan,
            deps,
            self._session(session),
            as_messages(prompt),
            earlier=tuple(messages),
            timeout_s=check_timeout(timeout_s),
        )
        return cast("AbstractAsyncContextManager[RunStream[O]]", stream)  # as in run

    def register_provider(self, name: str, factory: ModelFactory, *, replace: bool = False) -> None:
        """Let ``factory`` make the models of strings such as ``"name:model"``, given what follows the colon.

        It is known to this runtime alone, before and inside its block. Each string is resolved once; a model with an
        ``aclose`` is closed with the runtime. With ``replace`` a provider that is there is replaced: runs that have
        begun a call finish it with the model they had.

        Packages can bring providers without a call of this: by entry points of the group ``par.providers``, which
        agents outside of a runtime find too.

        Raises:
            DuplicateProvider: if there is a provider of that name, built in or registered.
            TypeError: for a name that is no text, and a factory that cannot be called.
            ValueError: for a name that could not stand before the colon.
        """
        self._models.register(name, factory, replace=replace)

    def history(self, session: str) -> tuple[Message, ...]:
        """Return the messages of a session; empty for one that this runtime has not seen.

        They are fit to be sent again, also after a run was cancelled or failed.
        """
        found = self._sessions.get(session)
        return () if found is None else found.history

    def forget(self, session: str) -> None:
        """Drop a session's messages from memory; what the store has stays.

        Raises:
            UsageError: while a run is writing the session, or waits to.
        """
        found = self._sessions.get(session)
        if found is not None and found.busy:
            raise UsageError(f"a run of the session {session!r} is going on: forget it when the run has ended")
        self._sessions.pop(session, None)

    def _check_entered(self) -> None:
        if not self._entered:
            raise UsageError("enter the runtime first: async with Runtime() as rt: ...")

    def _session(self, name: str | None) -> Session:
        if name is None:
            return Session(new_ulid(), private=True)
        if not name:
            raise UsageError("a session's name must not be empty")
        found = self._sessions.get(name)
        if found is None:
            found = self._sessions[name] = Session(name)
        return found


def _check_store(store: object) -> None:
    complete = all(callable(getattr(store, method, None)) for method in ("append", "last_seq"))
    if not complete or isinstance(store, type):
        raise TypeError(f"store must be an open store, such as open_sqlite(...) gives; got {store!r}")
