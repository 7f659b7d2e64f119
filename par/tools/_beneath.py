"""Opening names below a directory descriptor, so that no link and no race leads out of it."""

import ctypes
import errno
import os
import stat
import sys
from functools import cache

__all__ = ["components", "has_openat2", "libc", "open_beneath", "open_without_links"]

# openat2 came after the system call numbers of all architectures were unified, so it is 437 everywhere
_OPENAT2 = 437
_NO_MAGICLINKS = 0x02
_NO_SYMLINKS = 0x04
_BENEATH = 0x08
_AGAIN = 8
_MAX_LINKS = 40


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@cache
def libc() -> ctypes.CDLL:
    """Return the C library of this process, for the calls that Python does not offer."""
    return ctypes.CDLL(None, use_errno=True)


def _openat2(root: int, path: str, flags: int) -> int:
    how = _OpenHow(flags | os.O_CLOEXEC, 0, _BENEATH | _NO_MAGICLINKS | _NO_SYMLINKS)
    name = os.fsencode(path)
    code = 0
    for _ in range(_AGAIN):
        fd = libc().syscall(
            ctypes.c_long(_OPENAT2),
            ctypes.c_int(root),
            ctypes.c_char_p(name),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if fd >= 0:
            return int(fd)
        code = ctypes.get_errno()
        if code not in (errno.EAGAIN, errno.EINTR):  # EAGAIN: a rename elsewhere made the kernel unsure
            break
    raise OSError(code, os.strerror(code), path)


def has_openat2(root: int) -> bool:
    """Tell whether the kernel has openat2 and lets this process call it."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        os.close(_openat2(root, ".", os.O_RDONLY | os.O_DIRECTORY))
    except OSError:
        return False
    return True


def components(path: str) -> list[str]:
    """Return the names in a relative path, without empty ones and ``.``.

    Raises:
        OSError: with ``EXDEV`` for an absolute path and for one with ``..``, with ``EINVAL`` for a NUL.
    """
    if "\0" in path:
        raise OSError(errno.EINVAL, "a NUL in a path", path)
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if path.startswith("/") or ".." in parts:
        raise OSError(errno.EXDEV, "the path leads out of the workspace", path)
    return parts


def open_beneath(root: int, path: str, flags: int, *, kernel: bool) -> tuple[int, str]:
    """Open ``path`` below the directory ``root`` and return the descriptor and the file's real name there.

    Symbolic links are followed as long as they stay below ``root``. The returned name has none of them, so
    rules about names cannot be dodged by a link. ``kernel`` says that openat2 may be used; without it, and
    where a link is in the way, each component is opened by itself without following.

    Raises:
        OSError: ``EXDEV`` if the path leads out, ``ELOOP`` for too many links, and what ``open`` raises.
    """
    parts = components(path)
    name = "/".join(parts) or "."
    if kernel:
        try:
            return _openat2(root, name, flags), name
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.EAGAIN):
                raise
    return _step_by_step(root, parts, flags)


def open_without_links(root: int, parts: list[str], flags: int, *, kernel: bool) -> int:
    """Open what ``parts`` name below the directory ``root``, and follow no link at all, as is fit for writing.

    Without parts it is ``root``, opened anew. ``kernel`` says that openat2 may be used.

    Raises:
        OSError: ``ELOOP`` where a part is a link, and what ``open`` raises.
    """
    if kernel:
        try:
            return _openat2(root, "/".join(parts) or ".", flags)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                raise
    held = root
    try:
        for count, part in enumerate(parts or ["."], start=1):
            wanted = flags if count >= len(parts) else os.O_RDONLY | os.O_DIRECTORY
            try:
                fd = os.open(part, wanted | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=held)
            except OSError as error:
                raise _named(error, part, held, "/".join(parts[:count])) from None
            if held != root:
                os.close(held)
            held = fd
        return held
    except OSError:
        if held != root:
            os.close(held)
        raise


def _named(error: OSError, part: str, parent: int, here: str) -> OSError:
    """Return the error with the relative name; a link has several ways to say that it is one."""
    if error.errno in (errno.ENOTDIR, errno.EMLINK, errno.ELOOP):
        try:
            mode = os.stat(part, dir_fd=parent, follow_symlinks=False).st_mode
        except OSError:
            mode = 0
        if stat.S_ISLNK(mode):
            return OSError(errno.ELOOP, os.strerror(errno.ELOOP), here)
    return OSError(error.errno, error.strerror, here)


def _step_by_step(root: int, parts: list[str], flags: int) -> tuple[int, str]:
    todo = parts[::-1]
    held = [os.dup(root)]
    names: list[str] = []
    links = 0
    try:
        while todo:
            part = todo.pop()
            if part == "..":  # from a link's target; the real parent is the one before it on the stack
                if not names:
                    raise OSError(errno.EXDEV, "a link leads out of the workspace", "/".join(parts))
                os.close(held.pop())
                names.pop()
                continue
            here = "/".join([*names, part])
            try:
                wanted = os.O_RDONLY | os.O_DIRECTORY if todo else flags
                fd = os.open(part, wanted | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=held[-1])
            except OSError as error:
                links += 1
                if links > _MAX_LINKS:
                    raise OSError(errno.ELOOP, "too many links", here) from None
                todo.extend(_target(part, held[-1], here, error)[::-1])
                continue
            names.append(part)
            if not todo:
                return fd, "/".join(names)
            held.append(fd)
        return os.open(".", flags | os.O_CLOEXEC, dir_fd=held[-1]), "/".join(names) or "."
    finally:
        for fd in held:
            os.close(fd)


def _target(part: str, parent: int, here: str, error: OSError) -> list[str]:
    """Return the names in the target of the link ``part``; if it is no link, the error stands."""
    if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
        raise OSError(error.errno, error.strerror, here) from None
    try:
        target = os.readlink(part, dir_fd=parent)
    except OSError:
        raise OSError(error.errno, error.strerror, here) from None
    if target.startswith("/"):
        raise OSError(errno.EXDEV, "a link leads out of the workspace", here) from None
    return [name for name in target.split("/") if name not in {"", "."}]
