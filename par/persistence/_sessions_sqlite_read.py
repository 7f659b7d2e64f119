"""Reading sessions in an audit file. The functions run in the thread of the reading connection, which gives bytes."""

import sqlite3
from collections.abc import Sequence
from heapq import merge
from itertools import islice
from typing import Final

from par._durable.log import Lease, Opened, Signal, StepRecord
from par.codec import time_text
from par.errors import NoSuchSession
from par.persistence._processes import name_of
from par.persistence._sessions_owner import Held, Place, is_dead
from par.persistence._sessions_values import approval_of, info_of, signal_of, step_of, text_of, turn_of
from par.persistence._sqlite_read import last_seq
from par.sessions import Approval, SessionInfo, TurnInfo

__all__ = [
    "read_approvals",
    "read_due",
    "read_inbox",
    "read_list",
    "read_opened",
    "read_session",
    "read_steps",
    "read_stops",
    "read_turn_of_message",
    "read_turns",
]

_SESSION: Final = """
    SELECT id, agent, state, turns, steps, tokens, cost_micro, created_at, updated_at, owner, lease_until, lease_us, boot
    FROM session
"""
_INFO: Final = 9
"""The number of columns of a session before those of its owner."""
_ONE: Final = _SESSION + "WHERE scope = ? AND id = ?"
_RIVAL: Final = "SELECT rival AND open FROM session WHERE scope = ? AND id = ?"
_LIST: Final = _SESSION + "WHERE scope = ? AND id > ? ORDER BY id LIMIT ?"
_LIST_STATE: Final = _SESSION + "WHERE scope = ? AND state = ? AND id > ? ORDER BY id LIMIT ?"
_IDLE: Final = (
    _SESSION
    + "WHERE scope = ? AND open = 1 AND lease_until IS NULL AND waits_until <= ? ORDER BY updated_at, id LIMIT ?"
)
_OWNERS: Final = "SELECT DISTINCT owner FROM session WHERE scope = ? AND lease_until IS NOT NULL"
# without a word the whole scope would be read, which has the key of the table as its beginning
_HELD: Final = (
    _SESSION + "INDEXED BY session_held WHERE scope = ? AND owner = ? AND lease_until IS NOT NULL AND open = 1"
)
_TURN: Final = "SELECT facts, input, messages FROM turn WHERE scope = ? AND session = ?"
_TURNS: Final = _TURN + " ORDER BY number"
_OF_MESSAGE: Final = _TURN + " AND message_id = ?"
_STEPS: Final = """
    SELECT turn, ord, kind, status, attempt, label, result, inbox FROM step
    WHERE scope = ? AND session = ? AND turn = ? ORDER BY ord
"""
_SIGNALS: Final = "SELECT id, name, body, at FROM signal WHERE scope = ? AND session = ? AND turn IS NULL"
_INBOX: Final = _SIGNALS + " AND name IN ('steer', 'follow_up') ORDER BY id"
_STOPS: Final = _SIGNALS + " AND name IN ('interrupt', 'cancel') ORDER BY id LIMIT 1"
_OF_TURN: Final = "SELECT body FROM approval WHERE scope = ? AND session = ? AND turn = ? ORDER BY asked_at, id"
_ALL: Final = -1
"""As a LIMIT: none."""


def _info(row: Sequence[object], place: Place) -> SessionInfo:
    owner, until, us, boot = row[_INFO:]
    held = Held(text_of(owner), None if until is None else text_of(until), int(str(us)), text_of(boot))
    works = held.left_s(place.machine, place.clock) > 0
    return info_of(row[:_INFO], name_of(held.owner) if works else None, held.until)


def read_session(connection: sqlite3.Connection, place: Place, session: str) -> SessionInfo | None:
    """Return what is known of a session."""
    row = connection.execute(_ONE, (place.scope, session)).fetchone()
    return None if row is None else _info(row, place)


def read_opened(connection: sqlite3.Connection, place: Place, lease: Lease) -> Opened:
    """Return all of a session that its owner needs.

    Raises:
        NoSuchSession: if another process has removed it meanwhile.
    """
    connection.execute("BEGIN")  # one moment for all of it
    try:
        info = read_session(connection, place, lease.session)
        if info is None:
            raise NoSuchSession(lease.session)
        turns = read_turns(connection, place.scope, lease.session)
        is_open = turns[-1] if turns and turns[-1].is_open else None
        return Opened(
            lease=lease,
            info=info,
            seq=last_seq(connection, place.scope, lease.session),
            turns=turns[:-1] if is_open else turns,
            open=is_open,
            steps=read_steps(connection, place.scope, lease.session, is_open.number) if is_open else (),
            rival=bool(connection.execute(_RIVAL, (place.scope, lease.session)).fetchone()[0]),
            approvals=_of_turn(connection, place.scope, lease.session, is_open.number) if is_open else (),
        )
    finally:
        connection.execute("ROLLBACK")


def read_turns(connection: sqlite3.Connection, scope: str, session: str) -> tuple[TurnInfo, ...]:
    """Return the turns of a session."""
    return tuple(map(turn_of, connection.execute(_TURNS, (scope, session)).fetchall()))


def read_turn_of_message(connection: sqlite3.Connection, scope: str, session: str, message_id: str) -> TurnInfo | None:
    """Return the turn that answers a message."""
    row = connection.execute(_OF_MESSAGE, (scope, session, message_id)).fetchone()
    return None if row is None else turn_of(row)


def read_steps(connection: sqlite3.Connection, scope: str, session: str, turn: int) -> tuple[StepRecord, ...]:
    """Return the steps of a turn."""
    return tuple(map(step_of, connection.execute(_STEPS, (scope, session, turn)).fetchall()))


def _of_turn(connection: sqlite3.Connection, scope: str, session: str, turn: int) -> tuple[Approval, ...]:
    return tuple([approval_of(body) for (body,) in connection.execute(_OF_TURN, (scope, session, turn)).fetchall()])


def read_approvals(
    connection: sqlite3.Connection, scope: str, session: str | None, pending: bool
) -> tuple[Approval, ...]:
    """Return approvals, oldest first."""
    where, values = ["scope = ?"], [scope]
    if session is not None:
        where.append("session = ?")
        values.append(session)
    if pending:
        where.append("status = 'pending'")
    query = f"SELECT body FROM approval WHERE {' AND '.join(where)} ORDER BY asked_at, id"  # noqa: S608 # no value is in it
    return tuple([approval_of(body) for (body,) in connection.execute(query, values).fetchall()])


def read_inbox(connection: sqlite3.Connection, scope: str, session: str) -> tuple[Signal, ...]:
    """Return the messages that wait for a session."""
    return tuple(map(signal_of, connection.execute(_INBOX, (scope, session)).fetchall()))


def read_stops(connection: sqlite3.Connection, scope: str, sessions: Sequence[str]) -> dict[str, Signal]:
    """Return the first order to stop of each session that has one."""
    found = ((session, connection.execute(_STOPS, (scope, session)).fetchone()) for session in sessions)
    return {session: signal_of(row) for session, row in found if row is not None}


def read_list(
    connection: sqlite3.Connection, place: Place, states: Sequence[str], after: str, limit: int | None
) -> tuple[SessionInfo, ...]:
    """Return sessions in the order of their ids."""
    most = _ALL if limit is None else limit
    if not states:
        rows = connection.execute(_LIST, (place.scope, after, most)).fetchall()
    else:
        each = [connection.execute(_LIST_STATE, (place.scope, one, after, most)).fetchall() for one in set(states)]
        rows = list(islice(merge(*each), limit))
    return tuple([_info(row, place) for row in rows])


def read_due(connection: sqlite3.Connection, place: Place, limit: int | None) -> tuple[SessionInfo, ...]:
    """Return the sessions that somebody should go on with."""
    most, now = _ALL if limit is None else limit, time_text(place.clock.now())
    rows = connection.execute(_IDLE, (place.scope, now, most)).fetchall()
    for (owner,) in connection.execute(_OWNERS, (place.scope,)).fetchall():
        gone = is_dead(place.machine.is_alive, text_of(owner))
        held = connection.execute(_HELD, (place.scope, text_of(owner))).fetchall()
        rows += [row for row in held if gone or _info(row, place).owner is None]
    infos = sorted([_info(row, place) for row in rows], key=lambda info: (info.updated_at, info.id))
    return tuple(infos[:limit])
