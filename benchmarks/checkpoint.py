"""What it costs that a step is durable: ``python -m benchmarks.checkpoint``, with ``--postgres`` in Postgres as well.

Measured in turns, in one run: one raw transaction of the driver (sqlite3 itself in the caller's thread, or asyncpg on
one connection) that stores the same bytes, ready made, in a table with a primary key and nothing else; ``append`` of two
events of 300 bytes; and ``commit`` of a step with a result of 1 kB, the counts, and two such events. One after the
other, and 50 side by side, as a batch of tools that end together.
"""

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from statistics import median

import anyio
import asyncpg
import attrs

from benchmarks.audit import START, envelopes
from benchmarks.measure import interleaved, ratio
from par._durable.log import Change, Lease, SessionLog, StepRecord, Totals
from par.calls import ModelReply
from par.events import Envelope
from par.messages import Assistant, Text
from par.persistence import PostgresStore, SqliteStore, open_postgres, open_sqlite
from par.sessions import TurnInfo
from par.states import TaskState
from tests.support.postgres_server import PostgresServer

ROUNDS = 9
TIMES = 60
"""Commits that are timed together where one follows the other."""
TOGETHER = 50
REPLY = ModelReply(message=Assistant((Text("x" * 900),)))
PLAIN = "CREATE TABLE plain (name text, number bigint, body text, PRIMARY KEY (name, number))"


@attrs.frozen
class Cost:
    """Microseconds for one of each, and the medians of the ratios."""

    where: str
    together: int
    raw: float
    append: float
    commit: float
    to_raw: float
    to_append: float


class Work:
    """One session of a store, and its steps."""

    def __init__(self, store: SqliteStore | PostgresStore, log: SessionLog, lease: Lease) -> None:
        self.store = store
        self.log = log
        self.lease = lease
        self.ordinals = count()
        self.next = {lease.session: 1, "plain": 1}

    def events(self, session: str) -> list[Envelope]:
        first = self.next[session]
        self.next[session] = first + 2
        return envelopes(session, first, 2)

    def change(self) -> tuple[Change, list[Envelope]]:
        ordinal = next(self.ordinals)
        key = f"{self.lease.session}:{ordinal}"
        step = StepRecord(turn=1, ordinal=ordinal, kind="model", name="m", key=key, status="done", result=REPLY)
        totals = Totals(steps=ordinal + 1, tokens=ordinal)
        return Change(lease=self.lease, steps=(step,), totals=totals), self.events(self.lease.session)


async def begun(store: SqliteStore | PostgresStore) -> Work:
    """Own a session with an open turn."""
    log = store.session_log()
    opened = await log.acquire("s", await log.identity(), lease_s=3600, wants="new", agent="agent")
    turn = TurnInfo(number=1, id="t", agent="agent", definition="d", state=TaskState.RUNNING, started_at=START)
    await log.commit(Change(lease=opened.lease, turn=turn), [])
    return Work(store, log, opened.lease)


async def measured(where: str, work: Work, raw: Callable[[int], Awaitable[None]], together: int) -> Cost:
    """Measure the three in turns; ``raw`` makes as many transactions as it is told."""
    times = TIMES if together == 1 else together

    async def append() -> None:
        batches = [work.events("plain") for _ in range(times)]
        await _run([lambda one=one: work.store.append(one) for one in batches], together)

    async def commit() -> None:
        changes = [work.change() for _ in range(times)]
        await _run([lambda one=one: work.log.commit(*one) for one in changes], together)

    taken = await interleaved({"raw": lambda: raw(times), "append": append, "commit": commit}, ROUNDS)
    each = {who: median(seconds) / times * 1e6 for who, seconds in taken.items()}
    return Cost(
        where, together, **each, to_raw=ratio(taken, "commit", "raw"), to_append=ratio(taken, "commit", "append")
    )


async def _run(calls: Sequence[Callable[[], Awaitable[object]]], together: int) -> None:
    if together == 1:
        for call in calls:
            await call()
        return
    async with anyio.create_task_group() as tasks:
        for call in calls:
            tasks.start_soon(call)


def body() -> str:
    """Return as many bytes as a commit stores: a step, and two events with their hashes."""
    return json.dumps({"step": "x" * 1000, "events": ["x" * 400] * 2})


async def sqlite_costs() -> list[Cost]:
    """Measure an audit file with each durability."""
    found = []
    for durability in ("process", "power"):
        with tempfile.TemporaryDirectory() as name:
            plain = sqlite3.connect(Path(name) / "plain.db", isolation_level=None)
            plain.execute("PRAGMA journal_mode = WAL")
            plain.execute(f"PRAGMA synchronous = {'FULL' if durability == 'power' else 'NORMAL'}")
            plain.execute(PLAIN)
            numbers, text = count(), body()

            async def raw(times: int) -> None:  # measured as the others are
                for _ in range(times):
                    plain.execute("BEGIN IMMEDIATE")  # noqa: B023 # it runs in this round
                    plain.execute("INSERT INTO plain VALUES ('s', ?, ?)", (next(numbers), text))  # noqa: B023
                    plain.execute("COMMIT")  # noqa: B023

            async with open_sqlite(Path(name) / "store.db", durability=durability) as store:
                work = await begun(store)
                found += [await measured(f"SQLite {durability}", work, raw, many) for many in (1, TOGETHER)]
            plain.close()
    return found


async def postgres_costs(dsn: str) -> list[Cost]:
    """Measure a server that waits for its disk."""
    numbers, text = count(), body()
    async with AsyncExitStack() as stack:
        bare = await asyncpg.connect(dsn)
        stack.push_async_callback(bare.close)
        await bare.execute(PLAIN)

        async def raw(times: int) -> None:
            for _ in range(times):
                await bare.execute("INSERT INTO plain VALUES ('s', $1, $2)", next(numbers), text)

        work = await begun(await stack.enter_async_context(open_postgres(dsn)))
        return [await measured("Postgres", work, raw, together) for together in (1, TOGETHER)]


def table(found: Sequence[Cost]) -> str:
    """Return the figures as lines of Markdown."""
    lines = [
        "| where | side by side | raw commit µs | append of 2 events µs | commit of a step and 2 events µs | : raw | : append |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.where} | {one.together} | {one.raw:,.0f} | {one.append:,.0f} | {one.commit:,.0f} "
        f"| {one.to_raw:.2f} | {one.to_append:.2f} |"
        for one in found
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--postgres", action="store_true")
    arguments = parser.parse_args()
    started = time.perf_counter()
    print(table(anyio.run(sqlite_costs)))
    if arguments.postgres:
        server = PostgresServer(fsync=True)
        try:
            server.start()
            print(table(anyio.run(postgres_costs, server.database())))
        finally:
            server.remove()
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
