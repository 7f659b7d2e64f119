"""Shared limits: what they cost beside the bare statements, and how many processes use one against a strict server.

``PYTHONPATH=tests python -m benchmarks.limits`` (``--database sqlite|postgres``, ``--seconds 30``) measures in the same
run, in turns: reserve and settle of the rate limit and of the budget; and the driver alone, which writes one row and
changes it, in two transactions. Then 8 processes ask a server that refuses what is too much, in windows of a second;
one of them is killed in the middle. The server is the one of the tests, waiting for its disk.
"""

import argparse
import os
import signal
import sqlite3
import tempfile
from pathlib import Path
from statistics import median

import anyio
import anyio.to_thread
import asyncpg
from support import limited
from support.postgres_server import PostgresServer
from support.shared_limits import open_limits, start
from unit.middleware.strict_server import StrictServer

from benchmarks.measure import interleaved, ratio
from par.limits import Allowance, Limit, Spending
from par.persistence._host import open_host
from par.persistence._sqlite_connection import open_connection

CALLS = 200
ROUNDS = 5
LIMIT = 40
WINDOW_S = 1.0
PLAIN = "CREATE TABLE plain (id bigint PRIMARY KEY, at bigint, tokens bigint)"


async def cost(place: str) -> None:
    limit, allowance = Limit(requests=10**6, tokens=10**9), Allowance(tokens=10**9)

    async with open_limits(place) as limits, bare_driver(place) as bare:

        async def rate() -> None:
            for _ in range(CALLS):
                held = await limits.rate.reserve("k", limit, tokens=50, max_wait_s=None)
                await limits.rate.settle(held, requests=1, tokens=40)

        async def budget() -> None:
            for _ in range(CALLS):
                held = await limits.budget.reserve("k", allowance, Spending(tokens=50, steps=1))
                await limits.budget.settle(held, Spending(tokens=40, steps=1))

        times = await interleaved({"bare": bare, "rate": rate, "budget": budget}, ROUNDS)
    for name, took in times.items():
        print(f"  {name:8} {median(took) / CALLS * 1e6:8.0f} µs a call   {ratio(times, name, 'bare'):5.2f} x bare")


def bare_driver(place: str):
    return bare_postgres(place) if place.startswith("postgres") else bare_sqlite(place)


class bare_sqlite:  # noqa: N801 # it is used as a function
    def __init__(self, place: str) -> None:
        self.place = place + ".bare"

    def connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.place, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(PLAIN)
        return connection

    async def __aenter__(self):
        self.host = open_host()
        self.opened = open_connection(await self.host.__aenter__(), self.connect, self.place)
        connection = await self.opened.__aenter__()
        number = 0

        def write(raw: sqlite3.Connection, statement: str, *values: int) -> None:
            raw.execute("BEGIN IMMEDIATE")
            raw.execute(statement, values)
            raw.execute("COMMIT")

        async def bare() -> None:
            nonlocal number
            for _ in range(CALLS):
                number += 1
                await connection.run(write, "INSERT INTO plain VALUES (?, 1, 50)", number)
                await connection.run(write, "UPDATE plain SET tokens = 40 WHERE id = ?", number)

        return bare

    async def __aexit__(self, *exc: object) -> None:
        await self.opened.__aexit__(None, None, None)
        await self.host.__aexit__(None, None, None)


class bare_postgres:  # noqa: N801 # it is used as a function
    def __init__(self, place: str) -> None:
        self.place = place

    async def __aenter__(self):
        self.connection = await asyncpg.connect(self.place)
        await self.connection.execute("DROP TABLE IF EXISTS plain")
        await self.connection.execute(PLAIN)
        number = 0

        async def bare() -> None:
            nonlocal number
            for _ in range(CALLS):
                number += 1
                await self.connection.execute("INSERT INTO plain VALUES ($1, 1, 50)", number)
                await self.connection.execute("UPDATE plain SET tokens = 40 WHERE id = $1", number)

        return bare

    async def __aexit__(self, *exc: object) -> None:
        await self.connection.close()


async def share(place: str, seconds: float) -> None:
    server = StrictServer(LIMIT, WINDOW_S)
    async with open_limits(place), server.listening() as port:
        program = start(Path(limited.__file__), place, "call", 8, port, LIMIT, WINDOW_S, 0.09, 3)
        try:
            children = (await anyio.to_thread.run_sync(program.stdout.readline)).split()
            while len(server.accepted) < 2 * LIMIT:
                await anyio.sleep(0.05)
            await anyio.sleep(seconds / 2)
            killed = len(server.accepted)
            os.kill(int(children[3]), signal.SIGKILL)
            await anyio.sleep(seconds / 2)
        finally:
            program.stdin.close()
            await anyio.to_thread.run_sync(program.wait)
    at = server.accepted
    print(f"  refused: {len(server.refused)} of {len(at)}")
    for name, first, last in (
        ("before the death", 2 * LIMIT, killed - 1),
        ("after it", killed, len(at) - 1),
        ("after it, but for 3 s", next(n for n, one in enumerate(at) if one > at[killed] + 3), len(at) - 1),
        ("in all", 2 * LIMIT, len(at) - 1),
    ):
        windows = (last - first) // LIMIT  # requests come in bursts: only whole windows tell the rate
        used = windows * WINDOW_S / (at[first + windows * LIMIT] - at[first])
        print(f"  used {name}: {used:.1%}")


def measure(name: str, place: str, seconds: float) -> None:
    print(f"{name}: one call reserved and settled")
    anyio.run(cost, place)
    print(f"{name}: 8 processes, {LIMIT} requests in any {WINDOW_S:g} s, {seconds:g} s long, one killed in the middle")
    anyio.run(share, place, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgres"])
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    if options.database != "postgres":
        with tempfile.TemporaryDirectory() as folder:
            measure("SQLite", f"{folder}/limits.db", options.seconds)
    if options.database != "sqlite":
        server = PostgresServer(fsync=True)
        server.start()
        try:
            measure("Postgres", server.database(), options.seconds)
        finally:
            server.remove()


if __name__ == "__main__":
    main()
