"""macOS's sandbox-exec: a wall for files and the network, and none around processes."""

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import final

import anyio.lowlevel
import attrs

from par.errors import CommandRefused, UsageError
from par.tools.bash._run.programs import interpreter, trusted
from par.tools.bash._walls.probe import EVERYTHING, probed
from par.tools.bash._walls.supervised import launched, limit_settings
from par.tools.bash._walls.values import Capability, WallSpec, Wrapped, check_seconds

__all__ = ["SeatbeltWall", "seatbelt_profile"]

_SYSTEM = ("/usr", "/bin", "/sbin", "/System", "/Library/Developer", "/Library/Apple", "/private/var/db/dyld")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_IN_GIT = ("config", "config.worktree", "hooks")
_DEGRADED = (
    "a process that leaves the session of its command outlives it",
    "services of the system that programs talk to by Mach messages are as open as system.sb leaves them",
    "other processes can be seen, and memory has no limit",
    "sandbox-exec is deprecated by its maker",
)
_NOT_TRIED = {"background", "environ", "mode"}


def seatbelt_profile(spec: WallSpec) -> str:
    """Return the profile for one command, in the language of sandbox-exec. The last rule that fits counts.

    Raises:
        CommandRefused: with the code ``wall_unfit`` for a path that cannot be written down so that it means itself.
    """
    write = spec.access == "write"
    lines = [
        "(version 1)",
        "(deny default)",
        '(import "system.sb")',
        "(allow process-fork)",
        "(allow signal (target same-sandbox))",
        "(allow sysctl-read)",
        _rule("allow file-read* process-exec*", (*_SYSTEM, *spec.read_only)),
        _rule("allow file-read* file-write-data", _DEVICES, kind="literal"),
        _rule("allow file-read-metadata", _above(spec), kind="literal"),
        _rule("allow file-read* file-write* process-exec*", (spec.home, spec.tmp)),
        _rule(f"allow file-read* process-exec*{' file-write*' if write else ''}", (spec.workspace,)),
    ]
    kept = [*spec.protected]
    if spec.git == "write":
        kept += [f".git/{name}" for name in _IN_GIT]
    else:
        kept.append(".git")
    lines += [f"(deny file-write* (regex {_any_case(spec.workspace, name)}))" for name in dict.fromkeys(kept)]
    if spec.git == "none":
        lines.append(f"(deny file-read* process-exec* (regex {_any_case(spec.workspace, '.git')}))")
    lines.append("(deny network*)")
    return "\n".join(lines) + "\n"


def _rule(what: str, paths: Sequence[str], *, kind: str = "subpath") -> str:
    return f"({what}" + "".join(f" ({kind} {_quoted(path)})" for path in paths) + ")"


def _above(spec: WallSpec) -> tuple[str, ...]:
    """Return the folders on the way to what the command may reach: finding a path looks at each."""
    found = ["/"]
    for path in (spec.workspace, spec.home, spec.tmp, *spec.read_only):
        parts = path.split("/")
        found += ["/".join(parts[:count]) for count in range(2, len(parts))]
    return tuple(dict.fromkeys(found))


def _quoted(path: str) -> str:
    # other than plain characters may be stored in another form than they are written in
    if not path.isascii() or not path.isprintable() or any(sign in path for sign in '"\\^[]'):
        problem = "a folder's path has characters that a profile of sandbox-exec cannot hold safely"
        raise CommandRefused("wall_unfit", f"{problem}.", field="op", remedy="The host can use another folder.")
    return f'"{path}"'


def _any_case(workspace: str, name: str) -> str:
    # the file system takes .GIT for .git
    _quoted(name)
    letters = "".join(f"[{sign.lower()}{sign.upper()}]" if sign.isalpha() else _plain(sign) for sign in name)
    return "#" + _quoted(workspace)[:1] + "^" + "".join(_plain(sign) for sign in workspace) + f'/{letters}(/|$)"'


def _plain(sign: str) -> str:
    return sign if sign.isalnum() or sign in "/_-" else f"[{sign}]"


@final
class SeatbeltWall:
    """sandbox-exec, on macOS: keeps files and the network from a command, and does not end what it leaves behind.

    ``sandbox_exec`` is the program, by default the system's. ``python`` sets the limits and the folder, and runs
    the attempts to break out; ``probe_s`` seconds bound them.
    """

    def __init__(self, *, sandbox_exec: str | None = None, python: str | None = None, probe_s: float = 10.0) -> None:
        check_seconds("probe_s", probe_s)
        self._program = trusted("sandbox-exec") if sandbox_exec is None else sandbox_exec
        self._python = interpreter() if python is None else python
        self._probe_s = probe_s
        self._known: Capability | None = None

    @property
    def name(self) -> str:
        """Seatbelt."""
        return "seatbelt"

    async def probe(self) -> Capability:
        """Try to break out, once, and return what held; later calls return the same answer."""
        if self._known is None:
            known = await self._probed()
            if self._known is None:
                self._known = known
        return self._known

    async def _probed(self) -> Capability:
        if os.uname().sysname != "Darwin" or self._program is None:
            await anyio.lowlevel.checkpoint()
            return Capability(wall=self.name, available=False, why_not="sandbox-exec is a program of macOS")
        promised = tuple(attempt for attempt in EVERYTHING if attempt not in _NOT_TRIED)
        known = await probed(self.name, self._wrap, python=self._python, promised=promised, seconds=self._probe_s)
        return attrs.evolve(known, degraded=_DEGRADED)

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
        await anyio.lowlevel.checkpoint()
        settings = (*limit_settings(spec.limits), f"root={spec.root}", f"cwd={spec.cwd}")
        walled = (self._program or "", "-p", seatbelt_profile(spec), *argv)
        yield Wrapped(
            argv=launched(self._python, settings, walled),
            env=spec.environment(),
            pass_fds=(*spec.pass_fds, spec.root),
            failure_marks=(b"wall: ", b"sandbox-exec: "),
        )
