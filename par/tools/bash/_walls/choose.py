"""The best wall that this machine has."""

import sys
from collections.abc import Sequence

from par.tools.bash._walls.bwrap import BwrapWall
from par.tools.bash._walls.landlock import LandlockWall
from par.tools.bash._walls.seatbelt import SeatbeltWall
from par.tools.bash._walls.values import Wall

__all__ = ["best_wall"]


async def best_wall(walls: Sequence[Wall] | None = None) -> Wall | None:
    """Return the first of ``walls`` whose probe found it to hold, or ``None`` if none does.

    By default they are bubblewrap, Landlock and, on macOS, sandbox-exec.
    """
    for wall in _walls() if walls is None else walls:
        if (await wall.probe()).available:
            return wall
    return None


def _walls() -> tuple[Wall, ...]:
    return (SeatbeltWall(),) if sys.platform == "darwin" else (BwrapWall(), LandlockWall())
