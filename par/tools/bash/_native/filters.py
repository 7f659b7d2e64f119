"""sort, uniq, cut, translate, grep_filter and json_query: a program that reads a descriptor and nothing else."""

import os
import tempfile
from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypeVar

import attrs

from par.errors import CommandRefused
from par.tools.bash._commands.filters import GrepFilter, Sort
from par.tools.bash._commands.looking import JsonQuery
from par.tools.bash._git.prefix import CLEAN_ENV
from par.tools.bash._native.filter_argv import ProgramFilter, filter_arguments, program_of
from par.tools.bash._native.interrupt import in_thread
from par.tools.bash._native.room import Room
from par.tools.bash._run.output import Outcome
from par.tools.bash._run.programs import find_program, interpreter
from par.tools.bash._run.runner import Exited, Job, run_process
from par.tools.bash._run.verify import verify
from par.tools.bash._run.work import Work

__all__ = ["Planned", "entered", "plan", "program_filter", "run_planned"]

T = TypeVar("T")

_MAX_INPUT = 256 * 1024 * 1024
_MAX_JSON = 64 * 1024 * 1024
"""jq holds about ten times its input in memory."""
_DATA_LIMIT: Final = 1024 * 1024 * 1024
_ALL_LINES: Final = 2**60


@attrs.frozen(kw_only=True)
class Planned:
    """A process that may run: its argv, which passed the second look, and how it is told of."""

    argv: tuple[str, ...]
    notes: tuple[str, ...] = ()


async def entered(stack: ExitStack, opening: AbstractContextManager[T]) -> T:
    """Enter a context in a thread. The stack has it also if the caller is cancelled meanwhile."""
    return await in_thread(partial(stack.enter_context, opening))


def plan(room: Room, command: ProgramFilter) -> Planned:
    """Find the program of a filter and build its argv.

    Raises:
        CommandRefused: ``program_missing``, or for what the program cannot take.
    """
    name = program_of(command)
    arguments = filter_arguments(command)
    try:
        program = find_program(name, room.policy)
    except CommandRefused:
        if not isinstance(command, JsonQuery) or find_spec("jq") is None:
            raise
        child = str(Path(__file__).with_name("jq_child.py"))
        argv = (interpreter(), "-I", child, *arguments)
        verify(argv, program=argv[0], rules="jq_child")
        return Planned(argv=argv, notes=("There is no program jq: the Python package jq was used.",))
    argv = (program, *arguments)
    verify(argv, program=program, rules="grep_filter" if isinstance(command, GrepFilter) else name)
    return Planned(argv=argv)


async def program_filter(work: Work, command: ProgramFilter) -> Outcome:
    """Run a filter on its file, or on what comes in.

    Raises:
        CommandRefused: if the program is absent, or the file cannot be read.
    """
    planned = plan(work.room, command)
    path = None if isinstance(command, GrepFilter) else getattr(command, "path", None)
    most = _MAX_JSON if isinstance(command, JsonQuery) else _MAX_INPUT
    with ExitStack() as stack:
        opened = await entered(stack, work.room.reading(path, work.stdin, most=most))
        env = dict(CLEAN_ENV)
        if isinstance(command, Sort):
            # sort writes what it cannot hold to files: they go where nothing else is, and are removed with it
            env["TMPDIR"] = await entered(stack, _spill_folder())
        ended = await run_planned(work, planned, stdin=opened.fd, env=env)
    return _outcome(command, planned, ended)


async def run_planned(
    work: Work,
    planned: Planned,
    *,
    stdin: int | None = None,
    fds: tuple[int, ...] = (),
    env: dict[str, str] | None = None,
) -> Exited:
    """Run a process that names no file, in a folder where nothing is the workspace's."""
    policy = work.room.policy
    with _nowhere() as folder:
        job = Job(
            argv=planned.argv,
            folder=folder,
            env=dict(CLEAN_ENV) if env is None else env,
            cpu_s=policy.cpu_s,
            max_bytes=policy.max_output_bytes,
            max_lines=_ALL_LINES if work.room.flowing else policy.max_output_lines,
            pass_fds=fds,
            stdin=stdin,
            data_limit=_DATA_LIMIT,
        )
        return await run_process(job, work.launcher)


@contextmanager
def _spill_folder() -> Generator[str, None, None]:
    # made where it is entered: one that is made before a cancelled await would stay behind
    with tempfile.TemporaryDirectory(prefix="par-sort-") as folder:
        yield folder


@contextmanager
def _nowhere() -> Generator[int, None, None]:
    fd = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _outcome(command: ProgramFilter, planned: Planned, ended: Exited) -> Outcome:
    notes = list(planned.notes)
    if ended.flooded:
        notes.append("The output was so long that the command was ended.")
    if isinstance(command, GrepFilter) and ended.exit_code == 1 and not ended.stdout.total:
        notes.append("No line matches.")
    return Outcome(
        stdout=ended.stdout,
        stderr=ended.stderr,
        exit_code=ended.exit_code,
        signal=ended.signal,
        notes=tuple(notes),
        argv=(planned.argv,),
    )
