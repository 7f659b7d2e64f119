"""What a wall is told, and what it answers."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias

import attrs

from par.errors import UsageError

__all__ = ["Access", "Capability", "GitAccess", "Limits", "Wall", "WallSpec", "Wrapped", "check_seconds", "inside"]

Access: TypeAlias = Literal["read", "write"]
GitAccess: TypeAlias = Literal["none", "read", "write"]
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/proc", "/dev", "/sys", "/etc")


def _as_texts(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        raise UsageError(f"give a list of texts, not the text {value!r}")
    return tuple(value)


def _as_numbers(value: Iterable[int]) -> tuple[int, ...]:
    return tuple(value)


def _as_env(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


def inside(path: str, folder: str) -> bool:
    """Return whether ``path`` is ``folder`` or below it; both are real and absolute."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


@attrs.frozen(kw_only=True)
class Limits:
    """What a process may use; each is inherited by its children. ``None`` sets no limit.

    There is none on the address space: node, Java and Go reserve far more of it than they use. Core files are
    never written.

    Raises:
        UsageError: for a limit that is no whole number above zero.
    """

    cpu_s: int | None = None
    """Seconds of processor time, for each process by itself."""
    file_bytes: int | None = None
    """The size to which one file may grow."""
    files: int | None = None
    """Open descriptors."""
    data_bytes: int | None = None
    """Private memory; mapped files do not count."""
    processes: int | None = None
    """Processes of the same user; the kernel does not apply it to root."""

    def __attrs_post_init__(self) -> None:
        for name, value in self.given():
            if type(value) is not int or value <= 0:
                raise UsageError(f"{name} must be a whole number above 0, got {value!r}")

    def given(self) -> tuple[tuple[str, int], ...]:
        """Return the limits that are set, by the name of the field."""
        named = (
            ("cpu_s", self.cpu_s),
            ("file_bytes", self.file_bytes),
            ("files", self.files),
            ("data_bytes", self.data_bytes),
            ("processes", self.processes),
        )
        return tuple((name, value) for name, value in named if value is not None)


@attrs.frozen(kw_only=True)
class WallSpec:
    """What one command may reach. All paths but ``cwd`` are absolute and real: no part of them is a link.

    Raises:
        UsageError: for a path that is not real, for a workspace that holds the system's own folders, and for
            folders that overlap in a way in which no wall could keep them apart.
    """

    root: int
    """A descriptor of the workspace, held open by the caller."""
    workspace: str
    """The path of the same folder; the command sees it under this path."""
    access: Access
    """Whether the command may change the workspace."""
    git: GitAccess = "read"
    """``none`` hides the content of ``.git``, ``read`` makes it unchangeable, ``write`` lets it be changed but for
    its ``config`` and ``hooks``."""
    home: str
    """An empty folder of the caller's for this command alone; ``HOME`` for it."""
    tmp: str
    """Another one; ``TMPDIR`` for it."""
    cwd: str = "."
    """Where the command starts, relative to the workspace."""
    read_only: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    """Further files and folders that it may read and run, such as a virtual environment outside the workspace."""
    env: Mapping[str, str] = attrs.field(factory=dict[str, str], converter=_as_env)
    """The whole environment but for ``HOME`` and ``TMPDIR``."""
    unix_pairs: bool = False
    """Whether it may make connected pairs of local sockets, which event loops and node need. Only Landlock asks:
    other walls have no network in which a socket could lead anywhere."""
    protected: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    """Names at the top of the workspace that stay unchangeable, in addition to ``.git``."""
    limits: Limits | None = None
    pass_fds: tuple[int, ...] = attrs.field(default=(), converter=_as_numbers)
    """Descriptors that the command inherits. A folder among them would be a door in the wall."""

    def __attrs_post_init__(self) -> None:
        if self.access not in {"read", "write"}:
            raise UsageError(f"access must be 'read' or 'write', got {self.access!r}")
        if self.git not in {"none", "read", "write"}:
            raise UsageError(f"git must be 'none', 'read' or 'write', got {self.git!r}")
        if self.git == "write" and self.access == "read":
            raise UsageError("git='write' needs access='write': .git is a part of the workspace")
        for name, path in self._paths():
            if not path.startswith("/") or "\0" in path or os.path.normpath(path) != path:
                raise UsageError(f"{name} must be an absolute, normal path, got {path!r}")
        self._check_places()
        if self.cwd.startswith("/") or ".." in self.cwd.split("/") or "\0" in self.cwd:
            raise UsageError(f"cwd must be relative to the workspace and stay in it, got {self.cwd!r}")
        for name in self.protected:
            if not name or "/" in name or "\0" in name or name in {".", ".."}:
                raise UsageError(f"protected must be names at the top of the workspace, got {name!r}")
        for name, value in self.env.items():
            if not name or "=" in name or "\0" in name + value:
                raise UsageError(f"env must be names and values without NUL, got {name!r}")

    def _paths(self) -> tuple[tuple[str, str], ...]:
        return (
            ("workspace", self.workspace),
            ("home", self.home),
            ("tmp", self.tmp),
            *(("read_only", path) for path in self.read_only),
        )

    def _check_places(self) -> None:
        for name, path in self._paths()[:3]:
            if any(inside(path, part) or inside(part, path) for part in _SYSTEM):
                raise UsageError(f"{name} may not be, hold or lie in one of the system's folders, got {path!r}")
        private = (("home", self.home), ("tmp", self.tmp))
        for name, path in private:
            for other, place in (("workspace", self.workspace), *private):
                if other != name and inside(path, place):
                    raise UsageError(f"{name} may not lie in {other}: what the command can change is no place for it")
            if inside(self.workspace, path):
                raise UsageError(f"the workspace may not lie in {name}")
        for path in self.read_only:
            if path == "/" or any(inside(path, part) for part in (self.workspace, self.home, self.tmp)):
                raise UsageError(
                    f"read_only may not name {path!r}: it is all there is, or inside of what the command may change"
                )

    def environment(self) -> dict[str, str]:
        """Return the environment of the command."""
        return {**self.env, "HOME": self.home, "TMPDIR": self.tmp}


@attrs.frozen(kw_only=True)
class Wrapped:
    """A command inside its wall, ready to be started: what to give to ``spawned``."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    pass_fds: tuple[int, ...] = ()
    cwd: str | None = None
    unguarded: tuple[str, ...] = ()
    """Protected names, relative to the workspace, that the wall cannot keep from being made or changed: compare
    them when the command has ended."""
    failure_marks: tuple[bytes, ...] = ()
    """How the error output begins if the wall could not be built or the program not be started: with one of these."""
    codes_are_shells: bool = False
    """Whether an exit code of 128 + n stands for the end by signal n."""

    def ended(self, returncode: int) -> tuple[int | None, int | None]:
        """Return the exit code or the signal by which the command ended."""
        if returncode < 0:
            return None, -returncode
        if self.codes_are_shells and 128 < returncode <= 128 + 64:
            return None, returncode - 128
        return returncode, None


@attrs.frozen(kw_only=True)
class Capability:
    """What a wall can do on this machine, found out by trying to break out of it."""

    wall: str
    available: bool
    why_not: str = ""
    """Why it is not available; empty if it is."""
    held: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    """The ways out that were tried and are closed."""
    degraded: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    """What it cannot protect, as sentences for people."""
    restricts: tuple[str, ...] = attrs.field(default=(), converter=_as_texts)
    """What programs cannot do in it although they might expect to, as sentences for people."""
    details: Mapping[str, str] = attrs.field(factory=dict[str, str], converter=_as_env)
    """Facts such as the version of the kernel's interface."""


class Wall(Protocol):
    """A boundary of the operating system around one command."""

    @property
    def name(self) -> str:
        """A short name, for records and refusals."""
        ...

    async def probe(self) -> Capability:
        """Try to break out, once, and return what held; later calls return the same answer."""
        ...

    def wrap(self, argv: Sequence[str], spec: WallSpec) -> AbstractAsyncContextManager[Wrapped]:
        """Give what to start in the place of ``argv``, for the time of the block.

        ``argv[0]`` is an absolute path inside the wall. Start the process within the block: its descriptors are
        closed at the end.

        Raises:
            CommandRefused: with the code ``wall_unfit`` if the workspace is in a state that the wall cannot protect.
            UsageError: if ``probe`` was not awaited before, or did not find the wall to be available.
        """
        ...


def check_seconds(name: str, value: float) -> None:
    """Refuse what is no span of time above zero."""
    if isinstance(value, bool) or not math.isfinite(value) or value <= 0:
        raise UsageError(f"{name} must be finite seconds above 0, got {value!r}")
