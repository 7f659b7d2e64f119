"""Watching one process to its end: bounded reading, its time, and what it says meanwhile."""

import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from typing import Final, final

import anyio
import anyio.abc
import attrs

from par._spawn import signal_group
from par.tools.bash._run.capture import Captured, HeadTail
from par.tools.bash._run.clean import clean

__all__ = ["GRACE_S", "Bounds", "Exited", "attend"]

GRACE_S: Final = 1.0
"""Between the request to end and the end."""
_AFTER_EXIT_S: Final = 0.2
"""How long pipes may stay open after the process is gone; a grandchild may hold them for ever."""
_TELL_S: Final = 1.0
"""Between two lines of progress: each of them is recorded."""
_TOLD: Final = 200
"""Characters of one."""


@attrs.frozen(kw_only=True)
class Bounds:
    """How much of a process is kept, and how long it may run."""

    max_bytes: int
    max_lines: int
    drain: int
    """Bytes that are read and thrown away after the kept ones, before a process that floods is ended."""
    deadline: float = inf
    """On the clock of the event loop."""
    tell: Callable[[str], Awaitable[None]] | None = None
    """Takes the last line that the process has said, now and then."""


@attrs.frozen(kw_only=True)
class Exited:
    """How a process ended. ``returncode`` is below zero where a signal ended it, as for ``subprocess``."""

    returncode: int | None
    stdout: Captured
    stderr: Captured
    flooded: bool = False
    timed_out: bool = False

    @property
    def exit_code(self) -> int | None:
        """The exit code, if it was not a signal."""
        return None if self.returncode is None or self.returncode < 0 else self.returncode

    @property
    def signal(self) -> int | None:
        """The signal, if it was one."""
        return -self.returncode if self.returncode is not None and self.returncode < 0 else None


@final
class _Pipe:
    """Reads one stream of a process to its end, within bounds."""

    def __init__(self, stream: anyio.abc.ByteReceiveStream, bounds: Bounds, flood: Callable[[], None]) -> None:
        self._stream = stream
        self._flood = flood
        self._most = bounds.max_bytes + bounds.drain
        self.kept = HeadTail(bounds.max_bytes, bounds.max_lines)
        self.last = b""
        self.ended = anyio.Event()

    async def read(self) -> None:
        """Read until the other end is closed, or the process says too much."""
        try:
            while True:
                chunk = await self._stream.receive(65_536)
                self.kept.add(chunk)
                self.last = (self.last + chunk)[-2048:]
                if self.kept.total > self._most:
                    self._flood()
                    return
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            pass
        finally:
            self.ended.set()

    def line(self) -> str:
        """Return the last whole line that is not empty."""
        whole, newline, _ = self.last.rpartition(b"\n")
        lines = [line for line in whole.split(b"\n") if line.strip()] if newline else []
        return clean(lines[-1]).strip()[:_TOLD] if lines else ""


async def attend(process: anyio.abc.Process, bounds: Bounds, stdin: bytes | None = None) -> Exited:
    """Wait for a process and return how it ended, with what it said, also when its time was up.

    Whoever started the process ends what it leaves behind, and ends it when this is cancelled.
    """
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("the process was started without pipes")
    flooded = anyio.Event()
    out, err = _Pipe(process.stdout, bounds, flooded.set), _Pipe(process.stderr, bounds, flooded.set)
    timed_out = False
    async with anyio.create_task_group() as readers:
        readers.start_soon(out.read)
        readers.start_soon(err.read)
        readers.start_soon(_end_flood, process, flooded)
        if bounds.tell is not None:
            readers.start_soon(_tell, bounds.tell, out)
        if stdin is not None:
            readers.start_soon(_feed, process, stdin)
        timed_out = not await _ends(process, bounds.deadline)
        with anyio.move_on_after(_AFTER_EXIT_S):
            await out.ended.wait()
            await err.ended.wait()
        readers.cancel_scope.cancel()
    return Exited(
        returncode=process.returncode,
        stdout=out.kept.captured(),
        stderr=err.kept.captured(),
        flooded=flooded.is_set(),
        timed_out=timed_out,
    )


async def _ends(process: anyio.abc.Process, deadline: float) -> bool:
    """Return whether the process ended by itself; one whose time is up is asked to end, and then made to."""
    with anyio.CancelScope(deadline=deadline):
        await process.wait()
        return True
    for number in (signal.SIGTERM, signal.SIGKILL):
        signal_group(process, number)
        with anyio.move_on_after(GRACE_S):
            await process.wait()
            break
    return False


async def _tell(tell: Callable[[str], Awaitable[None]], pipe: _Pipe) -> None:
    told = ""
    while not pipe.ended.is_set():
        with anyio.move_on_after(_TELL_S):
            await pipe.ended.wait()
            return
        line = pipe.line()
        if line and line != told:
            told = line
            await tell(line)


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
