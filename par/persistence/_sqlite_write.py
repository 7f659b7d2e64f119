"""The write transaction. Runs in the thread of the writing connection."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from typing import TypeAlias, final

from par.errors import StoreError, WrongKey
from par.persistence._chain import KEYED, Linker, Record, Tip, numbered
from par.persistence._group_commit import Batch, Item, Results
from par.persistence._sqlite_file import is_busy

__all__ = ["Plan", "transaction", "write_batch"]

_INSERT = """
    INSERT INTO event (
        position, format, scope, session, seq, id, at, run, parent, step, kind, body, salt, body_hash, previous, hash
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SET_HEAD = """
    INSERT INTO head (scope, session, seq, hash, format, at, position) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (scope, session) DO UPDATE SET
        seq = excluded.seq, hash = excluded.hash, format = excluded.format, at = excluded.at,
        position = excluded.position
"""
_IS_KEYED = "SELECT 1 FROM scope_key WHERE scope = ?"
_TIP = "SELECT seq, hash, format FROM head WHERE scope = ? AND session = ?"
_SAME = """
    SELECT scope, session, seq, id, at, run, parent, step, kind, body FROM event
    WHERE scope = ? AND session = ? AND seq = ?
"""
_SAME_ID = "SELECT 1 FROM event WHERE scope = ? AND id = ?"
_POSITION = "SELECT seq FROM sqlite_sequence WHERE name = 'event'"
_IDENTITY = 9
"""The number of columns from ``scope`` to ``kind``, which come first in a record; then comes the body."""

Row: TypeAlias = tuple[object, ...]


def write_batch(connection: sqlite3.Connection, linker: Linker, batch: Batch) -> Results:
    """Store the items in one transaction; return for each its error, or ``None``.

    An item that does not fit its session is left out, and the others are stored. Where the transaction as a whole
    fails (an id that is taken, a full disk), the items are tried one by one, so that one does not take the others
    along.

    Raises:
        sqlite3.Error: if the database is locked, or a single item could not be written.
    """
    try:
        return _together(connection, linker, batch)
    except sqlite3.IntegrityError as error:
        if len(batch) == 1:
            return [_refusal(batch[0], error)]
    except sqlite3.Error as error:
        if len(batch) == 1 or is_busy(error):
            raise
    return [_alone(connection, linker, item) for item in batch]


def _alone(connection: sqlite3.Connection, linker: Linker, item: Item) -> StoreError | None:
    try:
        (result,) = write_batch(connection, linker, [item])
    except sqlite3.Error as error:
        return StoreError(f"the store could not write: {error}")
    return result


def _refusal(item: Item, error: sqlite3.IntegrityError) -> StoreError:
    first = item[0]
    return StoreError(f"event {first.seq} of session {first.session!r}, or one stored with it, was refused: {error}")


def _together(connection: sqlite3.Connection, linker: Linker, batch: Batch) -> Results:
    with transaction(connection):
        plan = Plan(connection, linker)
        results = [plan.add(item) for item in batch]
        plan.carry_out()
    return results


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None, None, None]:
    """Commit what the block writes, or nothing of it."""
    # IMMEDIATE: the tips that are read next cannot be moved by another process before they are used
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors have rolled back already
            connection.execute("ROLLBACK")
        raise


@final
class Plan:
    """The rows that one transaction adds, with the chains that they continue."""

    def __init__(self, connection: sqlite3.Connection, linker: Linker) -> None:
        self._connection = connection
        self._linker = linker
        self._stored: dict[tuple[str, str], Tip] = {}
        self._tips: dict[tuple[str, str], Tip] = {}
        self._records: list[Record] = []
        self._links: list[tuple[bytes, bytes]] = []
        self._refused: dict[str, StoreError | None] = {}

    def carry_out(self) -> None:
        """Write what was planned."""
        if not self._records:
            return
        found = self._connection.execute(_POSITION).fetchone()
        first = 1 + (found[0] if found else 0)
        style = self._linker.format
        rows = [
            (position, style, *record[:12], *link)
            for position, (record, link) in enumerate(zip(self._records, self._links, strict=True), first)
        ]
        self._connection.executemany(_INSERT, rows)
        self._connection.executemany(_SET_HEAD, self._new_heads(first))

    def _new_heads(self, first: int) -> list[Row]:
        last = {(record.scope, record.session): number for number, record in enumerate(self._records)}
        return [
            (*key, tip.seq, tip.hash, tip.format, self._records[last[key]].at, first + last[key])
            for key, tip in self._tips.items()
        ]

    def add(self, item: Item) -> StoreError | None:
        """Plan the item, or return why it is refused; then nothing of it is planned."""
        refused = self._refusal_of(item[0].scope)
        if refused is not None:
            return refused
        tips: dict[tuple[str, str], Tip] = {}
        records: list[Record] = []
        links: list[tuple[bytes, bytes]] = []
        link, style = self._linker.link, self._linker.format
        for given in item:
            key = (given.scope, given.session)
            tip = tips.get(key) or self._tip(key)
            if given.seq == 0:
                if self._has_id(given, records):
                    continue
                record = numbered(given, tip.seq + 1)
            else:
                record = given
            if record.seq != tip.seq + 1:
                if self._is_there(record, records):
                    continue
                return StoreError(
                    f"event {record.seq} of session {record.session!r} was refused: it is not the next one, which "
                    f"is {tip.seq + 1}, and not one that is stored. Does another process write to this session?"
                )
            digest = link(tip.hash, record.sealed)
            records.append(record)
            links.append((tip.hash, digest))
            tips[key] = Tip(record.seq, digest, style)
        self._tips.update(tips)
        self._records += records
        self._links += links
        return None

    def _refusal_of(self, scope: str) -> StoreError | None:
        if self._linker.format == KEYED:
            return None  # its key was compared when the store was opened
        if scope not in self._refused:
            keyed = self._connection.execute(_IS_KEYED, (scope,)).fetchone() is not None
            self._refused[scope] = WrongKey(scope, "open the store with it to write") if keyed else None
        return self._refused[scope]

    def _tip(self, key: tuple[str, str]) -> Tip:
        tip = self._tips.get(key) or self._stored.get(key)
        if tip is None:
            row = self._connection.execute(_TIP, key).fetchone()
            tip = self._stored[key] = Tip() if row is None else Tip(*row)
        return tip

    def _is_there(self, record: Record, records: list[Record]) -> bool:
        # the same event once more, from a caller that did not learn of its success: in the file, or on its way
        identity, body = record[:_IDENTITY], record.body
        found = self._connection.execute(_SAME, record[:3]).fetchone()
        if found is not None:
            return found[:_IDENTITY] == identity and found[_IDENTITY] in (body, None)  # none: it was redacted since
        return any(one[:_IDENTITY] == identity and one.body == body for one in (*records, *self._records))

    def _has_id(self, record: Record, records: list[Record]) -> bool:
        key = (record.scope, record.id)
        if self._connection.execute(_SAME_ID, key).fetchone() is not None:
            return True
        return any((one.scope, one.id) == key for one in (*records, *self._records))
