"""The filters for system calls, run by a small machine of the kernel's kind."""

import struct

import pytest

from par.errors import UsageError
from par.tools.bash._walls.seccomp import MACHINES, namespace_filter, seccomp_filter

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x50001, 0x50026
READ = {"x86_64": 0, "aarch64": 63}
# name: numbers on x86_64 and aarch64, from the kernel's tables
DENIED = {
    "socket": (41, 198), "bind": (49, 200), "connect": (42, 203), "accept4": (288, 242), "io_uring_setup": (425, 425),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "mount": (165, 40),
    "umount2": (166, 39), "move_mount": (429, 429), "fsopen": (430, 430), "unshare": (272, 97), "setns": (308, 268),
    "bpf": (321, 280), "keyctl": (250, 219), "add_key": (248, 217), "userfaultfd": (323, 282),
    "kexec_load": (246, 104), "pidfd_getfd": (438, 438), "open_by_handle_at": (304, 265), "chroot": (161, 51),
    "fchown": (93, 55), "setxattr": (188, 5), "shmget": (29, 194), "mq_open": (240, 180), "perf_event_open": (298, 241),
}  # fmt: skip
CALLS = {
    "clone": (56, 220), "clone3": (435, 435), "ioctl": (16, 29), "prlimit64": (302, 261), "fchmod": (91, 52),
    "fchmodat": (268, 53), "socketpair": (53, 199), "socket": (41, 198), "keyctl": (250, 219),
}  # fmt: skip


def answer(program, machine, number, *arguments, kind=None):
    data = struct.pack("=iIQ6Q", number, MACHINES[machine] if kind is None else kind, 0, *(*arguments, *[0] * 6)[:6])
    steps = list(struct.iter_unpack("HBBI", program))
    at = value = 0
    while True:
        code, yes, no, k = steps[at]
        at += 1
        if code == 0x20:
            value = struct.unpack_from("=I", data, k)[0]
        elif code == 0x54:
            value &= k
        elif code == 0x06:
            return k
        else:
            held = {0x15: value == k, 0x25: value > k, 0x35: value >= k, 0x45: bool(value & k)}[code]
            at += yes if held else no


@pytest.fixture(params=list(MACHINES))
def machine(request):
    return request.param


def called(machine, name, *arguments, unix_pairs=False):
    number = CALLS[name][list(MACHINES).index(machine)]
    return answer(seccomp_filter(machine, unix_pairs=unix_pairs), machine, number, *arguments)


@pytest.mark.parametrize("name", DENIED)
def test_what_a_command_has_no_use_for_is_denied(machine, name):
    number = DENIED[name][list(MACHINES).index(machine)]

    assert answer(seccomp_filter(machine, unix_pairs=True), machine, number) == EPERM


def test_what_is_not_named_is_allowed(machine):
    assert answer(seccomp_filter(machine, unix_pairs=False), machine, READ[machine]) == ALLOW


def test_a_program_for_another_machine_is_killed(machine):
    assert answer(seccomp_filter(machine, unix_pairs=False), machine, 0, kind=0x40000003) == KILL


def test_calls_of_the_other_numbering_and_newer_ones_do_not_pass():
    program = seccomp_filter("x86_64", unix_pairs=False)

    assert answer(program, "x86_64", 0x40000000 + 42) == EPERM
    assert answer(program, "x86_64", 471) == ENOSYS


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("clone", (0x11,), ALLOW),
        ("clone", (0x10000000 | 0x11,), EPERM),
        ("clone", (0x20000 | 0x11,), EPERM),
        ("clone3", (), ENOSYS),
        ("ioctl", (0, 0x5401), ALLOW),
        ("ioctl", (0, 0x5412), EPERM),
        ("ioctl", (0, 0x541C), EPERM),
        ("ioctl", (0, 0xFFFFFFFF00005412), EPERM),
        ("prlimit64", (0,), ALLOW),
        ("prlimit64", (1,), EPERM),
        ("fchmod", (3, 0o755), ALLOW),
        ("fchmod", (3, 0o4755), EPERM),
        ("fchmod", (3, 0o777), EPERM),
        ("fchmodat", (3, 0, 0o2755), EPERM),
        ("fchmodat", (0o4000, 0o4000, 0o644), ALLOW),
    ],
)
def test_some_calls_depend_on_their_arguments(machine, name, arguments, expected):
    assert called(machine, name, *arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [((1, 1), ALLOW), ((1, 5), ALLOW), ((1, 0x80801), ALLOW), ((1, 2), EPERM), ((2, 1), EPERM), ((16, 1), EPERM)],
    ids=["stream", "seqpacket", "flags", "datagram", "inet", "netlink"],
)
def test_pairs_of_local_sockets_are_allowed_where_they_are_asked_for(machine, arguments, expected):
    assert called(machine, "socketpair", *arguments, unix_pairs=True) == expected
    assert called(machine, "socketpair", *arguments) == EPERM


@pytest.mark.parametrize(("family", "expected"), [(1, ALLOW), (2, ALLOW), (10, ALLOW), (40, EPERM), (38, EPERM)])
def test_namespaces_go_with_sockets_that_they_confine(machine, family, expected):
    number = CALLS["socket"][list(MACHINES).index(machine)]

    assert answer(namespace_filter(machine), machine, number, family) == expected


def test_namespaces_do_not_go_with_the_kernels_keys(machine):
    number = CALLS["keyctl"][list(MACHINES).index(machine)]

    assert answer(namespace_filter(machine), machine, number) == EPERM
    assert answer(namespace_filter(machine), machine, READ[machine]) == ALLOW


def test_a_machine_without_a_table_is_refused():
    with pytest.raises(UsageError, match="riscv64"):
        seccomp_filter("riscv64", unix_pairs=False)
