"""Dead letters in Postgres."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, cast, final

from par._bus.letters import DeadLetter, Reason
from par.events import ErrorInfo
from par.persistence._dead_letters_rows import COLUMNS, checked_limit, failure_values, letter_of, row_of
from par.persistence._postgres_driver import Connection, Row
from par.persistence._postgres_pool import PgPool
from par.persistence._redaction import Texts

__all__ = ["PostgresDeadLetters"]

_BATCH: Final = 200
"""Letters that are looked through in one transaction."""
_TIMES: Final = frozenset({"at", "replayed_at", "event_at"})


def _parameter(column: str) -> str:
    number = COLUMNS.index(column) + 2
    return f"${number}::text::timestamptz" if column in _TIMES else f"${number}"


# a letter may come after its event was redacted: what left the audit must not come back
_PUT: Final = f"""
    INSERT INTO dead_letter (scope, {", ".join(COLUMNS)})
    VALUES ($1, {", ".join(map(_parameter, COLUMNS[:-1]))}, CASE
        WHEN is_redacted({_parameter("session")}, {_parameter("seq")}, {_parameter("event_id")}) THEN NULL
        ELSE {_parameter("body")}
    END)
    ON CONFLICT (scope, id) DO NOTHING
"""  # noqa: S608 # no value is in it
_READ: Final = ", ".join(COLUMNS)
_GET: Final = f"SELECT {_READ} FROM dead_letter WHERE scope = $1 AND id = $2"  # noqa: S608 # as above
_FIND: Final = f"""
    SELECT {_READ} FROM dead_letter
    WHERE scope = $1 AND ($2::text IS NULL OR subscriber = $2) AND ($3::text IS NULL OR session = $3)
    AND id > $4 ORDER BY id LIMIT $5
"""  # noqa: S608 # as above
_MARK: Final = """
    UPDATE dead_letter SET replays = replays + 1, replayed_at = $3::text::timestamptz, attempts = $4, reason = $5,
        error_type = $6, error_message = CASE WHEN body IS NULL THEN NULL ELSE $7 END
    WHERE scope = $1 AND id = $2 RETURNING true
"""
_DELETE: Final = "DELETE FROM dead_letter WHERE scope = $1 AND id = ANY ($2) RETURNING id"
_FULL: Final = """
    SELECT id, body, coalesce(error_message, '') FROM dead_letter
    WHERE scope = $1 AND id > $2 AND body IS NOT NULL ORDER BY id LIMIT $3 FOR UPDATE
"""
_FORGET: Final = "UPDATE dead_letter SET body = NULL, error_message = NULL WHERE scope = $1 AND id = ANY ($2)"


@final
class PostgresDeadLetters:
    """The dead letters of the pool's scope, as ``par.bus.DeadLetterStore`` describes them."""

    def __init__(self, pool: PgPool) -> None:
        self._pool = pool

    async def put(self, letters: Sequence[DeadLetter], /) -> None:
        """Store the letters in one transaction; one that is there already is passed over.

        The event of a letter is left out if the audit in this database has redacted it.

        Raises:
            StoreUnavailable: if the database cannot be written now.
            StoreError: if one of them cannot be written as JSON, or has a name that Postgres cannot keep.
        """
        scope = self._pool.scope
        rows = [(scope, *row_of(letter)) for letter in letters]

        async def job(connection: Connection) -> None:
            async with connection.transaction():
                await connection.executemany(_PUT, rows)

        await self._pool.run(job, again=True)

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
            StoreUnavailable: if the database cannot be read.
            DecodeError: for an event that this par cannot read.
        """
        values = (self._pool.scope, subscriber, session, after or "", checked_limit(limit))

        async def job(connection: Connection) -> list[Row]:
            return await connection.fetch(_FIND, *values)

        return tuple(_letter(row) for row in await self._pool.run(job, again=True))

    async def get(self, id: str, /) -> DeadLetter | None:  # noqa: A002 # the protocol's name
        """Return a letter, ``None`` if there is none of this id.

        Raises:
            StoreUnavailable: if the database cannot be read.
            DecodeError: for an event that this par cannot read.
        """

        async def job(connection: Connection) -> Row | None:
            return await connection.fetchrow(_GET, self._pool.scope, id)

        row = await self._pool.run(job, again=True)
        return None if row is None else _letter(row)

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
            StoreUnavailable: if the database cannot be written now.
        """
        values = failure_values(at, attempts, reason, error)

        async def job(connection: Connection) -> bool:
            return bool(await connection.fetchval(_MARK, self._pool.scope, id, *values))

        return await self._pool.run(job)  # not again after a lost line: it counts

    async def delete(self, ids: Iterable[str], /) -> int:
        """Remove letters, and return how many of them were there.

        Raises:
            StoreUnavailable: if the database cannot be written now.
        """
        gone = list(ids)

        async def job(connection: Connection) -> int:
            return len(await connection.fetch(_DELETE, self._pool.scope, gone))

        return await self._pool.run(job, again=True)

    async def forget(self, texts: Iterable[str], /) -> int:
        """Remove the event from each letter in which one of the texts occurs; return how many letters those are.

        Raises:
            StoreUnavailable: if the database cannot be written now.
            ValueError: for no text, or an empty one.
        """
        looked_for = Texts(texts)
        count, after = 0, ""
        while True:
            start = after

            async def job(connection: Connection) -> tuple[int, str | None]:
                return await _forget(connection, self._pool.scope, looked_for, start)  # noqa: B023 # it runs before the next round

            found, last = await self._pool.run(job, again=True)
            count += found
            if last is None:
                return count
            after = last


async def _forget(connection: Connection, scope: str, texts: Texts, after: str) -> tuple[int, str | None]:
    """Redact some letters; return how many had one of the texts, and where to go on."""
    async with connection.transaction():
        rows = cast("list[tuple[str, str, str]]", await connection.fetch(_FULL, scope, after, _BATCH))
        found = [id_ for id_, *contents in rows if any(texts.are_in(content) for content in contents)]
        await connection.execute(_FORGET, scope, found)
    return len(found), rows[-1][0] if len(rows) == _BATCH else None


def _letter(row: Row) -> DeadLetter:
    return letter_of([row[place] for place in range(len(COLUMNS))])
