"""Going through the hash chains in Postgres: whole ones in SQL, what SQL cannot vouch for record by record."""

from collections.abc import Iterable, Sequence
from typing import Final, cast

import attrs

from par._store import Head, Verification
from par.errors import ChainBroken
from par.persistence._chain import AUDIT_SESSION, PLAIN, Linker
from par.persistence._postgres_driver import Connection
from par.persistence._postgres_pool import PgPool
from par.persistence._postgres_read import AT
from par.persistence._verify import ChainCheck, Declarations, End, Row, heads_by_session

__all__ = ["verify"]

_PAGE: Final = 1_000
_SESSIONS: Final = 200
"""Sessions per statement, so that one statement is no matter of minutes."""
_BEFORE_ALL: Final = -(2**63)

_RECORDS: Final = f"""
    SELECT position, format::integer, seq, previous, hash, convert_to(scope, 'UTF8'), convert_to(session, 'UTF8'),
        convert_to(id, 'UTF8'), convert_to({AT}, 'UTF8'), convert_to(run, 'UTF8'), convert_to(parent, 'UTF8'), step,
        convert_to(kind, 'UTF8'), convert_to(body, 'UTF8'), salt, body_hash
    FROM event WHERE scope = $1 AND session = $2 AND seq > $3 ORDER BY seq, position LIMIT {_PAGE}
"""  # noqa: S608 # no value is in it
_END: Final = f"""
    SELECT (SELECT count(*) FROM event WHERE scope = $1 AND session = $2),
        event.seq, event.hash, event.format::integer, convert_to({AT}, 'UTF8'), event.position
    FROM (SELECT 1) AS one LEFT JOIN head AS event ON event.scope = $1 AND event.session = $2
"""  # noqa: S608 # no value is in it
_NEXT: Final = """
    SELECT session FROM head WHERE scope = $1 AND ($2::text IS NULL OR session > $2) ORDER BY session LIMIT $3
"""

_LENGTHS: Final = " || ".join(
    f"int4send(octet_length(convert_to({text}, 'UTF8')))" for text in ("event.scope", "event.session", "id", AT, "run")
)
_TEXTS: Final = " || ".join(
    f"convert_to({text}, 'UTF8')" for text in ("event.scope", "event.session", "id", AT, "run", "coalesce(parent, '')")
)
# The hash of each record is computed anew, from what stands in the row, and compared with what the next one follows.
_WHOLE: Final = f"""
    WITH record AS (
        SELECT event.session,
            event.format = 2
            AND event.seq = coalesce(lag(event.seq) OVER chain, 0) + 1
            AND event.previous = coalesce(lag(event.hash) OVER chain, decode(repeat('00', 32), 'hex'))
            AND event.position > coalesce(lag(event.position) OVER chain, 0)
            AND event.body_hash = sha256(event.salt || convert_to(event.body, 'UTF8'))
            AND event.hash = sha256(
                convert_to(E'par record 2\\n', 'UTF8') || event.previous || int8send(event.seq) || int8send(step)
                || body_hash || {_LENGTHS}
                || int4send(coalesce(octet_length(convert_to(parent, 'UTF8')), -1))
                || int4send(octet_length(convert_to(kind, 'UTF8')))
                || {_TEXTS} || convert_to(kind, 'UTF8')
            )
            AND CASE WHEN lead(event.seq) OVER chain IS NULL THEN
                head.seq = event.seq AND head.hash = event.hash AND head.format = event.format
                AND head.at = event.at AND head.position = event.position
            ELSE true END AS sound
        FROM event LEFT JOIN head ON head.scope = event.scope AND head.session = event.session
        WHERE event.scope = $1 AND ($2::text IS NULL OR event.session > $2) AND ($3::text IS NULL OR event.session <= $3)
        WINDOW chain AS (PARTITION BY event.session ORDER BY event.seq, event.position)
    )
    SELECT session, count(*), coalesce(bool_and(coalesce(sound, false)), false) FROM record GROUP BY session
    UNION ALL
    SELECT session, 0, false FROM head
    WHERE scope = $1 AND ($2::text IS NULL OR session > $2) AND ($3::text IS NULL OR session <= $3)
        AND NOT EXISTS (SELECT FROM event WHERE event.scope = head.scope AND event.session = head.session)
    ORDER BY session
"""  # noqa: S608 # no value is in it


@attrs.define
class _Found:
    """What has been found so far; owned by one call of ``verify``."""

    chains: list[ChainCheck] = attrs.Factory(list[ChainCheck])
    whole_sessions: int = 0
    whole_events: int = 0

    def result(self) -> Verification:
        broken: list[ChainBroken] = [chain.broken for chain in self.chains if chain.broken is not None]
        return Verification(
            sessions=self.whole_sessions + sum(chain.exists for chain in self.chains),
            events=self.whole_events + sum(chain.count for chain in self.chains),
            broken=tuple(broken),
            redacted=sum(chain.redacted for chain in self.chains),
            expired=sum(chain.expired for chain in self.chains),
            unkeyed=tuple([chain.session for chain in self.chains if chain.unkeyed]),
        )


async def verify(pool: PgPool, scope: str, linker: Linker, session: str | None, heads: Iterable[Head]) -> Verification:
    """Check one session, or all of the scope.

    Without a key, the database computes the hashes. A session that it does not find whole is read and checked record
    by record, as all are with a key: the key never goes to the database. Such a session may be broken, or something
    may have been removed from it of which ``par.audit`` tells, or a head was kept elsewhere.

    Raises:
        ValueError: for the head of another scope.
    """
    known = heads_by_session(heads, scope)
    declared = Declarations()
    told = ChainCheck(AUDIT_SESSION, linker, declared, known.get(AUDIT_SESSION))
    await _read(pool, scope, told)
    found = _Found()

    async def check(name: str) -> None:
        while True:
            chain = ChainCheck(name, linker, declared, known.get(name))
            await _read(pool, scope, chain)
            if chain.broken is None or told.broken is not None:
                break
            told.go_on()
            await _read(pool, scope, told)
            if not chain.outdated:
                break
        found.chains.append(chain)

    if session is not None:
        await (check(session) if session != AUDIT_SESSION else _note(found, told))
        return found.result()
    after: str | None = None
    more, seen = True, set[str]()
    while more:
        after, rows = await _chunk(pool, scope, after)
        more = after is not None
        for name, count, sound in rows:
            seen.add(name)
            if name == AUDIT_SESSION:
                found.chains.append(told)
            elif sound and linker.format == PLAIN and name not in known:
                found.whole_sessions += 1
                found.whole_events += count
            else:
                await check(name)
    for name in sorted({*known, *declared.sessions()} - seen):
        await check(name)
    return found.result()


async def _note(found: _Found, told: ChainCheck) -> None:  # noqa: ASYNC124 # beside one that is
    found.chains.append(told)


async def _chunk(pool: PgPool, scope: str, after: str | None) -> tuple[str | None, Sequence[tuple[str, int, bool]]]:
    """Return the next sessions with what the database says of them, and where those after them begin."""

    async def job(connection: Connection) -> tuple[str | None, list[tuple[str, int, bool]]]:
        names = [cast("str", row[0]) for row in await connection.fetch(_NEXT, scope, after, _SESSIONS)]
        last = names[-1] if len(names) == _SESSIONS else None
        rows = await connection.fetch(_WHOLE, scope, after, last)
        return last, cast("list[tuple[str, int, bool]]", rows)

    return await pool.run(job, again=True)


async def _read(pool: PgPool, scope: str, chain: ChainCheck) -> None:
    async def page(connection: Connection) -> list[Row]:
        after = chain.seq if chain.count else _BEFORE_ALL
        rows = await connection.fetch(_RECORDS, scope, chain.session, after)
        return [tuple(cast("tuple[object, ...]", row)) for row in rows]

    async def end(connection: Connection) -> End:
        row = await connection.fetchrow(_END, scope, chain.session)
        return cast("End", tuple(cast("tuple[object, ...]", row)))

    while not chain.done:
        rows = await pool.run(page, again=True)
        if not _breaks(chain, rows) and len(rows) < _PAGE:
            chain.end(await pool.run(end, again=True))


def _breaks(chain: ChainCheck, rows: Iterable[Row]) -> bool:
    for row in rows:
        chain.compare(row)
        if chain.done:
            return True
    return False
