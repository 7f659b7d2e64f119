"""What walls need to know of the machine: the system's folders, the interpreter's, and the workspace as it is now."""

import os
import stat
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TypeVar

import anyio
import anyio.to_thread
import attrs

from par.errors import CommandRefused
from par.tools.bash._walls.values import WallSpec, inside

__all__ = ["ETC", "Ground", "Guarded", "finished", "hold_ground", "python_roots", "system_folders"]

T = TypeVar("T")

_ROOTS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf")
"""All of /etc that programs need to start; node stops where it may not read the last. Names of users are not in it."""
_IN_GIT = ("config", "config.worktree", "hooks")
"""What makes git run programs, so it stays as it is also while git writes."""


@attrs.frozen
class Guarded:
    """A protected name that exists: held by a descriptor, so that nobody can exchange it any more."""

    name: str
    fd: int
    folder: bool


def system_folders() -> tuple[tuple[str, str | None], ...]:
    """Return the folders of the system's programs; with each the target, if it is a link to another one."""
    found: list[tuple[str, str | None]] = []
    for path in _ROOTS:
        if os.path.islink(path):  # noqa: PTH114 # plain texts of the system
            found.append((path, os.readlink(path)))  # noqa: PTH115
        elif os.path.isdir(path):  # noqa: PTH112
            found.append((path, None))
    return tuple(found)


def python_roots() -> tuple[str, ...]:
    """Return the folders that the running interpreter needs and that are no system folders, for ``read_only``.

    They are the virtual environment, if there is one, and the installation that it was made from.
    """
    places = [os.path.realpath(place) for place in (sys.prefix, sys.base_prefix)]
    return tuple(dict.fromkeys(place for place in places if not inside(place, "/usr") and place != "/"))


@attrs.frozen
class Ground:
    """The workspace as a wall finds it: what is there and has to stay as it is, and what is not there."""

    held: tuple[Guarded, ...]
    missing: tuple[str, ...]


@asynccontextmanager
async def hold_ground(spec: WallSpec) -> AsyncGenerator[Ground]:
    """Hold what the command may not change, for the time of the block.

    Raises:
        CommandRefused: with the code ``wall_unfit`` if the folders are not what the spec says, or if a protected
            name is a link or no file and no folder.
    """
    with ExitStack() as stack:
        yield await finished(lambda: stack.enter_context(_holding(spec)))


async def finished(work: Callable[[], T]) -> T:
    """Run blocking work in a thread, and have it finished also when the caller is cancelled meanwhile.

    A thread that went on by itself would open descriptors that nobody closes.

    Raises:
        OSError, CommandRefused: what the work raises.
    """
    results: list[T] = []
    errors: list[OSError | CommandRefused] = []

    async def run() -> None:
        # in a task of its own, because a shield does not stop asyncio's own ``task.cancel()``
        with anyio.CancelScope(shield=True):
            try:
                results.append(await anyio.to_thread.run_sync(work))
            except (OSError, CommandRefused) as error:
                errors.append(error)

    async with anyio.create_task_group() as group:  # noqa: ASYNC112 # a task of its own is the point
        group.start_soon(run)
    if errors:
        raise errors[0]
    return results[0]


@contextmanager
def _holding(spec: WallSpec) -> Generator[Ground, None, None]:
    _check_places(spec)
    held: list[Guarded] = []
    missing: list[str] = []

    def hold(name: str, parent: int, shown: str) -> Guarded | None:
        item = _open(name, parent, shown)
        if item is None:
            missing.append(shown)
        else:
            held.append(item)
        return item

    try:
        git = hold(".git", spec.root, ".git")
        if git is not None and git.folder and spec.git == "write":
            held.remove(git)
            try:
                for name in _IN_GIT:
                    hold(name, git.fd, f".git/{name}")
            finally:
                os.close(git.fd)
        for name in spec.protected:
            if name != ".git":
                hold(name, spec.root, name)
        yield Ground(tuple(held), tuple(missing))
    finally:
        for item in held:
            os.close(item.fd)


def _check_places(spec: WallSpec) -> None:
    for path in (spec.workspace, spec.home, spec.tmp, *spec.read_only):
        if os.path.realpath(path) != path or not os.path.exists(path):  # noqa: PTH110
            raise _unfit("a folder that the command needs is gone, or its path leads through a link")
    here, held = os.stat(spec.workspace), os.fstat(spec.root)  # noqa: PTH116
    if not os.path.samestat(here, held):
        raise _unfit("the workspace was moved after it was opened")


def _open(name: str, parent: int, shown: str) -> Guarded | None:
    try:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except FileNotFoundError:
        return None
    mode = os.fstat(fd).st_mode
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        return Guarded(shown, fd, stat.S_ISDIR(mode))
    os.close(fd)
    raise _unfit(f"{shown} is protected, and it is neither a file nor a folder but perhaps a link")


def _unfit(problem: str) -> CommandRefused:
    return CommandRefused(
        "wall_unfit", f"{problem}.", field="op", remedy="The host has to put it right; nothing was run."
    )
