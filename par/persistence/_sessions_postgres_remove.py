"""How content leaves the sessions in Postgres, a bounded transaction at a time."""

from collections.abc import Sequence
from typing import Final, cast, final

import attrs

from par.codec import time_of
from par.persistence._postgres_driver import Connection
from par.persistence._postgres_pool import PgPool
from par.persistence._redaction import Texts
from par.persistence._sessions_redaction import CONTENTS, Content, Found, bare_approval, bare_turn, matches
from par.persistence._sessions_values import approval_row, turn_row

__all__ = ["SessionRemoval", "bare_turns", "lock_session", "turns_with"]

_PAGE: Final = 500
"""Rows that are looked at in one go."""
_TOGETHER: Final = 50
"""Turns that one transaction changes at most."""

# sessions come before the ledger, as in a checkpoint, so that nobody waits crosswise
_LOCK: Final = "SELECT FROM session WHERE scope = $1 AND id = $2 FOR NO KEY UPDATE"
_WITH: Final = """
    SELECT DISTINCT number FROM turn JOIN unnest($3::bigint[]) AS seq
        ON first_seq <= seq AND (last_seq IS NULL OR last_seq >= seq)
    WHERE scope = $1 AND session = $2 ORDER BY number
"""
_TURN: Final = "SELECT facts FROM turn WHERE scope = $1 AND session = $2 AND number = $3"
_BARE: Final = """
    UPDATE turn SET
        state = $4, ended_at = $5, facts = $6, input = NULL, messages = NULL,
        last_seq = coalesce(last_seq, (SELECT seq FROM tips(ARRAY[turn.session])), 0)
    WHERE scope = $1 AND session = $2 AND number = $3
"""
_STEPS: Final = "UPDATE step SET result = NULL, inbox = NULL WHERE scope = $1 AND session = $2 AND turn = $3"
_SIGNALS: Final = "UPDATE signal SET body = NULL WHERE scope = $1 AND session = $2 AND turn = $3"
_APPROVALS: Final = "SELECT body FROM approval WHERE scope = $1 AND session = $2 AND turn = $3"
_BARE_APPROVAL: Final = "UPDATE approval SET status = $4, body = $5 WHERE scope = $1 AND session = $2 AND id = $3"
# who works at the turn has lost it, with all that it knows
_FAIL: Final = """
    UPDATE session SET
        state = $4, open = false, fence = fence + 1, lease_until = NULL, waits_until = '-infinity', updated_at = $5
    WHERE scope = $1 AND id = $2 AND turns = $3 AND open
"""
_DROP: Final = """
    DELETE FROM signal USING unnest($2::text[], $3::text[]) AS found (name, sent)
    WHERE scope = $1 AND session = found.name AND id = found.sent AND turn IS NULL
"""
_REMOVE_TURNS: Final = """
    WITH old AS (
        SELECT session, number FROM turn
        WHERE scope = $1 AND ended_at < $3 AND ($2::text IS NULL OR session = $2) LIMIT $4
    ), signals AS (
        DELETE FROM signal USING old WHERE scope = $1 AND signal.session = old.session AND signal.turn = old.number
    ), gone AS (
        DELETE FROM turn USING old WHERE scope = $1 AND turn.session = old.session AND turn.number = old.number
        RETURNING 1
    )
    SELECT count(*) FROM gone
"""
_REMOVE_SESSIONS: Final = """
    WITH gone AS (
        DELETE FROM session WHERE scope = $1 AND id IN (
            SELECT id FROM session WHERE scope = $1 AND NOT open AND updated_at < $3
                AND (lease_until IS NULL OR lease_until < $3) AND ($2::text IS NULL OR id = $2)
                AND NOT EXISTS (SELECT FROM turn WHERE turn.scope = $1 AND turn.session = session.id)
            LIMIT $4
            FOR UPDATE SKIP LOCKED
        )
        RETURNING 1
    )
    SELECT count(*) FROM gone
"""


async def lock_session(connection: Connection, scope: str, session: str) -> None:
    """Keep others from changing the session until the end of the transaction."""
    await connection.execute(_LOCK, scope, session)


async def turns_with(connection: Connection, scope: str, session: str, seqs: Sequence[int]) -> list[tuple[str, int]]:
    """Return the turns to which these events belong."""
    rows = await connection.fetch(_WITH, scope, session, list(seqs))
    return [(session, cast("int", row[0])) for row in rows]


async def bare_turns(connection: Connection, scope: str, turns: Sequence[tuple[str, int]], now: str) -> None:
    """Remove the contents of turns, and of what belongs to them. Within a transaction that has locked the sessions."""
    at = time_of(now)
    for session, number in turns:
        key = (scope, session, number)
        row = await connection.fetchrow(_TURN, *key)
        if row is None:
            continue  # it has expired since it was found
        turn = bare_turn(row[0], at)
        facts = turn_row(turn)[5]
        await connection.execute(_BARE, *key, turn.state.value, turn.ended_at, facts)
        await connection.execute(_STEPS, *key)
        await connection.execute(_SIGNALS, *key)
        for asked in await connection.fetch(_APPROVALS, *key):
            name, _, _, status, _, _, text = approval_row(bare_approval(asked[0], at))
            await connection.execute(_BARE_APPROVAL, scope, session, name, status, text)
        await connection.execute(_FAIL, *key, turn.state.value, at)


@final
@attrs.frozen
class SessionRemoval:
    """Removes what sessions hold, beside what the audit tells of them."""

    _scope: str
    _pool: PgPool

    async def find(self, session: str | None, texts: Texts) -> Found:
        """Return where the texts are, in a session or in all of the scope."""
        found = Found()
        for content in CONTENTS:
            after: tuple[object, ...] | None = ("", *content.start)
            while after is not None:
                after = await self._page(session, texts, content, after, found)
        return found

    async def _page(
        self, session: str | None, texts: Texts, content: Content, after: tuple[object, ...], found: Found
    ) -> tuple[object, ...] | None:
        values = [self._scope, *after, *([] if session is None else [session])]
        places = ", ".join(f"${place}" for place in range(2, 2 + len(after)))
        its_session = None if session is None else f"${len(values)}"
        query = content.query("$1", its_session, places, str(_PAGE))
        rows = await self._pool.run(lambda connection: connection.fetch(query, *values), again=True)
        plain = [tuple([row[place] for place in range(len(row))]) for row in rows]
        matches(content, texts, plain, found)
        return plain[-1][: len(after)] if len(plain) == _PAGE else None

    async def bare(self, found: Found, now: str) -> None:
        """Remove the contents of what was found."""
        turns = sorted(found.turns)
        for first in range(0, len(turns), _TOGETHER):
            some = turns[first : first + _TOGETHER]
            await self._pool.run(lambda connection: self._bare(connection, some, now), again=True)  # noqa: B023 # it runs before the next round
        if found.signals:
            names, ids = zip(*sorted(found.signals), strict=True)
            await self._pool.run(lambda c: c.execute(_DROP, self._scope, list(names), list(ids)), again=True)

    async def _bare(self, connection: Connection, turns: Sequence[tuple[str, int]], now: str) -> None:
        async with connection.transaction():
            for session in sorted({session for session, _ in turns}):
                await lock_session(connection, self._scope, session)
            await bare_turns(connection, self._scope, turns, now)

    async def expire(self, session: str | None, before: str) -> None:
        """Remove the turns that ended before then, and the sessions that have none left."""
        values = (self._scope, session, time_of(before), _PAGE)
        for statement in (_REMOVE_TURNS, _REMOVE_SESSIONS):
            while await self._pool.run(lambda c: c.fetchval(statement, *values), again=True):  # noqa: B023 # as above
                pass
