"""The tables of the audit: events in their chains, the tips of the chains, and who may remove what."""

from typing import Final

__all__ = ["SQLITE_1", "SQLITE_2"]

SQLITE_1: Final = (
    """
    CREATE TABLE event (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        session TEXT NOT NULL CHECK (typeof(session) = 'text'),
        seq INTEGER NOT NULL CHECK (typeof(seq) = 'integer' AND seq >= 1),
        id TEXT NOT NULL UNIQUE CHECK (typeof(id) = 'text'),
        at TEXT NOT NULL CHECK (typeof(at) = 'text'),
        run TEXT NOT NULL CHECK (typeof(run) = 'text'),
        parent TEXT CHECK (typeof(parent) IN ('text', 'null')),
        step INTEGER NOT NULL CHECK (typeof(step) = 'integer' AND step >= 0),
        kind TEXT NOT NULL CHECK (typeof(kind) = 'text'),
        body TEXT NOT NULL CHECK (typeof(body) = 'text'),
        previous BLOB NOT NULL CHECK (typeof(previous) = 'blob' AND length(previous) = 32),
        hash BLOB NOT NULL CHECK (typeof(hash) = 'blob' AND length(hash) = 32),
        UNIQUE (session, seq)
    )
    """,
    "CREATE INDEX event_run ON event (run)",
    """
    CREATE TABLE head (
        session TEXT NOT NULL PRIMARY KEY CHECK (typeof(session) = 'text'),
        seq INTEGER NOT NULL CHECK (typeof(seq) = 'integer' AND seq >= 1),
        hash BLOB NOT NULL CHECK (typeof(hash) = 'blob' AND length(hash) = 32)
    ) WITHOUT ROWID
    """,
    """
    CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER head_is_never_deleted BEFORE DELETE ON head
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER head_only_grows BEFORE UPDATE ON head WHEN new.session <> old.session OR new.seq <= old.seq
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
)
"""Schema 1. Released: never edited."""

SQLITE_2: Final = (
    # few CHECKs, because each costs a part of every insert; verification compares every value and its type
    """
    CREATE TABLE event_2 (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        format INTEGER NOT NULL,
        scope TEXT NOT NULL,
        session TEXT NOT NULL,
        seq INTEGER NOT NULL CHECK (typeof(seq) = 'integer' AND seq >= 1),
        id TEXT NOT NULL,
        at TEXT NOT NULL,
        run TEXT NOT NULL,
        parent TEXT,
        step INTEGER NOT NULL CHECK (typeof(step) = 'integer' AND step >= 0),
        kind TEXT NOT NULL,
        body TEXT,
        salt BLOB,
        body_hash BLOB,
        previous BLOB NOT NULL,
        hash BLOB NOT NULL CHECK (length(hash) = 32),
        UNIQUE (scope, session, seq),
        UNIQUE (scope, id)
    )
    """,
    """
    INSERT INTO event_2 (position, format, scope, session, seq, id, at, run, parent, step, kind, body, previous, hash)
    SELECT position, 1, 'default', session, seq, id, at, run, parent, step, kind, body, previous, hash
    FROM event ORDER BY position
    """,
    """
    CREATE TABLE head_2 (
        scope TEXT NOT NULL CHECK (typeof(scope) = 'text'),
        session TEXT NOT NULL CHECK (typeof(session) = 'text'),
        seq INTEGER NOT NULL CHECK (typeof(seq) = 'integer' AND seq >= 1),
        hash BLOB NOT NULL CHECK (typeof(hash) = 'blob' AND length(hash) = 32),
        format INTEGER NOT NULL CHECK (format IN (1, 2, 3)),
        at TEXT NOT NULL CHECK (typeof(at) = 'text'),
        position INTEGER NOT NULL CHECK (typeof(position) = 'integer'),
        PRIMARY KEY (scope, session)
    ) WITHOUT ROWID
    """,
    # a head whose record is gone was tampered with before; it goes on being found
    """
    INSERT INTO head_2 (scope, session, seq, hash, format, at, position)
    SELECT 'default', head.session, head.seq, head.hash, 1, coalesce(event.at, ''), coalesce(event.position, 0)
    FROM head LEFT JOIN event ON event.session = head.session AND event.seq = head.seq
    """,
    "DROP TABLE event",
    "DROP TABLE head",
    "ALTER TABLE event_2 RENAME TO event",
    "ALTER TABLE head_2 RENAME TO head",
    "CREATE INDEX event_run ON event (scope, run)",
    # which key a scope is kept with: not the key, but what tells it from others
    """
    CREATE TABLE scope_key (
        scope TEXT NOT NULL PRIMARY KEY,
        fingerprint BLOB NOT NULL CHECK (typeof(fingerprint) = 'blob' AND length(fingerprint) = 32)
    ) WITHOUT ROWID
    """,
    # Rows live within one transaction: that which removes something, and says so in the session par.audit
    """
    CREATE TABLE permit (
        what TEXT NOT NULL CHECK (what IN ('redact', 'expire')),
        scope TEXT NOT NULL,
        session TEXT NOT NULL,
        seq INTEGER NOT NULL,
        event TEXT NOT NULL,
        PRIMARY KEY (what, scope, session, seq)
    ) WITHOUT ROWID
    """,
    """
    CREATE TRIGGER permit_is_told BEFORE INSERT ON permit
    WHEN new.session = 'par.audit' OR NOT EXISTS (
        SELECT 1 FROM event WHERE scope = new.scope AND id = new.event AND session = 'par.audit'
        AND kind = CASE new.what WHEN 'redact' THEN 'records_redacted' ELSE 'records_expired' END
    )
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER permit_is_never_changed BEFORE UPDATE ON permit
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
    WHEN new.body IS NOT NULL OR new.salt IS NOT NULL OR new.position IS NOT old.position
        OR new.format IS NOT old.format OR new.scope IS NOT old.scope OR new.session IS NOT old.session
        OR new.seq IS NOT old.seq OR new.id IS NOT old.id OR new.at IS NOT old.at OR new.run IS NOT old.run
        OR new.parent IS NOT old.parent OR new.step IS NOT old.step OR new.kind IS NOT old.kind
        OR new.body_hash IS NOT old.body_hash OR new.previous IS NOT old.previous OR new.hash IS NOT old.hash
        OR NOT EXISTS (
            SELECT 1 FROM permit
            WHERE what = 'redact' AND scope = old.scope AND session = old.session AND seq = old.seq
        )
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
    WHEN NOT EXISTS (
        SELECT 1 FROM permit
        WHERE what = 'expire' AND scope = old.scope AND session = old.session AND seq >= old.seq
    )
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER head_is_never_deleted BEFORE DELETE ON head
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER head_only_grows BEFORE UPDATE ON head
    WHEN new.scope <> old.scope OR new.session <> old.session OR new.seq <= old.seq
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER scope_key_is_never_changed BEFORE UPDATE ON scope_key
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
    """
    CREATE TRIGGER scope_key_is_never_deleted BEFORE DELETE ON scope_key
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
    """,
)
"""Schema 2: a scope in every key, bodies that can be removed, and the two ways to remove something."""
