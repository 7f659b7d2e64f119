"""The effects that the tools of the script have on the world: a file outside of any database, one line for each."""

import json
import os
from pathlib import Path

import attrs


@attrs.frozen(kw_only=True)
class Entry:
    """One line: a tool call began, had its effect, or ended."""

    what: str
    """``begin``, ``effect`` or ``end``."""
    key: str
    tool: str
    effect: str
    argument: int
    pid: int


def write(path, what, ctx, effect, argument):
    """Add a line in one piece; when this returns, no kill can take it back."""
    line = {"what": what, "key": ctx.idempotency_key, "tool": ctx.tool, "effect": effect, "argument": argument}
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, (json.dumps({**line, "pid": os.getpid()}) + "\n").encode())
        if what == "effect":
            os.fsync(file)
    finally:
        os.close(file)


def read(path):
    """Return all entries, in order."""
    try:
        text = Path(path).read_text()
    except FileNotFoundError:
        return ()
    return tuple(Entry(**json.loads(line)) for line in text.splitlines(keepends=True) if line.endswith("\n"))
