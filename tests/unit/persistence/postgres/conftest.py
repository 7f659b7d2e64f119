"""A database per file of tests, and a scope per test."""

from itertools import count

import asyncpg
import pytest
from support.postgres_server import PostgresServer

NUMBERS = count(1)


@pytest.fixture(scope="module")
def dsn(postgres_server):
    """A database that the tests of one file share."""
    return postgres_server.database()


@pytest.fixture
def scope():
    """A scope that no other test uses."""
    return f"scope {next(NUMBERS)}"


@pytest.fixture(scope="module")
def mortal():
    """A server that may be killed; it waits for its disk."""
    server = PostgresServer(fsync=True)
    if not server.ours:
        pytest.skip("PAR_TEST_PG_DSN names a server that is not to be killed")
    server.start()
    yield server
    server.remove()


@pytest.fixture
def sql(postgres_server, dsn):
    """Runs statements as the superuser, in order, in the tables of the audit; returns the rows of the last."""

    def run(*statements, scope="", user=None):
        named = f"SELECT set_config('par.scope', '{scope}', false)"
        as_user = [f"SET SESSION AUTHORIZATION {user}"] if user else []
        return postgres_server.execute("SET search_path = par", named, *as_user, *statements, dsn=dsn)

    return run


@pytest.fixture
def denied():
    """What Postgres raises for lack of a right."""
    return asyncpg.InsufficientPrivilegeError
