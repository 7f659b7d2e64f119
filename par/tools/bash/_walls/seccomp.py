"""Filters for system calls, as the kernel's small programs: what a command behind a wall may not ask for."""

import errno
import struct
from collections.abc import Mapping
from typing import Final

from par.errors import UsageError

__all__ = ["MACHINES", "namespace_filter", "seccomp_filter"]

MACHINES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The machines that the filter is made for, with the kernel's number of each."""

_NEWEST = 470
"""The newest call that is known here. The filter says of newer ones that they do not exist, and programs that
try them go on with older ones."""

# by name: the number on x86_64 and on aarch64, None where there is no such call
_DENIED: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "connect": (42, 203),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "userfaultfd": (323, 282),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "open_by_handle_at": (304, 265),
    "syslog": (103, 116),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "vhangup": (153, 58),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "open_tree_attr": (467, 467),
    "file_setattr": (469, 469),
}
_CHECKED: dict[str, tuple[int | None, int | None]] = {
    "socketpair": (53, 199),
    "clone": (56, 220),
    "clone3": (435, 435),
    "ioctl": (16, 29),
    "prlimit64": (302, 261),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "open": (2, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "creat": (85, None),
    "mknod": (133, None),
    "mknodat": (259, 33),
}

_LOAD, _EQUAL, _GREATER, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x25, 0x35, 0x45, 0x54, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _MACHINE = 0, 4  # places in the data that the filter sees

_X32 = 0x40000000
_AF_UNIX, _STREAM, _SEQPACKET, _KIND_OF_SOCKET = 1, 1, 5, 0xF
_NEW_NAMESPACES = 0x7E020000
_TERMINAL = (0x5412, 0x541C, 0x5423)
"""TIOCSTI, TIOCLINUX and TIOCSETD: they type into a terminal, or change what it is."""
_FORBIDDEN_MODE = 0o6002
"""Another user's rights on start, and everybody's to write: Landlock says nothing about modes."""
_PRIVILEGES = 0o6000
"""The rights of the owner or the group on start. Files outlive the wall, and their owner is the one who is outside."""
_MAKES_FILE = 0o20000100
"""O_CREAT and O_TMPFILE: without them the mode of open may be anything."""
_PLACE_OF_MODE = {"chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2, "creat": 1, "mknod": 1, "mknodat": 2}

_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: a network namespace confines them. AF_VSOCK reaches the machine that a
virtual one runs on."""
_NOT_CONFINED = frozenset({
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "bpf",
    "perf_event_open",
    "keyctl",
    "add_key",
    "request_key",
    "userfaultfd",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "open_by_handle_at",
    "syslog",
    "reboot",
    "swapon",
    "swapoff",
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "clock_adjtime",
    "acct",
    "quotactl",
    "quotactl_fd",
})
"""What namespaces leave as it is: keys, for instance, stay those of the user."""

_Step = tuple[int, int, int, int]


def seccomp_filter(machine: str, *, unix_pairs: bool) -> bytes:
    """Return the filter that goes with Landlock on a machine, ready for ``prctl``.

    What it denies fails with ``EPERM``; a program for another machine is killed. ``unix_pairs`` allows connected
    pairs of local stream sockets, which cannot be connected to anything else.

    Raises:
        UsageError: for a machine that is not in ``MACHINES``.
    """
    checks = {name: _check(name, unix_pairs=unix_pairs) for name in _CHECKED}
    return _assembled(machine, checks, frozenset(_DENIED))


def namespace_filter(machine: str) -> bytes:
    """Return the filter that goes with namespaces: it denies what they do not confine.

    Raises:
        UsageError: for a machine that is not in ``MACHINES``.
    """
    families = [step for family in _FAMILIES for step in _when(_EQUAL, family, [(_RETURN, 0, 0, _ALLOW)])]
    checks = {"socket": [_argument(0), *families, *_fail(errno.EPERM)], "ioctl": _check("ioctl", unix_pairs=True)}
    checks |= {name: _mode_check(name, _PRIVILEGES) for name in (*_PLACE_OF_MODE, "open", "openat", "openat2")}
    return _assembled(machine, checks, _NOT_CONFINED)


def _assembled(machine: str, checks: Mapping[str, list[_Step]], denied: frozenset[str]) -> bytes:
    if machine not in MACHINES:
        raise UsageError(f"machine must be one of {', '.join(MACHINES)}, got {machine!r}")
    column = tuple(MACHINES).index(machine)
    steps: list[_Step] = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 1, 0, MACHINES[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        *_when(_AT_LEAST, _X32, _fail(errno.EPERM)),
        *_when(_GREATER, _NEWEST, _fail(errno.ENOSYS)),
    ]
    for name, numbers in (_CHECKED | _DENIED).items():
        number = numbers[column]
        if number is not None and (name in checks or name in denied):
            steps += _when(_EQUAL, number, checks.get(name) or _fail(errno.EPERM))
    steps.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def _when(test: int, value: int, steps: list[_Step]) -> list[_Step]:
    return [(test, 0, len(steps), value), *steps]


def _fail(number: int) -> list[_Step]:
    return [(_RETURN, 0, 0, _ERRNO | number)]


def _argument(index: int) -> _Step:
    # the lower half of it: these arguments are 32 bits wide in the kernel, and the upper half may be anything
    return (_LOAD, 0, 0, 16 + 8 * index)


def _check(name: str, *, unix_pairs: bool) -> list[_Step]:
    """Return the steps for a call that depends on its arguments; they end with an answer."""
    allow: list[_Step] = [(_RETURN, 0, 0, _ALLOW)]
    deny = _fail(errno.EPERM)
    if name == "clone3":
        return _fail(errno.ENOSYS)  # its flags are in memory, where a filter cannot look; clone is used instead
    if name == "clone":
        return [_argument(0), *_when(_ANY_BIT, _NEW_NAMESPACES, deny), *allow]
    if name == "ioctl":
        terminal = [step for request in _TERMINAL for step in _when(_EQUAL, request, deny)]
        return [_argument(1), *terminal, *allow]
    if name == "prlimit64":
        return [_argument(0), *_when(_EQUAL, 0, allow), *deny]  # a limit can end another process
    if name == "socketpair":
        if not unix_pairs:
            return deny
        # no datagrams: their sockets can be pointed at any other one
        kinds = [*_when(_EQUAL, _STREAM, allow), *_when(_EQUAL, _SEQPACKET, allow)]
        return [
            _argument(0),
            *_when(_EQUAL, _AF_UNIX, [_argument(1), (_AND, 0, 0, _KIND_OF_SOCKET), *kinds]),
            *deny,
        ]
    return _mode_check(name, _FORBIDDEN_MODE if "chmod" in name else _PRIVILEGES)


def _mode_check(name: str, forbidden: int) -> list[_Step]:
    """Return the steps for a call that gives a file its mode; they end with an answer."""
    allow: list[_Step] = [(_RETURN, 0, 0, _ALLOW)]
    if name == "openat2":
        return _fail(errno.ENOSYS)  # its mode is in memory; openat is used instead
    if name in {"open", "openat"}:
        flags = 1 if name == "open" else 2
        mode = [_argument(flags + 1), *_when(_ANY_BIT, forbidden, _fail(errno.EPERM))]
        return [_argument(flags), *_when(_ANY_BIT, _MAKES_FILE, mode), *allow]
    return [_argument(_PLACE_OF_MODE[name]), *_when(_ANY_BIT, forbidden, _fail(errno.EPERM)), *allow]
