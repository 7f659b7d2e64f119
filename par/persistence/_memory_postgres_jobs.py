"""Memories in Postgres: what one connection does. The functions here run on the driver's event loop."""

import json
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Final, cast

import attrs

from par.errors import StoreError
from par.memory import HistoryHit, Memory
from par.persistence._memory_jobs import MOST_MEMORIES, Place
from par.persistence._memory_said import KINDS, hit_of, words_of
from par.persistence._memory_words import Terms, owner_token, owner_tokens, terms, words
from par.persistence._postgres_driver import Connection

__all__ = ["Behind", "find", "forget", "how_far", "index_step", "recall", "remember"]

_STEP_EVENTS: Final = 500
_STEP_BYTES: Final = 4_000_000
_BEST: Final = 10_000
"""The newest places of a word that are looked at: so many, however often a common word was said."""
_VECTOR_CHARS: Final = 1_000_000
"""The tokens that a vector of Postgres has room for, and for those of its owners."""

# as SQLite's bm25, with each word counted once per text: its rarity weighs, and a long text is worth less
_SCORE: Final = """
    round(sum(ln(1 + (many.texts - hit.among + 0.5) / (hit.among + 0.5))
        * 2.2 / (1 + 1.2 * (0.25 + 0.75 * hit.size / many.mean)))::numeric, 6)
"""
_KEEP: Final = "SELECT keep_memory($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
_RECALL: Final = f"""
    WITH hit AS MATERIALIZED (
        SELECT id, size, count(*) OVER (PARTITION BY term) AS among FROM memory_hits($1, $2, $3)
    ), many AS (
        SELECT count(DISTINCT id) AS texts, avg(size) AS mean FROM hit
    ), found AS (
        SELECT id, {_SCORE} AS score FROM hit, many GROUP BY id
    )
    SELECT memory.id, content, summary, categories, at, source FROM found JOIN memory ON memory.id = found.id
    WHERE scope = current_scope() AND owner = $1 ORDER BY score DESC, at DESC, memory.id DESC LIMIT $4
"""  # noqa: S608 # no value is in it
_FORGET: Final = "DELETE FROM memory WHERE scope = current_scope() AND owner = $1 AND id = $2 RETURNING true"

_BEHIND: Final = """
    SELECT coalesce((SELECT position FROM ledger WHERE scope = current_scope()), 0)
        > coalesce((SELECT position FROM history_indexed WHERE scope = current_scope()), 0),
        has_table_privilege('history_words', 'INSERT')
"""
# until the commit nobody else indexes this scope, and no event of it is removed unseen
_LOCK: Final = "SELECT pg_advisory_xact_lock(x'50415233'::int, hashtext(current_scope()))"
_FROM: Final = """
    SELECT coalesce((SELECT position FROM ledger WHERE scope = current_scope()), 0),
        coalesce((SELECT position FROM history_indexed WHERE scope = current_scope()), 0)
"""
_NEXT: Final = f"""
    SELECT position, session, at, body FROM (
        SELECT position, session, at, body, sum(bytes) OVER (ORDER BY position) - bytes AS before FROM (
            SELECT position, session, at, CASE WHEN kind IN {KINDS} THEN body END AS body,
                CASE WHEN kind IN {KINDS} THEN coalesce(octet_length(body), 0) ELSE 0 END AS bytes
            FROM event WHERE scope = current_scope() AND position > $1 ORDER BY position LIMIT {_STEP_EVENTS}
        ) AS next
    ) AS summed
    WHERE before <= $2 ORDER BY position
"""  # noqa: S608 # no value is in it
_ADD: Final = """
    INSERT INTO history_words (scope, position, session, at, size, words)
    SELECT current_scope(), position, session, at, cardinality(string_to_array(said, ' ')),
        vector_of(string_to_array(owners, ' '), string_to_array(said, ' '))
    FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::text[], $5::text[])
        AS given (position, session, at, owners, said)
"""
_MOVE: Final = """
    INSERT INTO history_indexed (scope, position) VALUES (current_scope(), $1)
    ON CONFLICT (scope) DO UPDATE SET position = excluded.position
"""
_FIND: Final = f"""
    WITH hit AS MATERIALIZED (
        SELECT place, session, at, size, count(*) OVER (PARTITION BY term) AS among
        FROM history_hits($1, $2, {_BEST})
        WHERE session IS DISTINCT FROM $3
        AND ($4 = '' OR session = $4 OR starts_with(session, $4 || '/'))
    ), many AS (
        SELECT count(DISTINCT place) AS texts, avg(size) AS mean FROM hit
    ), scored AS (
        SELECT place, session, at, {_SCORE} AS score FROM hit, many GROUP BY place, session, at
    ), best AS (
        SELECT DISTINCT ON (session) place, session, at, score FROM scored ORDER BY session, score DESC, place DESC
    )
    SELECT event.session, event.at, event.body FROM best JOIN event
    ON event.scope = current_scope() AND event.position = place AND event.session = best.session AND event.at = best.at
    WHERE event.body IS NOT NULL ORDER BY score DESC, place DESC LIMIT $5
"""  # noqa: S608 # no value is in it


@attrs.frozen
class Behind:
    """Whether there are events that the index has not seen, and whether this login may write to the index."""

    behind: bool
    may_write: bool


async def remember(connection: Connection, place: Place, memory: Memory) -> Memory:
    """Store a memory, in the place of one with the same content; return it with the id that it has.

    Raises:
        StoreError: if the owner has as many as there may be.
    """
    text = "\n".join((memory.content, memory.summary, *memory.categories))
    known = await connection.fetchval(
        _KEEP,
        place.owner,
        memory.id,
        memory.content,
        memory.summary,
        json.dumps(memory.categories, ensure_ascii=False),
        memory.at,
        memory.source,
        sha256(memory.content.encode()).digest(),
        [_owner(place)],
        _lexemes(words(text)),
        MOST_MEMORIES,
    )
    if known is None:
        raise StoreError(f"this memory holds {MOST_MEMORIES} entries and takes no more: forget some first")
    return attrs.evolve(memory, id=cast("str", known))


async def recall(connection: Connection, place: Place, query: str, limit: int) -> tuple[Memory, ...]:
    """Return the best memories for a query."""
    looked_for = terms(query)
    if not looked_for:
        return ()
    rows = await connection.fetch(_RECALL, place.owner, _owner(place), _asked(looked_for), limit)
    return tuple(
        Memory(
            id=id_,
            content=content,
            summary=summary,
            categories=tuple(cast("list[str]", json.loads(categories))),  # as written above
            at=at,
            source=source,
        )
        for id_, content, summary, categories, at, source in cast(
            "list[tuple[str, str, str, str, datetime, str]]", rows
        )
    )


async def forget(connection: Connection, place: Place, id_: str) -> bool:
    """Remove a memory and its words; tell whether it was there."""
    return bool(await connection.fetchval(_FORGET, place.owner, id_))


async def how_far(connection: Connection) -> Behind:
    """Tell how the index stands to the events."""
    behind, may_write = cast("tuple[bool, bool]", await connection.fetchrow(_BEHIND))
    return Behind(behind, may_write)


async def index_step(connection: Connection, scope: str) -> None:
    """Bring the index some way to where the events are, in bounded time."""
    async with connection.transaction():
        await connection.execute(_LOCK)
        last, done = cast("tuple[int, int]", await connection.fetchrow(_FROM))
        rows = cast("list[tuple[int, str, datetime, str | None]]", await connection.fetch(_NEXT, done, _STEP_BYTES))
        owners = {session: _upper(owner_tokens(scope, session)) for _, session, _, _ in rows}
        added = [
            (position, session, at, owners[session], " ".join(_lexemes(said)))
            for position, session, at, body in rows
            if body is not None and (said := words_of(body))
        ]
        if added:
            await connection.execute(_ADD, *(list(column) for column in zip(*added, strict=True)))
        # what expired before it was indexed has left a gap, perhaps up to the end
        await connection.execute(_MOVE, rows[-1][0] if rows else last)


async def find(
    connection: Connection, place: Place, query: str, limit: int, without_session: str | None
) -> tuple[HistoryHit, ...]:
    """Return the best place of each of the best sessions."""
    looked_for = terms(query)
    if not looked_for:
        return ()
    rows = cast(
        "list[tuple[str, datetime, str]]",
        await connection.fetch(_FIND, _owner(place), _asked(looked_for), without_session, place.owner, limit),
    )
    hits = [hit_of(session, at, body, looked_for) for session, at, body in rows]
    return tuple([hit for hit in hits if hit is not None])


def _owner(place: Place) -> str:
    return _upper(owner_token(place.scope, place.owner))


def _upper(tokens: str) -> str:
    """Return tokens of owners as they stand among those of the words, none of which has a capital letter."""
    return tokens.upper()


def _asked(looked_for: Terms) -> list[str]:
    return ["".join(term) for term in looked_for]


def _lexemes(said: str) -> list[str]:
    """Return the tokens, and each two neighbours that may be a term together as one more, as far as a vector has room.

    A vector knows the places of a word only in the beginning of a text, so neighbours cannot be asked for.
    """
    tokens = said.split()
    room, fitting = _VECTOR_CHARS, dict.fromkeys(_with_pairs(tokens))
    kept: list[str] = []
    for token in fitting:
        room -= len(token)
        if room < 0:
            break
        kept.append(token)
    return kept


def _with_pairs(tokens: list[str]) -> Iterable[str]:
    before = ""
    for token in tokens:
        yield token
        # a single character of a script without spaces has three or four bytes, in consonants six or eight letters
        alone = token if token.startswith("zq") and len(token) in {8, 10} else ""
        if before and alone:
            yield before + alone
        before = alone
