"""Tools that run in processes of their own must be importable, so they stand in a module."""

import time
from pathlib import Path

from par import tool


@tool(sync="process", effect="once")
def slow_process(folder: str) -> str:
    """Leave a mark at the start, and another one much later."""
    Path(folder, "process-started").touch()
    time.sleep(60)
    Path(folder, "process-effect").touch()
    return "done"


@tool(sync="process")
def double(x: int) -> int:
    """Double a number."""
    print("this goes nowhere near the answer")
    return 2 * x


@tool(sync="process")
def broken(x: int) -> int:
    """Raise."""
    raise LookupError(f"no {x}")


@tool(sync="process")
def dies(x: int) -> int:
    """End the process without an answer."""
    import os

    os._exit(3)


@tool(sync="process", timeout=0.5)
def too_slow(x: int) -> int:
    """Take longer than allowed."""
    time.sleep(60)
    return x
