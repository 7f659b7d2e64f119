"""Running one process: limits before it starts, bounded output, and nothing of it left afterwards."""

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import final

import anyio
import anyio.abc
import attrs

from par._spawn import signal_group, spawned
from par.errors import CommandRefused
from par.tools.bash._run.capture import Captured, HeadTail
from par.tools.bash._run.programs import interpreter, trusted

__all__ = ["Exited", "Job", "Launcher", "run_process"]

_AFTER_EXIT_S = 0.2
"""How long pipes may stay open after the process is gone; a grandchild may hold them for ever."""
_GRACE_S = 1.0
_END_S = 5.0
_LOOK_AGAIN_S = 0.005
_START_S = 10.0
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
    data_limit: int = 1024 * 1024 * 1024
    """Bytes of private memory; packs of git are mapped files and do not count."""


@attrs.frozen(kw_only=True)
class Exited:
    """How a process ended."""

    exit_code: int | None
    signal: int | None
    stdout: Captured
    stderr: Captured
    flooded: bool = False


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


@final
class _Pipe:
    """Reads one stream of a process to its end, within bounds."""

    def __init__(self, stream: anyio.abc.ByteReceiveStream, job: Job, flood: Callable[[], None]) -> None:
        self._stream = stream
        self._flood = flood
        self._most = job.max_bytes + job.drain
        self.kept = HeadTail(job.max_bytes, job.max_lines)
        self.ended = anyio.Event()

    async def read(self) -> None:
        """Read until the other end is closed, or the process says too much."""
        try:
            while True:
                self.kept.add(await self._stream.receive(65_536))
                if self.kept.total > self._most:
                    self._flood()
                    return
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            pass
        finally:
            self.ended.set()


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
            grace_s=_GRACE_S,
        ) as process:
            started = True
            return await _attend(process, job)
    except OSError as error:
        if started:
            raise
        problem = f"{job.argv[0].rsplit('/', 1)[-1]} cannot be started ({error.strerror})."
        raise CommandRefused("cannot_start", problem, field="op") from None


def _stdin(job: Job) -> int:
    if isinstance(job.stdin, int):
        return job.stdin
    return subprocess.DEVNULL if job.stdin is None else subprocess.PIPE


async def _attend(process: anyio.abc.Process, job: Job) -> Exited:
    flooded = anyio.Event()
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("the process was started without pipes")
    out, err = _Pipe(process.stdout, job, flooded.set), _Pipe(process.stderr, job, flooded.set)
    async with anyio.create_task_group() as readers:
        readers.start_soon(out.read)
        readers.start_soon(err.read)
        readers.start_soon(_end_flood, process, flooded)
        if isinstance(job.stdin, bytes):
            await _feed(process, job.stdin)
        await process.wait()
        with anyio.move_on_after(_AFTER_EXIT_S):
            await out.ended.wait()
            await err.ended.wait()
        readers.cancel_scope.cancel()
    code = process.returncode
    return Exited(
        exit_code=None if code is None or code < 0 else code,
        signal=-code if code is not None and code < 0 else None,
        stdout=out.kept.captured(),
        stderr=err.kept.captured(),
        flooded=flooded.is_set(),
    )


async def _feed(process: anyio.abc.Process, data: bytes) -> None:
    if process.stdin is None:
        raise RuntimeError("the process was started without a pipe for its input")
    # a process that does not want to read all of it is within its rights
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        await process.stdin.send(data)
    await process.stdin.aclose()


async def _end_flood(process: anyio.abc.Process, flooded: anyio.Event) -> None:
    await flooded.wait()
    signal_group(process, signal.SIGKILL)
