"""Kill processes of durable sessions and look at what is left: ``python -m benchmarks.kill_sessions --count 300``.

A script of two turns and nineteen steps, with every kind of tool and an approval, is killed at random instants, every
other time twice in a row, and then brought to its end by further processes; with ``--points`` it is killed at every
named point instead, with ``--pairs`` at pairs of them. With ``--hosts`` a pool of processes carries many sessions at
once, and one of them is killed again and again. In the end no rule of ``tests/durable/checks.py`` may be broken.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from durable import pool  # noqa: E402 # from the path above
from durable.lab import Lab, kill_at_random, sweep, sweep_twice, told  # noqa: E402
from durable.nursery import Nursery  # noqa: E402
from support.postgres_server import PostgresServer  # noqa: E402

STORES = ("sqlite", "postgres")
BACKENDS = ("asyncio", "trio")


@contextmanager
def place_of(store, folder):
    """Make an empty store, and take it away after the block."""
    if store == "sqlite":
        yield ("sqlite", str(folder / "sessions.db"))
        return
    server = PostgresServer()
    try:
        server.start()
        yield ("postgres", server.database())
    finally:
        server.remove()


def kill(lab, options):
    """Do to the lab what the options say; return in words what that was."""
    variant = {name: True for name in ("chain", "stream") if getattr(options, name)}
    points, took_s = lab.undisturbed(**variant)
    if options.points:
        sweep(lab, points, **variant)
        return f"{len(points)} points, {len({point.split('#')[0] for point in points})} of different names"
    if options.pairs:
        draw = random.Random(options.seed)
        pairs = [(draw.choice(points), draw.choice(points)) for _ in range(options.count)]
        sweep_twice(lab, *zip(*pairs, strict=True), **variant)
        return f"{len(pairs)} pairs of points"
    kill_at_random(lab, options.count, options.seed, took_s, **variant)
    return f"random instants within {took_s * 1e3:.0f} ms, seed {options.seed}"


def summary(lab, words, began, bad):
    """Say in a line what came of it."""
    again = Counter(len(trial.acks) for trial in lab.trials)
    return (
        f"{lab.place[0]:8} {lab.backend:8} {len(lab.trials) - 3} sessions, {lab.kills} kills, {len(bad)} with violations "
        f"({words}; {sum(count * number for number, count in again.items())} processes; {time.monotonic() - began:.0f} s)"
    )


def main():
    """Kill as often as asked, and return 1 if a rule was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--store", choices=STORES, action="append")
    parser.add_argument("--backend", choices=BACKENDS, action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--points", action="store_true", help="every named point once")
    parser.add_argument("--pairs", action="store_true", help="pairs of named points, in two processes in a row")
    parser.add_argument("--hosts", action="store_true", help="COUNT sessions at once in a pool of hosts")
    parser.add_argument("--chain", action="store_true", help="with the default middleware chain")
    parser.add_argument("--stream", action="store_true", help="watched as streams")
    options = parser.parse_args()
    failed = 0
    for store in options.store or STORES:
        for backend in options.backend or BACKENDS:
            with (
                tempfile.TemporaryDirectory() as folder,
                Nursery(folder) as nursery,
                place_of(store, Path(folder)) as place,
            ):
                failed += measure(Lab(nursery, place, backend, folder), options)
    return 1 if failed else 0


def measure(lab, options):
    """Do to the lab what the options say, print what came of it, and return how much is wrong."""
    began = time.monotonic()
    if options.hosts:
        outcome = pool.carry(lab, options.count, seed=options.seed)
        print(f"{lab.place[0]:8} {lab.backend:8} {outcome.words}", *outcome.problems[:20], sep="\n    ", flush=True)
        return len(outcome.problems)
    words = kill(lab, options)
    bad = lab.judge()
    print(summary(lab, words, began, bad), told(bad), sep="\n" if bad else "", flush=True)
    return len(bad)


if __name__ == "__main__":
    sys.exit(main())
