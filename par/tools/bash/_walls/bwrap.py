"""Bubblewrap: a command among namespaces of its own, where what it may not reach does not exist."""

import os
import platform
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from subprocess import DEVNULL
from typing import final

import anyio
import attrs

from par._spawn import spawned
from par.errors import CommandRefused, UsageError
from par.tools.bash._run.programs import interpreter, trusted
from par.tools.bash._walls.ground import ETC, Ground, hold_ground, system_folders
from par.tools.bash._walls.probe import EVERYTHING, probed
from par.tools.bash._walls.seccomp import MACHINES, namespace_filter
from par.tools.bash._walls.supervised import launched, loses_parent
from par.tools.bash._walls.values import Capability, Limits, WallSpec, Wrapped, check_seconds

__all__ = ["BwrapWall"]

_UNSHARE = (
    "--unshare-all",
    "--unshare-user",
    "--disable-userns",
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
    "--clearenv",
)
_TMPFS_BYTES = "67108864"
"""64 MiB each for /tmp and /dev/shm, which are memory."""
_RESTRICTS = (
    "programs outside the system's folders and the named ones cannot be run",
    f"/tmp and /dev/shm hold {int(_TMPFS_BYTES) // 2**20} MiB each",  # noqa: S108 # names inside the wall
    "no file can be made that runs with the rights of its owner or its group",
)
_DEGRADED = (
    "protected names that do not exist can be made: look for them afterwards",
    "repositories below the top of the workspace can be changed like other files",
    "what the kernel tells everybody in /proc can be read",
    "a program outside that listens at a socket in the workspace can be talked to",
)
_BY_PATH = "this bubblewrap mounts by path: while another command writes, a protected name may be exchanged for a link"
_NO_FILTER = "there is no filter for this machine: the kernel's keys and the sockets of virtual machines are open"
_PRLIMIT = {
    "cpu_s": "--cpu",
    "file_bytes": "--fsize",
    "files": "--nofile",
    "data_bytes": "--data",
    "processes": "--nproc",
}


def base_argv() -> tuple[str, ...]:
    """Return the arguments that are the same for every command: no privileges, a small root, nothing of the host's."""
    roots: list[str] = []
    for path, target in system_folders():
        roots += ("--ro-bind", path, path) if target is None else ("--symlink", target, path)
    for path in ETC:
        roots += ("--ro-bind-try", path, path)
    return (
        *_UNSHARE,
        *roots,
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        *("--size", _TMPFS_BYTES, "--tmpfs", "/dev/shm"),  # noqa: S108 # names inside the wall
        *("--perms", "1777", "--size", _TMPFS_BYTES, "--tmpfs", "/tmp"),  # noqa: S108
    )


def binds(spec: WallSpec, ground: Ground, fd_of: Mapping[str, int]) -> tuple[str, ...]:
    """Return the arguments that show the folders of the command, and what in them stays as it is.

    ``fd_of`` has the descriptors to mount from, by place; a bubblewrap that cannot mount from descriptors gets
    an empty one, and mounts by path.
    """

    def bind(kind: str, place: str) -> tuple[str, ...]:
        fd = fd_of.get(place)
        return (kind, place, place) if fd is None else (f"{kind}-fd", str(fd), place)

    parts: list[str] = []
    for path in spec.read_only:
        parts += ("--ro-bind", path, path)
    parts += bind("--bind" if spec.access == "write" else "--ro-bind", spec.workspace)
    parts += ("--bind", spec.home, spec.home, "--bind", spec.tmp, spec.tmp)
    for item in ground.held:
        place = f"{spec.workspace}/{item.name}"
        if item.name != ".git" or spec.git != "none":
            parts += bind("--ro-bind", place)
        elif item.folder:
            parts += ("--tmpfs", place, "--remount-ro", place)
        else:
            parts += ("--ro-bind", "/dev/null", place)
    # /proc/sys belongs to the host's root, who needs no privilege to write there
    return (*parts, "--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/")


def prlimit_argv(program: str, limits: Limits) -> tuple[str, ...]:
    """Return what to put before a command so that it runs under limits."""
    return (program, "--core=0", *(f"{_PRLIMIT[name]}={value}" for name, value in limits.given()), "--")


@final
class BwrapWall:
    """Bubblewrap, where it is installed and may make namespaces.

    The command sees the system's programs, its workspace and two private folders, and nothing else of the
    machine's files; it has no network, no other processes, no privileges. When the first process ends, or is
    killed, the kernel ends all others.

    ``bwrap`` is the program, by default the one that root alone can change; a text that names nothing gives a
    wall that is not available. ``python`` runs the attempts to break out. ``probe_s`` seconds bound ``probe``;
    10 is a hundred times what it takes.
    """

    def __init__(self, *, bwrap: str | None = None, python: str | None = None, probe_s: float = 10.0) -> None:
        check_seconds("probe_s", probe_s)
        self._bwrap = trusted("bwrap") if bwrap is None else bwrap
        self._prlimit = trusted("prlimit")
        self._python = interpreter() if python is None else python
        self._probe_s = probe_s
        self._known: Capability | None = None
        self._by_fd = False
        machine = platform.machine()
        self._filter = namespace_filter(machine) if machine in MACHINES else None

    @property
    def name(self) -> str:
        """Bwrap."""
        return "bwrap"

    async def probe(self) -> Capability:
        """Try to break out, once, and return what held; later calls return the same answer."""
        if self._known is None:
            known = await self._probed()
            # two first callers may both have tried: the first answer stays
            if self._known is None:
                self._known = known
        return self._known

    async def _probed(self) -> Capability:
        found = Capability(wall=self.name, available=False, restricts=_RESTRICTS)
        if self._bwrap is None or not await anyio.Path(self._bwrap).is_file():
            return attrs.evolve(found, why_not="bubblewrap (bwrap) is not installed where root alone can change it")
        try:
            version = await self._says("--version")
            self._by_fd = "--ro-bind-fd" in await self._says("--help")
        except OSError as error:
            return attrs.evolve(found, why_not=f"bubblewrap (bwrap) cannot be started ({error.strerror})")
        degraded = _DEGRADED if self._by_fd else (*_DEGRADED, _BY_PATH)
        promised: tuple[str, ...] = EVERYTHING
        if self._filter is None:
            promised = tuple(attempt for attempt in EVERYTHING if attempt not in {"keys", "vsock"})
            degraded = (*degraded, _NO_FILTER)
        known = await probed(self.name, self._wrap, python=self._python, promised=promised, seconds=self._probe_s)
        details = {"version": version.strip(), "mounts_from": "descriptors" if self._by_fd else "paths"}
        return attrs.evolve(known, restricts=_RESTRICTS, degraded=degraded, details=details)

    async def _says(self, option: str) -> str:
        said = b""
        with anyio.move_on_after(self._probe_s):
            async with spawned((self._bwrap or "", option), env={}, stdin=DEVNULL, stderr=DEVNULL) as process:
                if process.stdout is not None:
                    async for chunk in process.stdout:
                        said += chunk
        return said.decode(errors="replace")

    @asynccontextmanager
    async def wrap(self, argv: Sequence[str], spec: WallSpec) -> AsyncGenerator[Wrapped]:
        """Give what to start in the place of ``argv``, for the time of the block.

        Raises:
            CommandRefused: with the code ``wall_unfit``.
            UsageError: if ``probe`` was not awaited before, or did not find the wall to be available.
        """
        if self._known is None or not self._known.available:
            raise UsageError("await probe() first, and use the wall only if it is available")
        async with self._wrap(argv, spec) as wrapped:
            yield wrapped

    @asynccontextmanager
    async def _wrap(self, argv: Sequence[str], spec: WallSpec) -> AsyncGenerator[Wrapped]:
        limits: tuple[str, ...] = ()
        if spec.limits is not None:
            if self._prlimit is None:
                remedy = "The host can install util-linux."
                raise CommandRefused(
                    "wall_missing", "there is no prlimit, which sets limits.", field="op", remedy=remedy
                )
            limits = prlimit_argv(self._prlimit, spec.limits)
        async with hold_ground(spec) as ground:
            with _memory(self._filter) as filtering:
                yield self._walled((*limits, *argv), spec, ground, filtering)

    def _walled(self, argv: Sequence[str], spec: WallSpec, ground: Ground, filtering: int | None) -> Wrapped:
        fd_of: dict[str, int] = {}
        if self._by_fd:
            fd_of = {f"{spec.workspace}/{item.name}": item.fd for item in ground.held}
            fd_of[spec.workspace] = spec.root
        fds = (*spec.pass_fds, *fd_of.values())
        parts = [*base_argv(), *binds(spec, ground, fd_of)]
        for name, value in spec.environment().items():
            parts += ("--setenv", name, value)
        if filtering is not None:
            parts += ("--seccomp", str(filtering))
            fds = (*fds, filtering)
        folder = spec.workspace if spec.cwd == "." else f"{spec.workspace}/{spec.cwd}"
        walled = (self._bwrap or "", *parts, "--chdir", folder, "--", *argv)
        return Wrapped(
            argv=launched(self._python, ("supervise=1",), walled) if loses_parent() else walled,
            env={},
            pass_fds=fds,
            unguarded=ground.missing if spec.access == "write" else (),
            failure_marks=(b"bwrap: ", b"wall: "),
            codes_are_shells=True,
        )


@contextmanager
def _memory(content: bytes | None) -> Generator[int | None, None, None]:
    """Give a descriptor from which the content can be read once."""
    if content is None:
        yield None
        return
    fd = os.memfd_create("filter", os.MFD_CLOEXEC)
    try:
        os.write(fd, content)
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)
