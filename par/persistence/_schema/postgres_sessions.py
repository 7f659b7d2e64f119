"""The tables of durable sessions in Postgres: who owns one, which steps it made, and what was sent to it."""

from typing import Final

__all__ = ["POSTGRES", "POSTGRES_2"]

POSTGRES: Final[tuple[str, ...]] = (
    # fence grows at each change of owner; whoever writes names it, and a former owner's writes meet no row
    """
    CREATE TABLE session (
        scope text NOT NULL,
        id text NOT NULL,
        status text NOT NULL,
        owner text,
        fence bigint NOT NULL DEFAULT 0 CHECK (fence >= 0),
        lease_until timestamptz,
        turn bigint NOT NULL DEFAULT 0 CHECK (turn >= 0),
        steps bigint NOT NULL DEFAULT 0 CHECK (steps >= 0),
        tokens bigint NOT NULL DEFAULT 0 CHECK (tokens >= 0),
        cost_micro bigint NOT NULL DEFAULT 0 CHECK (cost_micro >= 0),
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        CHECK ((owner IS NULL) = (lease_until IS NULL)),
        PRIMARY KEY (scope, id)
    )
    """,
    "CREATE INDEX session_status ON session (scope, status, lease_until)",
    """
    CREATE TABLE step (
        scope text NOT NULL,
        session text NOT NULL,
        ord bigint NOT NULL CHECK (ord >= 0),
        name text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('model', 'tool', 'wait', 'value')),
        status text NOT NULL CHECK (status IN ('started', 'done', 'failed', 'unknown')),
        attempt bigint NOT NULL DEFAULT 1 CHECK (attempt >= 1),
        fence bigint NOT NULL CHECK (fence >= 0),
        idem_key text NOT NULL,
        input_hash bytea,
        result text,
        started_at timestamptz NOT NULL,
        ended_at timestamptz CHECK ((ended_at IS NULL) = (status = 'started')),
        PRIMARY KEY (scope, session, ord),
        FOREIGN KEY (scope, session) REFERENCES session (scope, id)
    )
    """,
    "CREATE INDEX step_open ON step (scope, session) WHERE status = 'started'",
    """
    CREATE TABLE signal (
        scope text NOT NULL,
        session text NOT NULL,
        id text NOT NULL,
        name text NOT NULL,
        body text NOT NULL,
        at timestamptz NOT NULL,
        taken_by bigint,
        PRIMARY KEY (scope, session, id),
        FOREIGN KEY (scope, session) REFERENCES session (scope, id)
    )
    """,
    "CREATE INDEX signal_waiting ON signal (scope, session, name, id) WHERE taken_by IS NULL",
)
"""Schema 1. Released: never edited. Nothing has written to these tables."""

_TABLES: Final = (
    "DROP TABLE signal",
    "DROP TABLE step",
    "DROP TABLE session",
    # fence grows at each change of owner; whoever writes names both, and a former owner's writes meet no row. Nobody
    # works at it while lease_until is null: owner is then the last one. waits_until is when the last approval that the
    # open turn waits for expires. rival says that a former owner of the open turn may be alive
    """
    CREATE TABLE session (
        scope text NOT NULL,
        id text NOT NULL COLLATE "C",
        agent text NOT NULL,
        state text NOT NULL,
        open boolean NOT NULL DEFAULT false,
        owner text NOT NULL,
        fence bigint NOT NULL CHECK (fence >= 1),
        lease_until timestamptz,
        waits_until timestamptz NOT NULL DEFAULT '-infinity',
        rival boolean NOT NULL DEFAULT false,
        turns bigint NOT NULL DEFAULT 0 CHECK (turns >= 0),
        steps bigint NOT NULL DEFAULT 0 CHECK (steps >= 0),
        tokens bigint NOT NULL DEFAULT 0 CHECK (tokens >= 0),
        cost_micro bigint NOT NULL DEFAULT 0 CHECK (cost_micro >= 0),
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (scope, id)
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX session_state ON session (scope, state, id)",
    "CREATE INDEX session_idle ON session (scope, waits_until) WHERE open AND lease_until IS NULL",
    "CREATE INDEX session_held ON session (scope, owner) WHERE lease_until IS NOT NULL",
    # facts is the turn as JSON, without input and messages, which are null when their content was removed. Its events
    # are those from first_seq to last_seq. Contents are text: what was written comes back
    """
    CREATE TABLE turn (
        scope text NOT NULL,
        session text NOT NULL COLLATE "C",
        number bigint NOT NULL CHECK (number >= 1),
        id text NOT NULL,
        state text NOT NULL,
        message_id text,
        ended_at timestamptz,
        first_seq bigint NOT NULL,
        last_seq bigint CHECK ((last_seq IS NULL) = (ended_at IS NULL)),
        facts text NOT NULL,
        input text,
        messages text,
        PRIMARY KEY (scope, session, number),
        FOREIGN KEY (scope, session) REFERENCES session (scope, id) ON DELETE CASCADE
    )
    """,
    "CREATE UNIQUE INDEX turn_message ON turn (scope, session, message_id) WHERE message_id IS NOT NULL",
    "CREATE INDEX turn_ended ON turn (scope, ended_at) WHERE ended_at IS NOT NULL",
    # label is JSON: the name, which a model may have made up, and the key
    """
    CREATE TABLE step (
        scope text NOT NULL,
        session text NOT NULL COLLATE "C",
        turn bigint NOT NULL,
        ord bigint NOT NULL CHECK (ord >= 0),
        kind text NOT NULL CHECK (kind IN ('model', 'tool', 'wait', 'value')),
        status text NOT NULL CHECK (status IN ('started', 'done')),
        attempt bigint NOT NULL CHECK (attempt >= 1),
        label text NOT NULL,
        result text,
        inbox text,
        PRIMARY KEY (scope, session, turn, ord),
        FOREIGN KEY (scope, session, turn) REFERENCES turn (scope, session, number) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE signal (
        scope text NOT NULL,
        session text NOT NULL COLLATE "C",
        id text NOT NULL COLLATE "C",
        name text NOT NULL CHECK (name IN ('steer', 'follow_up', 'interrupt', 'cancel')),
        body text,
        at timestamptz NOT NULL,
        turn bigint,
        ord bigint CHECK ((ord IS NULL) = (turn IS NULL)),
        PRIMARY KEY (scope, session, id),
        FOREIGN KEY (scope, session) REFERENCES session (scope, id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX signal_waiting ON signal (scope, session, id) WHERE turn IS NULL",
    # body is the whole approval as JSON
    """
    CREATE TABLE approval (
        scope text NOT NULL,
        session text NOT NULL COLLATE "C",
        id text NOT NULL COLLATE "C",
        turn bigint NOT NULL,
        ord bigint NOT NULL CHECK (ord >= 0),
        status text NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'expired', 'withdrawn')),
        asked_at timestamptz NOT NULL,
        expires_at timestamptz,
        body text NOT NULL,
        PRIMARY KEY (scope, session, id),
        FOREIGN KEY (scope, session, turn) REFERENCES turn (scope, session, number) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX approval_turn ON approval (scope, session, turn)",
    "CREATE INDEX approval_pending ON approval (scope, asked_at, id) WHERE status = 'pending'",
)

_GUARDS: Final = (
    """
    CREATE FUNCTION refuse_undoing() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'what is done in a session is never undone' USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER session_fence_only_grows BEFORE UPDATE ON session FOR EACH ROW
    WHEN (
        new.scope <> old.scope OR new.id <> old.id OR new.fence < old.fence
        OR new.owner <> old.owner AND new.fence = old.fence
    ) EXECUTE FUNCTION refuse_undoing()
    """,
    """
    CREATE TRIGGER turn_is_never_reopened BEFORE UPDATE ON turn FOR EACH ROW
    WHEN (old.ended_at IS NOT NULL AND new.ended_at IS NULL) EXECUTE FUNCTION refuse_undoing()
    """,
    # its content may be removed, and nothing else
    """
    CREATE TRIGGER step_is_never_undone BEFORE UPDATE ON step FOR EACH ROW
    WHEN (
        old.status = 'done' AND (
            new.status <> 'done' OR new.kind <> old.kind OR new.label <> old.label OR new.attempt <> old.attempt
            OR new.result IS NOT NULL AND new.result IS DISTINCT FROM old.result
            OR new.inbox IS NOT NULL AND new.inbox IS DISTINCT FROM old.inbox
        )
    ) EXECUTE FUNCTION refuse_undoing()
    """,
    """
    CREATE TRIGGER signal_is_taken_once BEFORE UPDATE ON signal FOR EACH ROW
    WHEN (old.turn IS NOT NULL AND (new.turn IS DISTINCT FROM old.turn OR new.ord IS DISTINCT FROM old.ord))
    EXECUTE FUNCTION refuse_undoing()
    """,
)

POSTGRES_2: Final[tuple[str, ...]] = (*_TABLES, *_GUARDS)
"""Schema 2. ``turn`` and ``ord`` of a signal are the step that took it."""
