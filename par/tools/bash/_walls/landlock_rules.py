"""What Landlock is told for one command: rights in bits, as the settings of the launcher."""

import ctypes
import os
import struct
from typing import Final

from par.tools.bash._walls.ground import ETC, system_folders
from par.tools.bash._walls.seccomp import seccomp_filter
from par.tools.bash._walls.supervised import limit_settings
from par.tools.bash._walls.values import WallSpec

__all__ = ["LEAST_ABI", "degraded_by", "landlock_abi", "landlock_settings"]

LEAST_ABI: Final = 3
"""Before it, files outside could be shortened."""
_SIGNALS_ABI = 6

_RUN, _WRITE, _READ, _LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_CHAR, _MAKE_DIR, _MAKE_REG, _MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM = (1 << bit for bit in range(6, 13))
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15

_LOOK = _RUN | _READ | _LIST
_CHANGE = _WRITE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER
"""No links, pipes, sockets and devices: whoever finds them in the workspace later would follow them."""
_OWN = _LOOK | _CHANGE | _MAKE_SYM | _MAKE_FIFO | _MAKE_SOCK
"""For the private folders, which go away with the command."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")


def landlock_abi() -> int:
    """Return the version of the kernel's Landlock, 0 if it has none or it is switched off."""
    libc = ctypes.CDLL(None, use_errno=True)
    found: int = libc.syscall(444, None, ctypes.c_size_t(0), 1)
    return max(found, 0)


def degraded_by(abi: int) -> tuple[str, ...]:
    """Return what a version of Landlock leaves open, as sentences."""
    always = (
        "modes and times of files outside that belong to the same user can be changed",
        "names, sizes and times of files outside can be seen by who knows or guesses the path",
        "while git writes, .git/config, .git/hooks and the other protected names can be changed",
        "with git='none' the names of the files in .git can be seen, their content cannot",
        "repositories below the top of the workspace can be changed like other files",
        "processes outside can be slowed down, and the machine's memory and processes are shared",
    )
    return (
        always if abi >= _SIGNALS_ABI else (*always, "processes outside that belong to the same user can be signalled")
    )


def landlock_settings(spec: WallSpec, *, abi: int, machine: str) -> tuple[str, ...]:
    """Return the launcher's settings for one command."""
    handled = _handled(abi)
    network = 0b11 if abi >= 4 else 0
    scopes = 0b11 if abi >= _SIGNALS_ABI else 0
    attributes = struct.pack("=QQQ", handled, network, scopes)
    size = 24 if abi >= _SIGNALS_ABI else 16 if abi >= 4 else 8

    def rule(rights: int, path: str) -> str:
        return f"rule={rights & handled:x}:{path}"

    rules = [rule(_LOOK, path) for path, target in system_folders() if target is None]
    rules += [rule(_LOOK, path) for path in (*ETC, *spec.read_only) if os.path.exists(path)]  # noqa: PTH110
    rules += [rule(_READ | _WRITE | _IOCTL_DEV, path) for path in _DEVICES]
    rules += [rule(_OWN, path) for path in (spec.home, spec.tmp)]
    return (
        "supervise=1",
        *limit_settings(spec.limits),
        f"root={spec.root}",
        f"cwd={spec.cwd}",
        f"ruleset={attributes[:size].hex()}",
        *rules,
        *_workspace(spec, handled),
        f"filter={seccomp_filter(machine, unix_pairs=spec.unix_pairs).hex()}",
    )


def _handled(abi: int) -> int:
    newest = 15 if abi >= 5 else 14 if abi >= 3 else 13 if abi >= 2 else 12
    return (1 << (newest + 1)) - 1


def _workspace(spec: WallSpec, handled: int) -> tuple[str, ...]:
    """Return the rights in the workspace.

    A right for a folder holds for all below it, and none can be taken back. So what is protected is left out:
    the top of the workspace may not be changed, and each thing in it has its own rule.
    """
    change = _CHANGE if spec.access == "write" else 0
    if spec.git == "write":
        return (f"at_root={(_LOOK | change) & handled:x}",)
    hidden = spec.git == "none"
    if not hidden and not change:
        return (f"at_root={_LOOK:x}",)
    return (
        f"at_root={_LIST if hidden else _LOOK:x}",
        f"each={(_LOOK | change) & handled:x}",
        f"each_protected={_LOOK:x}",
        *(f"protected={name}" for name in dict.fromkeys((".git", *spec.protected))),
        *(("hidden=.git",) if hidden else ()),
    )
