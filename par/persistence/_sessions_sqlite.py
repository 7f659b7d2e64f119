"""The durable side of sessions, in an audit file."""

from collections.abc import Mapping, Sequence
from typing import Final, final

import anyio
import anyio.lowlevel
import attrs

from par._clock import Clock
from par._durable.log import Change, Lease, Opened, Signal, StepRecord
from par.events import Envelope
from par.persistence._chain import records_of
from par.persistence._group_commit import Checkpoint, GroupCommit
from par.persistence._own_records import refuse_own_session
from par.persistence._processes import Machine, new_name
from par.persistence._sessions_owner import Place, Wants
from par.persistence._sessions_sqlite_jobs import forsake, give_up, prolong, send_signal, take
from par.persistence._sessions_sqlite_read import (
    read_approvals,
    read_due,
    read_inbox,
    read_list,
    read_opened,
    read_session,
    read_steps,
    read_stops,
    read_turn_of_message,
    read_turns,
)
from par.persistence._sessions_values import (
    checked_lease_s,
    checked_limit,
    checked_name,
    checked_session,
    signal_row,
    work_of,
)
from par.persistence._sqlite_connections import Connections
from par.sessions import Approval, SessionInfo, TurnInfo
from par.states import TaskState

__all__ = ["SqliteSessions"]

_FORSAKE_S: Final = 5.0


@final
@attrs.frozen
class SqliteSessions:
    """The sessions of a scope, as ``SessionLog`` describes them. Made by ``SqliteStore.session_log``.

    Leases are measured by the steady clock of the machine, where it tells when it was started (Linux), and otherwise
    by the time of day. A process that has ended is known by its number and start time: its sessions are free at once.
    """

    _group: GroupCommit
    _connections: Connections
    _place: Place

    @property
    def machine(self) -> Machine:
        """The machine on which owners live or die."""
        return self._place.machine

    def on(self, machine: Machine, clock: Clock) -> "SqliteSessions":
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
            StoreUnavailable: if the file cannot be read or written now.
            StoreError: for a name that is empty or no plain text, and for the session ``par.audit``.
            DecodeError: if this par cannot read what is stored.
            ValueError: for a ``lease_s`` that is no positive number.
        """
        checked_session(session)
        checked_name("an owner", owner)
        if agent:
            checked_name("the name of an agent", agent)
        seconds = checked_lease_s(lease_s)
        try:
            lease = await self._connections.writer.run(take, self._place, session, owner, seconds, wants, agent)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(_FORSAKE_S, shield=True):
                await self._forsake(session, owner)
            raise
        try:
            return await self._connections.reader.run(read_opened, self._place, lease)
        except BaseException:
            with anyio.move_on_after(_FORSAKE_S, shield=True):
                await self._forsake(session, owner)
            raise

    async def _forsake(self, session: str, owner: str) -> None:
        await self._connections.writer.run(forsake, self._place.scope, session, owner)

    async def commit(self, change: Change, envelopes: Sequence[Envelope], /) -> bool:
        """Carry out the change and store the events, all or nothing; return whether signals wait for the session.

        They take their place in the order of storage at the call, before the first await. See ``SessionLog`` and
        ``SqliteStore.append``.

        Raises:
            LeaseLost: if the session has another owner now, or is gone.
            StoreError: if an event or something in the change cannot be stored, or is refused; nothing of it is
                stored then, and other callers' are not affected.
            StoreUnavailable: if the file cannot be written now, or the store has been closed.
            ValueError: for a change that clears the results of no turn.
        """
        work = work_of(change, self._place.scope, self._place.clock.now())
        records = records_of(envelopes, self._place.scope)
        refuse_own_session(records)
        pending = self._group.put(Checkpoint(records, work))
        await self._group.wait(pending)
        return pending.signals

    async def renew(self, leases: Sequence[Lease], /, *, lease_s: float) -> frozenset[str]:
        """Hold the leases for ``lease_s`` seconds from now; return the sessions whose lease is lost.

        One that was given up and that nobody else has taken is neither held nor lost.

        Raises:
            StoreUnavailable: if the file cannot be written now.
            ValueError: for a ``lease_s`` that is no positive number.
        """
        seconds = checked_lease_s(lease_s)
        if not leases:
            await anyio.lowlevel.checkpoint()
            return frozenset()
        return await self._connections.writer.run(prolong, self._place, tuple(leases), seconds)

    async def stops(self, sessions: Sequence[str], /) -> Mapping[str, Signal]:
        """Return the oldest order to stop that waits for each of the sessions that have one; see ``SessionLog``."""
        return await self._connections.reader.run(read_stops, self._place.scope, tuple(sessions))

    async def inbox(self, session: str, /) -> tuple[Signal, ...]:
        """Return the messages that wait for the session, oldest first; see ``SessionLog``."""
        return await self._connections.reader.run(read_inbox, self._place.scope, session)

    async def send(self, session: str, signal: Signal, /) -> None:
        """Add a signal; one with an id that is there is passed over.

        Raises:
            NoSuchSession: if there is no such session.
            StoreError: if it cannot be stored.
            StoreUnavailable: if the file cannot be written now.
        """
        await self._connections.writer.run(send_signal, self._place.scope, session, signal_row(signal))

    async def release(self, lease: Lease, /) -> None:
        """Give a session up; see ``SessionLog``."""
        await self._connections.writer.run(give_up, self._place.scope, lease)

    async def session(self, session: str, /) -> SessionInfo | None:
        """Return what is known of a session; ``None`` if there is none of that id."""
        return await self._connections.reader.run(read_session, self._place, session)

    async def list_sessions(
        self, *, states: Sequence[TaskState] = (), after: str = "", limit: int | None = None
    ) -> tuple[SessionInfo, ...]:
        """Return the sessions in one of the states (none: in any) in the order of their ids; see ``SessionLog``.

        Raises:
            ValueError: for a limit below 1.
        """
        wanted = tuple(state.value for state in states)
        return await self._connections.reader.run(read_list, self._place, wanted, after, checked_limit(limit))

    async def due(self, *, limit: int | None = None) -> tuple[SessionInfo, ...]:
        """Return the sessions that somebody should go on with, the longest untouched first; see ``SessionLog``.

        Raises:
            ValueError: for a limit below 1.
        """
        return await self._connections.reader.run(read_due, self._place, checked_limit(limit))

    async def turns(self, session: str, /) -> tuple[TurnInfo, ...]:
        """Return the turns of a session, in order; see ``SessionLog``."""
        return await self._connections.reader.run(read_turns, self._place.scope, session)

    async def steps(self, session: str, turn: int, /) -> tuple[StepRecord, ...]:
        """Return the steps of a turn, in order, with their results as far as they are kept."""
        return await self._connections.reader.run(read_steps, self._place.scope, session, turn)

    async def approvals(self, session: str | None = None, *, pending: bool = False) -> tuple[Approval, ...]:
        """Return the approvals of a session, or of all, oldest first; see ``SessionLog``."""
        return await self._connections.reader.run(read_approvals, self._place.scope, session, pending)

    async def turn_of_message(self, session: str, message_id: str, /) -> TurnInfo | None:
        """Return the turn that answers an inbound message."""
        return await self._connections.reader.run(read_turn_of_message, self._place.scope, session, message_id)
