"""Kill a process that commits steps at random instants: ``python -m benchmarks.kill_checkpoints 100``.

Each process goes on in the file where the one before it was killed, on either event loop, and says which commits were
acknowledged. In the end none of those may be missing, and each step must be there with its events and its count.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import anyio

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from support.checkpointing import killed, lines_of, working  # noqa: E402 # the line above finds it
from unit.persistence.checkpointing import problems_of  # noqa: E402


def main() -> int:
    """Kill as often as asked, and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("times", type=int)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    instants = random.Random(arguments.seed)
    told = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "audit.db"
        for _ in range(arguments.times):
            options = {
                "backend": instants.choice(["asyncio", "trio"]),
                "durability": instants.choice(["process", "power"]),
            }
            with working(file, sessions=4, **options) as process:
                before = lines_of(process, 1)
                time.sleep(instants.random() * 0.2)  # an instant that no event tells
                told += killed(process, before)
        problems = anyio.run(problems_of, str(file), told)
    print(f"{arguments.times} kills, {len(told)} acknowledged commits, {len(problems)} problems")
    print("\n".join(problems[:20]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
