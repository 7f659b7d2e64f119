"""Starting ``unit/persistence/checkpointing.py``, and reading what it says."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
SCRIPT = TESTS / "unit/persistence/checkpointing.py"


def working(where, *, sessions=1, backend="asyncio", durability="process", lease_s=3600):
    """Start a process that owns sessions of a store and commits steps."""
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(where), str(sessions), backend, durability, str(lease_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])},
    )


def lines_of(process, number):
    """Read so many lines of what it says."""
    lines = [process.stdout.readline() for _ in range(number)]
    assert all(lines), process.stderr.read()
    return lines


def killed(process, before=()):
    """Kill it, and return which steps it said were durable."""
    process.kill()
    rest, _ = process.communicate()
    lines = [line.split() for line in (*before, *rest.splitlines(keepends=True)) if line.endswith("\n")]
    return [(words[1], int(words[2])) for words in lines if words[0] == "done"]
