"""Memories in SQLite. The functions here run in the thread of the connection that they are given."""

import json
import sqlite3
from hashlib import sha256
from typing import Final, cast

import attrs

from par import codec
from par.errors import StoreError
from par.memory import Memory
from par.persistence._memory_words import fts5_query, owner_token, terms, words
from par.persistence._sqlite_write import transaction

__all__ = ["MOST_MEMORIES", "Place", "forget", "recall", "remember"]

MOST_MEMORIES: Final = 10_000
"""How much one owner may have: a model that remembers all it sees must not fill the disk."""

# as bytes, whatever the connection's own idea of text: no stored byte can make reading fail
_COLUMNS: Final = ", ".join(
    f"CAST(memory.{column} AS BLOB)" for column in ("id", "content", "summary", "categories", "at", "source")
)
_MINE: Final = "memory.scope = :scope AND memory.owner = :owner"
_SAME: Final = "SELECT number, CAST(id AS BLOB) FROM memory WHERE scope = ? AND owner = ? AND digest = ?"
_COUNT: Final = "SELECT count(*) FROM memory WHERE scope = ? AND owner = ?"
_ADD: Final = """
    INSERT INTO memory (scope, owner, id, content, summary, categories, at, source, digest)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_RENEW: Final = "UPDATE memory SET summary = ?, categories = ?, at = ?, source = ? WHERE number = ?"
_DROP_WORDS: Final = "DELETE FROM memory_words WHERE rowid = ?"
_ADD_WORDS: Final = "INSERT INTO memory_words (rowid, owner, words) VALUES (?, ?, ?)"
# the search stands apart, for the rank of a hit is known only while the index is read
_RECALL: Final = f"""
    WITH found AS MATERIALIZED (
        SELECT rowid AS number, rank AS score FROM memory_words WHERE memory_words MATCH :query
    )
    SELECT {_COLUMNS} FROM found JOIN memory ON memory.number = found.number
    WHERE {_MINE} ORDER BY found.score, memory.at DESC, memory.number DESC LIMIT :limit
"""  # noqa: S608 # no value is in it
_FIND: Final = f"SELECT number FROM memory WHERE {_MINE} AND id = :id"  # noqa: S608 # no value is in it


@attrs.frozen
class Place:
    """Whose memory: an owner within a scope; an empty owner for what all of the scope share."""

    scope: str
    owner: str


def remember(connection: sqlite3.Connection, place: Place, memory: Memory) -> Memory:
    """Store a memory, in the place of one with the same content; return it with the id that it has.

    Raises:
        StoreError: if the owner has as many as there may be.
    """
    digest = sha256(memory.content.encode()).digest()
    categories = json.dumps(memory.categories, ensure_ascii=False)
    at = codec.time_text(memory.at)
    with transaction(connection):
        same = connection.execute(_SAME, (place.scope, place.owner, digest)).fetchone()
        if same is None:
            (count,) = connection.execute(_COUNT, (place.scope, place.owner)).fetchone()
            if count >= MOST_MEMORIES:
                raise StoreError(f"this memory holds {count} entries and takes no more: forget some first")
            facts = (memory.id, memory.content, memory.summary, categories, at, memory.source)
            number = connection.execute(_ADD, (place.scope, place.owner, *facts, digest)).lastrowid
        else:
            number, known = cast("tuple[int, bytes]", same)
            memory = attrs.evolve(memory, id=known.decode())
            connection.execute(_RENEW, (memory.summary, categories, at, memory.source, number))
            connection.execute(_DROP_WORDS, (number,))
        text = "\n".join((memory.content, memory.summary, *memory.categories))
        connection.execute(_ADD_WORDS, (number, owner_token(place.scope, place.owner), words(text)))
    return memory


def recall(connection: sqlite3.Connection, place: Place, query: str, limit: int) -> tuple[Memory, ...]:
    """Return the best memories for a query."""
    looked_for = terms(query)
    if not looked_for:
        return ()
    values = {
        "query": fts5_query(owner_token(place.scope, place.owner), looked_for),
        "scope": place.scope,
        "owner": place.owner,
        "limit": limit,
    }
    rows = connection.execute(_RECALL, values).fetchall()
    return tuple([_memory(row) for row in cast("list[tuple[bytes, ...]]", rows)])


def _memory(row: tuple[bytes, ...]) -> Memory:
    id_, content, summary, categories, at, source = [value.decode(errors="replace") for value in row]
    return Memory(
        id=id_,
        content=content,
        summary=summary,
        categories=tuple(cast("list[str]", json.loads(categories))),  # as written above
        at=codec.time_of(at),
        source=source,
    )


def forget(connection: sqlite3.Connection, place: Place, id_: str) -> bool:
    """Remove a memory and every trace of its words; tell whether it was there."""
    with transaction(connection):
        found = connection.execute(_FIND, {"scope": place.scope, "owner": place.owner, "id": id_}).fetchone()
        if found:
            connection.execute(_DROP_WORDS, found)
            connection.execute("DELETE FROM memory WHERE number = ?", found)
            # a deletion only marks the words; merging the parts of the index drops them
            connection.execute("INSERT INTO memory_words (memory_words) VALUES ('optimize')")
    return found is not None
