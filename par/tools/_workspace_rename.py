"""Renaming without replacing what has the new name already."""

import ctypes
import errno
import os
import stat
from contextlib import suppress

from par.tools._beneath import libc
from par.tools._workspace import Spot

__all__ = ["rename_new"]

_NOREPLACE = 1
_ABSENT = (errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.ENOTSUP)


def rename_new(source: Spot, target: Spot) -> None:
    """Rename ``source`` to ``target``, where nothing may be.

    The kernel's renameat2 does this in one step. Where there is none, or the file system does not know it, the
    new name is claimed with an empty file or folder, which fails if it is taken, and then replaced. What another
    program writes into the claim between these two steps is lost if it is a file; a folder refuses.

    Raises:
        FileExistsError: if something has the new name.
        OSError: ``EINVAL`` for a folder into itself, ``EXDEV`` for another file system.
    """
    if source.kernel and target.kernel:
        code = _renameat2(source, target)
        if code == 0:
            return
        if code not in _ABSENT:
            raise OSError(code, os.strerror(code), target.name)
    _claim_and_rename(source, target)


def _renameat2(source: Spot, target: Spot) -> int:
    """Return 0, or the number of the error."""
    call = getattr(libc(), "renameat2", None)
    if call is None:
        return errno.ENOSYS
    done = call(
        ctypes.c_int(source.fd),
        ctypes.c_char_p(os.fsencode(source.leaf)),
        ctypes.c_int(target.fd),
        ctypes.c_char_p(os.fsencode(target.leaf)),
        ctypes.c_uint(_NOREPLACE),
    )
    return 0 if done == 0 else ctypes.get_errno()


def _claim_and_rename(source: Spot, target: Spot) -> None:
    facts = os.stat(source.leaf, dir_fd=source.fd, follow_symlinks=False)
    folder = stat.S_ISDIR(facts.st_mode)
    if folder:
        os.mkdir(target.leaf, 0o700, dir_fd=target.fd)
    else:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(target.leaf, flags, 0o600, dir_fd=target.fd))
    try:
        os.rename(source.leaf, target.leaf, src_dir_fd=source.fd, dst_dir_fd=target.fd)
    except BaseException:
        with suppress(OSError):  # the error that is under way says more
            if folder:
                os.rmdir(target.leaf, dir_fd=target.fd)
            elif (claim := target.facts()) is not None and claim.st_size == 0:
                os.unlink(target.leaf, dir_fd=target.fd)
        raise
