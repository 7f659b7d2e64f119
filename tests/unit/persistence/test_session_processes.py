"""Processes that own sessions, and are killed or frozen."""

import random
import signal

import anyio
import pytest
from support.checkpointing import killed, lines_of, working
from unit.persistence.checkpointing import opened, problems_of

from par.errors import SessionBusy

pytestmark = pytest.mark.anyio

ALONE = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""The processes have event loops of their own."""


@pytest.fixture(params=["sqlite", "postgres"])
def where(request, tmp_path):
    """A store that two processes can open."""
    if request.param == "sqlite":
        return str(tmp_path / "audit.db")
    return request.getfixturevalue("postgres_dsn")


async def owned(log):
    """Own the session that the other process works at, as soon as its lease ends."""
    while True:
        try:
            return await log.acquire("s0", await log.identity(), lease_s=60, wants="open")
        except SessionBusy as busy:
            await anyio.sleep(busy.free_in_s)


async def test_the_session_of_a_process_that_was_killed_is_free_at_once(where):
    with working(where, lease_s=3600) as process:
        lines_of(process, 3)
        async with opened(where, "process") as store:
            log = store.session_log()
            with pytest.raises(SessionBusy, match=f"the process {process.pid} on "):
                await log.acquire("s0", await log.identity(), lease_s=60, wants="open")
            assert await log.due() == ()

            told = killed(process)

            assert [one.id for one in await log.due()] == ["s0"]
            found = await log.acquire("s0", await log.identity(), lease_s=60, wants="open")
    assert found.lease.fence == 2
    assert {ordinal for _, ordinal in told} <= {one.ordinal for one in found.steps}


@ALONE
async def test_the_session_of_a_frozen_process_is_free_when_its_lease_ends(where, anyio_backend):
    with working(where, lease_s=1.5) as process:
        lines_of(process, 3)
        process.send_signal(signal.SIGSTOP)
        async with opened(where, "process") as store:
            log = store.session_log()

            found = await owned(log)

            process.send_signal(signal.SIGCONT)
            rest, _ = process.communicate()  # it ends by itself: what it goes on with is refused
            assert rest.splitlines()[-1] == "lost s0"
            assert await log.steps("s0", 1) == found.steps
            assert (await log.session("s0")).owner is not None
    assert found.lease.fence == 2
    assert await problems_of(where, []) == []


@ALONE
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
async def test_a_killed_process_loses_no_step_that_was_acknowledged(tmp_path, backend, anyio_backend):
    instants = random.Random(backend)
    told = []

    for _ in range(5):  # each goes on where the one before it was killed
        durability = instants.choice(["process", "power"])
        with working(tmp_path / "x.db", sessions=4, backend=backend, durability=durability) as process:
            before = lines_of(process, instants.randint(1, 120))
            told += killed(process, before)

    assert len(told) > 5
    assert await problems_of(str(tmp_path / "x.db"), told) == []
