"""What auditing adds to a run (W10): ``python -m benchmarks.run_audit``.

The same agent, of ten steps with one tool each on a model that answers at once, with no store, with the store in a
file and in Postgres; alone, and fifty runs side by side. A real model call takes half a second: the cost of a step is
told in microseconds as well.
"""

import contextlib
import sys
import tempfile
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
                await measured(stores, count)


async def measured(stores, count: int) -> None:
    def runner(store):
        async def run() -> None:
            async with Runtime(store=store) as runtime, anyio.create_task_group() as group:
                for _ in range(count):
                    group.start_soon(runtime.run, agent(), "go")

        return run

    times = await interleaved({name: runner(store) for name, store in stores.items()}, ROUNDS)
    for name in stores:
        a_step = median(times[name]) / count / STEPS * 1e6
        print(f"{count:3} at once  {name:15} {a_step:8.0f} us a step  {ratio(times, name, 'none'):6.1f} x none")


if __name__ == "__main__":
    anyio.run(main)
