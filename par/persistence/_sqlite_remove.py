"""The two ways in which something leaves an audit file, each told in the same transaction.

The functions here run in the thread of the connection that they are given.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, cast

import attrs

from par.codec import time_of
from par.errors import StoreError
from par.events import Event, RecordsExpired, RecordsRedacted
from par.persistence._chain import AUDIT_SESSION, OLD, Linker, Record
from par.persistence._redaction import Texts
from par.persistence._sessions_sqlite_remove import bare_turns, turns_with
from par.persistence._sqlite_write import Plan, transaction
from par.persistence._verify import rest_of

__all__ = [
    "Front",
    "Marks",
    "Tell",
    "empty_journal",
    "find_old",
    "find_texts",
    "remove_contents",
    "remove_fronts",
]

Tell: TypeAlias = Callable[[Event], Record]
"""Makes the record, not numbered yet, by which the store tells of a removal."""

BATCH: Final = 1_000
"""Records per transaction at most: a bound for the time that writers wait."""
_LOOKED_AT: Final = 200

_STORED: Final = """
    SELECT format, body IS NULL, id, at, run, parent, step, kind, previous, hash FROM event
    WHERE scope = ? AND session = ? AND seq = ?
"""
_PERMIT: Final = "INSERT INTO permit (what, scope, session, seq, event) VALUES (?, ?, ?, ?, ?)"
_REDACT: Final = "UPDATE event SET body = NULL, salt = NULL WHERE scope = ? AND session = ? AND seq = ?"
_FRONT: Final = "SELECT seq, at, hash FROM event WHERE scope = ? AND session = ? ORDER BY seq LIMIT ?"
_OLD: Final = """
    SELECT session FROM head WHERE scope = :scope AND (:after IS NULL OR session > :after) AND session <> :audit AND :before > (
        SELECT at FROM event WHERE event.scope = head.scope AND event.session = head.session ORDER BY seq LIMIT 1
    )
    ORDER BY session LIMIT :limit
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


def find_texts(connection: sqlite3.Connection, scope: str, session: str | None, texts: Texts, after: int) -> Marks:
    """Look for the texts in the next records of the scope, or of one session of it."""
    key, where = ("position", "session <> ?") if session is None else ("seq", "session = ?")
    rows = cast(
        "list[tuple[int, bytes, int, bytes | None]]",  # the schema's CHECKs say so
        connection.execute(
            f"SELECT {key}, session, seq, body FROM event WHERE scope = ? AND {where} AND {key} > ? "  # noqa: S608 # no value is in it
            f"ORDER BY {key} LIMIT ?",
            (scope, AUDIT_SESSION if session is None else session, after, BATCH),
        ).fetchall(),
    )
    found = [
        (name.decode(), seq)
        for _, name, seq, body in rows
        if body is not None and texts.are_in(body.decode(errors="replace"))
    ]
    return Marks(tuple(found), rows[-1][0] if rows else after, len(rows) < BATCH)


def remove_contents(
    connection: sqlite3.Connection,
    linker: Linker,
    tell: Tell,
    scope: str,
    session: str,
    seqs: Sequence[int],
    reason: str,
    by: str,
) -> tuple[int, ...]:
    """Remove the contents of these records, and of the turns to which they belong.

    Returns the numbers of those that had one.

    Raises:
        StoreError: if there is no such record.
    """
    with transaction(connection):
        bare, rests = set[int](), dict[str, str]()
        for seq in seqs:
            row = connection.execute(_STORED, (scope, session, seq)).fetchone()
            if row is None:
                raise StoreError(f"event {seq} of session {session!r} cannot be redacted: it is not there")
            style, is_bare, *rest = row
            if is_bare:
                bare.add(seq)
            elif style == OLD:
                rests[str(seq)] = rest_of((seq, *rest))
        full = tuple(seq for seq in seqs if seq not in bare)
        if full:
            event = RecordsRedacted(session=session, seqs=full, reason=reason, by=by, rests=rests)
            told = _tell(connection, linker, [tell(event)])
            connection.executemany(_PERMIT, [("redact", scope, session, seq, told[0].id) for seq in full])
            connection.executemany(_REDACT, [(scope, session, seq) for seq in full])
            connection.execute("DELETE FROM permit")
            bare_turns(connection, scope, turns_with(connection, scope, session, full), told[0].at)
    return full


def _tell(connection: sqlite3.Connection, linker: Linker, records: Sequence[Record]) -> Sequence[Record]:
    plan = Plan(connection, linker)
    refused = plan.add(tuple(records))
    if refused is not None:
        raise refused
    plan.carry_out()
    return records


def find_old(connection: sqlite3.Connection, scope: str, before: str, after: str | None) -> tuple[str, ...]:
    """Return some sessions, in order, whose first record is older than ``before``."""
    values = {"scope": scope, "before": before, "after": after, "audit": AUDIT_SESSION, "limit": _LOOKED_AT}
    rows: list[tuple[bytes]] = connection.execute(_OLD, values).fetchall()
    return tuple(name.decode() for (name,) in rows)


def remove_fronts(
    connection: sqlite3.Connection, linker: Linker, tell: Tell, scope: str, before: str, sessions: tuple[str, ...]
) -> Front:
    """Remove a bounded number of records from the front of the sessions, up to the first that is not old enough."""
    room, left = BATCH, list(sessions)
    fronts: list[tuple[str, int, int, bytes]] = []
    with transaction(connection):
        while left and room:
            rows = connection.execute(_FRONT, (scope, left[0], room)).fetchall()
            old = 0
            while old < len(rows) and rows[old][1] < before:
                old += 1
            if old:
                fronts.append((left[0], old, rows[old - 1][0], rows[old - 1][2]))
            if old < room:
                del left[0]
            room -= old
        records = [
            tell(
                RecordsExpired(
                    session=session, through_seq=through, hash=digest.hex(), events=events, before=time_of(before)
                )
            )
            for session, events, through, digest in fronts
        ]
        if records:
            _tell(connection, linker, records)
        for (session, _, through, _), record in zip(fronts, records, strict=True):
            connection.execute(_PERMIT, ("expire", scope, session, through, record.id))
            connection.execute(
                "DELETE FROM event WHERE scope = ? AND session = ? AND seq <= ?", (scope, session, through)
            )
            connection.execute("DELETE FROM permit")
    return Front(tuple((session, events) for session, events, _, _ in fronts), tuple(left))


def empty_journal(connection: sqlite3.Connection) -> bool:
    """Bring all that is in the journal into the file and cut the journal; tell whether nobody was in the way."""
    (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
