"""Exact edits of a text: each replaces what stands there once, letter by letter, or nothing happens."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Final

import attrs

from par import Param
from par.errors import CommandRefused
from par.tools.bash._commands.refusals import quote
from par.tools.bash._commands.texts import text_problem
from par.tools.bash._run.clean import clean

__all__ = ["Edit", "edited"]

_LONGEST: Final = 200_000
_SHOWN: Final = 10
_NEAREST: Final = 3
_COMPARED: Final = 2_000
"""Lines that are compared with one that was not found. The most hostile ones take half a millisecond each."""
_LINE: Final = 80
"""Characters of a line that are compared; the time grows with their cube."""
_LONE_END: Final = re.compile(r"(?<!\r)\n")


@attrs.frozen(kw_only=True)
class Edit:
    """One replacement: ``old``, which must occur exactly once in the text as it stands by then, becomes ``new``."""

    old: Annotated[
        str, Param(description="the exact text to replace, with its white space", min_length=1, max_length=_LONGEST)
    ]
    new: Annotated[str, Param(description="the text in its place; empty to delete", max_length=_LONGEST)]


def edited(text: str, edits: Sequence[Edit]) -> str:
    r"""Return ``text`` after all edits, which are made one after the other, each on what the one before left.

    If every line ends with ``\r\n``, the line ends in the edits are read as such; otherwise nothing is changed or
    interpreted in them.

    Raises:
        CommandRefused: ``old_not_found`` with the nearest lines, ``old_ambiguous`` with the lines of all
            occurrences, ``no_change`` or ``bad_text``.
    """
    windows = "\r\n" in text and _LONE_END.search(text) is None
    for number, edit in enumerate(edits):
        field = f"edits[{number}]"
        problem = text_problem(f"{field}.new", edit.new.replace("\r\n", "\n"))
        if problem is not None:
            raise CommandRefused(problem.code, problem.problem, field=problem.field, remedy=problem.remedy)
        old, new = (_LONE_END.sub("\r\n", part) if windows else part for part in (edit.old, edit.new))
        if old == new:
            raise CommandRefused(
                "no_change", "old and new are the same text.", field=field, remedy="Say what it should become."
            )
        at = _only_place(text, old, field, first=number == 0)
        text = text[:at] + new + text[at + len(old) :]
    return text


def _only_place(text: str, old: str, field: str, *, first: bool) -> int:
    at = text.find(old)
    if at < 0:
        raise _not_found(text, old, field, first=first)
    # the next place may begin within this one: in "aaa" there is "aa" twice
    if text.find(old, at + 1) >= 0:
        raise _ambiguous(text, old, field)
    return at


def _ambiguous(text: str, old: str, field: str) -> CommandRefused:
    lines: list[int] = []
    line, before, at = 1, 0, text.find(old)
    while at >= 0 and len(lines) <= _SHOWN:
        line += text.count("\n", before, at)
        lines.append(line)
        before, at = at, text.find(old, at + 1)
    more = len(lines) > _SHOWN
    where = ", ".join(map(str, lines[:_SHOWN])) + (" and more" if more else "")
    return CommandRefused(
        "old_ambiguous",
        f"old occurs more than once, at lines {where}.",
        field=f"{field}.old",
        remedy="Add lines before or after it, in old and in new, until it is unique.",
    )


def _not_found(text: str, old: str, field: str, *, first: bool) -> CommandRefused:
    when = "" if first else " after the edits before this one"
    return CommandRefused(
        "old_not_found",
        f"old does not occur in the file{when}.{_near(text, old)}",
        field=f"{field}.old",
        remedy="Read the file and copy the text exactly, with its white space and without line numbers.",
    )


def _near(text: str, old: str) -> str:
    lines = text.split("\n")
    wanted = [line.strip() for line in old.strip("\r\n").split("\n")]
    if any(wanted):
        stripped = [line.strip() for line in lines]
        for at, line in enumerate(stripped):
            if line == wanted[0] and stripped[at : at + len(wanted)] == wanted:
                return f" Lines {at + 1} to {at + len(wanted)} differ from it only in white space: {_shown(lines[at])}."
    longest = max(wanted, key=len)[:_LINE]
    candidates = {line[:_LINE].strip() for line in lines[:_COMPARED]} - {""}
    close = get_close_matches(longest, sorted(candidates), n=_NEAREST, cutoff=0.5)
    found = [
        f"line {number}: {_shown(line)}"
        for number, line in enumerate(lines[:_COMPARED], start=1)
        if line[:_LINE].strip() in close
    ]
    return f" The nearest lines are {'; '.join(found[:_NEAREST])}." if found else ""


def _shown(line: str) -> str:
    return quote(clean(line.encode("utf-8", "replace")).rstrip("␍"))
