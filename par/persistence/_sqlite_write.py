"""The write transaction. Runs in the thread of the writing connection."""

import sqlite3

from par.errors import StoreError
from par.persistence._chain import Head, Record, link
from par.persistence._group_commit import Batch, Item, Results

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
    SELECT id, at, run, parent, step, kind, body FROM event WHERE session = ? AND seq = ?
"""


def write_batch(connection: sqlite3.Connection, batch: Batch) -> Results:
    """Store the items in one transaction; return for each its error, or ``None``.

    An item that is refused leaves the others unharmed. Where the transaction as a whole fails (a full disk), the
    items are tried one by one, so that the one that is too big does not take the others along.

    Raises:
        sqlite3.Error: if nothing could be stored.
    """
    try:
        return _transaction(connection, batch)
    except sqlite3.Error as error:
        if len(batch) == 1 or error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
    return [_alone(connection, item) for item in batch]


def _alone(connection: sqlite3.Connection, item: Item) -> StoreError | None:
    try:
        (result,) = _transaction(connection, [item])
    except sqlite3.Error as error:
        return StoreError(f"the store could not write: {error}")
    return result


def _transaction(connection: sqlite3.Connection, batch: Batch) -> Results:
    # IMMEDIATE: the heads that are read next cannot be moved by another process before they are used
    connection.execute("BEGIN IMMEDIATE")
    try:
        heads: dict[str, Head] = {}
        changed: set[str] = set()
        results = [_store(connection, item, heads, changed) for item in batch]
        connection.executemany(_SET_HEAD, [(session, heads[session].seq, heads[session].hash) for session in changed])
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors have rolled back already
            connection.execute("ROLLBACK")
        raise
    return results


def _store(connection: sqlite3.Connection, item: Item, heads: dict[str, Head], changed: set[str]) -> StoreError | None:
    ends: dict[str, Head] = {}
    connection.execute("SAVEPOINT item")
    try:
        for record in item:
            head = ends.get(record.session) or _head(connection, record.session, heads)
            if record.seq == head.seq + 1:
                ends[record.session] = _insert(connection, record, head)
            else:
                _refuse_unless_stored(connection, record, head)
    except (sqlite3.IntegrityError, StoreError) as error:
        connection.execute("ROLLBACK TO item")
        connection.execute("RELEASE item")
        return _refusal(item, error)
    connection.execute("RELEASE item")
    heads.update(ends)
    changed.update(ends)
    return None


def _head(connection: sqlite3.Connection, session: str, heads: dict[str, Head]) -> Head:
    head = heads.get(session)
    if head is None:
        row = connection.execute("SELECT seq, hash FROM head WHERE session = ?", (session,)).fetchone()
        head = heads[session] = Head() if row is None else Head(*row)
    return head


def _insert(connection: sqlite3.Connection, record: Record, head: Head) -> Head:
    digest = link(head.hash, record.sealed)
    connection.execute(
        _INSERT,
        (
            record.session,
            record.seq,
            record.id,
            record.at,
            record.run,
            record.parent,
            record.step,
            record.kind,
            record.body,
            head.hash,
            digest,
        ),
    )
    return Head(record.seq, digest)


def _refuse_unless_stored(connection: sqlite3.Connection, record: Record, head: Head) -> None:
    row = connection.execute(_SAME, (record.session, record.seq)).fetchone() if record.seq <= head.seq else None
    if row == (record.id, record.at, record.run, record.parent, record.step, record.kind, record.body):
        return  # the same event once more: a caller that did not learn of its success
    problem = "another event has that number" if row is not None else f"the next number is {head.seq + 1}"
    raise StoreError(
        f"event {record.seq} of session {record.session!r} was refused: {problem}. "
        "Does another process write to this session?"
    )


def _refusal(item: Item, error: sqlite3.IntegrityError | StoreError) -> StoreError:
    if isinstance(error, StoreError):
        return error
    first = item[0]
    return StoreError(f"event {first.seq} of session {first.session!r}, or one stored with it, was refused: {error}")
