"""The two ways in which something leaves an audit in Postgres, each told in the same transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeAlias, cast

import attrs

from par.codec import time_of
from par.errors import StoreError
from par.events import Event, RecordsExpired, RecordsRedacted
from par.persistence._chain import AUDIT_SESSION, Linker, Record
from par.persistence._postgres_driver import Connection
from par.persistence._postgres_write import write_own
from par.persistence._redaction import Texts
from par.persistence._sessions_postgres_remove import bare_turns, lock_session, turns_with

__all__ = ["BATCH", "Front", "Marks", "Remover", "find_old", "find_texts"]

Tell: TypeAlias = Callable[[Event], Record]
"""Makes the record, not numbered yet, by which the store tells of a removal."""

BATCH: Final = 1_000
"""Records per transaction at most: a bound for the time that writers of the scope wait."""
_LOOKED_AT: Final = 200

# until the commit nobody else of the scope writes: what was read stays true, and the session par.audit ends where it did
_LOCK: Final = "INSERT INTO ledger (scope) VALUES ($1) ON CONFLICT (scope) DO UPDATE SET position = ledger.position"
_STORED: Final = "SELECT seq, body IS NULL FROM event WHERE scope = $1 AND session = $2 AND seq = ANY ($3)"
_PERMIT: Final = "INSERT INTO permit (what, scope, session, seq, event) SELECT $1, $2, $3, unnest($4::bigint[]), $5"
_REDACT: Final = """
    UPDATE event SET body = NULL, salt = NULL WHERE scope = $1 AND session = $2 AND seq = ANY ($3)
"""
_END_PERMITS: Final = "DELETE FROM permit WHERE scope = $1"
_FRONT: Final = "SELECT seq, at, hash FROM event WHERE scope = $1 AND session = $2 ORDER BY seq LIMIT $3"
_OLD: Final = """
    SELECT session FROM head CROSS JOIN LATERAL (
        SELECT event.at FROM event
        WHERE event.scope = head.scope AND event.session = head.session ORDER BY event.seq LIMIT 1
    ) AS first
    WHERE head.scope = $1 AND ($2::text IS NULL OR head.session > $2) AND head.session <> $3 AND first.at < $4
    ORDER BY head.session LIMIT $5
"""


@attrs.frozen
class Marks:
    """Where texts were found, up to where was looked, and whether that was the end."""

    found: tuple[tuple[str, int], ...]
    after: int
    end: bool


@attrs.frozen
class Front:
    """What one transaction removed, and the sessions that it did not come to or not finish."""

    removed: tuple[tuple[str, int], ...]
    left: tuple[str, ...]


async def find_texts(connection: Connection, scope: str, session: str | None, texts: Texts, after: int) -> Marks:
    """Look for the texts in the next records of the scope, or of one session of it."""
    key, where = ("position", "session <> $2") if session is None else ("seq", "session = $2")
    rows = cast(
        "list[tuple[int, str, int, str | None]]",
        await connection.fetch(
            f"SELECT {key}, session, seq, body FROM event WHERE scope = $1 AND {where} AND {key} > $3 "  # noqa: S608 # no value is in it
            f"ORDER BY {key} LIMIT {BATCH}",
            scope,
            AUDIT_SESSION if session is None else session,
            after,
        ),
    )
    found = [(name, seq) for _, name, seq, body in rows if body is not None and texts.are_in(body)]
    return Marks(tuple(found), rows[-1][0] if rows else after, len(rows) < BATCH)


async def find_old(connection: Connection, scope: str, before: str, after: str | None) -> tuple[str, ...]:
    """Return some sessions, in order, whose first record is older than ``before``."""
    rows = await connection.fetch(_OLD, scope, after, AUDIT_SESSION, time_of(before), _LOOKED_AT)
    return tuple(cast("str", row[0]) for row in rows)


@attrs.frozen
class Remover:
    """Jobs that remove something; each is one transaction."""

    linker: Linker
    tell: Tell
    scope: str

    async def contents(
        self, connection: Connection, session: str, seqs: Sequence[int], reason: str, by: str
    ) -> tuple[int, ...]:
        """Remove the contents of these records, and of the turns to which they belong.

        Returns the numbers of those that had one.

        Raises:
            StoreError: if there is no such record.
        """
        async with connection.transaction():
            await lock_session(connection, self.scope, session)
            await connection.execute(_LOCK, self.scope)
            rows = cast("list[tuple[int, bool]]", await connection.fetch(_STORED, self.scope, session, list(seqs)))
            bare = dict(rows)
            for seq in seqs:
                if seq not in bare:
                    raise StoreError(f"event {seq} of session {session!r} cannot be redacted: it is not there")
            full = tuple(seq for seq in seqs if not bare[seq])
            if full:
                event = self.tell(RecordsRedacted(session=session, seqs=full, reason=reason, by=by))
                await write_own(connection, self.linker, (event,))
                await connection.execute(_PERMIT, "redact", self.scope, session, full, event.id)
                await connection.execute(_REDACT, self.scope, session, full)
                await connection.execute(_END_PERMITS, self.scope)
                turns = await turns_with(connection, self.scope, session, full)
                await bare_turns(connection, self.scope, turns, event.at)
        return full

    async def fronts(self, connection: Connection, before: str, sessions: tuple[str, ...]) -> Front:
        """Remove a bounded number of records from the front of the sessions, up to the first that is not old."""
        room, left = BATCH, list(sessions)
        limit = time_of(before)
        fronts: list[tuple[str, int, int, bytes]] = []
        async with connection.transaction():
            await connection.execute(_LOCK, self.scope)
            while left and room:
                rows = cast(
                    "list[tuple[int, datetime, bytes]]", await connection.fetch(_FRONT, self.scope, left[0], room)
                )
                old = 0
                while old < len(rows) and rows[old][1] < limit:
                    old += 1
                if old:
                    fronts.append((left[0], old, rows[old - 1][0], rows[old - 1][2]))
                if old < room:
                    del left[0]
                room -= old
            records = tuple(
                self.tell(
                    RecordsExpired(session=session, through_seq=through, hash=digest.hex(), events=events, before=limit)
                )
                for session, events, through, digest in fronts
            )
            await write_own(connection, self.linker, records)
            for (session, _, through, _), record in zip(fronts, records, strict=True):
                await connection.execute(_PERMIT, "expire", self.scope, session, [through], record.id)
                await connection.execute(
                    "DELETE FROM event WHERE scope = $1 AND session = $2 AND seq <= $3", self.scope, session, through
                )
            await connection.execute(_END_PERMITS, self.scope)
        return Front(tuple((session, events) for session, events, _, _ in fronts), tuple(left))
