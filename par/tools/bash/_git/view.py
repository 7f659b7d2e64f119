"""A view of a repository for one command: its own files, and a configuration that nobody else can change.

Git takes what it keeps once per repository from ``GIT_COMMON_DIR``: that is a private folder here, with the bytes of
the configuration that were found harmless, links to the objects and the names, and no hooks. What happens to
``.git/config`` after the look at it has no effect. The commands that write get a private index too. They hold the
lock of the real one meanwhile, so that a git which is killed leaves no lock behind.
"""

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, Literal, TypeAlias

import attrs

from par.errors import CommandRefused
from par.tools.bash._git.gate import Repository, layout_refused

__all__ = ["IndexUse", "View", "open_view"]

IndexUse: TypeAlias = Literal["own", "copy", "locked"]
"""The repository's own index, which is not changed; a copy to throw away; or a copy that takes its place."""

_PREFIX: Final = "par-git-"
_MEMORY: Final = "/dev/shm"  # noqa: S108 # a folder of ours is made in it, which nobody else may enter
_SMALL_INDEX: Final = 4 * 1024 * 1024
"""Bytes of an index whose copy is kept in memory: containers often have 64 MiB there."""
_MAX_INDEX: Final = 256 * 1024 * 1024
_SHARED: Final = ("HEAD", "refs", "objects", "logs", "info", "shallow", "worktrees")
_F_GETPATH: Final = 50
"""Of macOS; the module has the name only there."""
_LOCK: Final = "index.lock"
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@attrs.frozen(kw_only=True)
class View:
    """The private folder, and the index if it is not the repository's own."""

    folder: str
    index: str | None = None


@contextmanager
def open_view(repository: Repository, use: IndexUse) -> Generator[View, None, None]:
    """Make the view, and put a changed index in its place at the end.

    Raises:
        CommandRefused: ``repo_layout_refused`` if the index is no file or larger than 256 MiB; ``repo_locked`` if
            another git writes the index.
    """
    git = repository.git_fd
    with ExitStack() as held:
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX, dir=_memory()))
        Path(folder, "config").write_bytes(repository.config)
        if use == "locked":
            with suppress(FileExistsError):
                os.mkdir("logs", dir_fd=git)
        place = _place(repository)
        for name in _SHARED:
            if _exists(git, name):
                Path(folder, name).symlink_to(f"{place}/{name}")
        Path(folder, "packed-refs").symlink_to(f"{place}/packed-refs")  # which git may be about to make
        if use == "own":
            yield View(folder=folder)
            return
        small = _index_size(git) <= _SMALL_INDEX
        beside = folder if small else held.enter_context(tempfile.TemporaryDirectory(prefix=_PREFIX))
        index = f"{beside}/index"
        if use == "copy":
            _copy_out(git, index)
        else:
            held.enter_context(_locked(git, index))
        yield View(folder=folder, index=index)


def _memory() -> str | None:
    """Return a folder in memory, where a view costs a tenth of a millisecond and not several; ``None``: there is none."""
    return _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None


def _index_size(git: int) -> int:
    try:
        return os.stat("index", dir_fd=git, follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


def _place(repository: Repository) -> str:
    """Return a path of ``.git`` that leads there whatever is renamed: git runs in the folder that is held open."""
    system: str = sys.platform  # a text like any other, so that the checkers look at both ways
    if system != "darwin":
        return "/proc/self/cwd/.git"
    import fcntl  # noqa: PLC0415 # absent where there is no Workspace either, which says so better

    return os.fsdecode(fcntl.fcntl(repository.git_fd, _F_GETPATH, bytes(1024)).rstrip(b"\0"))


def _exists(git: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=git, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _copy_out(git: int, copy: str) -> None:
    """Copy the index with its time: git compares that with the times of files to find what changed meanwhile."""
    try:
        fd = os.open("index", _READ, dir_fd=git)
    except FileNotFoundError:
        return  # nothing was ever added; git takes an absent index for an empty one
    except OSError:
        raise layout_refused(".git/index cannot be read") from None
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MAX_INDEX:
            raise layout_refused(f".git/index is no file, or has more than {_MAX_INDEX} bytes")
        with os.fdopen(fd, "rb", closefd=False) as source, Path(copy).open("wb") as target:
            shutil.copyfileobj(source, target)
    finally:
        os.close(fd)
    os.utime(copy, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@contextmanager
def _locked(git: int, copy: str) -> Generator[None, None, None]:
    try:
        lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=git)
    except FileExistsError:
        raise CommandRefused(
            "repo_locked",
            "another git is changing this repository, or one was killed while it did: .git/index.lock is there.",
            field="cwd",
            remedy="Try again. If it stays, ask the user to remove that file.",
        ) from None
    except OSError as error:
        raise layout_refused(f".git/index.lock cannot be made ({error.strerror})") from None
    with os.fdopen(lock, "wb") as target:
        held = True
        try:
            _copy_out(git, copy)
            before = _version(copy)
            try:
                yield
            finally:
                # also when the command was stopped: what git has written is what it has done
                after = _version(copy)
                if after is not None and after != before:
                    with Path(copy).open("rb") as source:
                        shutil.copyfileobj(source, target)
                    target.flush()
                    os.utime(lock, ns=(after[2], after[2]))
                    os.rename(_LOCK, "index", src_dir_fd=git, dst_dir_fd=git)
                    held = False
        finally:
            if held:
                with suppress(FileNotFoundError):
                    os.unlink(_LOCK, dir_fd=git)


def _version(path: str) -> tuple[int, int, int] | None:
    try:
        facts = os.stat(path)  # noqa: PTH116 # the path is text
    except FileNotFoundError:
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns
