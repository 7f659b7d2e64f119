"""Landlock and a filter for system calls: a wall that needs no privilege and nothing installed."""

import os
import platform
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import final

import anyio.lowlevel
import attrs

from par.errors import UsageError
from par.tools.bash._run.programs import interpreter
from par.tools.bash._walls.ground import hold_ground
from par.tools.bash._walls.landlock_rules import LEAST_ABI, degraded_by, landlock_abi, landlock_settings
from par.tools.bash._walls.probe import EVERYTHING, probed
from par.tools.bash._walls.seccomp import MACHINES
from par.tools.bash._walls.supervised import launched
from par.tools.bash._walls.values import Capability, WallSpec, Wrapped, check_seconds

__all__ = ["LandlockWall"]

_RESTRICTS = (
    "nothing new can be made at the top of the workspace, nor renamed or removed there, but by git",
    "no symbolic links, pipes and sockets can be made in the workspace",
    "there is no /proc, /sys, /tmp and /dev/shm, so some ways to share memory between processes do not work",
    "owners and extended attributes cannot be changed, nor modes so that everybody may write",
    "no file can be made that runs with the rights of its owner or its group",
)


@final
class LandlockWall:
    """Landlock with a filter for system calls, on Linux 6.2 and later, x86_64 and aarch64.

    The command reads the system's programs, its workspace and two private folders, writes as the spec says, has
    no network and cannot reach other processes; all that comes of it is ended with it. What this wall cannot
    keep is in ``Capability.degraded``.

    ``python`` is the interpreter that puts it up. ``abi`` is the version of Landlock, by default the kernel's;
    a lower one does with less. ``probe_s`` seconds bound ``probe``; 10 is fifty times what it takes.
    """

    def __init__(self, *, python: str | None = None, abi: int | None = None, probe_s: float = 10.0) -> None:
        check_seconds("probe_s", probe_s)
        if abi is not None and (type(abi) is not int or abi < 0):
            raise UsageError(f"abi must be a whole number from 0, got {abi!r}")
        self._python = interpreter() if python is None else python
        self._machine = platform.machine()
        linux = sys.platform.startswith("linux")
        here = landlock_abi() if linux else 0
        self._abi = here if abi is None else min(abi, here)
        self._probe_s = probe_s
        self._known: Capability | None = None

    @property
    def name(self) -> str:
        """Landlock."""
        return "landlock"

    async def probe(self) -> Capability:
        """Try to break out, once, and return what held; later calls return the same answer."""
        if self._known is None:
            known = await self._probed()
            if self._known is None:
                self._known = known
        return self._known

    async def _probed(self) -> Capability:
        why_not = ""
        if self._abi < LEAST_ABI:
            why_not = f"it needs version {LEAST_ABI} of the kernel's Landlock, and here it is {self._abi}"
        elif self._machine not in MACHINES:
            why_not = f"its filter is for {' and '.join(MACHINES)}, and this is {self._machine}"
        if why_not:
            await anyio.lowlevel.checkpoint()
            return Capability(wall=self.name, available=False, why_not=why_not)
        left_open = {"mode"} if self._abi >= 6 else {"mode", "signal"}
        promised = tuple(attempt for attempt in EVERYTHING if attempt not in left_open)
        known = await probed(self.name, self._wrap, python=self._python, promised=promised, seconds=self._probe_s)
        degraded = degraded_by(self._abi)
        if os.geteuid() == 0:
            degraded = (*degraded, "as root the number of processes has no limit")
        details = {"abi": str(self._abi), "machine": self._machine}
        return attrs.evolve(known, degraded=degraded, restricts=_RESTRICTS, details=details)

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
        async with hold_ground(spec):
            settings = landlock_settings(spec, abi=self._abi, machine=self._machine)
            git = (".git/config", ".git/config.worktree", ".git/hooks")
            yield Wrapped(
                argv=launched(self._python, settings, argv),
                env=spec.environment(),
                pass_fds=(*spec.pass_fds, spec.root),
                unguarded=(*git, *spec.protected) if spec.git == "write" else (),
                failure_marks=(b"wall: ",),
            )
