"""Processes that are killed, writers and the server; ``crashing.py`` does the same for longer."""

import random

import anyio
import pytest
from unit.persistence.made import envelopes
from unit.persistence.postgres.crashing import NOTHING, Writing, kill_server, kill_writers, losses

from par.persistence._postgres_open import open_postgres

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return ("asyncio", {"use_uvloop": False})  # of the test; the processes that are killed run on both


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
async def test_a_killed_writer_loses_nothing_that_was_acknowledged(dsn, scope, backend):
    acknowledged = kill_writers(dsn, scope, 3, backend, random.Random(backend))

    assert len(acknowledged) > 3
    assert await losses(dsn, scope, acknowledged) == NOTHING


async def test_a_killed_server_loses_nothing_that_was_acknowledged(mortal, scope):
    dsn = mortal.database()

    acknowledged = kill_server(mortal, dsn, scope, 3, random.Random("server"))

    assert len(acknowledged) > 3
    assert await losses(dsn, scope, acknowledged) == NOTHING


async def test_processes_that_write_one_scope_share_it(dsn, scope):
    writers = [Writing(dsn, scope, prefix, backend) for prefix, backend in (("a", "asyncio"), ("b", "trio"))]
    try:
        async with open_postgres(dsn, scope=scope) as store:
            for batch in range(20):
                await store.append(envelopes("mine", 5, first=1 + 5 * batch))
        for writer in writers:
            await anyio.to_thread.run_sync(writer.wait_for, 100)
    finally:
        acknowledged = [line for writer in writers for line in writer.kill()]

    assert await losses(dsn, scope, acknowledged) == NOTHING
    async with open_postgres(dsn, scope=scope) as store:
        assert {one.session for one in await store.sessions()} == {"mine", *(f"{p}{n}" for p in "ab" for n in range(4))}
        assert len(await store.events()) == await store.last_position()
