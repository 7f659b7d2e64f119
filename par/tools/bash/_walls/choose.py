"""The best wall that this machine has."""

from collections.abc import Sequence

from par.tools.bash._walls.bwrap import BwrapWall
from par.tools.bash._walls.values import Wall

__all__ = ["best_wall"]


async def best_wall(walls: Sequence[Wall] | None = None) -> Wall | None:
    """Return the first of ``walls`` that its probe found to hold, or ``None`` if none does.

    By default it is bubblewrap, where it works.
    """
    for wall in (BwrapWall(),) if walls is None else walls:
        if (await wall.probe()).available:
            return wall
    return None
