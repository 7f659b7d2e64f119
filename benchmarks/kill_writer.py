"""Kill a writing process at random instants and look at what is left: ``python -m benchmarks.kill_writer 200``.

Each process goes on in the file where the one before it was killed, on either event loop, and says which events were
acknowledged. In the end none of those may be missing, none there twice, and every chain must be whole.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import anyio

from par.persistence import open_sqlite

TESTS = Path(__file__).parents[1] / "tests"


def acknowledged(file: Path, instants: random.Random) -> list[list[str]]:
    """Start a writer, kill it after 0 to 200 ms of writing, and return what it said was stored."""
    backend = instants.choice(["asyncio", "trio"])
    durability = instants.choice(["process", "power"])
    writer = TESTS / "unit/persistence/writing.py"
    with subprocess.Popen(
        [sys.executable, str(writer), str(file), "s", backend, durability],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
    ) as process:
        first = process.stdout.readline()
        time.sleep(instants.random() * 0.2)  # an instant that no event tells
        process.kill()
        rest, _ = process.communicate()
    lines = [first, *rest.splitlines(keepends=True)]
    return [line.split() for line in lines if line.endswith("\n")]


async def verdict(file: Path, told: list[list[str]]) -> list[str]:
    """Return what is wrong with the file."""
    async with open_sqlite(file, create=False) as store:
        verification = await store.verify()
        stored = await store.events()
    places = {(one.session, str(one.seq)): one.id for one in stored}
    problems = [str(broken) for broken in verification.broken]
    problems += [f"missing: {line}" for line in told if places.get((line[0], line[1])) != line[2]]
    if len({one.id for one in stored}) != len(stored):
        problems.append("an event is there twice")
    return problems


def main() -> int:
    """Kill as often as asked, and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("times", type=int)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    instants = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "audit.db"
        told = [line for _ in range(arguments.times) for line in acknowledged(file, instants)]
        problems = anyio.run(verdict, file, told)
    print(f"{arguments.times} kills, {len(told)} acknowledged events, {len(problems)} problems")
    print("\n".join(problems[:20]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
