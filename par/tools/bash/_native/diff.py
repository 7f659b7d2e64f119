"""diff: two files as descriptors, or two folders that we walk ourselves.

The program gets no name of the workspace, so that no link, no race and no leading dash leads it elsewhere.
"""

import stat
import sys
from collections.abc import Generator
from contextlib import ExitStack, closing
from functools import partial
from typing import Final

import attrs

from par.errors import CommandRefused
from par.tools._workspace import Opened
from par.tools.bash._commands.looking import Diff
from par.tools.bash._commands.refusals import quote
from par.tools.bash._native.diff_folders import Pair, Skipped, differing
from par.tools.bash._native.filters import Planned, entered, run_planned
from par.tools.bash._native.interrupt import in_thread
from par.tools.bash._run.clean import escape_name
from par.tools.bash._run.output import Outcome
from par.tools.bash._run.programs import find_program
from par.tools.bash._run.runner import Exited
from par.tools.bash._run.verify import verify
from par.tools.bash._run.work import Work

__all__ = ["diff", "diff_arguments"]

_FD: Final = "/proc/self/fd/" if sys.platform.startswith("linux") else "/dev/fd/"
_MAX_FILE: Final = 64 * 1024 * 1024


def diff_arguments(command: Diff, left: str, right: str, fds: tuple[int, int]) -> tuple[str, ...]:
    """Return what diff gets for two open files; ``left`` and ``right`` are how it calls them."""
    shape = "-q" if command.brief else f"-U{command.unified}"
    space = ("-w",) if command.ignore_space else ()
    labels = (f"--label={escape_name(left)}", f"--label={escape_name(right)}")
    return (shape, *space, *labels, "--", *(f"{_FD}{fd}" for fd in fds))


async def diff(work: Work, command: Diff) -> Outcome:
    """Compare two files or two folders. The exit code is 1 where they differ.

    Raises:
        CommandRefused: for what cannot be read, and for a file with a folder.
    """
    program = find_program("diff", work.room.policy)
    with ExitStack() as stack:
        left = await entered(stack, work.room.looking_at(command.left, "left"))
        right = await entered(stack, work.room.looking_at(command.right, "right"))
        if stat.S_ISDIR(left.facts.st_mode) and stat.S_ISDIR(right.facts.st_mode):
            if not command.recursive:
                raise CommandRefused(
                    "not_regular_file", "these are folders.", field="left", remedy="Send recursive: true."
                )
            return await _folders(work, command, program, left, right)
        for field, path, opened in (("left", command.left, left), ("right", command.right, right)):
            await in_thread(partial(_check, work, opened, path, field))
        ended, argv = await _pair(work, command, program, (command.left, command.right), (left.fd, right.fd))
    notes = ("No differences.",) if ended.exit_code == 0 else ()
    return Outcome(
        stdout=ended.stdout,
        stderr=ended.stderr,
        exit_code=ended.exit_code,
        signal=ended.signal,
        notes=(*notes, *(("The output was so long that the command was ended.",) if ended.flooded else ())),
        argv=(argv,),
    )


def _check(work: Work, opened: Opened, path: str, field: str) -> None:
    if not stat.S_ISREG(opened.facts.st_mode):
        remedy = "Compare two files, or two folders with recursive: true."
        raise CommandRefused("not_regular_file", f"{quote(path)} is not a regular file.", field=field, remedy=remedy)
    work.room.allow_reading(opened, field)
    if opened.facts.st_size > _MAX_FILE:
        problem = f"{quote(path)} has {opened.facts.st_size} bytes; at most {_MAX_FILE} are compared."
        raise CommandRefused("too_large", problem, field=field, remedy="Compare checksums.")


async def _pair(
    work: Work, command: Diff, program: str, names: tuple[str, str], fds: tuple[int, int]
) -> tuple[Exited, tuple[str, ...]]:
    argv = (program, *diff_arguments(command, *names, fds))
    verify(argv, program=program, rules="diff")
    return await run_planned(work, Planned(argv=argv), fds=fds), argv


@attrs.define
class _Found:
    """What a comparison of folders has come to so far."""

    differ: bool = False
    failed: Exited | None = None
    argvs: list[tuple[str, ...]] = attrs.field(factory=list[tuple[str, ...]])


async def _folders(work: Work, command: Diff, program: str, left: Opened, right: Opened) -> Outcome:
    kept = work.room.lines()
    skipped = Skipped(linked=work.room.linked())
    found = _Found()
    names = (command.left.rstrip("/"), command.right.rstrip("/"))
    pairs = differing(work.room, (left, right), names, skipped)
    with closing(pairs):
        while not kept.full and found.failed is None and (pair := await _next(pairs)) is not None:
            if isinstance(pair, str):
                found.differ = True
                kept.add(f"{pair}\n".encode())
                continue
            ended, argv = await _pair(work, command, program, pair.names, pair.fds)
            found.argvs.append(argv)
            if ended.exit_code not in {0, 1}:
                found.failed = ended
            found.differ = found.differ or ended.exit_code != 0
            for line in ended.stdout.head.splitlines(keepends=True):
                if not kept.add(line):
                    break
            if ended.stdout.cut:
                kept.full = True
    notes = [*skipped.notes()]
    if kept.full:
        notes.append("There is more than what is shown: compare smaller folders, or send brief: true.")
    elif not found.differ:
        notes.append("No differences.")
    failed = found.failed
    return Outcome(
        stdout=kept.captured(),
        stderr=failed.stderr if failed else Outcome().stderr,
        exit_code=failed.exit_code if failed else int(found.differ),
        signal=failed.signal if failed else None,
        notes=tuple(notes),
        argv=tuple(found.argvs[:4]),
    )


async def _next(pairs: Generator[Pair | str, None, None]) -> Pair | str | None:
    return await in_thread(partial(next, pairs, None))
