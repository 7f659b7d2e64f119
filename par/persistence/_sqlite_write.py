"""The write transaction. Runs in the thread of the writing connection."""

import sqlite3
from typing import TypeAlias, final

from par.errors import StoreError
from par.persistence._chain import Head, Record, link
from par.persistence._group_commit import Batch, Item, Results
from par.persistence._sqlite_file import is_busy

__all__ = ["write_batch"]

_INSERT = """
    INSERT INTO event (session, seq, id, at, run, parent, step, kind, body, previous, hash)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SET_HEAD = """
    INSERT INTO head (session, seq, hash) VALUES (?, ?, ?)
    ON CONFLICT (session) DO UPDATE SET seq = excluded.seq, hash = excluded.hash
"""
_SAME = """
    SELECT session, seq, id, at, run, parent, step, kind, body FROM event WHERE session = ? AND seq = ?
"""


Row: TypeAlias = tuple[str, int, str, str, str, str | None, int, str, str, bytes, bytes]


def write_batch(connection: sqlite3.Connection, batch: Batch) -> Results:
    """Store the items in one transaction; return for each its error, or ``None``.

    An item that does not fit its session is left out, and the others are stored. Where the transaction as a whole
    fails (an id that is taken, a full disk), the items are tried one by one, so that one does not take the others
    along.

    Raises:
        sqlite3.Error: if the database is locked, or a single item could not be written.
    """
    try:
        return _transaction(connection, batch)
    except sqlite3.IntegrityError as error:
        if len(batch) == 1:
            return [_refusal(batch[0], error)]
    except sqlite3.Error as error:
        if len(batch) == 1 or is_busy(error):
            raise
    return [_alone(connection, item) for item in batch]


def _alone(connection: sqlite3.Connection, item: Item) -> StoreError | None:
    try:
        (result,) = write_batch(connection, [item])
    except sqlite3.Error as error:
        return StoreError(f"the store could not write: {error}")
    return result


def _refusal(item: Item, error: sqlite3.IntegrityError) -> StoreError:
    first = item[0]
    return StoreError(f"event {first.seq} of session {first.session!r}, or one stored with it, was refused: {error}")


def _transaction(connection: sqlite3.Connection, batch: Batch) -> Results:
    # IMMEDIATE: the heads that are read next cannot be moved by another process before they are used
    connection.execute("BEGIN IMMEDIATE")
    try:
        plan = _Plan(connection)
        results = [plan.add(item) for item in batch]
        connection.executemany(_INSERT, plan.rows)
        connection.executemany(_SET_HEAD, plan.new_heads())
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors have rolled back already
            connection.execute("ROLLBACK")
        raise
    return results


@final
class _Plan:
    """The rows of one transaction, with the chains that they continue."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._stored: dict[str, Head] = {}
        self._heads: dict[str, Head] = {}
        self.rows: list[Row] = []

    def new_heads(self) -> list[tuple[str, int, bytes]]:
        return [(session, head.seq, head.hash) for session, head in self._heads.items()]

    def add(self, item: Item) -> StoreError | None:
        """Plan the item, or return why it is refused; then nothing of it is planned."""
        heads: dict[str, Head] = {}
        rows: list[Row] = []
        for record in item:
            head = heads.get(record.session) or self._head(record.session)
            if record.seq == head.seq + 1:
                digest = link(head.hash, record.sealed)
                rows.append((*record[:9], head.hash, digest))
                heads[record.session] = Head(record.seq, digest)
            elif not self._is_there(record, rows):
                return StoreError(
                    f"event {record.seq} of session {record.session!r} was refused: it is not the next one, which "
                    f"is {head.seq + 1}, and not one that is stored. Does another process write to this session?"
                )
        self._heads.update(heads)
        self.rows += rows
        return None

    def _head(self, session: str) -> Head:
        head = self._heads.get(session) or self._stored.get(session)
        if head is None:
            row = self._connection.execute("SELECT seq, hash FROM head WHERE session = ?", (session,)).fetchone()
            head = self._stored[session] = Head() if row is None else Head(*row)
        return head

    def _is_there(self, record: Record, rows: list[Row]) -> bool:
        # the same event once more, from a caller that did not learn of its success: in the file, or on its way
        same: tuple[object, ...] = record[:9]
        key = (record.session, record.seq)
        found = self._connection.execute(_SAME, key).fetchone()
        return found == same or any(row[:9] == same for row in (*rows, *self.rows))
