"""This machine's steady clock, this process's identity, and whether another process is still there."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from par._clock import Clock

__all__ = ["Fate", "Machine", "fate_among_machines", "name_of", "new_name", "this_machine"]

Fate: TypeAlias = Callable[[str], bool | None]
"""Tells whether the process of that identity is alive; ``None`` where it cannot be known from here."""

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_START: Final = 19
"""The place of the start time in ``/proc/<pid>/stat``, counted from the state, which follows the name."""
_GONE: Final = frozenset({"Z", "X", "x"})
"""States of processes that have ended and are not cleared away yet."""
_FIELDS: Final = 4
_NAMED: Final = 6
"""How many fields an identity has, and the name of somebody in the process."""


@attrs.frozen(kw_only=True)
class Machine:
    """What those need to know of the machine who share something with its other processes.

    ``steady_us`` counts microseconds since some moment before the machine was started, the same for all processes,
    and never runs back while ``boot`` is the same; ``wall_us`` is the time of day, used to bridge a restart.
    """

    boot: str
    me: str
    steady_us: Callable[[], int]
    wall_us: Callable[[], int]
    is_alive: Fate


def this_machine(clock: Clock) -> Machine:
    """Return this machine, seen by this process. Reads a few small files of the kernel."""
    boot = _read(_BOOT)
    space = _space()
    pid = os.getpid()
    found = _stat(pid)
    me = f"{boot or '-'} {space or '-'} {pid} {(found and found[1]) or '-'}"

    def is_alive(identity: str) -> bool | None:
        return _is_alive(identity, boot, space)

    return Machine(
        boot=boot,
        me=me,
        steady_us=lambda: time.monotonic_ns() // 1000,
        wall_us=lambda: int(clock.now().timestamp() * 1_000_000),
        is_alive=is_alive,
    )


def new_name(machine: Machine) -> str:
    """Return a name for somebody in this process, which nobody else has: the process, a number used once, and the host.

    ``is_alive`` knows it, and so does ``name_of``.
    """
    return f"{machine.me} {os.urandom(8).hex()} {socket.gethostname().replace(' ', '-') or '-'}"


def name_of(identity: str) -> str:
    """Return what people may read of a name that ``new_name`` made: the process's number and its host."""
    fields = identity.split(" ")
    return f"{fields[2]} on {fields[5]}" if len(fields) == _NAMED else identity


def fate_among_machines(machine: Machine) -> Fate:
    """Return what tells the fate of processes where those of other machines take part as well: nothing of those."""

    def is_alive(identity: str) -> bool | None:
        same = bool(machine.boot) and identity.startswith(f"{machine.boot} ")
        return machine.is_alive(identity) if same else None

    return is_alive


def _is_alive(identity: str, boot: str, space: str) -> bool | None:
    fields = identity.split(" ")
    if len(fields) not in (_FIELDS, _NAMED) or not fields[2].isdecimal():
        return None
    its_boot, its_space, pid, start = fields[:_FIELDS]
    if boot and its_boot not in (boot, "-"):
        return False  # the file is on a local disk: the machine has been started anew since
    if its_space != (space or "-"):
        return None  # a container with process numbers of its own
    if start == "-":
        return _answers(int(pid))
    found = _stat(int(pid))
    return found is not None and found[0] not in _GONE and found[1] == start


def _answers(pid: int) -> bool | None:
    if os.name != "posix":
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _stat(pid: int) -> tuple[str, str] | None:
    text = _read(Path(f"/proc/{pid}/stat"))
    fields = text.rpartition(")")[2].split()  # the name, in brackets, may hold anything
    return (fields[0], fields[_START]) if len(fields) > _START else None


def _space() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink()).replace(" ", "")
    except OSError:
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
