"""The tables of durable sessions: who owns one, which steps it made, and what was sent to it."""

from typing import Final

__all__ = ["SQLITE"]

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
"""``lease_until`` and other times are text as in ``event.at``; ``taken_by`` is the step that consumed a signal."""
