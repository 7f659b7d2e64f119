"""The write transaction. Runs in the thread of the writing connection."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from itertools import chain, groupby
from typing import TypeAlias, final

from par.errors import StoreError, WrongKey
from par.persistence._chain import KEYED, Linker, Record, Tip, numbered
from par.persistence._group_commit import Batch, Checkpoint, Item, Result, Results
from par.persistence._sessions_sqlite_write import Sessions
from par.persistence._sqlite_file import is_busy

__all__ = ["Plan", "transaction", "write_batch"]

_TOGETHER = 50
"""Rows per INSERT where there are many: a tenth faster than one by one, and few enough for every SQLite's parameters."""
_INTO = """
    INSERT INTO event (
        format, scope, session, seq, id, at, run, parent, step, kind, body, salt, body_hash, previous, hash
    ) VALUES
"""
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT = _INTO + _ROW
_INSERT_TOGETHER = _INTO + ", ".join([_ROW] * _TOGETHER)
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
_STORED = 12
"""The number of columns from ``scope`` to ``body_hash``, which come first in a record."""
_IDENTITY = 9
"""The number of columns from ``scope`` to ``kind``, which come first in a record; then comes the body."""

Row: TypeAlias = tuple[object, ...]
"""The parameters of the INSERT: the format, the columns of the record, then previous and hash."""
_ID = 4
_AT = 5


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


def _alone(connection: sqlite3.Connection, linker: Linker, item: Item) -> Result:
    try:
        (result,) = write_batch(connection, linker, [item])
    except sqlite3.Error as error:
        return StoreError(f"the store could not write: {error}")
    return result


def _refusal(item: Item, error: sqlite3.IntegrityError) -> StoreError:
    if isinstance(item, Checkpoint):
        return StoreError(f"a change of session {item.work.session!r} was refused: {error}")
    first = item[0]
    return StoreError(f"event {first.seq} of session {first.session!r}, or one stored with it, was refused: {error}")


def _together(connection: sqlite3.Connection, linker: Linker, batch: Batch) -> Results:
    with transaction(connection):
        plan = Plan(connection, linker)
        results = [plan.checkpoint(item) if isinstance(item, Checkpoint) else plan.add(item) for item in batch]
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
        self._rows: list[Row] = []
        self._refused: dict[str, StoreError | None] = {}
        self._sessions = Sessions(connection)

    def carry_out(self) -> None:
        """Write what was planned."""
        if not self._rows:
            return
        found = self._connection.execute(_POSITION).fetchone()
        first = 1 + (found[0] if found else 0)
        # the rows get the positions first, first + 1, ...: nobody else writes now
        whole = len(self._rows) - len(self._rows) % _TOGETHER
        together = [
            tuple(chain.from_iterable(self._rows[start : start + _TOGETHER])) for start in range(0, whole, _TOGETHER)
        ]
        self._connection.executemany(_INSERT_TOGETHER, together)
        self._connection.executemany(_INSERT, self._rows[whole:])
        self._connection.executemany(_SET_HEAD, self._new_heads(first))

    def _new_heads(self, first: int) -> list[Row]:
        last = {row[1:3]: number for number, row in enumerate(self._rows)}
        return [
            (*key, tip.seq, tip.hash, tip.format, self._rows[last[key]][_AT], first + last[key])
            for key, tip in self._tips.items()
        ]

    def checkpoint(self, item: Checkpoint) -> StoreError | bool:
        """Plan the events and change the session; return whether signals wait for it, or why all of it is refused."""
        work, before = item.work, len(self._rows)
        key = (work.scope, work.session)
        tips, first = dict(self._tips), self._tip(key).seq + 1
        refused = self.add(item.records) if item.records else None
        known = refused is None and item.records and len(self._rows) == before
        if known:  # all of it was done before; whoever owns the session now
            return self._sessions.waits(work)
        if refused is None:
            refused = self._sessions.change(work, first, self._tip(key).seq)
        elif (lost := self._sessions.lost(work)) is not None:
            refused = lost
        if refused is not None:
            del self._rows[before:]
            self._tips = tips
            return refused
        return self._sessions.waits(work)

    def add(self, item: tuple[Record, ...]) -> StoreError | None:
        """Plan the item, or return why it is refused; then nothing of it is planned."""
        refused = self._refusal_of(item[0].scope)
        if refused is not None:
            return refused
        tips: dict[tuple[str, str], Tip] = {}
        rows: list[Row] = []
        link, style = self._linker.link, self._linker.format
        for key, records in groupby(item, key=_chain_of):
            seq, digest, _ = tips.get(key) or self._tip(key)
            before = len(rows)
            for given in records:
                record = given
                if given.seq == 0:
                    if self._has_id(given, rows):
                        continue
                    record = numbered(given, seq + 1)
                elif given.seq != seq + 1:
                    if self._is_there(given, rows):
                        continue
                    return _gap(given, seq + 1)
                previous, digest = digest, link(digest, record.sealed)
                seq += 1
                rows.append((style, *record[:_STORED], previous, digest))
            if len(rows) > before:
                tips[key] = Tip(seq, digest, style)
        self._tips.update(tips)
        self._rows += rows
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

    def _is_there(self, record: Record, rows: list[Row]) -> bool:
        # the same event once more, from a caller that did not learn of its success: in the file, or on its way
        identity, body = record[:_IDENTITY], record.body
        found = self._connection.execute(_SAME, record[:3]).fetchone()
        if found is not None:
            return found[:_IDENTITY] == identity and found[_IDENTITY] in (body, None)  # none: it was redacted since
        return any(row[1 : 1 + _IDENTITY] == identity and row[1 + _IDENTITY] == body for row in (*rows, *self._rows))

    def _has_id(self, record: Record, rows: list[Row]) -> bool:
        if self._connection.execute(_SAME_ID, (record.scope, record.id)).fetchone() is not None:
            return True
        return any(row[_ID] == record.id and row[1] == record.scope for row in (*rows, *self._rows))


def _chain_of(record: Record) -> tuple[str, str]:
    return record.scope, record.session


def _gap(record: Record, following: int) -> StoreError:
    return StoreError(
        f"event {record.seq} of session {record.session!r} was refused: it is not the next one, which is {following}, "
        "and not one that is stored. Does another process write to this session?"
    )
