"""Reading events a page at a time. The functions run in the thread of the reading connection, which gives bytes."""

import sqlite3
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias, cast, final

import attrs

from par import codec
from par.errors import DecodeError
from par.events import Envelope, Event

__all__ = ["Page", "Pages", "Row", "SessionSummary", "last_position", "last_seq", "read_page", "read_sessions"]

Row: TypeAlias = tuple[int, bytes, int, bytes, bytes, bytes, bytes | None, int, bytes]
"""position, session, seq, id, at, run, parent, step, body"""

_COLUMNS = "position, session, seq, id, at, run, parent, step, body"
_PAGE = 256


@attrs.frozen(kw_only=True)
class Page:
    """Which events: of a session, of a run, after a sequence number (with ``session``) or a position (without)."""

    session: str | None
    run: str | None
    after: int
    size: int


@attrs.frozen(kw_only=True)
class SessionSummary:
    """A session of the store: its id, how many events it has, and when the first and the last happened."""

    session: str
    events: int
    first_at: datetime
    last_at: datetime


def read_page(connection: sqlite3.Connection, page: Page) -> list[Row]:
    """Return the next events in order."""
    key = "position" if page.session is None else "seq"
    where, values = [f"{key} > ?"], [page.after]
    texts: list[str] = []
    for column, value in (("session", page.session), ("run", page.run)):
        if value is not None:
            where.append(f"{column} = ?")
            texts.append(value)
    sql = f"SELECT {_COLUMNS} FROM event WHERE {' AND '.join(where)} ORDER BY {key} LIMIT ?"  # noqa: S608 # no value is in it
    rows = connection.execute(sql, (*values, *texts, page.size)).fetchall()
    return cast("list[Row]", rows)  # the schema's CHECKs say so


def last_seq(connection: sqlite3.Connection, session: str) -> int:
    """Return the number at the head of a session, 0 without one."""
    row = connection.execute("SELECT seq FROM head WHERE session = ?", (session,)).fetchone()
    return int(row[0]) if row else 0


def last_position(connection: sqlite3.Connection) -> int:
    """Return the greatest position, 0 in an empty store."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'event'").fetchone()
    return int(row[0]) if row else 0


def read_sessions(connection: sqlite3.Connection) -> tuple[SessionSummary, ...]:
    """Return all sessions, the one that was active last at the end."""
    rows = connection.execute(
        """
        SELECT head.session, head.seq - first.seq + 1, first.at, last.at
        FROM head
        JOIN event AS last ON last.session = head.session AND last.seq = head.seq
        JOIN event AS first ON first.session = head.session
            AND first.seq = (SELECT min(seq) FROM event WHERE session = head.session)
        ORDER BY last.at, head.session
        """
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
    _, session, seq, event_id, at, run, parent, step, body = row
    try:
        return Envelope(
            id=_text(event_id),
            session=_text(session),
            run=_text(run),
            step=step,
            parent=None if parent is None else _text(parent),
            at=codec.time_of(_text(at)),
            seq=seq,
            event=cast("Event", codec.loads(Event, body.decode())),  # what loads returns for a union is a member
        )
    except (DecodeError, ValueError) as error:
        problem = error.problem if isinstance(error, DecodeError) else str(error)
        raise DecodeError(f"event {seq} of session {_text(session)!r}", problem) from error


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
