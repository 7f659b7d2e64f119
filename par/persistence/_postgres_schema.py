"""The schemas that databases have had, the way from each to the next, and the roles."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, cast

from par.errors import NewerSchema, StoreUnavailable
from par.persistence._postgres_driver import Connection, sqlstate_of
from par.persistence._postgres_pool import PgPool, open_pg_pool
from par.persistence._schema import (
    dead_letters,
    limiter,
    postgres_events,
    postgres_memory,
    postgres_scopes,
    postgres_session_calls,
    postgres_sessions,
)
from par.persistence._schema.postgres_roles import GRANTS, GUARD, ROLES

__all__ = ["SCHEMA_VERSION", "grant_roles", "migrate"]

_MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        *postgres_events.POSTGRES,
        *postgres_scopes.POSTGRES,
        *postgres_sessions.POSTGRES,
        *postgres_memory.POSTGRES,
        *dead_letters.POSTGRES,
        *limiter.POSTGRES,
    ),
    (*postgres_sessions.POSTGRES_2, *postgres_session_calls.POSTGRES_2),
)
"""Statements that lead from schema n to n + 1. Forward only; a released entry is never edited."""

SCHEMA_VERSION: Final = len(_MIGRATIONS)

_OLDEST_SERVER: Final = 150_000
"""Views that ask for their reader's rights came with Postgres 15."""
_NUMBER: Final = "x'50415231'::bigint"
"""Of the lock that lets one process migrate and the others wait: many may start at once."""
_START: Final = (
    "CREATE SCHEMA IF NOT EXISTS par",
    "CREATE TABLE IF NOT EXISTS migration (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
)
_NO_SUCH_TABLE: Final = "42P01"
_AHEAD: Final = """
    SELECT make_partition(month::date)
    FROM unnest(ARRAY[now(), now() + interval '1 month']) AS month
    WHERE to_regclass('par.event_' || to_char(month, 'YYYY_MM')) IS NULL
"""


async def migrate(pool: PgPool) -> None:
    """Bring the database to the newest schema, in one transaction, and make the partition of the next month.

    A database that has the newest schema is only read, so the roles that may not change tables can open it.

    Raises:
        NewerSchema: if a newer par made it.
        StoreUnavailable: if it is older, or empty, and the login may not change it; or the server is too old.
    """

    async def job(connection: Connection) -> None:
        server = cast("str", await connection.fetchval("SELECT current_setting('server_version_num')"))
        if int(server) < _OLDEST_SERVER:
            raise StoreUnavailable(pool.where, "par needs Postgres 15 or newer")
        if await _version(connection, pool.where) < SCHEMA_VERSION:
            async with _alone(connection):
                await _advance(connection, pool.where)
        if await connection.fetchval("SELECT has_function_privilege('make_partition(date)', 'EXECUTE')"):
            await connection.execute(_AHEAD)

    await pool.run(job, again=True)


async def grant_roles(dsn: str) -> None:
    """Make the roles ``par_append`` and ``par_read`` if they are missing, and give them their part of the tables.

    They cannot log in themselves: grant them to those that do. Needs a login that may make roles and owns the tables,
    which are made if they are not there. May be called again.

    Raises:
        MissingExtra: if asyncpg is not installed.
        NewerSchema: if a newer par made the tables.
        StoreUnavailable: if the database cannot be reached, or the login may not do that.
        ValueError: for a ``dsn`` that is no URI of Postgres.
    """

    async def job(connection: Connection) -> None:
        async with _alone(connection):
            for statement in (*ROLES, GRANTS):
                await connection.execute(statement)

    async with open_pg_pool(dsn) as pool:
        await migrate(pool)
        await pool.run(job, again=True)


@asynccontextmanager
async def _alone(connection: Connection) -> AsyncGenerator[None, None]:
    """A transaction that has the schema to itself."""
    # The lock comes before the transaction: one that began while it waited would not see all that was made meanwhile.
    # A connection that is lost, or closed because its job was cancelled, lets go of it.
    await connection.execute(f"SET statement_timeout = 0; SELECT pg_advisory_lock({_NUMBER})")
    try:
        async with connection.transaction():
            yield
    except Exception:
        await _let_go(connection)  # noqa: ASYNC120 # cancelled here, the connection is closed, which lets go too
        raise
    await _let_go(connection)


async def _let_go(connection: Connection) -> None:
    await connection.execute(f"SELECT pg_advisory_unlock({_NUMBER}); RESET statement_timeout")


async def _advance(connection: Connection, where: str) -> None:
    for statement in _START:
        await connection.execute(statement)
    found = await _version(connection, where)  # again: another process may have done it while this one waited
    for number, statements in enumerate(_MIGRATIONS[found:], found + 1):
        for statement in (*statements, GUARD, GRANTS):
            await connection.execute(statement)
        await connection.execute("INSERT INTO migration (version) VALUES ($1)", number)


async def _version(connection: Connection, where: str) -> int:
    try:
        found = cast("int", await connection.fetchval("SELECT coalesce(max(version), 0) FROM par.migration"))
    except Exception as error:
        if sqlstate_of(error) == _NO_SUCH_TABLE:
            return 0
        raise
    if found > SCHEMA_VERSION:
        raise NewerSchema(where, found, SCHEMA_VERSION)
    return found
