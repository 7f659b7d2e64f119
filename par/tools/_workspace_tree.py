"""Folders with all that is in them: looked at and removed by descriptor, through no link."""

import errno
import os
import stat
from collections.abc import Callable, Generator
from typing import Final

import attrs

from par.tools._workspace import Spot

__all__ = ["MAX_DEPTH", "MAX_ENTRIES", "Found", "entries", "remove_tree", "survey"]

MAX_ENTRIES: Final = 50_000
"""Names below one folder that a command copies, moves or removes; some seconds of work."""
MAX_DEPTH: Final = 128
"""Folders in each other, each of which holds a descriptor while the work is below it."""


@attrs.frozen(kw_only=True)
class Found:
    """A name below a folder, and the facts of the name itself; of a link, those of the link."""

    spot: Spot
    facts: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, and no link to one."""
        return stat.S_ISDIR(self.facts.st_mode)


def entries(folder: int, most: int) -> list[str]:
    """Return the names in the open folder, sorted.

    Raises:
        OSError: ``E2BIG`` for more than ``most``.
    """
    found: list[str] = []
    with os.scandir(folder) as names:
        for entry in names:
            found.append(entry.name)
            if len(found) > most:
                raise OSError(errno.E2BIG, f"there are more than {most} names in it")
    return sorted(found)


def survey(top: Spot) -> Generator[Found, None, None]:
    """Yield all that is below the folder ``top``, each folder before what is in it.

    A spot may be used until the next one is asked for.

    Raises:
        OSError: ``E2BIG`` for more than 50,000 names, or more than 128 folders in each other.
    """
    yield from _survey(top, [MAX_ENTRIES], 1)


def _survey(top: Spot, left: list[int], depth: int) -> Generator[Found, None, None]:
    if depth > MAX_DEPTH:
        raise OSError(errno.E2BIG, f"there are more than {MAX_DEPTH} folders in each other")
    with top.inside() as inner:
        names = entries(inner.fd, left[0])
        left[0] -= len(names)
        for leaf in names:
            spot = inner.beside(leaf)
            facts = spot.facts()
            if facts is None:
                continue  # gone since it was listed
            found = Found(spot=spot, facts=facts)
            yield found
            if found.is_folder:
                yield from _survey(spot, left, depth + 1)


def remove_tree(top: Spot, before: Callable[[Spot], None], depth: int = 1) -> int:
    """Remove a folder and all that is in it, links themselves and not what they lead to; return how many names.

    ``before`` is called with each name before it is removed, and may raise, which leaves the rest as it is.

    Raises:
        OSError: ``E2BIG`` for too many names in one folder or folders in each other, and what removing raises.
    """
    if depth > MAX_DEPTH:
        raise OSError(errno.E2BIG, f"there are more than {MAX_DEPTH} folders in each other")
    removed = 0
    with top.inside() as inner:
        for leaf in entries(inner.fd, MAX_ENTRIES):
            spot = inner.beside(leaf)
            before(spot)
            facts = spot.facts()
            if facts is None:
                continue
            if stat.S_ISDIR(facts.st_mode):
                removed += remove_tree(spot, before, depth + 1)
            else:
                os.unlink(leaf, dir_fd=inner.fd)
                removed += 1
    os.rmdir(top.leaf, dir_fd=top.fd)
    return removed + 1
