"""Starts a command in its wall, and ends everything that comes of it.

Run as ``python -I -S launcher.py KEY=VALUE... -- PROGRAM ARGUMENTS...``; it imports nothing of par, and decides
nothing: the bits and the filter come from outside.

Without ``supervise=1`` it sets limits and becomes the command. With it there are three processes. The first is the one that par knows; it waits. The second adopts whatever the command
leaves behind and kills it; it has a session of its own, so that a signal to the whole group of the first one does
not take it away before its work is done. The third becomes the command.
"""

import ctypes
import os
import resource
import signal
import stat
import sys
import time
from collections.abc import Iterable

LIBC = ctypes.CDLL(None, use_errno=True)
SET_PDEATHSIG, CAPBSET_DROP, SET_SECCOMP, SET_SUBREAPER, SET_NO_NEW_PRIVS, CAP_AMBIENT = 1, 24, 22, 36, 38, 47
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
FILE_RIGHTS = 0b1100000000000111  # run, write, read, shorten, control: a rule for a file may name no others
ASKED_TO_END = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PARENT_GONE = signal.SIGUSR1
AWAITED = (*ASKED_TO_END, PARENT_GONE, signal.SIGCHLD)
LOOK_S = 1.0
SWEEP_S = 5.0
"""How long the second process tries: what cannot be killed belongs to somebody else."""


def prctl(option: int, *values: int) -> None:
    """Call prctl, which takes five words."""
    words = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    checked(LIBC.prctl(option, *words))


def checked(result: int) -> int:
    """Return the result, or raise what the C library says went wrong."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


class Settings:
    """What stands before the two dashes."""

    def __init__(self, arguments: Iterable[str]) -> None:
        self.values: dict[str, list[str]] = {}
        for argument in arguments:
            key, _, value = argument.partition("=")
            self.values.setdefault(key, []).append(value)

    def all(self, key: str) -> list[str]:
        """Return all values of a key."""
        return self.values.get(key, [])

    def number(self, key: str, *, base: int = 10) -> int:
        """Return the value of a key as a number, 0 if there is none."""
        return int(self.all(key)[0], base) if key in self.values else 0


def confine(settings: Settings) -> None:
    """Let this process, and what it starts, reach only what the rules name."""
    attributes = bytes.fromhex(settings.all("ruleset")[0])
    rules = checked(LIBC.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    for rule in settings.all("rule"):
        rights, _, path = rule.partition(":")
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allow(rules, fd, int(rights, 16))
        os.close(fd)
    workspace(settings, rules)
    checked(LIBC.syscall(RESTRICT_SELF, rules, 0))
    os.close(rules)


def workspace(settings: Settings, rules: int) -> None:
    """Allow what the settings say of the workspace: the folder itself, or each thing in it by itself."""
    root = settings.number("root")
    allow(rules, root, settings.number("at_root", base=16))
    each, kept = settings.number("each", base=16), settings.number("each_protected", base=16)
    if not each and not kept:
        return
    protected, hidden = settings.all("protected"), settings.all("hidden")
    for name in os.listdir(root):  # noqa: PTH208 # by descriptor
        if name in hidden:
            continue
        try:
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
        except OSError:
            continue
        # a link needs no right of its own: what it leads to does
        if not stat.S_ISLNK(os.fstat(fd).st_mode):
            allow(rules, fd, kept if name in protected else each)
        os.close(fd)


def allow(rules: int, fd: int, rights: int) -> None:
    """Add a rule: these rights for this file, or for this folder and all below it."""
    if not stat.S_ISDIR(os.fstat(fd).st_mode):
        rights &= FILE_RIGHTS
    if rights:
        rule = rights.to_bytes(8, sys.byteorder) + fd.to_bytes(4, sys.byteorder)
        checked(LIBC.syscall(ADD_RULE, rules, 1, rule, 0))


def drop_privileges() -> None:
    """Give up every capability for good; for root they come back with the next program unless the bounds go too."""
    for capability in range(64):
        try:
            prctl(CAPBSET_DROP, capability)
        except OSError:
            break
    prctl(CAP_AMBIENT, 4)
    header = (0x20080522).to_bytes(4, sys.byteorder) + bytes(4)
    checked(LIBC.capset(header, bytes(24)))


def filter_calls(program: bytes) -> None:
    """Put the filter for system calls in place."""
    steps = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = [("count", ctypes.c_ushort), ("steps", ctypes.c_void_p)]

    whole = Program(len(program) // 8, ctypes.addressof(steps))
    prctl(SET_SECCOMP, 2, ctypes.addressof(whole))


def become(settings: Settings, argv: list[str]) -> None:
    """Turn this process into the command, in its wall."""
    if settings.all("supervise"):
        os.setsid()
        prctl(SET_PDEATHSIG, signal.SIGKILL)
    for limit in settings.all("limit"):
        name, _, value = limit.partition(":")
        kind: int = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        wanted = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(kind, (wanted, wanted))
    root = settings.number("root")
    if root:
        os.fchdir(root)
        os.chdir(settings.all("cwd")[0])
    if settings.all("ruleset"):
        prctl(SET_NO_NEW_PRIVS, 1)
        confine(settings)
        drop_privileges()
    if root:
        os.close(root)
    # Python ignores them, and what it starts would too
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for program in settings.all("filter"):
        filter_calls(bytes.fromhex(program))
    os.execv(argv[0], argv)  # noqa: S606 # there is no shell in it


def try_to_become(settings: Settings, argv: list[str]) -> None:
    """Turn this process into the command, or end it."""
    try:
        become(settings, argv)
    except Exception as error:  # noqa: BLE001 # whatever it is, the command must not run
        os.write(2, f"wall: the command cannot be started: {error}\n".encode(errors="replace"))
    finally:
        os._exit(126)


def start(settings: Settings, argv: list[str]) -> int:
    """Start the command and return its number."""
    pid = os.fork()
    if pid == 0:
        try_to_become(settings, argv)
    return pid


def let_go() -> None:
    """Close what the command has by now: who reads its output wants to see the end of it."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    os.closerange(3, 65_536)


def own_children() -> list[int]:
    """Return the numbers of this process's children; the orphans among its descendants are."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:  # noqa: PTH123
            return [int(number) for number in file.read().split()]
    except OSError:
        pass
    found: list[int] = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():  # noqa: PTH112, PTH208
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                parent = int(file.read().rsplit(b")", 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if parent == os.getpid():
            found.append(int(name))
    return found


def sweep(command: int = 0) -> None:
    """Kill children until there are none; those of a killed one become children of this process."""
    if command:
        os.kill(command, signal.SIGKILL)
    until = time.monotonic() + SWEEP_S
    while time.monotonic() < until:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for pid in own_children():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        signal.sigtimedwait((signal.SIGCHLD,), 0.01)


def supervise(settings: Settings, argv: list[str], first: int) -> int:
    """Run the command to its end, or until it is to be ended, and return its status."""
    os.setsid()
    prctl(SET_PDEATHSIG, signal.SIGTERM)
    prctl(SET_SUBREAPER, 1)
    command = start(settings, argv)
    let_go()
    asked = os.getppid() != first
    while not asked:
        received = signal.sigtimedwait(AWAITED, LOOK_S)
        asked = os.getppid() != first or (received is not None and received.si_signo in ASKED_TO_END)
        while True:
            pid, how = os.waitpid(-1, os.WNOHANG)
            if pid == command:
                sweep()
                return how
            if pid == 0:
                break
    sweep(command)
    return signal.SIGKILL


def end_like(status: int) -> None:
    """End this process as another one has ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def main(arguments: list[str]) -> None:
    """Start the command, wait for it, and end as it has ended."""
    dashes = arguments.index("--")
    settings, argv = Settings(arguments[:dashes]), arguments[dashes + 1 :]
    if not settings.all("supervise"):
        try_to_become(settings, argv)
    parent = os.getppid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    # it also comes when a thread of the parent has ended, so it is only a reason to look
    prctl(SET_PDEATHSIG, PARENT_GONE)
    first = os.getpid()
    second = os.fork()
    if second == 0:
        end_like(supervise(settings, argv, first))
    let_go()
    while True:
        received = signal.sigtimedwait(AWAITED, LOOK_S)
        pid, status = os.waitpid(second, os.WNOHANG)
        if pid == second:
            end_like(status)
        if os.getppid() != parent or (received is not None and received.si_signo in ASKED_TO_END):
            os.kill(second, signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])
