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
    tell: Tell
    stdin: int | None = None
    """The descriptor that a filter reads instead of a file."""
    binds: tuple[tuple[str, str], ...] = ()
    """What an approval was bound to, such as the hash of a script, to be checked again when it is used."""
