"""Going through the hash chains. Runs in the thread of the reading connection, one page per job."""

import sqlite3
from collections.abc import Generator, Iterable
from typing import Final, TypeAlias, cast

from par._store import Head, Verification
from par.errors import ChainBroken
from par.persistence._chain import AUDIT_SESSION, Linker
from par.persistence._verify import ChainCheck, Declarations, End, Row, heads_by_session

__all__ = ["Check", "advance", "check"]

Check: TypeAlias = Generator[None, None, Verification]

_PAGE: Final = 1_000
_BEFORE_ALL: Final = -(2**63)

_RECORDS = """
    SELECT position, format, seq, previous, hash, scope, session, id, at, run, parent, step, kind, body, salt, body_hash
    FROM event WHERE scope = CAST(? AS TEXT) AND session = CAST(? AS TEXT) AND seq > ? ORDER BY seq, position LIMIT ?
"""
_END = """
    SELECT (SELECT count(*) FROM event WHERE scope = CAST(:scope AS TEXT) AND session = CAST(:session AS TEXT)),
        head.seq, head.hash, head.format, head.at, head.position
    FROM (SELECT 1) LEFT JOIN head ON scope = CAST(:scope AS TEXT) AND session = CAST(:session AS TEXT)
"""
_FIRST_SESSION = """
    SELECT min(session), typeof(min(session)) FROM (
        SELECT min(session) AS session FROM event WHERE scope = CAST(:scope AS TEXT)
        UNION ALL SELECT min(session) FROM head WHERE scope = CAST(:scope AS TEXT)
    )
"""
_NEXT_SESSION = """
    SELECT min(session), typeof(min(session)) FROM (
        SELECT min(session) AS session FROM event WHERE scope = CAST(:scope AS TEXT) AND session > CAST(:last AS TEXT)
        UNION ALL
        SELECT min(session) FROM head WHERE scope = CAST(:scope AS TEXT) AND session > CAST(:last AS TEXT)
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


def check(
    connection: sqlite3.Connection, scope: str, linker: Linker, session: str | None, heads: Iterable[Head]
) -> Check:
    """Read the records of one session, or of all of the scope, and compare each with its hash and its neighbour.

    Nothing is held open between two pages; a session that grows meanwhile is read to its new end.
    """
    known = heads_by_session(heads, scope)
    found: list[ChainCheck] = []
    broken: list[ChainBroken] = []
    declared = Declarations()
    told = ChainCheck(AUDIT_SESSION, linker, declared, known.get(AUDIT_SESSION))
    yield from _read(connection, scope, AUDIT_SESSION, told)
    names = [session] if session is not None else _names(connection, scope, broken, {*known, *declared.sessions()})
    for name in names:
        if name == AUDIT_SESSION:
            found.append(told)
            continue
        while True:
            chain = ChainCheck(name, linker, declared, known.get(name))
            yield from _read(connection, scope, name, chain)
            if chain.broken is None or told.broken is not None:
                break
            told.go_on()
            yield from _read(connection, scope, AUDIT_SESSION, told)
            if not chain.outdated:
                break
        found.append(chain)
    broken[:0] = [chain.broken for chain in found if chain.broken is not None]
    return Verification(
        sessions=sum(chain.exists for chain in found),
        events=sum(chain.count for chain in found),
        broken=tuple(broken),
        redacted=sum(chain.redacted for chain in found),
        expired=sum(chain.expired for chain in found),
        unkeyed=tuple([chain.session for chain in found if chain.unkeyed]),
    )


def _done(chain: ChainCheck) -> bool:
    return chain.done  # which comparing changes: a checker that narrowed it would not know


def _read(connection: sqlite3.Connection, scope: str, name: str, chain: ChainCheck) -> Generator[None, None, None]:
    key = (scope.encode(), name.encode(errors="surrogateescape"))
    while not chain.done:
        after = chain.seq if chain.count else _BEFORE_ALL
        rows: list[Row] = connection.execute(_RECORDS, (*key, after, _PAGE)).fetchall()
        for row in rows:
            chain.compare(row)
            if _done(chain):
                break
        if not _done(chain) and len(rows) < _PAGE:
            # one statement, so that what it says is of one moment
            end: End = connection.execute(_END, {"scope": key[0], "session": key[1]}).fetchone()
            chain.end(end)
        yield


def _names(
    connection: sqlite3.Connection, scope: str, broken: list[ChainBroken], others: set[str]
) -> Generator[str, None, None]:
    """Return the sessions that are stored, in their order, then those of ``others`` that are not.

    Bytes of a name that are no UTF-8 are kept as half surrogates.
    """
    values = {"scope": scope.encode()}
    name, kind = connection.execute(_FIRST_SESSION, values).fetchone()
    while name is not None:
        if kind != b"text":  # sorts before or after all text, and cannot be a name that par wrote
            broken.append(ChainBroken(repr(name), 1, "the name of the session is no text"))
            break
        text = bytes(name).decode(errors="surrogateescape")
        others.discard(text)
        yield text
        name, kind = connection.execute(_NEXT_SESSION, {**values, "last": name}).fetchone()
    yield from sorted(others)
