"""Reading from Postgres. Text comes as bytes, as from every database, for the same code to make events of it."""

from datetime import datetime
from typing import Final, cast

from par._store import Head, SessionSummary
from par.persistence._postgres_driver import Connection
from par.persistence._sqlite_read import Page, Row

__all__ = ["AT", "last_position", "last_seq", "read_heads", "read_page", "read_scopes", "read_sessions"]

AT: Final = """to_char(event.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
"""The time of an event as it is hashed."""

_SESSIONS: Final = """
    SELECT head.session, head.seq - first.seq + 1, first.at, head.at
    FROM head CROSS JOIN LATERAL (
        SELECT event.seq, event.at FROM event
        WHERE event.scope = head.scope AND event.session = head.session ORDER BY event.seq LIMIT 1
    ) AS first
    WHERE head.scope = $1 ORDER BY head.at, head.session
"""


async def read_page(connection: Connection, page: Page) -> list[Row]:
    """Return the next events in order."""
    key = "position" if page.session is None else "seq"
    where, values = ["scope = $1", f"{key} > $2"], [page.scope, page.after, page.size]
    for column, value in (("session", page.session), ("run", page.run)):
        if value is not None:
            values.append(value)
            where.append(f"{column} = ${len(values)}")
    sql = (
        f"SELECT position, session, seq, id, {AT}, run, parent, step, kind, body FROM event "  # noqa: S608 # no value is in it
        f"WHERE {' AND '.join(where)} ORDER BY {key} LIMIT $3"
    )
    rows = cast("list[tuple[int, str, int, str, str, str, str | None, int, str, str | None]]", await connection.fetch(sql, *values))  # fmt: skip # the columns of the table
    return [
        (
            position,
            session.encode(),
            seq,
            event_id.encode(),
            at.encode(),
            run.encode(),
            None if parent is None else parent.encode(),
            step,
            kind.encode(),
            None if body is None else body.encode(),
        )
        for position, session, seq, event_id, at, run, parent, step, kind, body in rows
    ]


async def last_seq(connection: Connection, session: str) -> int:
    """Return the number at the head of a session, 0 without one. Those who may only append may ask this."""
    found = await connection.fetchval("SELECT seq FROM tips($1)", [session])
    return cast("int | None", found) or 0


async def last_position(connection: Connection, scope: str) -> int:
    """Return the position of the last event, 0 in an empty scope."""
    found = await connection.fetchval("SELECT position FROM ledger WHERE scope = $1", scope)
    return cast("int | None", found) or 0


async def read_heads(connection: Connection, scope: str) -> tuple[Head, ...]:
    """Return the head of each session of the scope."""
    rows = await connection.fetch(
        "SELECT session, seq, hash, at, position FROM head WHERE scope = $1 ORDER BY session", scope
    )
    return tuple(
        Head(scope=scope, session=session, seq=seq, hash=digest.hex(), at=at, position=position)
        for session, seq, digest, at, position in cast("list[tuple[str, int, bytes, datetime, int]]", rows)
    )


async def read_sessions(connection: Connection, scope: str) -> tuple[SessionSummary, ...]:
    """Return all sessions that have events, the one that was active last at the end."""
    rows = await connection.fetch(_SESSIONS, scope)
    return tuple(
        SessionSummary(session=session, events=events, first_at=first_at, last_at=last_at)
        for session, events, first_at, last_at in cast("list[tuple[str, int, datetime, datetime]]", rows)
    )


async def read_scopes(connection: Connection) -> tuple[str, ...]:
    """Return the scopes that hold events, as far as the login may see them."""
    return tuple(cast("str", row[0]) for row in await connection.fetch("SELECT name FROM scopes()"))
