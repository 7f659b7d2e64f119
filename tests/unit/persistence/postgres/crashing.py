"""Kills writers, and the server, at random instants, and looks whether anything is missing.

``python -m unit.persistence.postgres.crashing --writers 200 --servers 20`` (in the folder of the tests) does what the
suite does, for longer.
"""

import argparse
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import anyio
from support.postgres_server import PostgresServer

from par.persistence._postgres_open import open_postgres

TESTS = Path(__file__).parents[3]
WRITING = Path(__file__).with_name("writing.py")


class Writing:
    """A process that writes, and what it acknowledged."""

    def __init__(self, dsn, scope, prefix, backend):
        paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
        self._process = subprocess.Popen(
            [sys.executable, str(WRITING), dsn, scope, prefix, backend],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        self.lines = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        self.lines.extend(line.split() for line in self._process.stdout if line.endswith("\n"))

    def wait_for(self, lines):
        """Return when so many more events were acknowledged."""
        goal = len(self.lines) + lines
        while len(self.lines) < goal:
            if self._process.poll() is not None:
                raise RuntimeError(self._process.stderr.read())
            time.sleep(0.001)

    def kill(self):
        """Kill -9, in the middle of whatever it does, and return what was acknowledged."""
        self._process.kill()
        self._reader.join()
        self._process.stderr.close()
        self._process.stdout.close()
        self._process.wait()
        return self.lines


def kill_writers(dsn, scope, number, backend, instants):
    """Let one writer after the other go on where the one before it was killed."""
    acknowledged = []
    for _ in range(number):
        writer = Writing(dsn, scope, "s", backend)
        try:
            writer.wait_for(instants.randint(1, 150))
            time.sleep(instants.random() / 200)
        finally:
            acknowledged += writer.kill()
    return acknowledged


def kill_server(server, dsn, scope, number, instants):
    """Kill the server and start it again, while two processes write through it all."""
    writers = [Writing(dsn, scope, backend, backend) for backend in ("asyncio", "trio")]
    try:
        for _ in range(number):
            for writer in writers:
                writer.wait_for(instants.randint(1, 150))
            server.kill()
            server.start()
        for writer in writers:
            writer.wait_for(1)
    finally:
        acknowledged = [line for writer in writers for line in writer.kill()]
    return acknowledged


async def losses(dsn, scope, acknowledged):
    """Return what is wrong: acknowledged events that are missing, ids that are there twice, breaks of chains."""
    async with open_postgres(dsn, scope=scope) as store:
        verification = await store.verify()
        stored = await store.events()
    by_place = {(one.session, one.seq): one.id for one in stored}
    missing = [line for line in acknowledged if by_place.get((line[0], int(line[1]))) != line[2]]
    twice = len(stored) - len({one.id for one in stored})
    return {"missing": missing, "twice": twice, "broken": verification.broken}


NOTHING = {"missing": [], "twice": 0, "broken": ()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writers", type=int, default=200)
    parser.add_argument("--servers", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    instants = random.Random(options.seed)
    server = PostgresServer(fsync=True)
    server.start()
    try:
        dsn = server.database()
        for backend in ("asyncio", "trio"):
            acknowledged = kill_writers(dsn, backend, options.writers // 2, backend, instants)
            found = anyio.run(losses, dsn, backend, acknowledged)
            print(f"{options.writers // 2} killed writers ({backend}), {len(acknowledged)} acknowledged: {found}")
        acknowledged = kill_server(server, dsn, "server", options.servers, instants)
        found = anyio.run(losses, dsn, "server", acknowledged)
        print(f"{options.servers} killed servers, {len(acknowledged)} acknowledged: {found}")
    finally:
        server.remove()


if __name__ == "__main__":
    main()
