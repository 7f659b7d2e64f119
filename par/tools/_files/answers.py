"""How the tools answer: refusals in their own words, and text from files between fences."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from par.errors import CommandRefused
from par.outcomes import Done, Failed
from par.tools.bash._native.room import Room

__all__ = ["answered", "failed", "fenced", "refuse_denied"]

T = TypeVar("T")

_FENCES = re.compile("^={5,}", re.MULTILINE)

# what the commands advise is not there for a model that has these tools
_REMEDIES: Final = {
    "exists": "Change it with edit, or set overwrite: true to replace all of it.",
    "not_a_folder": "Use read for a file; look with ls.",
    "not_regular_file": "Use ls for a folder; devices, sockets and pipes are left alone.",
    "path_not_found": "Look with ls or find.",
    "path_too_long": "Choose a shorter name.",
}


def answered(tool: str, work: Callable[[], Done[T]], **remedies: str) -> Done[T] | Failed:
    """Do the work; turn a refusal into the outcome that tells the model what to do instead."""
    try:
        return work()
    except CommandRefused as refused:
        return failed(tool, refused, **remedies)


def failed(tool: str, refused: CommandRefused, **remedies: str) -> Failed:
    """Return the outcome of a refusal; ``remedies`` are by code."""
    remedy = remedies.get(refused.code) or _REMEDIES.get(refused.code) or refused.remedy
    message = f"[{tool}:{refused.code}] at {refused.field}: {refused.problem}" + (f" {remedy}" if remedy else "")
    return Failed(kind="refused", message=message, error_type=refused.code)


def refuse_denied(room: Room, path: str) -> None:
    """Refuse a name that is kept from being read, whether or not there is such a file.

    Raises:
        CommandRefused: with the code ``read_denied``.
    """
    if room.policy.denies_reading(path):
        deny = room.policy.read_denied(path)
        raise CommandRefused(deny.code, deny.reason, field="path", remedy=deny.remedy)


def fenced(facts: str, text: str) -> str:
    """Return what the model reads: our facts, then text from files between two lines of equals signs.

    The lines are longer than any such beginning of a line in the text, so that the text cannot pretend to end.
    """
    if not text:
        return facts
    longest = max((len(run) for run in _FENCES.findall(text)), default=4)
    fence = "=" * (longest + 1)
    return f"{facts}\n{fence}\n{text.removesuffix(chr(10))}\n{fence}"
