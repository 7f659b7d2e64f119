"""Owning a session in an audit file, and sending it something. The functions run in the writing connection's thread."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from par._durable.log import Lease
from par.codec import time_text
from par.errors import NoSuchSession, NothingToResume, SessionBusy, SessionUnfinished
from par.persistence._processes import name_of
from par.persistence._sessions_owner import Held, Place, Wants, is_dead, term_of
from par.persistence._sessions_values import SignalRow
from par.persistence._sqlite_write import transaction
from par.states import TaskState

__all__ = ["forsake", "give_up", "prolong", "send_signal", "take"]

_FIND: Final = "SELECT fence, open, owner, lease_until, lease_us, boot FROM session WHERE scope = ? AND id = ?"
_MAKE: Final = """
    INSERT INTO session (scope, id, agent, state, owner, fence, lease_until, lease_us, boot, created_at, updated_at)
    VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)
"""
_TAKE: Final = """
    UPDATE session SET fence = fence + 1, rival = max(rival, ?), owner = ?, lease_until = ?, lease_us = ?, boot = ?, updated_at = ?
    WHERE scope = ? AND id = ?
"""
_RENEW: Final = """
    UPDATE session SET lease_until = ?, lease_us = ?, boot = ?
    WHERE scope = ? AND id = ? AND owner = ? AND fence = ? AND lease_until IS NOT NULL
"""
_GIVEN_UP: Final = "SELECT 1 FROM session WHERE scope = ? AND id = ? AND owner = ? AND fence = ?"
_END: Final = "UPDATE session SET lease_until = NULL WHERE scope = ? AND id = ? AND owner = ? AND fence = ?"
_FORSAKE: Final = "UPDATE session SET lease_until = NULL WHERE scope = ? AND id = ? AND owner = ?"
_UNMAKE: Final = "DELETE FROM session WHERE scope = ? AND id = ? AND owner = ? AND turns = 0"
_SEND: Final = """
    INSERT INTO signal (scope, session, id, name, body, at) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (scope, session, id) DO NOTHING
"""


def take(
    connection: sqlite3.Connection, place: Place, session: str, owner: str, lease_s: float, wants: Wants, agent: str
) -> Lease:
    """Become the owner of a session; see ``SessionLog``.

    Raises:
        SessionBusy, SessionUnfinished, NoSuchSession, NothingToResume: as ``SessionLog.acquire`` says.
    """
    with transaction(connection):
        row = connection.execute(_FIND, (place.scope, session)).fetchone()
        now, term = time_text(place.clock.now()), term_of(place.machine, place.clock, lease_s)
        if row is None:
            if wants != "new":
                raise NoSuchSession(session)
            state = TaskState.PENDING.value
            values = (place.scope, session, agent, state, owner, term.until, term.us, term.boot, now, now)
            connection.execute(_MAKE, values)
            return Lease(session=session, owner=owner, fence=1)
        fence, is_open, *rest = row
        held = Held(*rest)
        left_s = held.left_s(place.machine, place.clock)
        if left_s > 0 and held.owner != owner:
            raise SessionBusy(session, owner=name_of(held.owner), free_in_s=left_s)
        if wants == "new" and is_open:
            raise SessionUnfinished(session)
        if wants == "open" and not is_open:
            raise NothingToResume(session)
        # who is frozen may wake up in the middle of something
        rival = held.until is not None and held.owner != owner and not is_dead(place.machine.is_alive, held.owner)
        connection.execute(_TAKE, (rival, owner, term.until, term.us, term.boot, now, place.scope, session))
        return Lease(session=session, owner=owner, fence=fence + 1)


def prolong(connection: sqlite3.Connection, place: Place, leases: Sequence[Lease], lease_s: float) -> frozenset[str]:
    """Prolong leases; return the sessions that have another owner now, or are gone."""
    lost: set[str] = set()
    with transaction(connection):
        term = term_of(place.machine, place.clock, lease_s)
        for lease in leases:
            mine = (place.scope, lease.session, lease.owner, lease.fence)
            if connection.execute(_RENEW, (term.until, term.us, term.boot, *mine)).rowcount:
                continue
            if connection.execute(_GIVEN_UP, mine).fetchone() is None:
                lost.add(lease.session)
    return frozenset(lost)


def give_up(connection: sqlite3.Connection, scope: str, lease: Lease) -> None:
    """Give a session up; one without a turn is gone then."""
    with transaction(connection):
        if connection.execute(_END, (scope, lease.session, lease.owner, lease.fence)).rowcount:
            connection.execute(_UNMAKE, (scope, lease.session, lease.owner))


def forsake(connection: sqlite3.Connection, scope: str, session: str, owner: str) -> None:
    """Give a session up whose fence the owner was never told."""
    with transaction(connection):
        connection.execute(_FORSAKE, (scope, session, owner))
        connection.execute(_UNMAKE, (scope, session, owner))


def send_signal(connection: sqlite3.Connection, scope: str, session: str, signal: SignalRow) -> None:
    """Add a signal.

    Raises:
        NoSuchSession: if there is no such session.
    """
    with transaction(connection):
        if connection.execute(_FIND, (scope, session)).fetchone() is None:
            raise NoSuchSession(session)
        connection.execute(_SEND, (scope, session, *signal))
