"""What a command is given to work with."""

from collections.abc import Awaitable, Callable

import attrs

from par.tools.bash._git.gate import GitGate
from par.tools.bash._native.room import Room
from par.tools.bash._run.runner import Launcher
from par.tools.bash._walls.values import Wall

__all__ = ["Tell", "Work"]

Tell = Callable[[str], Awaitable[None]]
"""Tells those who watch a line of progress."""


@attrs.frozen(kw_only=True)
class Work:
    """Where a command works, what starts its processes, and where its input comes from."""

    room: Room
    launcher: Launcher
    gate: GitGate
    wall: Wall | None
    """The wall that is to stand around processes of this command; ``None``: none."""
    no_wall: Wall
    """What ends everything that comes of a command which runs without one."""
    tell: Tell
    stdin: int | None = None
    """The descriptor that a filter reads instead of a file."""
    script_sha256: str | None = None
    """The hash of the script that was decided on; another one must not run."""
    deadline: float
    """When the time is up, on the clock of the event loop: a process that runs then ends, with what it has said."""
