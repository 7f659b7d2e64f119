"""The durable side of sessions, in Postgres."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar, cast, final

import anyio
import anyio.lowlevel
import anyio.to_thread
import attrs

from par._clock import Clock
from par._durable.log import Change, Lease, Opened, Signal, StepRecord
from par.errors import NoSuchSession, NothingToResume, SessionBusy, SessionUnfinished
from par.events import Envelope
from par.persistence._chain import records_of
from par.persistence._group_commit import Checkpoint, GroupCommit
from par.persistence._own_records import refuse_own_session
from par.persistence._postgres_driver import Row
from par.persistence._postgres_pool import Job, PgPool
from par.persistence._postgres_write import refuse_nul
from par.persistence._processes import Fate, Machine, fate_among_machines, name_of, new_name
from par.persistence._sessions_owner import Place, Wants, is_dead
from par.persistence._sessions_postgres_read import (
    APPROVALS,
    INBOX,
    OF_MESSAGE,
    ONE,
    STEPS,
    STOPS,
    TURNS,
    fetch_due,
    fetch_list,
    fetch_opened,
    session_of,
)
from par.persistence._sessions_values import (
    approval_of,
    checked_lease_s,
    checked_limit,
    checked_name,
    checked_session,
    signal_of,
    signal_row,
    step_of,
    turn_of,
    work_of,
)
from par.sessions import Approval, SessionInfo, TurnInfo
from par.states import TaskState

__all__ = ["PostgresSessions"]

T = TypeVar("T")

_FORSAKE_S: Final = 5.0
_US: Final = 1_000_000
_ACQUIRE: Final = "SELECT came_to, its_fence, holder, left_s FROM session_acquire($1, $2, $3, $4, $5, $6, $7, $8)"
_RENEW: Final = "SELECT session_renew($1, $2, $3, $4)"
_RELEASE: Final = "SELECT session_release($1, $2, $3)"
_SEND: Final = """
    WITH there AS (SELECT FROM session WHERE scope = $1 AND id = $2), sent AS (
        INSERT INTO signal (scope, session, id, name, body, at)
        SELECT $1, $2, $3, $4, $5, $6 FROM there ON CONFLICT (scope, session, id) DO NOTHING
    )
    SELECT count(*) FROM there
"""


@final
@attrs.frozen
class PostgresSessions:
    """The sessions of a scope, as ``SessionLog`` describes them. Made by ``PostgresStore.session_log``.

    Leases are measured by the server's clock. A process that has ended is known by its number and start time to others
    on the same machine, who take its sessions at once; those on other machines wait for the end of its lease.
    """

    _group: GroupCommit
    _pool: PgPool
    _place: Place

    @property
    def machine(self) -> Machine:
        """The machine on which owners live or die."""
        return self._place.machine

    def on(self, machine: Machine, clock: Clock) -> "PostgresSessions":
        """Return the same as another machine would see it, at another time."""
        return attrs.evolve(self, place=Place(self._place.scope, machine, clock))

    async def identity(self) -> str:
        """Return a name for an owner in this process, another one at each call; see ``SessionLog``."""
        await anyio.lowlevel.checkpoint()
        return new_name(self._place.machine)

    async def acquire(self, session: str, owner: str, *, lease_s: float, wants: Wants, agent: str = "") -> Opened:
        """Become the owner of a session; see ``SessionLog``. Who is cancelled meanwhile owns nothing.

        Raises:
            SessionBusy: if it has an owner.
            SessionUnfinished: with ``"new"``, if the last turn is open.
            NoSuchSession: with ``"open"`` and ``"any"``.
            NothingToResume: with ``"open"``, if the last turn has ended.
            StoreUnavailable: if the database cannot be read or written now.
            StoreError: for a name that is empty or no plain text, and for the session ``par.audit``.
            DecodeError: if this par cannot read what is stored.
            ValueError: for a ``lease_s`` that is no positive number.
        """
        checked_session(session)
        checked_name("an owner", owner)
        if agent:
            checked_name("the name of an agent", agent)
        us = round(checked_lease_s(lease_s) * _US)
        try:
            lease = await self._take(session, owner, us, wants, agent)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(_FORSAKE_S, shield=True):
                await self._forsake(session, owner)
            raise
        try:
            rows = await self._run(lambda connection: fetch_opened(connection, self._place.scope, lease))
            return await anyio.to_thread.run_sync(rows.opened, self._fate)
        except BaseException:
            with anyio.move_on_after(_FORSAKE_S, shield=True):
                await self._forsake(session, owner)
            raise

    @property
    def _fate(self) -> Fate:
        return fate_among_machines(self._place.machine)

    async def _run(self, job: Job[T]) -> T:
        return await self._pool.run(job, again=True)

    async def _take(self, session: str, owner: str, us: int, wants: Wants, agent: str) -> Lease:
        dead = alive = ""  # nobody's name
        while True:
            values = (session, owner, us, wants, agent, self._place.clock.now(), dead, alive)
            # a second time after a lost answer, the owner takes it from itself
            row = await self._run(lambda connection: connection.fetchrow(_ACQUIRE, *values))  # noqa: B023 # it runs at once
            came_to, fence, holder, left_s = cast(
                "tuple[str, int, str, float]", () if row is None else tuple(_values(row))
            )
            if came_to == "owned":
                return Lease(session=session, owner=owner, fence=fence)
            if came_to == "unfinished":
                raise SessionUnfinished(session)
            if came_to == "ended":
                raise NothingToResume(session)
            if came_to == "absent":
                raise NoSuchSession(session)
            if await anyio.to_thread.run_sync(is_dead, self._fate, holder):
                dead = holder
            elif came_to == "busy":
                raise SessionBusy(session, owner=name_of(holder), free_in_s=left_s)
            else:
                alive = holder  # its lease is over

    async def _forsake(self, session: str, owner: str) -> None:
        await self._run(lambda connection: connection.execute(_RELEASE, session, owner, None))

    async def commit(self, change: Change, envelopes: Sequence[Envelope], /) -> bool:
        """Carry out the change and store the events, all or nothing; return whether signals wait for the session.

        They take their place in the order of storage at the call, before the first await. See ``SessionLog`` and
        ``PostgresStore.append``.

        Raises:
            LeaseLost: if the session has another owner now, or is gone.
            StoreError: if an event or something in the change cannot be stored, or is refused; nothing of it is
                stored then, and other callers' are not affected.
            StoreUnavailable: if the database cannot be written now, or the store has been closed.
            ValueError: for a change that clears the results of no turn.
        """
        work = work_of(change, self._place.scope, self._place.clock.now())
        records = records_of(envelopes, self._place.scope)
        refuse_own_session(records)
        refuse_nul(records)
        pending = self._group.put(Checkpoint(records, work))
        await self._group.wait(pending)
        return pending.signals

    async def renew(self, leases: Sequence[Lease], /, *, lease_s: float) -> frozenset[str]:
        """Hold the leases for ``lease_s`` seconds from now; return the sessions whose lease is lost.

        One that was given up and that nobody else has taken is neither held nor lost.

        Raises:
            StoreUnavailable: if the database cannot be written now.
            ValueError: for a ``lease_s`` that is no positive number.
        """
        seconds = checked_lease_s(lease_s)
        if not leases:
            await anyio.lowlevel.checkpoint()
            return frozenset()
        names = [lease.session for lease in leases]
        owners = [lease.owner for lease in leases]
        fences = [lease.fence for lease in leases]
        us = round(seconds * _US)
        rows = await self._run(lambda connection: connection.fetch(_RENEW, names, owners, fences, us))
        return frozenset(cast("str", row[0]) for row in rows)

    async def stops(self, sessions: Sequence[str], /) -> Mapping[str, Signal]:
        """Return the oldest order to stop that waits for each of the sessions that have one; see ``SessionLog``."""
        wanted = list(sessions)
        rows = await self._run(lambda connection: connection.fetch(STOPS, self._place.scope, wanted))
        return {cast("str", row[0]): signal_of([row[place] for place in range(1, 5)]) for row in rows}

    async def inbox(self, session: str, /) -> tuple[Signal, ...]:
        """Return the messages that wait for the session, oldest first; see ``SessionLog``."""
        rows = await self._run(lambda connection: connection.fetch(INBOX, self._place.scope, session))
        return tuple([signal_of(_values(row)) for row in rows])

    async def send(self, session: str, signal: Signal, /) -> None:
        """Add a signal; one with an id that is there is passed over.

        Raises:
            NoSuchSession: if there is no such session.
            StoreError: if it cannot be stored.
            StoreUnavailable: if the database cannot be written now.
        """
        name, kind, body, _ = signal_row(signal)
        values = (self._place.scope, session, name, kind, body, signal.at)
        if not await self._run(lambda connection: connection.fetchval(_SEND, *values)):
            raise NoSuchSession(session)

    async def release(self, lease: Lease, /) -> None:
        """Give a session up; see ``SessionLog``."""
        values = (lease.session, lease.owner, lease.fence)
        await self._run(lambda connection: connection.execute(_RELEASE, *values))

    async def session(self, session: str, /) -> SessionInfo | None:
        """Return what is known of a session; ``None`` if there is none of that id."""
        row = await self._run(lambda connection: connection.fetchrow(ONE, self._place.scope, session))
        return None if row is None else session_of(row, self._fate)

    async def list_sessions(
        self, *, states: Sequence[TaskState] = (), after: str = "", limit: int | None = None
    ) -> tuple[SessionInfo, ...]:
        """Return the sessions in one of the states (none: in any) in the order of their ids; see ``SessionLog``.

        Raises:
            ValueError: for a limit below 1.
        """
        wanted = tuple(state.value for state in states)
        most, scope = checked_limit(limit), self._place.scope
        rows = await self._run(lambda connection: fetch_list(connection, scope, wanted, after, most))
        return tuple([session_of(row, self._fate) for row in rows])

    async def due(self, *, limit: int | None = None) -> tuple[SessionInfo, ...]:
        """Return the sessions that somebody should go on with, the longest untouched first; see ``SessionLog``.

        Raises:
            ValueError: for a limit below 1.
        """
        most, scope, now, fate = checked_limit(limit), self._place.scope, self._place.clock.now(), self._fate
        rows = await self._run(lambda connection: fetch_due(connection, scope, now, fate, most))
        return tuple([session_of(row, fate) for row in rows])

    async def turns(self, session: str, /) -> tuple[TurnInfo, ...]:
        """Return the turns of a session, in order; see ``SessionLog``."""
        rows = await self._run(lambda connection: connection.fetch(TURNS, self._place.scope, session))
        return await _decoded(turn_of, rows)

    async def steps(self, session: str, turn: int, /) -> tuple[StepRecord, ...]:
        """Return the steps of a turn, in order, with their results as far as they are kept."""
        rows = await self._run(lambda connection: connection.fetch(STEPS, self._place.scope, session, turn))
        return await _decoded(step_of, rows)

    async def approvals(self, session: str | None = None, *, pending: bool = False) -> tuple[Approval, ...]:
        """Return the approvals of a session, or of all, oldest first; see ``SessionLog``."""
        values = (self._place.scope, session, pending)
        rows = await self._run(lambda connection: connection.fetch(APPROVALS, *values))
        return tuple([approval_of(row[0]) for row in rows])

    async def turn_of_message(self, session: str, message_id: str, /) -> TurnInfo | None:
        """Return the turn that answers an inbound message."""
        values = (self._place.scope, session, message_id)
        row = await self._run(lambda connection: connection.fetchrow(OF_MESSAGE, *values))
        return None if row is None else turn_of(_values(row))


def _values(row: Row) -> Sequence[object]:
    return [row[place] for place in range(len(row))]


async def _decoded(read: Callable[[Sequence[object]], T], rows: Sequence[Row]) -> tuple[T, ...]:
    """Make values of rows in a thread: a conversation may be long, and the event loop has others to serve."""
    return await anyio.to_thread.run_sync(lambda: tuple([read(_values(row)) for row in rows]))
