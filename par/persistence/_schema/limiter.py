"""The tables of limits that processes share: windows of requests with their queues, and allowances.

Times are whole microseconds. In SQLite they are those of the machine's steady clock since it was started (``boot``
says which start, and ``wall`` what time of day it was), in Postgres those of the server's clock.

A place without ``at`` waits in line; with it, it was granted and counts in the window until ``at`` has left it.
``limiter.requests`` and ``limiter.tokens`` are the sums over the places that count. An allowance's amounts are what is
used or held; a hold that has ``returned`` is no part of them any more.
"""

from typing import Final

from par.persistence._schema.limiter_allowances import ALLOWANCE_FUNCTIONS
from par.persistence._schema.limiter_windows import WINDOW_FUNCTIONS

__all__ = ["POSTGRES", "SQLITE"]

SQLITE: Final = (
    """
    CREATE TABLE limiter (
        scope TEXT NOT NULL CHECK (typeof(scope) = 'text'),
        key TEXT NOT NULL CHECK (typeof(key) = 'text'),
        places INTEGER NOT NULL DEFAULT 0 CHECK (typeof(places) = 'integer'),
        requests INTEGER NOT NULL DEFAULT 0 CHECK (typeof(requests) = 'integer'),
        tokens INTEGER NOT NULL DEFAULT 0 CHECK (typeof(tokens) = 'integer'),
        held_until INTEGER NOT NULL DEFAULT 0 CHECK (typeof(held_until) = 'integer'),
        told_requests INTEGER CHECK (typeof(told_requests) IN ('integer', 'null')),
        told_tokens INTEGER CHECK (typeof(told_tokens) IN ('integer', 'null')),
        latest INTEGER NOT NULL CHECK (typeof(latest) = 'integer'),
        boot TEXT NOT NULL CHECK (typeof(boot) = 'text'),
        wall INTEGER NOT NULL CHECK (typeof(wall) = 'integer'),
        PRIMARY KEY (scope, key)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE limiter_place (
        scope TEXT NOT NULL,
        key TEXT NOT NULL,
        id INTEGER NOT NULL CHECK (typeof(id) = 'integer'),
        place INTEGER NOT NULL CHECK (typeof(place) = 'integer'),
        owner TEXT NOT NULL CHECK (typeof(owner) = 'text'),
        until INTEGER NOT NULL CHECK (typeof(until) = 'integer'),
        at INTEGER CHECK (typeof(at) IN ('integer', 'null')),
        requests INTEGER NOT NULL CHECK (typeof(requests) = 'integer' AND requests >= 0),
        tokens INTEGER NOT NULL CHECK (typeof(tokens) = 'integer' AND tokens >= 0),
        settled INTEGER NOT NULL DEFAULT 0 CHECK (settled IN (0, 1)),
        PRIMARY KEY (scope, key, id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX limiter_line ON limiter_place (scope, key, place) WHERE at IS NULL",
    "CREATE INDEX limiter_window ON limiter_place (scope, key, at) WHERE at IS NOT NULL",
    """
    CREATE TABLE allowance (
        scope TEXT NOT NULL CHECK (typeof(scope) = 'text'),
        key TEXT NOT NULL CHECK (typeof(key) = 'text'),
        period TEXT NOT NULL CHECK (typeof(period) = 'text'),
        tokens INTEGER NOT NULL DEFAULT 0 CHECK (typeof(tokens) = 'integer' AND tokens >= 0),
        cost INTEGER NOT NULL DEFAULT 0 CHECK (typeof(cost) = 'integer' AND cost >= 0),
        steps INTEGER NOT NULL DEFAULT 0 CHECK (typeof(steps) = 'integer' AND steps >= 0),
        PRIMARY KEY (scope, key, period)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE allowance_hold (
        scope TEXT NOT NULL,
        id INTEGER NOT NULL CHECK (typeof(id) = 'integer'),
        key TEXT NOT NULL,
        period TEXT NOT NULL,
        tokens INTEGER NOT NULL CHECK (typeof(tokens) = 'integer' AND tokens >= 0),
        cost INTEGER NOT NULL CHECK (typeof(cost) = 'integer' AND cost >= 0),
        steps INTEGER NOT NULL CHECK (typeof(steps) = 'integer' AND steps >= 0),
        owner TEXT NOT NULL CHECK (typeof(owner) = 'text'),
        until INTEGER NOT NULL CHECK (typeof(until) = 'integer'),
        returned INTEGER NOT NULL DEFAULT 0 CHECK (returned IN (0, 1)),
        PRIMARY KEY (scope, id),
        FOREIGN KEY (scope, key, period) REFERENCES allowance (scope, key, period) ON DELETE CASCADE
    ) WITHOUT ROWID
    """,
    "CREATE INDEX allowance_held ON allowance_hold (scope, key, period)",
)

_TABLES: Final = (
    """
    CREATE TABLE limiter (
        scope text NOT NULL,
        key text NOT NULL,
        places bigint NOT NULL DEFAULT 0,
        requests bigint NOT NULL DEFAULT 0,
        tokens bigint NOT NULL DEFAULT 0,
        held_until bigint NOT NULL DEFAULT 0,
        told_requests bigint,
        told_tokens bigint,
        latest bigint NOT NULL,
        PRIMARY KEY (scope, key)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE limiter_place (
        scope text NOT NULL,
        key text NOT NULL,
        id bigint NOT NULL,
        place bigint NOT NULL,
        owner text NOT NULL,
        until bigint NOT NULL,
        at bigint,
        requests bigint NOT NULL CHECK (requests >= 0),
        tokens bigint NOT NULL CHECK (tokens >= 0),
        settled boolean NOT NULL DEFAULT false,
        PRIMARY KEY (scope, key, id)
    )
    """,
    "CREATE INDEX limiter_line ON limiter_place (scope, key, place) WHERE at IS NULL",
    "CREATE INDEX limiter_window ON limiter_place (scope, key, at) WHERE at IS NOT NULL",
    """
    CREATE TABLE allowance (
        scope text NOT NULL,
        key text NOT NULL,
        period text NOT NULL,
        tokens bigint NOT NULL DEFAULT 0 CHECK (tokens >= 0),
        cost bigint NOT NULL DEFAULT 0 CHECK (cost >= 0),
        steps bigint NOT NULL DEFAULT 0 CHECK (steps >= 0),
        PRIMARY KEY (scope, key, period)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE allowance_hold (
        scope text NOT NULL,
        id bigint NOT NULL,
        key text NOT NULL,
        period text NOT NULL,
        tokens bigint NOT NULL CHECK (tokens >= 0),
        cost bigint NOT NULL CHECK (cost >= 0),
        steps bigint NOT NULL CHECK (steps >= 0),
        until bigint NOT NULL,
        returned boolean NOT NULL DEFAULT false,
        PRIMARY KEY (scope, id),
        FOREIGN KEY (scope, key, period) REFERENCES allowance (scope, key, period) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX allowance_held ON allowance_hold (scope, key, period)",
)

POSTGRES: Final[tuple[str, ...]] = (*_TABLES, *WINDOW_FUNCTIONS, *ALLOWANCE_FUNCTIONS)
