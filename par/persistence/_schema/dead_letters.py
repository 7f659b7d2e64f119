"""The tables of dead letters: events that did not reach a subscriber, kept until they are delivered or deleted.

A letter has a copy of its event, for the audit may be elsewhere, or not be kept at all. Where it is kept beside them, an
event that is redacted leaves its letters too, and one that expires takes them along.
"""

from typing import Final

__all__ = ["POSTGRES", "SQLITE"]

SQLITE: Final = (
    """
    CREATE TABLE dead_letter (
        scope TEXT NOT NULL CHECK (typeof(scope) = 'text'),
        id TEXT NOT NULL CHECK (typeof(id) = 'text'),
        subscriber TEXT NOT NULL CHECK (typeof(subscriber) = 'text'),
        reason TEXT NOT NULL CHECK (typeof(reason) = 'text'),
        error_type TEXT CHECK (typeof(error_type) IN ('text', 'null')),
        error_message TEXT CHECK (typeof(error_message) IN ('text', 'null')),
        attempts INTEGER NOT NULL CHECK (typeof(attempts) = 'integer' AND attempts >= 0),
        at TEXT NOT NULL CHECK (typeof(at) = 'text'),
        replays INTEGER NOT NULL CHECK (typeof(replays) = 'integer' AND replays >= 0),
        replayed_at TEXT CHECK (typeof(replayed_at) IN ('text', 'null')),
        session TEXT NOT NULL CHECK (typeof(session) = 'text'),
        seq INTEGER NOT NULL CHECK (typeof(seq) = 'integer'),
        event_id TEXT NOT NULL CHECK (typeof(event_id) = 'text'),
        run TEXT NOT NULL CHECK (typeof(run) = 'text'),
        parent TEXT CHECK (typeof(parent) IN ('text', 'null')),
        step INTEGER NOT NULL CHECK (typeof(step) = 'integer'),
        event_at TEXT NOT NULL CHECK (typeof(event_at) = 'text'),
        kind TEXT NOT NULL CHECK (typeof(kind) = 'text'),
        body TEXT CHECK (typeof(body) IN ('text', 'null')),
        PRIMARY KEY (scope, id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX dead_letter_subscriber ON dead_letter (scope, subscriber, id)",
    "CREATE INDEX dead_letter_event ON dead_letter (scope, session, seq)",
    """
    CREATE TRIGGER dead_letter_is_redacted AFTER UPDATE ON event WHEN new.body IS NULL
    BEGIN
        UPDATE dead_letter SET body = NULL, error_message = NULL
        WHERE scope = old.scope AND session = old.session AND seq = old.seq AND event_id = old.id;
    END
    """,
    """
    CREATE TRIGGER dead_letter_expires AFTER DELETE ON event
    BEGIN
        DELETE FROM dead_letter
        WHERE scope = old.scope AND session = old.session AND seq = old.seq AND event_id = old.id;
    END
    """,
)
"""Needs the table ``event`` of ``events.SQLITE_2``."""

POSTGRES: Final = (
    """
    CREATE TABLE dead_letter (
        scope text NOT NULL,
        id text NOT NULL COLLATE "C",
        subscriber text NOT NULL,
        reason text NOT NULL,
        error_type text,
        error_message text,
        attempts bigint NOT NULL CHECK (attempts >= 0),
        at timestamptz NOT NULL,
        replays bigint NOT NULL CHECK (replays >= 0),
        replayed_at timestamptz,
        session text NOT NULL,
        seq bigint NOT NULL,
        event_id text NOT NULL,
        run text NOT NULL,
        parent text,
        step bigint NOT NULL,
        event_at timestamptz NOT NULL,
        kind text NOT NULL,
        body text,
        PRIMARY KEY (scope, id)
    )
    """,
    "CREATE INDEX dead_letter_subscriber ON dead_letter (scope, subscriber, id)",
    "CREATE INDEX dead_letter_event ON dead_letter (scope, session, seq)",
    # whoever may only append cannot look, and still must not keep what was removed
    """
    CREATE FUNCTION is_redacted(of_session text, of_seq bigint, of_id text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = par, pg_temp
    BEGIN ATOMIC
        SELECT EXISTS (
            SELECT FROM event
            WHERE scope = (SELECT current_scope()) AND session = of_session AND seq = of_seq AND id = of_id
            AND body IS NULL
        );
    END
    """,
    """
    CREATE FUNCTION redact_dead_letters() RETURNS trigger LANGUAGE plpgsql SET search_path = par, pg_temp AS $$
    BEGIN
        UPDATE dead_letter SET body = NULL, error_message = NULL
        WHERE scope = old.scope AND session = old.session AND seq = old.seq AND event_id = old.id;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION expire_dead_letters() RETURNS trigger LANGUAGE plpgsql SET search_path = par, pg_temp AS $$
    BEGIN
        DELETE FROM dead_letter
        WHERE scope = old.scope AND session = old.session AND seq = old.seq AND event_id = old.id;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER dead_letter_is_redacted AFTER UPDATE ON event FOR EACH ROW WHEN (new.body IS NULL)
    EXECUTE FUNCTION redact_dead_letters()
    """,
    "CREATE TRIGGER dead_letter_expires AFTER DELETE ON event FOR EACH ROW EXECUTE FUNCTION expire_dead_letters()",
    "REVOKE EXECUTE ON FUNCTION is_redacted, redact_dead_letters, expire_dead_letters FROM PUBLIC",
)
"""Needs ``postgres_events.POSTGRES``. ``postgres_roles.GRANTS`` says who may do what with them."""
