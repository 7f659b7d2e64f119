"""Going through the hash chains. Runs in the thread of the reading connection, one page per job."""

import sqlite3
from collections.abc import Generator
from typing import Final, TypeAlias, cast, final

from par._store import Verification
from par.errors import ChainBroken
from par.persistence._chain import GENESIS, link, seal

__all__ = ["Check", "advance", "check"]

Check: TypeAlias = Generator[None, None, Verification]

_PAGE: Final = 1_000
_BEFORE_ALL: Final = -(2**63)

# what the schema promises is not relied upon here: whoever changes records can change the schema too
_Row: TypeAlias = tuple[object, ...]

_RECORDS = """
    SELECT position, seq, previous, hash, session, id, at, run, parent, step, kind, body
    FROM event WHERE session = CAST(? AS TEXT) AND seq > ? ORDER BY seq, position LIMIT ?
"""
_END = """
    SELECT
        (SELECT count(*) FROM event WHERE session = CAST(:session AS TEXT)),
        (SELECT seq FROM head WHERE session = CAST(:session AS TEXT)),
        (SELECT hash FROM head WHERE session = CAST(:session AS TEXT))
"""
_FIRST_SESSION = """
    SELECT min(session), typeof(min(session)) FROM
        (SELECT min(session) AS session FROM event UNION ALL SELECT min(session) FROM head)
"""
_NEXT_SESSION = """
    SELECT min(session), typeof(min(session)) FROM (
        SELECT min(session) AS session FROM event WHERE session > CAST(:last AS TEXT)
        UNION ALL SELECT min(session) FROM head WHERE session > CAST(:last AS TEXT)
    )
"""


def advance(connection: sqlite3.Connection, job: Check) -> Verification | None:
    """Do the next page of a check in the thread of its connection; return its result at the end."""
    del connection  # the check has it; the parameter is what makes this a job
    try:
        next(job)
    except StopIteration as end:
        return cast("Verification", end.value)  # what the generator is declared to return
    return None


def check(connection: sqlite3.Connection, session: str | None) -> Check:
    """Read the records of one session, or of all, and compare each with its hash, its neighbour and the head.

    Nothing is held open between two pages; a session that grows meanwhile is read to its new end.
    """
    sessions = events = 0
    broken: list[ChainBroken] = []
    name = session.encode() if session is not None else _next_session(connection, None, broken)
    while name is not None:
        chain = _Chain(name)
        while not chain.done:
            chain.read(connection)
            yield
        sessions += chain.exists
        events += chain.count
        if chain.broken is not None:
            broken.append(chain.broken)
        name = _next_session(connection, name, broken) if session is None else None
    return Verification(sessions=sessions, events=events, broken=tuple(broken))


def _next_session(connection: sqlite3.Connection, last: bytes | None, broken: list[ChainBroken]) -> bytes | None:
    if last is None:
        name, kind = connection.execute(_FIRST_SESSION).fetchone()
    else:
        name, kind = connection.execute(_NEXT_SESSION, {"last": last}).fetchone()
    if name is None:
        return None
    if kind != b"text":  # sorts after or before all text, and cannot be a name that par wrote
        broken.append(ChainBroken(repr(name), 1, "the name of the session is no text"))
        return None
    return bytes(name)


@final
class _Chain:
    """How far one session has been read, and whether it was whole up to there."""

    def __init__(self, name: bytes) -> None:
        self._name = name
        self._session = name.decode(errors="replace")
        self._seq = 0
        self._hash = GENESIS
        self._position: object = 0
        self.count = 0
        self.exists = True
        self.done = False
        self.broken: ChainBroken | None = None

    def read(self, connection: sqlite3.Connection) -> None:
        after = self._seq if self.count else _BEFORE_ALL
        rows: list[_Row] = connection.execute(_RECORDS, (self._name, after, _PAGE)).fetchall()
        for row in rows:
            self.count += 1
            self._compare(row)
            if self.done:
                return
        if len(rows) < _PAGE:
            self._end(connection)

    def _break(self, seq: int, problem: str) -> None:
        self.broken = ChainBroken(self._session, seq, problem)
        self.done = True

    def _compare(self, row: _Row) -> None:
        position, seq, previous, digest, *fields = row
        expected = self._seq + 1
        linked = link(self._hash, _sealed(expected, fields))
        if not isinstance(seq, int) or seq < 1:
            self._break(expected, f"there is a record with the number {seq!r}")
        elif seq > expected:
            self._break(expected, f"it is missing; the next one that is there is {seq}")
        elif seq < expected:
            self._break(seq, "there are two records with this number")
        elif previous != self._hash or digest != linked:
            self._break(seq, "it was changed, or does not follow the one before it")
        elif not _after(position, self._position):
            self._break(seq, "it is stored before the one that it follows")
        else:
            self._seq, self._hash, self._position = seq, linked, position

    def _end(self, connection: sqlite3.Connection) -> None:
        # one statement, so that the three are of one moment
        count, seq, digest = connection.execute(_END, {"session": self._name}).fetchone()
        if isinstance(seq, int) and count > self.count and seq > self._seq:
            return  # it has grown: go on
        self.exists = bool(count) or seq is not None
        if not self.exists:
            self.done = True
        elif seq is None:
            self._break(self._seq, "the head of the chain is missing")
        elif not isinstance(seq, int):
            self._break(self._seq, f"the head of the chain has the number {seq!r}")
        elif seq > self._seq:
            self._break(self._seq + 1, f"it is missing, and so is all up to {seq}, the head of the chain")
        elif seq < self._seq:
            self._break(seq + 1, f"it was added after {seq}, the head of the chain")
        elif digest != self._hash:
            self._break(seq, "the head of the chain has another hash")
        elif count != self.count:
            self._break(seq, f"the session has {count} records, of which {self.count} are in the chain")
        self.done = True


def _after(position: object, last: object) -> bool:
    return isinstance(position, int) and isinstance(last, int) and position > last


def _sealed(seq: int, fields: list[object]) -> bytes:
    session, event_id, at, run, parent, step, kind, body = (_bytes(field) for field in fields)
    return seal((session, b"%d" % seq, event_id, at, run, parent, step, kind, body))


def _bytes(field: object) -> bytes | None:
    # numbers are hashed as digits; text that stands where a number was has the same bytes, but not from the schema
    if field is None or isinstance(field, bytes):
        return field
    return str(field).encode()
