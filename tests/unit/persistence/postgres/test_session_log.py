"""The suite of every session log, on a real Postgres; each test has a scope of its own in one database."""

from contextlib import AsyncExitStack

import pytest
from contract.test_session_log_contract import *  # noqa: F403 # the tests are what is meant
from support.session_log import Hands

from par.persistence import open_postgres

pytestmark = pytest.mark.anyio


class PostgresWorld:
    """A scope of a database, opened as often as a test likes, on a machine whose processes the test holds."""

    def __init__(self, dsn, scope, sql):
        self.dsn = dsn
        self.scope = scope
        self.sql = sql
        self.hands = Hands()
        self.stack = AsyncExitStack()

    async def store(self, scope="", **options):
        opened = open_postgres(self.dsn, scope=self.scope + scope, **options)
        return await self.stack.enter_async_context(opened)

    async def log(self, store=None):
        store = store or await self.store()
        return store.session_log().on(self.hands.machine, self.hands.clock)

    async def pass_s(self, seconds):
        self.hands.pass_s(seconds)
        # the server's clock is nobody's to move, so the ends of the leases come nearer
        self.sql(f"UPDATE session SET lease_until = lease_until - interval '{seconds} s' WHERE scope = '{self.scope}'")


@pytest.fixture
async def world(dsn, scope, sql):
    one = PostgresWorld(dsn, scope, sql)
    async with one.stack:
        yield one
