"""What a repository says of other places: its remotes and its work trees, told without secrets and paths of the host."""

import os
import re
from typing import Final

from par.tools.bash._git.gate import Entries, Repository

__all__ = ["masked", "remotes", "worktrees"]

_REMOTE: Final = re.compile(r"remote\.(.*)\.(url|pushurl)", re.DOTALL)
_USER: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)([^/]*)@")
_COPIED: Final = re.compile(r"^([^/:@]*):([^/@]*)@")
_MAX_TREES: Final = 1000
_MAX_FILE: Final = 4096
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def masked(url: str) -> str:
    """Return an address without what lets somebody in: user, password and query become ``***``."""
    scheme = _USER.match(url)
    if scheme is not None and not (scheme[1].casefold() == "ssh://" and ":" not in scheme[2]):
        url = f"{scheme[1]}***@{url[scheme.end() :]}"
    url = _COPIED.sub("***@", url)
    for mark in "?#":
        head, found, _ = url.partition(mark)
        url = f"{head}{found}***" if found else head
    return url


def remotes(entries: Entries) -> list[bytes]:
    """Return a line for each address of each remote, without credentials."""
    lines: list[bytes] = []
    for key, value in entries:
        found = _REMOTE.fullmatch(key)
        if found is not None:
            use = "push" if found[2] == "pushurl" else "fetch"
            lines.append(f"{found[1]}  {masked(value)} ({use})".encode("utf-8", "replace"))
    return lines


def worktrees(repository: Repository, workspace: str) -> list[bytes]:
    """Return a line for each work tree: its place in the workspace, and what is checked out there.

    Git itself is not asked: it would tell places of the host.
    """
    git = repository.git_fd
    lines = [_line(repository.folder, _text(git, "HEAD"))]
    try:
        fd = os.open("worktrees", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=git)
    except OSError:
        return lines
    try:
        for name in sorted(os.listdir(fd))[:_MAX_TREES]:  # noqa: PTH208 # by descriptor
            head = _text(fd, f"{name}/HEAD")
            place = _text(fd, f"{name}/gitdir").removesuffix("/.git")
            inside = f"{os.path.realpath(workspace)}/"
            shown = place.removeprefix(inside) if place.startswith(inside) else f"{name} (outside of the workspace)"
            if head:
                lines.append(_line(shown, head))
    finally:
        os.close(fd)
    return lines


def _line(place: str, head: str) -> bytes:
    return os.fsencode(f"{place}  {head.removeprefix('ref: ').removeprefix('refs/heads/')}")


def _text(folder: int, name: str) -> str:
    try:
        fd = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return ""
    try:
        return os.fsdecode(os.read(fd, _MAX_FILE)).strip()
    except OSError:
        return ""
    finally:
        os.close(fd)
