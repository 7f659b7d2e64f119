"""Writing files in a folder that is held by its descriptor: as a whole or not at all."""

import errno
import os
import secrets
import stat
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from par.tools._workspace import Spot
from par.tools._workspace_rename import rename_new
from par.tools._workspace_tree import remove_tree

if sys.platform != "win32":
    import fcntl

__all__ = [
    "add_file",
    "append",
    "create",
    "locked",
    "make_folder",
    "replace",
    "set_executable",
    "temporary_folder",
    "touch",
]

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_PLAIN = 0o777
"""The bits of a mode that are kept: never set-uid, set-gid or sticky."""
_SLACK = 8
_LOCK_S = 10.0
_LOOK_AGAIN_S = 0.005


def _temporary_leaf() -> str:
    """Return a name that nobody can foresee, for what is not finished yet."""
    return f".par-{secrets.token_hex(16)}.tmp"


@contextmanager
def locked(spot: Spot, go_on: Callable[[], None]) -> Generator[None, None, None]:
    """Keep others who ask for it from changing the folder of ``spot`` for the time of the block.

    The lock is advisory, between threads and processes alike, and belongs to the folder. Where the file system
    has no locks the block runs without; those who compare before they replace are safe all the same. ``go_on``
    is called while it waits, and may raise.

    Raises:
        OSError: ``EBUSY`` after ten seconds.
    """
    ends = monotonic() + _LOCK_S
    pause = threading.Event()
    while True:
        try:
            fcntl.flock(spot.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if monotonic() > ends:
                raise OSError(errno.EBUSY, "another program has locked the folder", spot.name) from None
            go_on()
            pause.wait(_LOOK_AGAIN_S)
        except OSError:
            break
    try:
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(spot.fd, fcntl.LOCK_UN)


def create(spot: Spot, data: Iterable[bytes], *, mode: int = 0o666) -> int:
    """Write a new file and return its size. It has its name when all of it is written, and not before.

    ``mode`` is subject to the process's umask.

    Raises:
        FileExistsError: if something has the name.
        OSError: what writing raises; nothing is left behind.
    """
    with _temporary(spot, mode & _PLAIN) as (temporary, fd):
        size = _fill(fd, data)
        rename_new(temporary, spot)
    return size


def replace(spot: Spot, data: Iterable[bytes], old: os.stat_result, *, unchanged: bool = False) -> int:
    """Put a new file in the place of an old one and return its size. Whoever reads sees the one or the other.

    The new file gets the permissions of ``old``, and its owner where that is allowed. With ``unchanged``, nothing
    is replaced that differs from ``old``. Other names of the old file keep the old content.

    Raises:
        OSError: ``ESTALE`` if the file was changed, and what writing raises; nothing is left behind.
    """
    mode = old.st_mode & _PLAIN
    with _temporary(spot, mode & 0o700) as (temporary, fd):
        if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
            with suppress(PermissionError):
                os.fchown(fd, old.st_uid, old.st_gid)
        os.fchmod(fd, mode)
        size = _fill(fd, data)
        if unchanged and not _same(spot.facts(), old):
            raise OSError(errno.ESTALE, "it was changed meanwhile", spot.name)
        os.rename(temporary.leaf, spot.leaf, src_dir_fd=spot.fd, dst_dir_fd=spot.fd)
    return size


def _same(now: os.stat_result | None, old: os.stat_result) -> bool:
    if now is None:
        return False
    names = ("st_dev", "st_ino", "st_mode", "st_size", "st_mtime_ns", "st_ctime_ns")
    return all(getattr(now, name) == getattr(old, name) for name in names)


@contextmanager
def _temporary(spot: Spot, mode: int) -> Generator[tuple[Spot, int], None, None]:
    temporary = spot.beside(_temporary_leaf())
    fd = os.open(temporary.leaf, _NEW | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=spot.fd)
    try:
        yield temporary, fd
    finally:
        os.close(fd)
        with suppress(FileNotFoundError):  # it has its final name
            os.unlink(temporary.leaf, dir_fd=spot.fd)


def _fill(fd: int, data: Iterable[bytes]) -> int:
    size = sum(_writes(fd, data))
    os.fsync(fd)  # without it a crash could leave the new name with an empty file
    return size


def add_file(spot: Spot, data: Iterable[bytes], *, mode: int = 0o666) -> int:
    """Write a new file under its final name and return its size: for a folder that is itself not finished yet.

    Raises:
        FileExistsError: if something has the name.
        OSError: what writing raises; a part of the file is left behind.
    """
    fd = os.open(spot.leaf, _NEW | os.O_NOFOLLOW | os.O_CLOEXEC, mode & _PLAIN, dir_fd=spot.fd)
    try:
        return sum(_writes(fd, data))
    finally:
        os.close(fd)


def _writes(fd: int, data: Iterable[bytes]) -> Iterator[int]:
    for chunk in data:
        view = memoryview(chunk)
        while view:
            written = os.write(fd, view)
            yield written
            view = view[written:]


def append(spot: Spot, data: Iterable[bytes]) -> int:
    """Add to the end of a file and return how many bytes were added. If it fails, the file gets its old size back.

    The old size is not restored if another program has written to the file in the meantime.

    Raises:
        FileNotFoundError: if there is none.
        OSError: ``EMLINK`` for a file with more than one name, ``EINVAL`` for what is no regular file, and what
            writing raises.
    """
    fd = spot.open(os.O_WRONLY | os.O_APPEND)
    added = 0
    try:
        size = _own_file(fd, spot).st_size
        try:
            for written in _writes(fd, data):
                added += written
        except BaseException:
            with suppress(OSError):  # the error that is under way says more
                if os.fstat(fd).st_size == size + added:
                    os.ftruncate(fd, size)
            raise
    finally:
        os.close(fd)
    return added


def _own_file(fd: int, spot: Spot) -> os.stat_result:
    """Return the facts of a regular file that has one name; another name of it may be outside, or protected."""
    facts = os.fstat(fd)
    if stat.S_ISDIR(facts.st_mode):
        raise OSError(errno.EISDIR, "it is a folder", spot.name)
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", spot.name)
    if facts.st_nlink > 1:
        raise OSError(errno.EMLINK, "it has more than one name", spot.name)
    return facts


def touch(spot: Spot) -> bool:
    """Make an empty file, or set the times of the file that is there to now; return whether it is new.

    Raises:
        OSError: ``EMLINK`` for a file with more than one name, ``EINVAL`` for what is no regular file.
    """
    try:
        os.close(os.open(spot.leaf, _NEW | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=spot.fd))
        return True
    except FileExistsError:
        pass
    fd = spot.open(os.O_RDONLY)
    try:
        _own_file(fd, spot)
        os.utime(fd)
    finally:
        os.close(fd)
    return False


def set_executable(spot: Spot, *, executable: bool) -> bool:
    """Let whoever may read a file run it, or nobody; return whether that changed anything.

    Raises:
        OSError: ``EMLINK`` for a file with more than one name, ``EINVAL`` for what is no regular file.
    """
    fd = spot.open(os.O_RDONLY)
    try:
        mode = stat.S_IMODE(_own_file(fd, spot).st_mode)
        plain = mode & _PLAIN & ~0o111
        wanted = plain | (plain & 0o444) >> 2 if executable else plain
        os.fchmod(fd, wanted)
    finally:
        os.close(fd)
    return mode != wanted


def make_folder(spot: Spot, *, mode: int = 0o777) -> None:
    """Make a folder, in which its owner may work whatever ``mode`` says.

    Raises:
        FileExistsError: if something has the name.
    """
    os.mkdir(spot.leaf, mode & _PLAIN | 0o700, dir_fd=spot.fd)


@contextmanager
def temporary_folder(spot: Spot) -> Generator[Spot, None, None]:
    """Make a folder beside ``spot`` for the time of the block; it is removed with all that is in it unless it was renamed."""
    temporary = spot.beside(_temporary_leaf())
    make_folder(temporary)
    try:
        yield temporary
    finally:
        # it must not be cancelled, and what is in it is bounded by whoever filled it, who may have been stopped a
        # little too deep
        if temporary.facts() is not None:
            remove_tree(temporary, _nothing, depth=-_SLACK)


def _nothing(spot: Spot) -> None:
    del spot
