"""The tables of durable sessions: who owns one, which steps it made, and what was sent to it."""

from typing import Final

__all__ = ["SQLITE", "SQLITE_3"]

SQLITE: Final = (
    # fence grows at each change of owner; whoever writes names it, and a former owner's writes meet no row
    """
    CREATE TABLE session (
        scope TEXT NOT NULL CHECK (typeof(scope) = 'text'),
        id TEXT NOT NULL CHECK (typeof(id) = 'text'),
        status TEXT NOT NULL CHECK (typeof(status) = 'text'),
        owner TEXT CHECK (typeof(owner) IN ('text', 'null')),
        fence INTEGER NOT NULL DEFAULT 0 CHECK (typeof(fence) = 'integer' AND fence >= 0),
        lease_until TEXT CHECK (typeof(lease_until) IN ('text', 'null')),
        turn INTEGER NOT NULL DEFAULT 0 CHECK (typeof(turn) = 'integer' AND turn >= 0),
        steps INTEGER NOT NULL DEFAULT 0 CHECK (typeof(steps) = 'integer' AND steps >= 0),
        tokens INTEGER NOT NULL DEFAULT 0 CHECK (typeof(tokens) = 'integer' AND tokens >= 0),
        cost_micro INTEGER NOT NULL DEFAULT 0 CHECK (typeof(cost_micro) = 'integer' AND cost_micro >= 0),
        created_at TEXT NOT NULL CHECK (typeof(created_at) = 'text'),
        updated_at TEXT NOT NULL CHECK (typeof(updated_at) = 'text'),
        CHECK ((owner IS NULL) = (lease_until IS NULL)),
        PRIMARY KEY (scope, id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX session_status ON session (scope, status, lease_until)",
    """
    CREATE TABLE step (
        scope TEXT NOT NULL,
        session TEXT NOT NULL,
        ord INTEGER NOT NULL CHECK (typeof(ord) = 'integer' AND ord >= 0),
        name TEXT NOT NULL CHECK (typeof(name) = 'text'),
        kind TEXT NOT NULL CHECK (kind IN ('model', 'tool', 'wait', 'value')),
        status TEXT NOT NULL CHECK (status IN ('started', 'done', 'failed', 'unknown')),
        attempt INTEGER NOT NULL DEFAULT 1 CHECK (typeof(attempt) = 'integer' AND attempt >= 1),
        fence INTEGER NOT NULL CHECK (typeof(fence) = 'integer' AND fence >= 0),
        idem_key TEXT NOT NULL CHECK (typeof(idem_key) = 'text'),
        input_hash BLOB CHECK (typeof(input_hash) IN ('blob', 'null')),
        result TEXT CHECK (typeof(result) IN ('text', 'null')),
        started_at TEXT NOT NULL CHECK (typeof(started_at) = 'text'),
        ended_at TEXT CHECK (typeof(ended_at) = CASE status WHEN 'started' THEN 'null' ELSE 'text' END),
        PRIMARY KEY (scope, session, ord),
        FOREIGN KEY (scope, session) REFERENCES session (scope, id)
    )
    """,
    "CREATE INDEX step_open ON step (scope, session) WHERE status = 'started'",
    """
    CREATE TABLE signal (
        scope TEXT NOT NULL,
        session TEXT NOT NULL,
        id TEXT NOT NULL CHECK (typeof(id) = 'text'),
        name TEXT NOT NULL CHECK (typeof(name) = 'text'),
        body TEXT NOT NULL CHECK (typeof(body) = 'text'),
        at TEXT NOT NULL CHECK (typeof(at) = 'text'),
        taken_by INTEGER CHECK (typeof(taken_by) IN ('integer', 'null')),
        PRIMARY KEY (scope, session, id),
        FOREIGN KEY (scope, session) REFERENCES session (scope, id)
    )
    """,
    "CREATE INDEX signal_waiting ON signal (scope, session, name, id) WHERE taken_by IS NULL",
)
"""Schema 2. Released: never edited. Nothing has written to these tables."""

SQLITE_3: Final = (
    "DROP TABLE signal",
    "DROP TABLE step",
    "DROP TABLE session",
    # fence grows at each change of owner; whoever writes names both, and a former owner's writes meet no row. Nobody
    # works at it while lease_until is null: owner is then the last one. lease_us is the end of the lease on the steady
    # clock of the machine since it was started as ``boot``. waits_until is when the last approval that the open turn
    # waits for expires: '' if it waits for none, '~', which is after every time, if never. rival says that a former owner
    # of the open turn may be alive
    """
    CREATE TABLE session (
        scope TEXT NOT NULL CHECK (typeof(scope) = 'text'),
        id TEXT NOT NULL CHECK (typeof(id) = 'text'),
        agent TEXT NOT NULL CHECK (typeof(agent) = 'text'),
        state TEXT NOT NULL CHECK (typeof(state) = 'text'),
        open INTEGER NOT NULL DEFAULT 0 CHECK (open IN (0, 1)),
        owner TEXT NOT NULL CHECK (typeof(owner) = 'text'),
        fence INTEGER NOT NULL CHECK (typeof(fence) = 'integer' AND fence >= 1),
        lease_until TEXT CHECK (typeof(lease_until) IN ('text', 'null')),
        lease_us INTEGER NOT NULL DEFAULT 0 CHECK (typeof(lease_us) = 'integer'),
        boot TEXT NOT NULL DEFAULT '' CHECK (typeof(boot) = 'text'),
        waits_until TEXT NOT NULL DEFAULT '' CHECK (typeof(waits_until) = 'text'),
        rival INTEGER NOT NULL DEFAULT 0 CHECK (rival IN (0, 1)),
        turns INTEGER NOT NULL DEFAULT 0 CHECK (typeof(turns) = 'integer' AND turns >= 0),
        steps INTEGER NOT NULL DEFAULT 0 CHECK (typeof(steps) = 'integer' AND steps >= 0),
        tokens INTEGER NOT NULL DEFAULT 0 CHECK (typeof(tokens) = 'integer' AND tokens >= 0),
        cost_micro INTEGER NOT NULL DEFAULT 0 CHECK (typeof(cost_micro) = 'integer' AND cost_micro >= 0),
        created_at TEXT NOT NULL CHECK (typeof(created_at) = 'text'),
        updated_at TEXT NOT NULL CHECK (typeof(updated_at) = 'text'),
        PRIMARY KEY (scope, id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX session_state ON session (scope, state, id)",
    "CREATE INDEX session_idle ON session (scope, waits_until) WHERE open = 1 AND lease_until IS NULL",
    "CREATE INDEX session_held ON session (scope, owner) WHERE lease_until IS NOT NULL",
    # facts is the turn as JSON, without input and messages, which are null when their content was removed. Its events
    # are those from first_seq to last_seq
    """
    CREATE TABLE turn (
        scope TEXT NOT NULL,
        session TEXT NOT NULL,
        number INTEGER NOT NULL CHECK (typeof(number) = 'integer' AND number >= 1),
        id TEXT NOT NULL CHECK (typeof(id) = 'text'),
        state TEXT NOT NULL CHECK (typeof(state) = 'text'),
        message_id TEXT CHECK (typeof(message_id) IN ('text', 'null')),
        ended_at TEXT CHECK (typeof(ended_at) IN ('text', 'null')),
        first_seq INTEGER NOT NULL CHECK (typeof(first_seq) = 'integer'),
        last_seq INTEGER CHECK (typeof(last_seq) = CASE WHEN ended_at IS NULL THEN 'null' ELSE 'integer' END),
        facts TEXT NOT NULL CHECK (typeof(facts) = 'text'),
        input TEXT CHECK (typeof(input) IN ('text', 'null')),
        messages TEXT CHECK (typeof(messages) IN ('text', 'null')),
        PRIMARY KEY (scope, session, number),
        FOREIGN KEY (scope, session) REFERENCES session (scope, id) ON DELETE CASCADE
    )
    """,
    "CREATE UNIQUE INDEX turn_message ON turn (scope, session, message_id) WHERE message_id IS NOT NULL",
    "CREATE INDEX turn_ended ON turn (scope, ended_at) WHERE ended_at IS NOT NULL",
    # label is JSON: the name, which a model may have made up, and the key
    """
    CREATE TABLE step (
        scope TEXT NOT NULL,
        session TEXT NOT NULL,
        turn INTEGER NOT NULL,
        ord INTEGER NOT NULL CHECK (typeof(ord) = 'integer' AND ord >= 0),
        kind TEXT NOT NULL CHECK (kind IN ('model', 'tool', 'wait', 'value')),
        status TEXT NOT NULL CHECK (status IN ('started', 'done')),
        attempt INTEGER NOT NULL CHECK (typeof(attempt) = 'integer' AND attempt >= 1),
        label TEXT NOT NULL CHECK (typeof(label) = 'text'),
        result TEXT CHECK (typeof(result) IN ('text', 'null')),
        inbox TEXT CHECK (typeof(inbox) IN ('text', 'null')),
        PRIMARY KEY (scope, session, turn, ord),
        FOREIGN KEY (scope, session, turn) REFERENCES turn (scope, session, number) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE signal (
        scope TEXT NOT NULL,
        session TEXT NOT NULL,
        id TEXT NOT NULL CHECK (typeof(id) = 'text'),
        name TEXT NOT NULL CHECK (name IN ('steer', 'follow_up', 'interrupt', 'cancel')),
        body TEXT CHECK (typeof(body) IN ('text', 'null')),
        at TEXT NOT NULL CHECK (typeof(at) = 'text'),
        turn INTEGER CHECK (typeof(turn) IN ('integer', 'null')),
        ord INTEGER CHECK (typeof(ord) = CASE WHEN turn IS NULL THEN 'null' ELSE 'integer' END),
        PRIMARY KEY (scope, session, id),
        FOREIGN KEY (scope, session) REFERENCES session (scope, id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX signal_waiting ON signal (scope, session, id) WHERE turn IS NULL",
    # body is the whole approval as JSON
    """
    CREATE TABLE approval (
        scope TEXT NOT NULL,
        session TEXT NOT NULL,
        id TEXT NOT NULL CHECK (typeof(id) = 'text'),
        turn INTEGER NOT NULL,
        ord INTEGER NOT NULL CHECK (typeof(ord) = 'integer' AND ord >= 0),
        status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'expired', 'withdrawn')),
        asked_at TEXT NOT NULL CHECK (typeof(asked_at) = 'text'),
        expires_at TEXT CHECK (typeof(expires_at) IN ('text', 'null')),
        body TEXT NOT NULL CHECK (typeof(body) = 'text'),
        PRIMARY KEY (scope, session, id),
        FOREIGN KEY (scope, session, turn) REFERENCES turn (scope, session, number) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX approval_turn ON approval (scope, session, turn)",
    "CREATE INDEX approval_pending ON approval (scope, asked_at, id) WHERE status = 'pending'",
    """
    CREATE TRIGGER session_fence_only_grows BEFORE UPDATE OF scope, id, fence ON session
    WHEN new.scope <> old.scope OR new.id <> old.id OR new.fence <= old.fence
    BEGIN SELECT RAISE(ABORT, 'the fence of a session only grows'); END
    """,
    """
    CREATE TRIGGER turn_is_never_reopened BEFORE UPDATE OF ended_at ON turn
    WHEN old.ended_at IS NOT NULL AND new.ended_at IS NULL
    BEGIN SELECT RAISE(ABORT, 'a turn that has ended is never opened again'); END
    """,
    # its content may be removed, and nothing else
    """
    CREATE TRIGGER step_is_never_undone BEFORE UPDATE ON step
    WHEN old.status = 'done' AND (
        new.status <> 'done' OR new.kind <> old.kind OR new.label <> old.label OR new.attempt <> old.attempt
        OR new.result IS NOT NULL AND new.result IS NOT old.result
        OR new.inbox IS NOT NULL AND new.inbox IS NOT old.inbox
    )
    BEGIN SELECT RAISE(ABORT, 'a step that is done is never changed'); END
    """,
    """
    CREATE TRIGGER signal_is_taken_once BEFORE UPDATE OF turn, ord ON signal
    WHEN old.turn IS NOT NULL AND (new.turn IS NOT old.turn OR new.ord IS NOT old.ord)
    BEGIN SELECT RAISE(ABORT, 'a signal is taken once'); END
    """,
)
"""Schema 3. ``lease_until`` and other times are text as in ``event.at``; ``turn`` and ``ord`` of a signal are the step
that took it."""
