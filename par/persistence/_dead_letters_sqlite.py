"""Dead letters in an audit file."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, cast, final

import anyio

from par._bus.letters import DeadLetter, Reason
from par.errors import StoreUnavailable
from par.events import ErrorInfo
from par.persistence._dead_letters_rows import COLUMNS, Values, checked_limit, failure_values, letter_of, row_of
from par.persistence._redaction import Texts
from par.persistence._sqlite_connection import SqliteConnection
from par.persistence._sqlite_remove import empty_journal
from par.persistence._sqlite_write import transaction

__all__ = ["SqliteDeadLetters"]

_BATCH: Final = 200
"""Letters that are looked through in one transaction, for which other writers wait."""
_EMPTY_S: Final = 5.0

# a letter may come after its event was redacted: what left the audit must not come back
_PUT: Final = f"""
    INSERT INTO dead_letter (scope, {", ".join(COLUMNS)})
    SELECT :scope, {", ".join(f":{column}" for column in COLUMNS[:-1])}, CASE WHEN EXISTS (
        SELECT 1 FROM event
        WHERE scope = :scope AND session = :session AND seq = :seq AND id = :event_id AND body IS NULL
    ) THEN NULL ELSE :body END
    WHERE true
    ON CONFLICT (scope, id) DO NOTHING
"""  # noqa: S608 # no value is in it
# as bytes, whatever the connection's own idea of text: no stored byte can make reading fail
_NUMBERS: Final = frozenset({"attempts", "replays", "seq", "step"})
_READ: Final = ", ".join(column if column in _NUMBERS else f"CAST({column} AS BLOB)" for column in COLUMNS)
_GET: Final = f"SELECT {_READ} FROM dead_letter WHERE scope = ? AND id = ?"  # noqa: S608 # as above
_MARK: Final = """
    UPDATE dead_letter SET replays = replays + 1, replayed_at = ?, attempts = ?, reason = ?, error_type = ?,
        error_message = CASE WHEN body IS NULL THEN NULL ELSE ? END
    WHERE scope = ? AND id = ?
"""
_DELETE: Final = "DELETE FROM dead_letter WHERE scope = ? AND id = ?"
_FULL: Final = """
    SELECT CAST(id AS BLOB), CAST(body AS BLOB), CAST(coalesce(error_message, '') AS BLOB) FROM dead_letter
    WHERE scope = ? AND id > ? AND body IS NOT NULL ORDER BY id LIMIT ?
"""
_FORGET: Final = "UPDATE dead_letter SET body = NULL, error_message = NULL WHERE scope = ? AND id = ?"


@final
class SqliteDeadLetters:
    """The dead letters of a scope, as ``par.bus.DeadLetterStore`` describes them, in an audit file.

    Writing jobs run on ``writer`` and reading ones on ``reader``, which may be the same connection.
    """

    def __init__(self, writer: SqliteConnection, reader: SqliteConnection, scope: str, where: str) -> None:
        self._writer = writer
        self._reader = reader
        self._scope = scope
        self._where = where

    async def put(self, letters: Sequence[DeadLetter], /) -> None:
        """Store the letters in one transaction; one that is there already is passed over.

        The event of a letter is left out if the audit in this file has redacted it.

        Raises:
            StoreUnavailable: if the file cannot be written now.
            StoreError: if one of them cannot be written as JSON, or has a name that is no text.
        """
        await self._writer.run(_put, self._scope, [row_of(letter) for letter in letters])

    async def find(
        self,
        *,
        subscriber: str | None = None,
        session: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> tuple[DeadLetter, ...]:
        """Return letters, the oldest first; see ``DeadLetterStore``.

        Raises:
            ValueError: for a limit outside of 1 to 1,000.
            StoreUnavailable: if the file cannot be read.
            DecodeError: for an event that this par cannot read.
        """
        wanted = {"subscriber": subscriber, "session": session, "after": after}
        rows = await self._reader.run(_find, self._scope, wanted, checked_limit(limit))
        return tuple(letter_of(row) for row in rows)

    async def get(self, id: str, /) -> DeadLetter | None:  # noqa: A002 # the protocol's name
        """Return a letter, ``None`` if there is none of this id.

        Raises:
            StoreUnavailable: if the file cannot be read.
            DecodeError: for an event that this par cannot read.
        """
        rows = await self._reader.run(_read, _GET, (self._scope, id))
        return letter_of(rows[0]) if rows else None

    async def mark_replayed(
        self,
        id: str,  # noqa: A002 # the protocol's name
        /,
        *,
        at: datetime,
        attempts: int,
        reason: Reason,
        error: ErrorInfo | None,
    ) -> bool:
        """Write on a letter that one more replay has failed; tell whether it is there.

        Raises:
            StoreUnavailable: if the file cannot be written now.
        """
        values = (*failure_values(at, attempts, reason, error), self._scope, id)
        return await self._writer.run(_change, _MARK, [values]) == 1

    async def delete(self, ids: Iterable[str], /) -> int:
        """Remove letters, and return how many of them were there.

        Raises:
            StoreUnavailable: if the file cannot be written now.
        """
        return await self._writer.run(_change, _DELETE, [(self._scope, one) for one in ids])

    async def forget(self, texts: Iterable[str], /) -> int:
        """Remove the event from each letter in which one of the texts occurs; return how many letters those are.

        When this returns, the bytes have left the file and its journal.

        Raises:
            StoreUnavailable: if the file cannot be written, or another process holds the journal so that the bytes are
                still in it; another call tries again.
            ValueError: for no text, or an empty one.
        """
        looked_for = Texts(texts)
        count, after = 0, ""
        while True:
            found, last = await self._writer.run(_forget, self._scope, looked_for, after)
            count += found
            if last is None:
                break
            after = last
        give_up = anyio.current_time() + _EMPTY_S
        while not await self._writer.run(empty_journal):
            if anyio.current_time() >= give_up:
                raise StoreUnavailable(self._where, "another process holds the journal, which has the contents still")
            await anyio.sleep(0.05)
        return count


def _put(connection: sqlite3.Connection, scope: str, rows: Sequence[Values]) -> None:
    with transaction(connection):
        connection.executemany(_PUT, [{"scope": scope, **dict(zip(COLUMNS, row, strict=True))} for row in rows])


def _find(
    connection: sqlite3.Connection, scope: str, wanted: dict[str, str | None], limit: int
) -> list[list[str | int | None]]:
    tests = {"subscriber": "subscriber = ?", "session": "session = ?", "after": "id > ?"}
    given = {name: value for name, value in wanted.items() if value is not None}
    where = " AND ".join(["scope = ?", *(tests[name] for name in given)])
    query = f"SELECT {_READ} FROM dead_letter WHERE {where} ORDER BY id LIMIT ?"  # noqa: S608 # no value is in it
    return _read(connection, query, (scope, *given.values(), limit))


def _read(connection: sqlite3.Connection, query: str, values: tuple[str | int, ...]) -> list[list[str | int | None]]:
    rows = cast("list[tuple[bytes | int | None, ...]]", connection.execute(query, values).fetchall())
    return [[value.decode(errors="replace") if isinstance(value, bytes) else value for value in row] for row in rows]


def _change(connection: sqlite3.Connection, statement: str, values: Sequence[Values]) -> int:
    with transaction(connection):
        return max(connection.executemany(statement, values).rowcount, 0)


def _forget(connection: sqlite3.Connection, scope: str, texts: Texts, after: str) -> tuple[int, str | None]:
    """Redact some letters; return how many had one of the texts, and where to go on."""
    with transaction(connection):
        rows = cast("list[tuple[bytes, bytes, bytes]]", connection.execute(_FULL, (scope, after, _BATCH)).fetchall())
        found = [
            id_.decode()
            for id_, *contents in rows
            if any(texts.are_in(content.decode(errors="replace")) for content in contents)
        ]
        connection.executemany(_FORGET, [(scope, one) for one in found])
    return len(found), rows[-1][0].decode() if len(rows) == _BATCH else None
