"""Several processes on one file, and processes that are killed."""

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from unit.persistence.made import envelope, envelopes

from par.errors import StoreError, StoreUnavailable
from par.persistence import open_sqlite
from par.persistence._host import open_host
from par.persistence._sqlite_connection import open_connection

pytestmark = pytest.mark.anyio

TESTS = Path(__file__).parents[2]
WRITING = Path(__file__).with_name("writing.py")


def writing(file, prefix, backend, durability="process"):
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    return subprocess.Popen(
        [sys.executable, str(WRITING), str(file), prefix, backend, durability],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )


def kill_after(process, lines):
    """Read some lines, kill -9 in the middle of the work, and return every line that came out whole."""
    acknowledged = [process.stdout.readline() for _ in range(lines)]
    assert all(acknowledged), process.stderr.read()
    process.kill()
    rest, _ = process.communicate()
    lines = [*acknowledged, *rest.splitlines(keepends=True)]
    return [line.split() for line in lines if line.endswith("\n")]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_killed_process_loses_nothing_that_was_acknowledged(tmp_path, backend, durability, anyio_backend):
    instants = random.Random(f"{backend} {durability}")
    acknowledged = []

    for _ in range(5):  # each goes on where the one before it was killed
        with writing(tmp_path / "x.db", "s", backend, durability) as process:
            acknowledged += kill_after(process, instants.randint(1, 300))

    async with open_sqlite(tmp_path / "x.db", create=False) as store:
        verification = await store.verify()
        ids = [one.id for one in await store.events()]
        by_place = {(one.session, one.seq): one.id for one in await store.events()}
    assert verification.ok, verification.broken
    assert len(set(ids)) == len(ids) == verification.events
    assert [line for line in acknowledged if by_place.get((line[0], int(line[1]))) != line[2]] == []


DYING = """
import os, pathlib, signal, sqlite3, sys
from par.persistence import _sqlite_file

real = sqlite3.connect

class Dying(sqlite3.Connection):
    left = 0
    def execute(self, *args):
        Dying.left -= 1
        if Dying.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(*args)

sqlite3.connect = lambda *args, **options: real(*args, factory=Dying, **options)
for number in range(1, 140):
    child = os.fork()
    if child == 0:
        Dying.left = number
        _sqlite_file.open_writer(pathlib.Path(sys.argv[1]) / f"{number}.db", "process", True)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_process_killed_at_any_statement_of_making_the_file_leaves_one_that_opens(tmp_path, anyio_backend):
    ran = await anyio.run_process([sys.executable, "-c", DYING, str(tmp_path)])
    exits = ran.stdout.split()

    events = []
    for number in range(1, len(exits) + 1):
        async with open_sqlite(tmp_path / f"{number}.db") as store:
            await store.append(envelopes())
            events.append((await store.verify()).events)

    assert (exits[0], exits[-1]) == (b"-9", b"0")
    assert set(events) == {3}


async def test_processes_that_write_their_own_sessions_share_a_file(tmp_path):
    file = tmp_path / "x.db"
    with writing(file, "a", "asyncio") as one, writing(file, "b", "trio") as two:
        async with open_sqlite(file, durability="process") as store:
            for batch in range(20):
                await store.append(envelopes("mine", 5, first=1 + 5 * batch))
            await anyio.to_thread.run_sync(kill_after, one, 200)
            await anyio.to_thread.run_sync(kill_after, two, 200)
            verification = await store.verify()
            sessions = {one.session for one in await store.sessions()}

    assert verification.ok
    assert sessions == {"mine", "a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"}


async def test_two_writers_of_one_session_keep_one_chain(tmp_path):
    refused = 0

    async def write(store, number):
        nonlocal refused
        for _ in range(30):
            seq = await store.last_seq("s") + 1
            try:
                await store.append([envelope(seq=seq, content=f"{number} {seq}")])
            except StoreError:
                refused += 1

    async with open_sqlite(tmp_path / "x.db") as one, open_sqlite(tmp_path / "x.db") as two:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write, one, 1)
            tasks.start_soon(write, two, 2)
        verification = await one.verify()
        stored = await two.events()

    assert verification.ok
    assert len(stored) == 60 - refused
    assert [one.seq for one in stored] == list(range(1, len(stored) + 1))


async def test_another_process_reads_while_one_writes(tmp_path):
    read = (
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM event').fetchone()[0])"
    )

    async with open_sqlite(tmp_path / "x.db") as store:
        await store.append(envelopes(count=7))
        ran = await anyio.run_process([sys.executable, "-c", read, str(tmp_path / "x.db")])

    assert ran.stdout.strip() == b"7"


async def test_a_lock_that_is_never_released_is_reported_at_last(tmp_path):
    async with open_sqlite(tmp_path / "x.db"):
        pass

    def connect():
        return sqlite3.connect(tmp_path / "x.db", timeout=0, isolation_level=None)

    with contextlib.closing(connect()) as other:
        other.execute("BEGIN IMMEDIATE")
        async with open_host() as host, open_connection(host, connect, "x.db", give_up_s=0.05) as connection:
            with pytest.raises(StoreUnavailable, match="locked"):
                await connection.run(lambda own: own.execute("BEGIN IMMEDIATE"))


async def test_a_job_is_tried_again_until_the_lock_is_released(tmp_path):
    tries = 0

    def connect():
        return sqlite3.connect(tmp_path / "x.db", timeout=0, isolation_level=None, check_same_thread=False)

    def release_at_the_third_try(own):
        nonlocal tries
        tries += 1
        if tries == 3:
            other.execute("ROLLBACK")
        own.execute("BEGIN IMMEDIATE")

    async with open_sqlite(tmp_path / "x.db"):
        pass
    with contextlib.closing(connect()) as other:
        other.execute("BEGIN IMMEDIATE")
        async with open_host() as host, open_connection(host, connect, "x.db") as connection:
            await connection.run(release_at_the_third_try)

    assert tries == 3


async def test_a_disk_that_is_full_fails_what_does_not_fit_and_keeps_the_rest(tmp_path):
    async with open_sqlite(tmp_path / "x.db") as store:
        await store.append(stored := envelopes())
    script = """
import sys, resource, signal, anyio
from unit.persistence.made import envelope
from par.errors import StoreError
from par.persistence import open_sqlite

async def main():
    async with open_sqlite(sys.argv[1]) as store:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        results = {}
        async def append(session, size):
            try:
                await store.append([envelope(session, content="x" * size)])
                results[session] = "stored"
            except StoreError as error:
                results[session] = type(error).__name__
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(append, "small", 10)
            tasks.start_soon(append, "large", 2_000_000)
            tasks.start_soon(append, "little", 10)
        await append("later", 10)
        print(sorted(results.items()))

anyio.run(main)
"""
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])

    ran = await anyio.run_process(
        [sys.executable, "-c", script, str(tmp_path / "x.db")], env={**os.environ, "PYTHONPATH": paths}
    )

    assert b"('later', 'stored')" in ran.stdout
    assert b"('little', 'stored'), ('small', 'stored')" in ran.stdout
    assert b"('large', 'StoreError')" in ran.stdout or b"('large', 'StoreUnavailable')" in ran.stdout
    async with open_sqlite(tmp_path / "x.db") as store:
        assert (await store.verify()).ok
        assert (await store.events("s")) == tuple(stored)
