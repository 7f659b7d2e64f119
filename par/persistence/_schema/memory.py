"""The tables of memories in SQLite, and the indexes that find them and what was said in sessions.

``owner`` is whose memory it is within a scope, empty for what all of the scope share. The columns of the indexes hold
tokens that par makes, not the texts: see ``par.persistence._memory_words``.
"""

from typing import Final

__all__ = ["SQLITE"]

SQLITE: Final = (
    """
    CREATE TABLE memory (
        number INTEGER PRIMARY KEY,
        scope TEXT NOT NULL CHECK (typeof(scope) = 'text'),
        owner TEXT NOT NULL CHECK (typeof(owner) = 'text'),
        id TEXT NOT NULL CHECK (typeof(id) = 'text'),
        content TEXT NOT NULL CHECK (typeof(content) = 'text'),
        summary TEXT NOT NULL CHECK (typeof(summary) = 'text'),
        categories TEXT NOT NULL CHECK (typeof(categories) = 'text'),
        at TEXT NOT NULL CHECK (typeof(at) = 'text'),
        source TEXT NOT NULL CHECK (typeof(source) = 'text'),
        digest BLOB NOT NULL CHECK (typeof(digest) = 'blob' AND length(digest) = 32),
        UNIQUE (scope, owner, id),
        UNIQUE (scope, owner, digest)
    )
    """,
    "CREATE VIRTUAL TABLE memory_words USING fts5 (owner, words, tokenize = 'porter ascii')",
    # up to which event the texts of sessions are in history_words, whose rowid is the event's position
    """
    CREATE TABLE history_indexed (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        position INTEGER NOT NULL CHECK (typeof(position) = 'integer' AND position >= 0)
    )
    """,
    "INSERT INTO history_indexed (one, position) VALUES (1, 0)",
    "CREATE VIRTUAL TABLE history_words USING fts5 (owner, words, tokenize = 'porter ascii')",
    # what leaves the audit leaves the index too; not here and now, for a trigger may not touch a virtual table
    """
    CREATE TABLE history_removed (
        position INTEGER PRIMARY KEY
    )
    """,
    """
    CREATE TRIGGER history_is_redacted AFTER UPDATE ON event
    WHEN new.body IS NULL AND new.position <= (SELECT position FROM history_indexed)
    BEGIN INSERT OR IGNORE INTO history_removed (position) VALUES (old.position); END
    """,
    """
    CREATE TRIGGER history_expires AFTER DELETE ON event
    WHEN old.position <= (SELECT position FROM history_indexed)
    BEGIN INSERT OR IGNORE INTO history_removed (position) VALUES (old.position); END
    """,
)
"""Needs the table ``event`` of ``events.SQLITE_2``."""
