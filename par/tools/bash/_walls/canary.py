"""Tries to break out of the wall that it runs in, and says what it reached.

Run as ``python -I -S canary.py KEY=VALUE...``; it imports nothing of par. Prints one line for each attempt:
its name, ``held`` or ``open``, and what happened.
"""

import ctypes
import os
import pathlib
import signal
import socket
import stat
import sys
from collections.abc import Callable

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE = 0x4206
CLONE_NEWUSER = 0x10000000


class Held(Exception):
    """The attempt was stopped by something other than an OSError."""


def read(path: str) -> None:
    """Read a byte of a file."""
    with open(path, "rb") as file:  # noqa: PTH123 # no pathlib: it costs more than all the rest
        file.read(1)


def write(path: str) -> None:
    """Append to a file, or make it."""
    with open(path, "ab") as file:  # noqa: PTH123
        file.write(b"#\n")


def link_out(facts: dict[str, str]) -> None:
    """Reach a file outside through a link that the command makes itself."""
    for name in (f"{facts['ws']}/new-link", f"{facts['tmp']}/new-link"):
        try:
            pathlib.Path(name).symlink_to(facts["secret"])
        except OSError:
            continue
        read(name)
        return
    raise Held("no link can be made")


def environments(facts: dict[str, str]) -> None:
    """Find another process's environment, which has the token in it."""
    try:
        numbers = [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
    except OSError:
        numbers = ["1", facts["victim"]]
    for number in (*numbers, facts["victim"]):
        try:
            with open(f"/proc/{number}/environ", "rb") as file:  # noqa: PTH123
                found = facts["token"].encode() in file.read()
        except OSError:
            continue
        if found:
            return
    raise Held("not found")


def other_roots(facts: dict[str, str]) -> None:
    """Reach a file outside through the links that /proc has to the roots of processes."""
    failure: OSError | None = None
    for start in ("/proc/self/root", "/proc/1/root", f"/proc/{facts['victim']}/root", "/proc/self/cwd/../../.."):
        try:
            read(start + facts["secret"])
        except OSError as error:
            failure = error
        else:
            return
    raise Held(str(failure))


def connect(family: int, address: tuple[str, int] | str) -> None:
    """Connect a stream socket."""
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(2)
        one.connect(address)


def datagram(facts: dict[str, str]) -> None:
    """Send a datagram. Whether it arrives is seen from outside."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("127.0.0.1", int(facts["udp"])))
    raise Held("sent")


def kill(facts: dict[str, str]) -> None:
    """Signal a process outside. Whether it arrives is seen from outside."""
    os.kill(int(facts["victim"]), signal.SIGTERM)
    raise Held("sent")


def checked(result: int) -> None:
    """Raise what the C library says went wrong."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def trace(facts: dict[str, str]) -> None:
    """Take hold of a process outside, without stopping it."""
    # by a child: when that ends, the hold ends too
    if os.fork() == 0:
        os._exit(LIBC.ptrace(PTRACE_SEIZE, int(facts["victim"]), None, None) != 0)
    if os.wait()[1] != 0:
        raise Held("not allowed")


def mount(facts: dict[str, str]) -> None:
    """Mount something, and get the rights for it if they are missing."""
    LIBC.unshare(CLONE_NEWUSER | 0x20000)
    checked(LIBC.mount(b"none", facts["tmp"].encode(), b"tmpfs", 0, None))


def kernel_settings(_: dict[str, str]) -> None:
    """Open what changes the kernel for everybody; it is opened and not written."""
    failure: OSError | None = None
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches"):
        try:
            os.close(os.open(path, os.O_WRONLY))
        except OSError as error:
            failure = error
        else:
            return
    raise Held(str(failure))


def folders(_: dict[str, str]) -> None:
    """Find a descriptor of a folder that was left open."""
    for number in range(3, 256):
        try:
            mode = os.fstat(number).st_mode
        except OSError:
            continue
        if stat.S_ISDIR(mode):
            return
    raise Held("none")


def keys(_: dict[str, str]) -> None:
    """Reach the kernel's keys of the user, where tickets and passwords may be."""
    keyctl = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine)
    if keyctl is None:
        raise Held("not known how to ask for it")
    checked(LIBC.syscall(keyctl, 0, ctypes.c_int(-4), 1))


def virtual_socket(_: dict[str, str]) -> None:
    """Get a socket to the machine that this one may run on."""
    socket.socket(getattr(socket, "AF_VSOCK", -1), socket.SOCK_STREAM).close()


def background(_: dict[str, str]) -> None:
    """Leave a process behind that nobody waits for, and that keeps the output open."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            signal.alarm(60)  # so that it ends in the end where there is no wall
            while True:
                signal.pause()
        os._exit(0)
    os.wait()
    raise Held("left")


def works(facts: dict[str, str]) -> None:
    """Do what a command has to be able to do."""
    read(f"{facts['ws']}/a.txt")
    write(f"{facts['ws']}/src/b.txt")
    write(f"{facts['home']}/c.txt")
    write(f"{facts['tmp']}/d.txt")
    # by itself: subprocess takes longer to load than all attempts to run
    if os.fork() == 0:
        try:
            os.execv("/usr/bin/true", ["true"])  # noqa: S606 # there is no shell in it
        finally:
            os._exit(127)
    if os.wait()[1] != 0:
        raise OSError("no program can be run")


ATTEMPTS: dict[str, Callable[[dict[str, str]], None]] = {
    "works": works,
    "read": lambda facts: read(facts["secret"]),
    "read_link": lambda facts: read(f"{facts['ws']}/link"),
    "link": link_out,
    "write": lambda facts: write(facts["secret"]),
    "make": lambda facts: write(f"{facts['out']}/made"),
    "truncate": lambda facts: os.truncate(facts["secret"], 0),
    "setuid": lambda facts: os.chmod(facts["secret"], 0o4755),  # noqa: S103, PTH101
    "mode": lambda facts: os.chmod(facts["secret"], 0o644),  # noqa: PTH101
    "environ": environments,
    "proc_root": other_roots,
    "tcp": lambda facts: connect(socket.AF_INET, ("127.0.0.1", int(facts["tcp"]))),
    "udp": datagram,
    "unix_path": lambda facts: connect(socket.AF_UNIX, facts["socket"]),
    "unix_name": lambda facts: connect(socket.AF_UNIX, f"\0{facts['token']}"),
    "vsock": virtual_socket,
    "keys": keys,
    "ptrace": trace,
    "signal": kill,  # the last that needs the victim
    "mount": mount,
    "kernel": kernel_settings,
    "descriptors": folders,
    "git_hooks": lambda facts: write(f"{facts['ws']}/.git/hooks/pre-commit"),
    "git_config": lambda facts: write(f"{facts['ws']}/.git/config"),
    "git_replace": lambda facts: os.rename(f"{facts['ws']}/.git", f"{facts['ws']}/src/git"),  # noqa: PTH104
    "background": background,
}


def main(arguments: list[str]) -> None:
    """Make the attempts, one after the other."""
    facts = dict(argument.split("=", 1) for argument in arguments)
    for name, attempt in ATTEMPTS.items():
        try:
            attempt(facts)
        except (OSError, Held, AttributeError) as error:  # a call that this system does not have is closed
            outcome = f"{'closed' if name == 'works' else 'held'} {error}"
        else:
            outcome = "held" if name == "works" else "open"
        sys.stdout.write(f"{name} {outcome}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
