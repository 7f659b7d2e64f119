"""The search in what was said. The functions here run in the thread of the connection that they are given.

Events are not indexed when they are stored, which would make storing slower, but when somebody searches: from the
last indexed one on, in steps that hold the lock shortly.
"""

import sqlite3
from typing import Final, cast

import attrs

from par import codec
from par.memory import HistoryHit
from par.persistence._memory_jobs import Place
from par.persistence._memory_said import KINDS, hit_of, words_of
from par.persistence._memory_words import fts5_query, owner_token, owner_tokens, terms
from par.persistence._sqlite_write import transaction

__all__ = ["Search", "index_step", "is_behind", "purge_step", "search"]

_STEP_EVENTS: Final = 500
_STEP_BYTES: Final = 4_000_000
_STEP_REMOVALS: Final = 5_000
_BEST: Final = 10_000
"""The places that are looked at more closely: so many, however often a common word was said."""

_BEHIND: Final = """
    SELECT EXISTS (SELECT 1 FROM history_removed)
        OR (SELECT max(position) FROM event) > (SELECT position FROM history_indexed)
"""
_NEXT: Final = f"""
    SELECT position, CAST(scope AS BLOB), CAST(session AS BLOB),
        CASE WHEN kind IN {KINDS} THEN CAST(body AS BLOB) END
    FROM event WHERE position > (SELECT position FROM history_indexed) ORDER BY position LIMIT {_STEP_EVENTS}
"""  # noqa: S608 # no value is in it
_ADD: Final = "INSERT INTO history_words (rowid, owner, words) VALUES (?, ?, ?)"
_REMOVED: Final = "SELECT position FROM history_removed LIMIT ?"
_MOVE: Final = "UPDATE history_indexed SET position = ?"
# the search stands apart, for the rank of a hit is known only while the index is read; with min(), the other columns
# are those of the row that has the least
_SEARCH: Final = f"""
    WITH found AS MATERIALIZED (
        SELECT rowid AS position, rank AS score FROM history_words WHERE history_words MATCH :query
        ORDER BY rank LIMIT {_BEST}
    )
    SELECT CAST(event.session AS BLOB), CAST(event.at AS BLOB), CAST(event.body AS BLOB), min(found.score)
    FROM found JOIN event ON event.position = found.position
    WHERE event.scope = :scope AND event.body IS NOT NULL AND event.session IS NOT :without
        AND (:owner = '' OR event.session = :owner OR substr(event.session, 1, length(:owner) + 1) = :owner || '/')
    GROUP BY event.session ORDER BY min(found.score), event.position DESC LIMIT :limit
"""  # noqa: S608 # no value is in it


@attrs.frozen(kw_only=True)
class Search:
    """What to look for, and in how many sessions."""

    query: str
    limit: int
    without_session: str | None


def is_behind(connection: sqlite3.Connection) -> bool:
    """Tell whether there are events that the index has not seen."""
    (behind,) = connection.execute(_BEHIND).fetchone()
    return bool(behind)


def purge_step(connection: sqlite3.Connection) -> bool:
    """Take the words of removed events out of the index for good, a bounded number; tell whether that was all.

    Until then nobody finds them, for a search shows what the audit holds, but they stand in the file. The last step
    takes as long as rewriting the index.
    """
    with transaction(connection):
        removed = connection.execute(_REMOVED, (_STEP_REMOVALS,)).fetchall()
        if not removed:
            return True
        connection.executemany("DELETE FROM history_words WHERE rowid = ?", removed)
        connection.executemany("DELETE FROM history_removed WHERE position = ?", removed)
        if len(removed) == _STEP_REMOVALS:
            return False
        # a deletion only marks the words; merging the parts of the index drops them
        connection.execute("INSERT INTO history_words (history_words) VALUES ('optimize')")
    return True


def index_step(connection: sqlite3.Connection) -> bool:
    """Bring the index some way to where the events are, in bounded time; tell whether it is there."""
    return purge_step(connection) and _add_step(connection)


def _add_step(connection: sqlite3.Connection) -> bool:
    with transaction(connection):
        count = used = last = 0
        rows: list[tuple[int, str, str]] = []
        owners: dict[tuple[bytes, bytes], str] = {}
        cursor = cast("list[tuple[int, bytes, bytes, bytes | None]]", connection.execute(_NEXT))
        for position, scope, session, body in cursor:
            count, last = count + 1, position
            if body is not None:
                used += len(body)
                said = words_of(_text(body))
                if said:
                    owner = owners.get((scope, session)) or owner_tokens(_text(scope), _text(session))
                    owners[scope, session] = owner
                    rows.append((position, owner, said))
            if used > _STEP_BYTES:
                break
        connection.executemany(_ADD, rows)
        if count:
            connection.execute(_MOVE, (last,))
    return count < _STEP_EVENTS and used <= _STEP_BYTES


def search(connection: sqlite3.Connection, place: Place, asked: Search) -> tuple[HistoryHit, ...]:
    """Return the best place of each of the best sessions."""
    looked_for = terms(asked.query)
    if not looked_for:
        return ()
    values = {
        "query": fts5_query(owner_token(place.scope, place.owner), looked_for),
        "scope": place.scope,
        "owner": place.owner,
        "without": asked.without_session,
        "limit": asked.limit,
    }
    hits: list[HistoryHit] = []
    for session, at, body, _ in cast(
        "list[tuple[bytes, bytes, bytes, float]]", connection.execute(_SEARCH, values).fetchall()
    ):
        hit = hit_of(_text(session), codec.time_of(_text(at)), _text(body), looked_for)
        if hit is not None:
            hits.append(hit)
    return tuple(hits)


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")
