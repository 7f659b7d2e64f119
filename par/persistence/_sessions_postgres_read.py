"""Reading sessions in Postgres: the rows, for whoever makes values of them elsewhere than on the event loop."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast

import attrs

from par._durable.log import Lease, Opened
from par.errors import NoSuchSession
from par.persistence._postgres_driver import Connection, Row
from par.persistence._processes import Fate, name_of
from par.persistence._sessions_owner import is_dead
from par.persistence._sessions_values import approval_of, info_of, step_of, turn_of
from par.sessions import SessionInfo

__all__ = [
    "APPROVALS",
    "INBOX",
    "OF_MESSAGE",
    "ONE",
    "STEPS",
    "STOPS",
    "TURNS",
    "Rows",
    "fetch_due",
    "fetch_list",
    "fetch_opened",
    "session_of",
]

_SESSION: Final = """
    SELECT id, agent, state, turns, steps, tokens, cost_micro, created_at, updated_at,
        owner, lease_until, lease_until > clock_timestamp()
    FROM session
"""
_INFO: Final = 9
"""The number of columns of a session before those of its owner."""
ONE: Final = _SESSION + "WHERE scope = $1 AND id = $2"
_RIVAL: Final = "SELECT rival FROM session WHERE scope = $1 AND id = $2"
_LIST: Final = _SESSION + "WHERE scope = $1 AND id > $2 ORDER BY id LIMIT $3"
_LIST_STATES: Final = f"""
    SELECT found.* FROM unnest($4::text[]) AS wanted CROSS JOIN LATERAL (
        {_SESSION} WHERE scope = $1 AND id > $2 AND state = wanted ORDER BY id LIMIT $3
    ) AS found ORDER BY id LIMIT $3
"""  # noqa: S608 # no value is in it
_IDLE: Final = (
    _SESSION
    + "WHERE scope = $1 AND open AND lease_until IS NULL AND waits_until <= $2 ORDER BY updated_at, id LIMIT $3"
)
_OWNERS: Final = "SELECT DISTINCT owner FROM session WHERE scope = $1 AND lease_until IS NOT NULL"
_LEFT: Final = (
    _SESSION + "WHERE scope = $1 AND open AND lease_until IS NOT NULL"
    " AND (lease_until <= clock_timestamp() OR owner = ANY ($2)) ORDER BY updated_at, id LIMIT $3"
)
_TURN: Final = "SELECT facts, input, messages FROM turn WHERE scope = $1 AND session = $2"
TURNS: Final = _TURN + " ORDER BY number"
OF_MESSAGE: Final = _TURN + " AND message_id = $3"
STEPS: Final = """
    SELECT turn, ord, kind, status, attempt, label, result, inbox FROM step
    WHERE scope = $1 AND session = $2 AND turn = $3 ORDER BY ord
"""
_SIGNAL: Final = "SELECT id, name, body, at FROM signal"
INBOX: Final = (
    _SIGNAL + " WHERE scope = $1 AND session = $2 AND turn IS NULL AND name IN ('steer', 'follow_up') ORDER BY id"
)
STOPS: Final = f"""
    SELECT wanted, found.* FROM unnest($2::text[]) AS wanted CROSS JOIN LATERAL (
        {_SIGNAL} WHERE scope = $1 AND session = wanted AND turn IS NULL AND name IN ('interrupt', 'cancel')
        ORDER BY id LIMIT 1
    ) AS found
"""  # noqa: S608 # no value is in it
APPROVALS: Final = """
    SELECT body FROM approval
    WHERE scope = $1 AND ($2::text IS NULL OR session = $2) AND (NOT $3 OR status = 'pending')
    ORDER BY asked_at, id
"""
_OF_TURN: Final = """
    SELECT body FROM approval WHERE scope = $1 AND session = $2 AND turn = $3 ORDER BY asked_at, id
"""


def session_of(row: Row, fate: Fate) -> SessionInfo:
    """Return what is known of a session."""
    values = [row[place] for place in range(len(row))]
    owner, until, holds = cast("tuple[str, datetime | None, bool | None]", tuple(values[_INFO:]))
    works = bool(holds) and not is_dead(fate, owner)
    return info_of(values[:_INFO], name_of(owner) if works else None, until)


@attrs.frozen
class Rows:
    """All of a session that its owner needs, as rows of one moment."""

    lease: Lease
    session: Row
    seq: int
    rival: bool
    turns: list[Row]
    steps: list[Row]
    approvals: list[Row]

    def opened(self, fate: Fate) -> Opened:
        """Read them.

        Raises:
            DecodeError: if this par cannot read what is stored.
        """
        turns = tuple([turn_of(_values(row)) for row in self.turns])
        is_open = turns[-1] if turns and turns[-1].is_open else None
        return Opened(
            lease=self.lease,
            info=session_of(self.session, fate),
            seq=self.seq,
            turns=turns[:-1] if is_open else turns,
            open=is_open,
            steps=tuple([step_of(_values(row)) for row in self.steps]) if is_open else (),
            rival=self.rival and is_open is not None,
            approvals=tuple([approval_of(row[0]) for row in self.approvals]) if is_open else (),
        )


def _values(row: Row) -> Sequence[object]:
    return [row[place] for place in range(len(row))]


async def fetch_opened(connection: Connection, scope: str, lease: Lease) -> Rows:
    """Return the rows of a session.

    Raises:
        NoSuchSession: if another process has removed it meanwhile.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        row = await connection.fetchrow(ONE, scope, lease.session)
        if row is None:
            raise NoSuchSession(lease.session)
        seq = cast("int | None", await connection.fetchval("SELECT seq FROM tips($1)", [lease.session])) or 0
        rival = bool(await connection.fetchval(_RIVAL, scope, lease.session))
        turns = await connection.fetch(TURNS, scope, lease.session)
        last = cast("int", row["turns"])
        steps = await connection.fetch(STEPS, scope, lease.session, last)
        approvals = await connection.fetch(_OF_TURN, scope, lease.session, last)
    return Rows(lease, row, seq, rival, turns, steps, approvals)


async def fetch_list(
    connection: Connection, scope: str, states: Sequence[str], after: str, limit: int | None
) -> list[Row]:
    """Return sessions in the order of their ids."""
    if not states:
        return await connection.fetch(_LIST, scope, after, limit)
    return await connection.fetch(_LIST_STATES, scope, after, limit, list(set(states)))


async def fetch_due(connection: Connection, scope: str, now: datetime, fate: Fate, limit: int | None) -> list[Row]:
    """Return the sessions that somebody should go on with."""
    owners = await connection.fetch(_OWNERS, scope)
    dead = [owner for owner in [cast("str", row[0]) for row in owners] if is_dead(fate, owner)]
    rows = [*await connection.fetch(_IDLE, scope, now, limit), *await connection.fetch(_LEFT, scope, dead, limit)]
    return sorted(rows, key=lambda row: (cast("datetime", row["updated_at"]), cast("str", row["id"])))[:limit]
