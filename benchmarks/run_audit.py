"""What auditing and durability add to a run (W10): ``python -m benchmarks.run_audit``.

The same agent, of ten steps with one tool each on a model that answers at once, with no store, with the store in a
file and in Postgres, without a name and as a durable session; alone, and fifty runs side by side. A real model call
takes half a second: the cost of a step is told in microseconds as well. Beside them stands one commit of a row by
the bare ``sqlite3`` with the same durability.
"""

import contextlib
import sqlite3
import sys
import tempfile
from itertools import count as numbers
from pathlib import Path
from statistics import median

import anyio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.postgres_server import PostgresServer

from benchmarks.measure import interleaved, ratio
from benchmarks.par_agent import FakeModel
from benchmarks.script import Script
from par import Agent, Runtime, tool
from par.persistence import open_postgres, open_sqlite

STEPS = 10
SIDE_BY_SIDE = 50
ROUNDS = 7


@tool(effect="read")
async def t0(x: int) -> str:
    """Answer."""
    return f"{x} is the answer"


def agent() -> Agent:
    return Agent(FakeModel(Script(steps=STEPS)), tools=[t0])


async def events_of_a_run(store) -> int:
    async with Runtime(store=store) as runtime:
        result = await runtime.run(agent(), "go")
    return len(await store.events(result.session_id))


async def main() -> None:
    with contextlib.ExitStack() as kept:
        folder = Path(kept.enter_context(tempfile.TemporaryDirectory()))
        server = PostgresServer(fsync=True)
        server.start()
        kept.callback(server.remove)
        async with (
            open_sqlite(folder / "process.db", durability="process") as process,
            open_sqlite(folder / "power.db") as power,
            open_postgres(server.database()) as postgres,
        ):
            stores = {"none": None, "sqlite process": process, "sqlite power": power, "postgres": postgres}
            print(f"{await events_of_a_run(process)} events a run of {STEPS} steps")
            for count in (1, SIDE_BY_SIDE):
                await measured(stores, count, folder)


def bare_commits(folder: Path, full: bool):
    """Commit a row of 300 bytes ten times, each on its own, as the bare driver does."""
    path = folder / f"bare-{full}.db"
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
    connection.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, body TEXT)")

    async def run() -> None:
        for _ in range(STEPS):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO t (body) VALUES (?)", ("x" * 300,))
            connection.execute("COMMIT")

    return run


NAMES = numbers()


async def measured(stores, count: int, folder: Path) -> None:
    def runner(store, durable: bool):
        async def run() -> None:
            async with Runtime(store=store) as runtime, anyio.create_task_group() as group:
                for _ in range(count):
                    name = f"s{next(NAMES)}" if durable else None
                    group.start_soon(lambda name=name: runtime.run(agent(), "go", session=name))

        return run

    runners = {name: runner(store, durable=False) for name, store in stores.items()}
    runners |= {f"{name} durable": runner(store, durable=True) for name, store in stores.items() if store is not None}
    if count == 1:
        runners |= {"one bare commit, process": bare_commits(folder, full=False)}
        runners |= {"one bare commit, power": bare_commits(folder, full=True)}
    times = await interleaved(runners, ROUNDS)
    for name in runners:
        a_step = median(times[name]) / count / STEPS * 1e6
        print(f"{count:3} at once  {name:24} {a_step:8.0f} us a step  {ratio(times, name, 'none'):6.1f} x none")


if __name__ == "__main__":
    anyio.run(main)
