"""Reading events a page at a time. The functions run in the thread of the reading connection, which gives bytes."""

import sqlite3
from collections.abc import Awaitable, Callable
from typing import TypeAlias, cast, final

import attrs

from par import codec
from par._store import Head, SessionSummary
from par.errors import ChainBroken, DecodeError
from par.events import Envelope, Event, Redacted

__all__ = [
    "Page",
    "Pages",
    "Row",
    "last_position",
    "last_seq",
    "read_heads_of",
    "read_page",
    "read_scopes",
    "read_sessions",
]

Row: TypeAlias = tuple[int, bytes, int, bytes, bytes, bytes, bytes | None, int, bytes, bytes | None]
"""position, session, seq, id, at, run, parent, step, kind, body"""

_COLUMNS = "position, session, seq, id, at, run, parent, step, kind, body"
_PAGE = 256


@attrs.frozen(kw_only=True)
class Page:
    """Which events: of a session, of a run, after a sequence number (with ``session``) or a position (without)."""

    scope: str
    session: str | None
    run: str | None
    after: int
    size: int


def read_page(connection: sqlite3.Connection, page: Page) -> list[Row]:
    """Return the next events in order."""
    key = "position" if page.session is None else "seq"
    where, values = ["scope = ?", f"{key} > ?"], (page.scope, page.after)
    texts: list[str] = []
    for column, value in (("session", page.session), ("run", page.run)):
        if value is not None:
            where.append(f"{column} = ?")
            texts.append(value)
    sql = f"SELECT {_COLUMNS} FROM event WHERE {' AND '.join(where)} ORDER BY {key} LIMIT ?"  # noqa: S608 # no value is in it
    rows = connection.execute(sql, (*values, *texts, page.size)).fetchall()
    return cast("list[Row]", rows)  # the schema's CHECKs say so


def last_seq(connection: sqlite3.Connection, scope: str, session: str) -> int:
    """Return the number at the head of a session, 0 without one."""
    row = connection.execute("SELECT seq FROM head WHERE scope = ? AND session = ?", (scope, session)).fetchone()
    return int(row[0]) if row else 0


def last_position(connection: sqlite3.Connection, scope: str) -> int:
    """Return the greatest position, 0 in an empty store."""
    (position,) = connection.execute("SELECT max(position) FROM head WHERE scope = ?", (scope,)).fetchone()
    return int(position or 0)


def read_scopes(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the scopes that the file holds, in their order."""
    rows: list[tuple[bytes]] = connection.execute("SELECT DISTINCT scope FROM head ORDER BY scope").fetchall()
    return tuple(_text(scope) for (scope,) in rows)


def read_heads_of(connection: sqlite3.Connection, scope: str) -> tuple[Head, ...]:
    """Return the head of each session of the scope."""
    rows = connection.execute(
        "SELECT session, seq, hash, at, position FROM head WHERE scope = ? ORDER BY session", (scope,)
    ).fetchall()
    return tuple(
        _head(scope, _text(session), seq, digest, at, position)
        for session, seq, digest, at, position in cast("list[tuple[bytes, int, bytes, bytes, int]]", rows)
    )


def _head(scope: str, session: str, seq: int, digest: bytes, at: bytes, position: int) -> Head:
    try:
        time = codec.time_of(_text(at))
    except ValueError as error:
        raise ChainBroken(session, seq, "the head of the chain has no time") from error
    return Head(scope=scope, session=session, seq=seq, hash=digest.hex(), at=time, position=position)


def read_sessions(connection: sqlite3.Connection, scope: str) -> tuple[SessionSummary, ...]:
    """Return all sessions that have events, the one that was active last at the end."""
    rows = connection.execute(
        """
        SELECT head.session, head.seq - first.seq + 1, first.at, head.at
        FROM head
        JOIN event AS first ON first.scope = head.scope AND first.session = head.session
            AND first.seq = (SELECT min(seq) FROM event WHERE scope = head.scope AND session = head.session)
        WHERE head.scope = ?
        ORDER BY head.at, head.session
        """,
        (scope,),
    ).fetchall()
    return tuple(
        SessionSummary(
            session=_text(session),
            events=events,
            first_at=codec.time_of(_text(first)),
            last_at=codec.time_of(_text(last)),
        )
        for session, events, first, last in cast("list[tuple[bytes, int, bytes, bytes]]", rows)
    )


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")


def _envelope(row: Row) -> Envelope:
    _, session, seq, event_id, at, run, parent, step, kind, body = row
    try:
        return Envelope(
            id=_text(event_id),
            session=_text(session),
            run=_text(run),
            step=step,
            parent=None if parent is None else _text(parent),
            at=codec.time_of(_text(at)),
            seq=seq,
            event=Redacted(kind=_text(kind)) if body is None else _event(body),
        )
    except (DecodeError, ValueError) as error:
        problem = error.problem if isinstance(error, DecodeError) else str(error)
        raise DecodeError(f"event {seq} of session {_text(session)!r}", problem) from error


def _event(body: bytes) -> Event:
    return cast("Event", codec.loads(Event, body.decode()))  # what loads returns for a union is a member


@final
class Pages:
    """Goes through events page by page; between two pages nothing is held open.

    A class, not an async generator: one that is left early would wait for the garbage collector.
    """

    def __init__(self, read: Callable[[Page], Awaitable[list[Row]]], page: Page, limit: int | None) -> None:
        self._read = read
        self._page = page
        self._left = limit
        self._rows: list[Row] = []
        self._more = True

    def __aiter__(self) -> "Pages":
        return self

    async def __anext__(self) -> Envelope:
        if not self._rows and self._more:
            await self._turn()
        if not self._rows:
            raise StopAsyncIteration
        return _envelope(self._rows.pop())

    async def _turn(self) -> None:
        size = _PAGE if self._left is None else min(_PAGE, self._left)
        rows = await self._read(attrs.evolve(self._page, size=size))
        self._more = len(rows) == size
        if self._left is not None:
            self._left -= len(rows)
            self._more = self._more and self._left > 0
        if rows:
            last = rows[-1]
            self._page = attrs.evolve(self._page, after=last[0] if self._page.session is None else last[2])
        self._rows = rows[::-1]
