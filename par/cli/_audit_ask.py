"""Asking the person at the terminal before something is removed for good."""

import sys

import anyio

from par.cli._screen import printable
from par.errors import UsageError

__all__ = ["confirmed"]


async def confirmed(question: str, *, yes: bool) -> bool:
    """Tell whether it is to be done: ``yes``, or the person at the terminal says so.

    Raises:
        UsageError: if there is nobody to ask. A pipe is nobody: what it says may come from anywhere.
    """
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("there is no terminal to ask at: --yes does it without asking")
    import termios  # noqa: PLC0415 # absent on Windows, where the other commands work

    # what was typed before the question is no answer to it
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    sys.stderr.write(f"{printable(question)} [y/N] ")
    sys.stderr.flush()
    await anyio.wait_readable(sys.stdin)
    return sys.stdin.readline().strip().casefold() in {"y", "yes"}
