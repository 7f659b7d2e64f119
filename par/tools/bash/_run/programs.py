"""Which programs are run: from fixed places that only the system's owner can change."""

import os
import stat
import sys

from par.errors import CommandRefused
from par.tools.bash._policy.policy import Policy

__all__ = ["find_program"]

_PLACES = ("/usr/bin", "/bin", "/usr/local/bin")


def find_program(name: str, policy: Policy) -> str:
    """Return the absolute path of a program; ``PATH`` is never looked at.

    A program of the system counts if it and every folder above it belong to root and nobody else may write
    there. One that the policy names may have another owner, but not be writable for everybody.

    Raises:
        CommandRefused: with the code ``program_missing``.
    """
    named = policy.program(name)
    if named is not None:
        place = os.path.realpath(named)
        if _is_program(place) and not _facts(place).st_mode & stat.S_IWOTH:
            return place
        raise _missing(name, f"the policy's {name} is absent, or everybody may change it")
    found = trusted(name)
    if found is None:
        raise _missing(name, f"there is no {name} in {', '.join(_PLACES)} that root alone can change")
    return found


def trusted(name: str) -> str | None:
    """Return the path of a program that only root can change, or ``None``."""
    for folder in _PLACES:
        place = os.path.realpath(f"{folder}/{name}")
        if _is_program(place) and all(_only_roots(part) for part in _upwards(place)):
            return place
    return None


def _missing(name: str, why: str) -> CommandRefused:
    remedy = f"The host can install {name}, or name it in Policy(programs=...)."
    return CommandRefused("program_missing", f"{why}.", field="op", remedy=remedy)


def _is_program(place: str) -> bool:
    try:
        mode = os.stat(place).st_mode  # noqa: PTH116 # the path is text from realpath
    except OSError:
        return False
    return stat.S_ISREG(mode) and os.access(place, os.X_OK)


def _facts(place: str) -> os.stat_result:
    return os.stat(place)  # noqa: PTH116 # the path is text from realpath


def _upwards(place: str) -> list[str]:
    parts = place.split("/")
    return ["/".join(parts[:count]) or "/" for count in range(len(parts), 0, -1)]


def _only_roots(place: str) -> bool:
    facts = _facts(place)
    return facts.st_uid == 0 and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def interpreter() -> str:
    """Return the interpreter that runs this program; what it may do, we may do already."""
    return sys.executable
