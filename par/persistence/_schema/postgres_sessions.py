"""The tables of durable sessions in Postgres: who owns one, which steps it made, and what was sent to it."""

from typing import Final

__all__ = ["POSTGRES"]

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
"""``taken_by`` is the step that consumed a signal. Bodies and results are text: what was written comes back."""
