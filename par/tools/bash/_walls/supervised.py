"""A command that is ended together with all that comes of it, and that is otherwise free."""

import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import final

import anyio
import anyio.lowlevel
import attrs

from par.errors import UsageError
from par.tools.bash._run.programs import interpreter
from par.tools.bash._walls.probe import probed
from par.tools.bash._walls.values import Capability, Limits, WallSpec, Wrapped, check_seconds

__all__ = ["ExternalWall", "NoWall", "launched", "limit_settings", "loses_parent"]

_LIMITS = {
    "cpu_s": "RLIMIT_CPU",
    "file_bytes": "RLIMIT_FSIZE",
    "files": "RLIMIT_NOFILE",
    "data_bytes": "RLIMIT_DATA",
    "processes": "RLIMIT_NPROC",
}
_PROMISED = ("works", "background")
_FREE = "nothing is kept from the command: files, network and other processes are as open as they are to the host"
_RESTLESS = "a process that makes new ones faster than they are found may live on"


def launched(python: str, settings: Sequence[str], argv: Sequence[str]) -> tuple[str, ...]:
    """Return what starts ``argv`` through the launcher."""
    launcher = str(Path(__file__).with_name("launcher.py"))
    return (python, "-I", "-S", launcher, *settings, "--", *argv)


def limit_settings(limits: Limits | None) -> tuple[str, ...]:
    """Return the launcher's settings for limits."""
    if limits is None:
        return ()
    return ("limit=RLIMIT_CORE:0", *(f"limit={_LIMITS[name]}:{value}" for name, value in limits.given()))


def loses_parent() -> bool:
    """Return whether a process that is started now may lose the thread that started it before par ends.

    The kernel sends the signal for a parent's end when the thread ends that started the process. trio starts
    processes in a thread that ends after ten idle seconds.
    """
    return anyio.get_cancelled_exc_class().__module__.partition(".")[0] == "trio"


@final
class NoWall:
    """No wall: for commands that run free because the host says so by name.

    On Linux all that comes of the command is ended with it, also what left its session. Elsewhere only its
    session is, which whoever runs it has to end.
    """

    def __init__(self, *, python: str | None = None, probe_s: float = 10.0) -> None:
        check_seconds("probe_s", probe_s)
        self._python = interpreter() if python is None else python
        self._probe_s = probe_s
        self._known: Capability | None = None

    @property
    def name(self) -> str:
        """None."""
        return "none"

    async def probe(self) -> Capability:
        """Try to outlive a command, once, and return what held; later calls return the same answer."""
        if self._known is None:
            known = await self._probed()
            if self._known is None:
                self._known = known
        return self._known

    async def _probed(self) -> Capability:
        if not sys.platform.startswith("linux"):
            await anyio.lowlevel.checkpoint()
            stays = "a process that leaves the session of its command outlives it"
            return Capability(wall=self.name, available=True, degraded=(_FREE, stays))
        known = await probed(self.name, self.wrap, python=self._python, promised=_PROMISED, seconds=self._probe_s)
        # what is closed to a free command is closed by chance
        held = tuple(attempt for attempt in known.held if attempt in _PROMISED)
        return attrs.evolve(known, held=held, degraded=(_FREE, _RESTLESS))

    @asynccontextmanager
    async def wrap(self, argv: Sequence[str], spec: WallSpec) -> AsyncGenerator[Wrapped]:
        """Give what to start in the place of ``argv``, for the time of the block."""
        await anyio.lowlevel.checkpoint()
        supervise = ("supervise=1",) if sys.platform.startswith("linux") else ()
        place = (f"root={spec.root}", f"cwd={spec.cwd}")
        yield Wrapped(
            argv=launched(self._python, (*supervise, *limit_settings(spec.limits), *place), argv),
            env=spec.environment(),
            pass_fds=(*spec.pass_fds, spec.root),
            unguarded=(".git", *spec.protected) if spec.access == "write" else (),
            failure_marks=(b"wall: ",),
        )


@final
class ExternalWall:
    """A wall that the host has put around the whole program, such as a container, and vouches for.

    Nothing about it is tried out. All that comes of a command is ended with it, as with ``NoWall``.

    Raises:
        UsageError: if ``name`` is empty.
    """

    def __init__(self, name: str, *, python: str | None = None) -> None:
        if not name.strip():
            raise UsageError("name must say what the wall is, for instance 'container'")
        self._name = name
        self._inner = NoWall(python=python)

    @property
    def name(self) -> str:
        """What the host calls it."""
        return self._name

    async def probe(self) -> Capability:
        """Return what the host has declared; nothing but the end of all processes is tried."""
        inner = await self._inner.probe()
        told = f"the wall is declared and not tried out: what {self._name} keeps from commands is the host's matter"
        return attrs.evolve(inner, wall=self._name, degraded=(told, _RESTLESS), details={"declared": "by the host"})

    @asynccontextmanager
    async def wrap(self, argv: Sequence[str], spec: WallSpec) -> AsyncGenerator[Wrapped]:
        """Give what to start in the place of ``argv``, for the time of the block."""
        async with self._inner.wrap(argv, spec) as wrapped:
            yield wrapped
