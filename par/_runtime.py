"""The runtime: where an application's runs live, and end."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from math import isfinite
from types import TracebackType
from typing import Never, Self, cast, final

import anyio
from typing_extensions import TypeVar

from par._agent import Agent, check_timeout
from par._bus.bus import EventBus
from par._bus.options import BusOptions
from par._clock import Clock
from par._desk import SessionDesk
from par._durable.log import is_plain
from par._durable.openings import OnChange
from par._durable.sessions import DurableSessions, Recovered, Work, open_sessions
from par._engine.closing import in_own_task
from par._engine.host import Host
from par._engine.models import ModelFactory, ModelRegistry
from par._engine.plan import Plan
from par._engine.session import Session
from par._engine.stream import RunStream
from par._engine.turns import Opening
from par._ids import new_ulid
from par._named_agents import NamedAgents
from par._store import Store
from par.calls import RunResult
from par.errors import UsageError
from par.messages import Message, Prompt, as_messages
from par.sessions import SessionInfo

__all__ = ["Runtime"]

D = TypeVar("D")
O = TypeVar("O")  # noqa: E741 # the output type, beside D for the deps

_CLOSE_S = 30.0
"""How long a runtime that is itself cancelled waits for its runs; sync tools in threads may need it."""


@final
class Runtime(SessionDesk):
    """Runs agents, keeps their sessions, and records their events in a store.

    ``async with Runtime(store=store) as rt: await rt.run(agent, "...", session="order-42")``. Leaving the block
    cancels every run that is still going on (a durable session is suspended, and can be resumed), waits until all have
    ended, and closes the models that the
    runtime made from strings. Then the subscribers of its bus get what is still queued, and end. The store belongs
    to the caller.

    Args:
        store: where events are recorded before the run goes on; nowhere by default. The stores of ``par.persistence``
            also make named sessions durable.
        agents: the agents that ``resume`` and ``recover`` find by name.
        lease_s: seconds for which a durable session belongs to this runtime without a sign of life, more than 0. A
            process that dies on this machine is known to be dead at once; elsewhere, or if it is frozen, after this
            time. It is renewed three times as often.
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
        agents: Sequence[Agent[Never, object]] = (),
        lease_s: float = 30.0,
        models: Mapping[str, ModelFactory] | None = None,
        clock: Clock | None = None,
        bus: BusOptions | None = None,
    ) -> None:
        if store is not None:
            _check_store(store)
        if isinstance(lease_s, bool) or not isfinite(lease_s) or lease_s <= 0:
            raise ValueError(f"lease_s must be seconds greater than 0, got {lease_s!r}")
        registry = ModelRegistry(models)
        clock = clock or Clock()
        self._lease_s = lease_s
        self._clock = clock
        self._store = store
        self._durable = None
        self._agents = NamedAgents(agents)
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
        if self._store is not None:
            self._durable = await open_sessions(
                self._store, lease_s=self._lease_s, clock=self._clock, publish=self._bus.publish
            )
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
        message_id: str | None = None,
    ) -> RunResult[O]:
        """Answer a prompt. With ``session``, go on where that session stands; its runs follow one another.

        A named session is durable if the store is: each step is recorded before the next begins, and ``resume`` goes on
        where a process died. ``message_id`` names the inbound message that the prompt comes from: the same one again
        returns what its turn came to, or goes on with it, and never begins a second turn.

        ``messages`` is the conversation so far, for a session that has none. The rest is as for ``Agent.run``.

        Raises:
            UsageError: outside the runtime's block, for ``messages`` of a session that has some, or for a
                ``message_id`` where the session is not durable.
            SessionUnfinished: if the session's last turn was interrupted: ``resume`` it, or ``cancel`` it.
            SessionBusy: if another process works at the session.
            StoreError: if the store could not record the run.
        """
        durable = self._durable_of(session, message_id)
        agent.check_deps(deps)
        work = self._work(agent.plan, deps, session, as_messages(prompt), messages, timeout_s)
        if durable is None or session is None:
            result = await work(None)
        else:
            result = await durable.run(session, agent.plan, message_id, work)
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
        message_id: str | None = None,
    ) -> AbstractAsyncContextManager[RunStream[O]]:
        """Show a run as it goes; what ``Agent.run_stream`` is, with the session and the store of ``run``.

        Entering the block raises what ``run`` raises, and ``MessageAnswered`` for a message that has a turn.
        """
        durable = self._durable_of(session, message_id)
        agent.check_deps(deps)
        opening = None if durable is None else durable.new(agent.plan, message_id)
        stream = self._stream(agent.plan, deps, session, as_messages(prompt), messages, timeout_s, opening)
        return cast("AbstractAsyncContextManager[RunStream[O]]", stream)  # as in run

    async def resume(
        self,
        session: str,
        agent: Agent[D, O] | None = None,
        *,
        deps: D | None = None,
        timeout_s: float | None = None,
        on_change: OnChange = "refuse",
        wait_s: float | None = None,
    ) -> RunResult[O]:
        """Go on with the session's open turn, where the process that worked at it ended.

        Nothing that is recorded is done again. A call that was at work is made again, looked for, or reported to the
        model as ``Unknown``, as its tool says (``@tool(on_unknown=...)``). If no turn is open, what the last one came to
        is returned.

        Args:
            session: the session's id.
            agent: the agent that began the turn; by default the one of ``Runtime(agents=...)`` with its name.
            deps: what tools get as ``ctx.deps``.
            timeout_s: seconds after which the turn is cancelled.
            on_change: what happens if the agent is defined otherwise than when the turn began: ``"refuse"`` it, or
                ``"migrate"`` the turn to this one.
            wait_s: seconds to wait for another process that has the session and gives no sign of life; by default
                until its lease has run out.

        Raises:
            NoSuchSession: if there is none.
            NothingToResume: if it has no turn.
            SessionBusy: if another process works at it.
            DefinitionChanged: if the agent is another one.
            ReplayMismatch: if the agent does not do what is recorded.
            TurnFailed: if the last turn has failed with an error.
            UsageError: if the store is not durable, or there is no agent of that name.
        """
        durable, plan = await self._resumable(session, agent, deps)
        work = self._work(plan, deps, session, (), (), timeout_s)
        result = await durable.resume(session, plan, on_change, wait_s, work)
        return cast("RunResult[O]", result)  # as in run

    @asynccontextmanager
    async def resume_stream(
        self,
        session: str,
        agent: Agent[D, O] | None = None,
        *,
        deps: D | None = None,
        timeout_s: float | None = None,
        on_change: OnChange = "refuse",
        wait_s: float | None = None,
    ) -> AsyncGenerator[RunStream[O]]:
        """Show how the open turn is gone on with: ``resume`` as a stream. What is recorded is not shown again.

        Raises:
            NothingToResume: if the last turn has ended.
            SessionError: as ``resume`` does.
        """
        durable, plan = await self._resumable(session, agent, deps)
        opening = durable.again(plan, on_change, wait_s)
        async with self._stream(plan, deps, session, (), (), timeout_s, opening) as stream:
            yield cast("RunStream[O]", stream)  # as in run

    async def recover(self, *, deps: object = None, limit: int = 16, max_attempts: int = 20) -> tuple[Recovered, ...]:
        """Go on with every session at which nobody works and that waits for nobody, and return what became of them.

        Those are the sessions whose process died or was closed, and those whose call was decided about. Call it when a
        process starts, and from time to time. The agents are those of ``Runtime(agents=...)``; one that fails, or has no
        agent here, does not stop the others.

        Args:
            deps: what tools get as ``ctx.deps``, in all of them.
            limit: how many are gone on with at the same time.
            max_attempts: how many processes may die over one turn before it is given up, as ``failed``.

        Raises:
            UsageError: if the store is not durable, or a limit is below 1.
            StoreError: if the store cannot tell what is due.
        """
        if limit < 1 or max_attempts < 1:
            raise UsageError("limit and max_attempts must be 1 or more")

        async def go_on(info: SessionInfo) -> RunResult[object]:
            return await self.resume(info.id, self._agents.of(info), deps=deps)

        return await self._durable_store().recover(go_on, limit=limit, max_attempts=max_attempts)

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
        """Return the messages of a session, fit to be sent again; empty for one that this runtime has not seen."""
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

    def _durable_of(self, session: str | None, message_id: str | None) -> DurableSessions | None:
        self._check_entered()
        if message_id is not None and (session is None or self._durable is None or not is_plain(message_id)):
            raise UsageError("message_id needs a named session, a durable store and a plain text that is not empty")
        return None if session is None else self._durable

    async def _resumable(self, session: str, agent: Agent[D, O] | None, deps: D | None) -> tuple[DurableSessions, Plan]:
        self._check_entered()
        durable = self._durable_store()
        if agent is not None:
            agent.check_deps(deps)
            return durable, agent.plan
        return durable, self._agents.of(await durable.control.session(session)).plan

    def _work(
        self,
        plan: Plan,
        deps: object,
        session: str | None,
        new: tuple[Message, ...],
        earlier: Sequence[Message],
        timeout_s: float | None,
    ) -> Work:
        limit_s = check_timeout(timeout_s)

        async def work(opening: Opening | None) -> RunResult[object]:
            return await self._host.run(
                plan,
                deps,
                self._session(session),
                new,
                earlier=tuple(earlier),
                timeout_s=limit_s,
                opening=opening,
            )

        return work

    def _stream(
        self,
        plan: Plan,
        deps: object,
        session: str | None,
        new: tuple[Message, ...],
        earlier: Sequence[Message],
        timeout_s: float | None,
        opening: Opening | None,
    ) -> AbstractAsyncContextManager[RunStream[object]]:
        return self._host.stream(
            plan,
            deps,
            self._session(session),
            new,
            earlier=tuple(earlier),
            timeout_s=check_timeout(timeout_s),
            opening=opening,
        )

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
