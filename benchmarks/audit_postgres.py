"""Events per second of the audit in Postgres beside the bare driver, and how auditors' questions are answered.

``python -m benchmarks.audit_postgres`` measures in the same run, in turns: the store; the store with a key; asyncpg
alone, which inserts the same rows, ready made, into the same table with the same indexes by one ``unnest`` per batch
(no JSON, no hash, no heads, no order among writers, no notification); and asyncpg into a table with a primary key and
nothing else. ``--questions 100000`` fills a database and explains the ten questions of the documentation;
``--verify`` times the verification of it as well. The server is the one of the tests, waiting for its disk.
"""

import argparse
import json
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

import anyio
import asyncpg
import attrs

from benchmarks.audit import KEY, envelopes
from benchmarks.measure import interleaved
from par._ids import new_ulid
from par.events import BashCompleted, BashInvoked, Envelope, ModelAttempted, ToolCallEnded, ToolCallStarted
from par.persistence._chain import Linker, record_of
from par.persistence._postgres import PostgresStore
from par.persistence._postgres_open import open_postgres
from par.usage import Usage
from tests.support.postgres_questions import QUESTIONS, scanned_whole
from tests.support.postgres_server import PostgresServer

BATCHES = {1: 200, 100: 40, 1000: 10}
"""Events per append, and how many appends are timed together."""
ROUNDS = 7
COLUMNS = {
    "position": "bigint", "format": "smallint", "scope": "text", "session": "text", "seq": "bigint", "id": "text",
    "at": "text", "run": "text", "parent": "text", "step": "bigint", "kind": "text", "body": "text", "salt": "bytea",
    "body_hash": "bytea", "previous": "bytea", "hash": "bytea",
}  # fmt: skip
PLAIN = """
    CREATE TABLE plain (position bigint, format smallint, scope text, session text, seq bigint, id text, at timestamptz,
    run text, parent text, step bigint, kind text, body text, salt bytea, body_hash bytea, previous bytea, hash bytea,
    PRIMARY KEY (scope, session, seq))
"""


@attrs.frozen
class Rate:
    """Events per second at one size of batch, and the medians of the ratios."""

    batch: int
    store: float
    keyed: float
    bare: float
    plain: float
    ratio: float
    plain_ratio: float


def insert(table: str) -> str:
    names = ", ".join(COLUMNS)
    values = names.replace(" at,", " at::timestamptz,")
    arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(COLUMNS.values(), 1))
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM unnest({arrays}) AS u ({names}) ON CONFLICT DO NOTHING"


def rows(batch: Sequence[Envelope], scope: str) -> list[list[object]]:
    link = Linker().link
    records = [record_of(one, scope) for one in batch]
    ready = [
        (place, 2, *record[:12], bytes(32), link(bytes(32), record.sealed)) for place, record in enumerate(records, 1)
    ]
    return [list(column) for column in zip(*ready, strict=True)]


async def rates(dsn: str) -> list[Rate]:
    """Measure all in turns at each size of batch."""
    return [await _rate(dsn, batch, times) for batch, times in BATCHES.items()]


async def _rate(dsn: str, batch: int, times: int) -> Rate:
    bare = await asyncpg.connect(dsn)
    try:
        async with (
            open_postgres(dsn, scope=f"store {batch}") as store,
            open_postgres(dsn, scope=f"keyed {batch}", key=KEY) as keyed,
        ):
            await bare.execute("DROP TABLE IF EXISTS plain")
            await bare.execute(PLAIN)
            # the month of the events has its partition, so that nobody pays for it in the first batch
            await bare.execute("SET search_path = par, public; SELECT make_partition('2025-01-01')")
            work = {who: [] for who in ("store", "keyed", "bare", "plain")}
            for number in range(ROUNDS + 1):
                for who, rounds in work.items():
                    batches = [envelopes(f"{who} {number}", 1 + batch * index, batch) for index in range(times)]
                    ready = who in ("bare", "plain")
                    rounds.append([rows(one, f"{who} {batch}") for one in batches] if ready else batches)

            async def append(to: PostgresStore, who: str) -> None:
                for one in work[who].pop(0):
                    await to.append(one)

            async def execute(table: str, who: str) -> None:
                statement = insert(table)
                for one in work[who].pop(0):
                    await bare.execute(statement, *one)

            taken = await interleaved(
                {
                    "bare": lambda: execute("par.event", "bare"),
                    "store": lambda: append(store, "store"),
                    "keyed": lambda: append(keyed, "keyed"),
                    "plain": lambda: execute("public.plain", "plain"),
                },
                ROUNDS,
            )
    finally:
        await bare.close()
    events = batch * times
    speeds = {who: events / median(seconds) for who, seconds in taken.items()}
    ratios = {
        who: median(other / own for other, own in zip(taken[who], taken["store"], strict=True))
        for who in ("bare", "plain")
    }
    return Rate(batch=batch, **speeds, ratio=ratios["bare"], plain_ratio=ratios["plain"])


def table(found: Sequence[Rate]) -> str:
    """Return the figures as lines of Markdown."""
    lines = [
        "| batch | store ev/s | with a key | bare driver, same table | bare driver, plain table | store : bare | : plain |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.batch} | {one.store:,.0f} | {one.keyed:,.0f} | {one.bare:,.0f} | {one.plain:,.0f} "
        f"| {one.ratio:.2f} | {one.plain_ratio:.2f} |"
        for one in found
    ]
    return "\n".join(lines)


def history(number: int) -> list[Envelope]:
    """Return the events of many runs over half a year, as agents make them."""
    chance = random.Random(1)
    start = datetime(2025, 1, 3, tzinfo=UTC)
    found: list[Envelope] = []
    seqs: dict[str, int] = {}
    while len(found) < number:
        index = len(found) // 10
        session, run, at = f"order-{index % (number // 40 + 1)}", f"run-{index}", start + timedelta(days=180 * 10 * index / number)  # fmt: skip
        tool = f"tool_{chance.randint(1, 40)}"
        failed = chance.random() < 0.02
        op = chance.choice(["grep", "find", "git_log", "sed", "run_tests"])
        usage = Usage(input_tokens=1200, output_tokens=180, requests=1, cost_micro=chance.randint(50, 9000))
        events = [
            ModelAttempted(call_id=f"m{index}", attempt=1, model="model-a", outcome="failed" if failed else "answered", duration_s=1.5, usage=usage, request_id=f"req_{index}"),
            ToolCallStarted(call_id=f"t{index}", name=tool, effect="read", arguments={"order": f"A-{index}", "q": "x" * 60}),
            ToolCallEnded(call_id=f"t{index}", name=tool, outcome="failed" if failed else "done", content="y" * 200, duration_s=0.2),
            BashInvoked(call_id=f"b{index}", op=op, command={"op": op}, argv=(op, "-n"), risk="low", approved_by="ada" if chance.random() < 0.01 else None),
            BashCompleted(call_id=f"b{index}", op=op, exit_code=1 if failed else 0, duration_s=0.1, stdout_bytes=10, stderr_bytes=0, truncated=False),
        ] * 2  # fmt: skip
        for event in events:
            seqs[session] = seqs.get(session, 0) + 1
            found.append(
                Envelope(
                    id=new_ulid(), session=session, run=run, step=1, parent=None, at=at, seq=seqs[session], event=event
                )
            )
    return found[:number]


async def questions(dsn: str, number: int, *, verify: bool) -> None:
    """Fill a database, and say of each question how it is answered and whether a partition was read whole."""
    stored = history(number)
    async with open_postgres(dsn, scope="auditor") as store, open_postgres(dsn, scope="other") as other:
        started = time.perf_counter()
        for first in range(0, number, 2_000):
            await store.append(stored[first : first + 2_000])
        print(f"{number:,} events stored in {time.perf_counter() - started:.1f} s")
        await other.append(stored[: min(10_000, number)])
        connection = await asyncpg.connect(dsn, server_settings={"search_path": "par", "par.scope": "auditor"})
        try:
            await connection.execute("ANALYZE event")
            await connection.execute("ANALYZE head")
            size = await connection.fetchval(
                "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname LIKE 'event_2%' AND relkind = 'r'"
            )
            print(f"{size / number:.0f} bytes per event with indexes")
            for name, (statement, values) in QUESTIONS.items():
                plan = json.loads(
                    await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values(stored))
                )[0]
                whole = scanned_whole(plan["Plan"])
                print(
                    f"{plan['Execution Time']:9.2f} ms  {name:45} {'READS WHOLE ' + ', '.join(whole) if whole else 'by index'}"
                )
        finally:
            await connection.close()
        if verify:
            started = time.perf_counter()
            found = await store.verify()
            took = time.perf_counter() - started
            print(f"verified {found.events:,} events in {took:.1f} s ({found.events / took:,.0f}/s), ok: {found.ok}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, metavar="EVENTS")
    parser.add_argument("--verify", action="store_true")
    options = parser.parse_args()
    server = PostgresServer(fsync=True)
    server.start()
    try:
        if options.questions:
            anyio.run(lambda: questions(server.database(), options.questions, verify=options.verify))
        else:
            print(table(anyio.run(rates, server.database())))
    finally:
        server.remove()


if __name__ == "__main__":
    main()
