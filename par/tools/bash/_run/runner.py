"""Running one process: limits before it starts, bounded output, and nothing of it left afterwards."""

import subprocess
import sys
from math import inf
from pathlib import Path

import attrs

from par._spawn import spawned
from par.errors import CommandRefused
from par.tools.bash._run.attend import GRACE_S, Bounds, Exited, attend
from par.tools.bash._run.programs import interpreter, trusted

__all__ = ["Exited", "Job", "Launcher", "run_process"]

_DRAIN = 64 * 1024 * 1024
"""Bytes that are read and thrown away after the kept ones, before a process that floods is ended."""
_FILE_SIZE = 64 * 1024 * 1024
_FILES = 256


@attrs.frozen(kw_only=True)
class Job:
    """One process to run. ``argv[0]`` is an absolute path; ``folder`` a descriptor of where it runs."""

    argv: tuple[str, ...]
    folder: int
    env: dict[str, str]
    cpu_s: int
    max_bytes: int
    max_lines: int
    pass_fds: tuple[int, ...] = ()
    stdin: bytes | int | None = None
    """Bytes, or a descriptor that the process reads; nothing unless given."""
    drain: int = _DRAIN
    deadline: float = inf
    """On the clock of the event loop: then the process is ended, and what it said is kept."""
    data_limit: int = 1024 * 1024 * 1024
    """Bytes of private memory; packs of git are mapped files and do not count."""


@attrs.frozen(kw_only=True)
class Launcher:
    """Puts limits on a process before it runs: with util-linux's prlimit, or with a small Python program.

    prlimit costs about a millisecond per process and the interpreter ten times as much; a ``preexec_fn`` would
    be free, and is not safe in a program that has threads.
    """

    prlimit: str | None = attrs.field(factory=lambda: trusted("prlimit") if sys.platform.startswith("linux") else None)

    def wrap(self, job: Job) -> tuple[tuple[str, ...], str | None, tuple[int, ...]]:
        """Return the argv, the working folder and the descriptors to pass."""
        if self.prlimit is not None:
            limits = (
                f"--cpu={job.cpu_s}",
                f"--fsize={_FILE_SIZE}",
                f"--nofile={_FILES}",
                "--core=0",
                f"--data={job.data_limit}",
            )
            return (self.prlimit, *limits, "--", *job.argv), f"/proc/self/fd/{job.folder}", job.pass_fds
        shim = str(Path(__file__).with_name("launch.py"))
        numbers = (job.folder, job.cpu_s, _FILE_SIZE, _FILES, job.data_limit)
        argv = (interpreter(), "-I", "-S", shim, *(str(number) for number in numbers), *job.argv)
        return argv, None, (*job.pass_fds, job.folder)


async def run_process(job: Job, launcher: Launcher) -> Exited:
    """Run a process to its end and return how it ended. The caller's cancel scope is the time limit.

    Its whole process group is gone when this returns or raises: it gets SIGTERM, a second later SIGKILL. A
    cancelled caller gets its cancellation after that.

    Raises:
        CommandRefused: with the code ``cannot_start`` if the program cannot be started.
    """
    argv, folder, fds = launcher.wrap(job)
    started = False
    try:
        async with spawned(
            argv,
            cwd=folder,
            env=job.env,
            pass_fds=fds,
            stdin=_stdin(job),
            grace_s=GRACE_S,
        ) as process:
            started = True
            bounds = Bounds(max_bytes=job.max_bytes, max_lines=job.max_lines, drain=job.drain, deadline=job.deadline)
            return await attend(process, bounds, job.stdin if isinstance(job.stdin, bytes) else None)
    except OSError as error:
        if started:
            raise
        problem = f"{job.argv[0].rsplit('/', 1)[-1]} cannot be started ({error.strerror})."
        raise CommandRefused("cannot_start", problem, field="op", remedy="Tell the user.") from None


def _stdin(job: Job) -> int:
    if isinstance(job.stdin, int):
        return job.stdin
    return subprocess.DEVNULL if job.stdin is None else subprocess.PIPE
