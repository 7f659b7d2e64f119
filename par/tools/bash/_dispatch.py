"""Which code runs which command."""

import time
from functools import partial
from typing import cast, get_args

from par.tools.bash._commands.filters import Cut
from par.tools.bash._commands.leaves import GitRead, GitWrite, Leaf, Run, Write
from par.tools.bash._commands.looking import Diff, FileType, SystemInfo
from par.tools.bash._commands.pipeline import Pipeline
from par.tools.bash._commands.reading import Grep
from par.tools.bash._commands.table import Command
from par.tools.bash._git.git import GitCommand, git
from par.tools.bash._native.change import change
from par.tools.bash._native.cut_chars import cut_chars
from par.tools.bash._native.diff import diff
from par.tools.bash._native.file_type import file_type
from par.tools.bash._native.filter_argv import ProgramFilter
from par.tools.bash._native.filters import program_filter
from par.tools.bash._native.grep import grep
from par.tools.bash._native.interrupt import in_thread
from par.tools.bash._native.perform import perform
from par.tools.bash._native.pipeline import pipeline
from par.tools.bash._native.system import git_version
from par.tools.bash._run.hosted import run_hosted
from par.tools.bash._run.output import Outcome
from par.tools.bash._run.work import Work

__all__ = ["dispatch"]


async def dispatch(work: Work, command: Command) -> Outcome:
    """Run a command to its end and return what it came to.

    Raises:
        CommandRefused: for what only the file system or the repository tells.
    """
    if isinstance(command, Pipeline):
        return await pipeline(work, command, _leaf)
    return await _leaf(work, command)


async def _leaf(work: Work, command: Leaf) -> Outcome:
    if isinstance(command, Grep):
        return await grep(work.room, command, work.launcher)
    if isinstance(command, (*get_args(GitRead), *get_args(GitWrite))):
        return await git(work.room, cast("GitCommand", command), work.launcher, work.gate)
    if isinstance(command, get_args(Run)):
        return await run_hosted(work, cast("Run", command))
    if isinstance(command, get_args(Write)):
        return await in_thread(partial(change, work.room, cast("Write", command)))
    return await _read(work, command)


async def _read(work: Work, command: Leaf) -> Outcome:
    if isinstance(command, Diff):
        return await diff(work, command)
    if isinstance(command, FileType):
        return await file_type(work, command)
    if isinstance(command, SystemInfo) and command.what == "git_version":
        return await git_version(work)
    if isinstance(command, Cut) and command.chars is not None:
        return await in_thread(partial(cut_chars, work.room, command, work.stdin))
    if isinstance(command, get_args(ProgramFilter)):
        return await program_filter(work, cast("ProgramFilter", command))
    now = time.time()  # noqa: TID251 # ages of files count from the system's own clock
    return await in_thread(partial(perform, work.room, command, now, work.stdin))
