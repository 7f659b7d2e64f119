"""A folder that tools may work in, held by its descriptor."""

import errno
import os
import stat
import sys
import threading
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import final

import attrs

from par.errors import UsageError, WorkspaceNotFound
from par.tools._beneath import components, has_openat2, open_beneath, open_without_links

__all__ = ["Opened", "Spot", "Workspace", "check_platform"]


@attrs.frozen(kw_only=True)
class Opened:
    """An open file or folder of a workspace: its descriptor, its real relative name, and its facts."""

    fd: int
    name: str
    facts: os.stat_result


@attrs.frozen(kw_only=True)
class Spot:
    """A name in an open folder: what is there is changed, or something is put there.

    Everything is done with the folder's descriptor and a single name that is not followed, so it happens in this
    folder, whatever becomes of the path to it.
    """

    fd: int
    """The folder."""
    leaf: str
    """The name in it."""
    name: str
    """The whole name, relative to the workspace. No part of it was a link when the folder was opened."""
    kernel: bool = True
    """Whether openat2 and renameat2 may be used where they exist."""

    def beside(self, leaf: str) -> "Spot":
        """Return another name in the same folder."""
        return attrs.evolve(self, leaf=leaf, name="/".join([*self.name.split("/")[:-1], leaf]))

    def facts(self) -> os.stat_result | None:
        """Return what is there, of a link the link itself; ``None`` if there is nothing."""
        try:
            return os.stat(self.leaf, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, flags: int) -> int:
        """Open what is there without waiting, and no link; the caller closes the descriptor.

        Raises:
            OSError: ``ELOOP`` for a link, and what ``open`` raises.
        """
        return open_without_links(self.fd, [self.leaf], flags | os.O_NONBLOCK | os.O_NOCTTY, kernel=self.kernel)

    @contextmanager
    def inside(self, leaf: str = "") -> Generator["Spot", None, None]:
        """Open the folder that is there, and give the name ``leaf`` in it for the time of the block.

        Raises:
            OSError: ``ELOOP`` for a link, ``ENOTDIR`` for a file, and what ``open`` raises.
        """
        fd = self.open(os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield Spot(fd=fd, leaf=leaf, name=f"{self.name}/{leaf}", kernel=self.kernel)
        finally:
            os.close(fd)


def check_platform(platform: str) -> None:
    """Refuse platforms on which paths cannot be held by descriptor.

    Raises:
        UsageError: on Windows.
    """
    if platform in {"win32", "cygwin"}:
        raise UsageError(
            "Workspace and Bash need descriptors that stay below a folder, which Windows does not offer: "
            "run the agent on Linux or macOS, in a container or in WSL 2"
        )


@final
class Workspace:
    """An existing folder, opened once; everything that tools open in it is opened below its descriptor.

    Renaming the folder, or putting a link in its place, changes nothing for a workspace that is open.
    Symbolic links are followed only while they stay inside. The kernel's openat2 does this where it exists;
    elsewhere each component is opened by itself.

    The descriptor is closed by ``close``, at the end of a ``with`` block, or when the object is collected.
    The methods block shortly and may be called from any thread.

    Raises:
        WorkspaceNotFound: if ``path`` is absent, not a folder, or may not be opened.
        UsageError: on Windows.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        check_platform(sys.platform)
        self._path = os.fspath(path)
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise WorkspaceNotFound(self._path, "does not exist") from None
        except NotADirectoryError:
            raise WorkspaceNotFound(self._path, "is not a folder") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise WorkspaceNotFound(self._path, f"cannot be opened ({reason})") from None
        self._fd = fd
        self._lock = threading.Lock()
        # a finalizer and no __del__: it runs once, also at exit, never on a half-built object, and close()
        # uses the same one, so that a number which the system has given out again is never closed
        self._close = weakref.finalize(self, os.close, fd)
        self._kernel = has_openat2(fd)

    def __repr__(self) -> str:
        return f"Workspace({self._path!r}{'' if self._close.alive else ', closed'})"

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        self.close()

    @property
    def path(self) -> str:
        """The path that the workspace was opened with, for people to read; it is not used again."""
        return self._path

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return not self._close.alive

    def close(self) -> None:
        """Close the descriptor; commands that run keep their own copies of it. Closing twice is fine."""
        with self._lock:
            self._close()

    @contextmanager
    def root(self) -> Generator[int, None, None]:
        """Give a descriptor of the folder for the time of the block.

        Raises:
            UsageError: if the workspace is closed.
        """
        with self._lock:  # between the check and the copy nobody may close it
            if not self._close.alive:
                raise UsageError(f"the workspace {self._path!r} is closed: open it again")
            fd = os.dup(self._fd)
        try:
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def open_file(self, path: str) -> Generator[Opened, None, None]:
        """Open a regular file for reading, for the time of the block.

        It never waits: a FIFO or a device is opened without blocking and then refused.

        Raises:
            OSError: ``EXDEV`` if the path leads out, ``EISDIR`` for a folder, ``EINVAL`` for what is neither,
                and what ``open`` raises.
        """
        with self._open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) as opened:
            if stat.S_ISDIR(opened.facts.st_mode):
                raise OSError(errno.EISDIR, "it is a folder", opened.name)
            if not stat.S_ISREG(opened.facts.st_mode):
                raise OSError(errno.EINVAL, "it is no regular file", opened.name)
            yield opened

    @contextmanager
    def open_folder(self, path: str) -> Generator[Opened, None, None]:
        """Open a folder for reading, for the time of the block.

        Raises:
            OSError: ``EXDEV`` if the path leads out, ``ENOTDIR`` for a file, and what ``open`` raises.
        """
        with self._open(path, os.O_RDONLY | os.O_DIRECTORY) as opened:
            yield opened

    @contextmanager
    def open_any(self, path: str) -> Generator[Opened, None, None]:
        """Open whatever ``path`` is, without waiting; ``facts`` say what it is.

        Raises:
            OSError: ``EXDEV`` if the path leads out, and what ``open`` raises.
        """
        with self._open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) as opened:
            yield opened

    @contextmanager
    def open_spot(self, path: str) -> Generator[Spot, None, None]:
        """Open the folder that ``path`` stands in, to change what is there, for the time of the block.

        No link is followed, neither in the way nor at the end. The folder is opened anew each time, so that its
        descriptor can carry a lock.

        Raises:
            OSError: ``ELOOP`` for a link in the way, ``EINVAL`` for the workspace itself, and what ``open`` raises.
        """
        parts = components(path)
        if not parts:
            raise OSError(errno.EINVAL, "it is the workspace itself", path)
        with self.root() as root:
            fd = open_without_links(root, parts[:-1], os.O_RDONLY | os.O_DIRECTORY, kernel=self._kernel)
        try:
            yield Spot(fd=fd, leaf=parts[-1], name="/".join(parts), kernel=self._kernel)
        finally:
            os.close(fd)

    @contextmanager
    def _open(self, path: str, flags: int) -> Generator[Opened, None, None]:
        with self.root() as root:
            fd, name = open_beneath(root, path, flags, kernel=self._kernel)
        try:
            yield Opened(fd=fd, name=name, facts=os.fstat(fd))
        finally:
            os.close(fd)
