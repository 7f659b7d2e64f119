"""Shared limits as the stores will open them: a file or a database with their tables, and the backends on it."""

import os
import subprocess
import sys
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from par.persistence._host import open_host
from par.persistence._limiter_postgres import open_limiter_postgres
from par.persistence._limiter_sqlite import open_limiter_sqlite
from par.persistence._postgres_pool import open_pg_pool
from par.persistence._postgres_schema import migrate
from par.persistence._schema import limiter
from par.persistence._schema.postgres_roles import GUARD
from par.persistence._sqlite_connection import open_connection
from par.persistence._sqlite_file import open_writer
from par.persistence._sqlite_write import transaction

TESTS = Path(__file__).parents[1]


def add_tables(connection):
    with transaction(connection):
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'limiter'").fetchone() is None:
            for statement in limiter.SQLITE:
                connection.execute(statement)


@asynccontextmanager
async def open_sqlite_limits(path, *, scope="default", **options):
    connect = partial(open_writer, Path(path), "process", create=True)
    async with open_host() as host, open_connection(host, connect, str(path)) as connection:
        await connection.run(add_tables)
        async with open_limiter_sqlite(connection, scope, **options) as limits:
            yield limits


async def add_functions(connection):
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(7)")
        if await connection.fetchval("SELECT to_regclass('par.limiter')") is None:
            for statement in (*limiter.POSTGRES, GUARD):
                await connection.execute(statement)


@asynccontextmanager
async def open_postgres_limits(dsn, *, scope="default", **options):
    async with open_pg_pool(dsn, scope=scope) as pool:
        await migrate(pool)
        await pool.run(add_functions)
        async with open_limiter_postgres(pool, **options) as limits:
            yield limits


def open_limits(place, **options):
    """Open the limits in a file or, if it is a DSN, in Postgres."""
    opened = open_postgres_limits if str(place).startswith("postgres") else open_sqlite_limits
    return opened(place, **options)


def start(program, *arguments):
    """Start a program of the tests in a process of its own; its output is a pipe."""
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    return subprocess.Popen(
        [sys.executable, str(program), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
