"""Walking folders by descriptor: no link is followed, and no rename leads the walk elsewhere."""

import os
from collections.abc import Callable, Generator
from typing import Literal, TypeAlias

import attrs

from par.tools.bash._native.interrupt import interruptible

__all__ = ["MAX_ENTRIES", "Entry", "Sort", "What", "by_name", "walk"]

MAX_ENTRIES = 200_000
"""Names that one command looks at; some seconds of work."""
_MAX_DEPTH = 64
_CHECK_EVERY = 128

What: TypeAlias = Literal["file", "dir", "symlink", "other"]


@attrs.frozen(kw_only=True)
class Entry:
    """A name that the walk met. ``parent`` is the folder's descriptor, open until the walk goes on."""

    path: str
    name: str
    depth: int
    what: What
    parent: int
    facts: os.stat_result | None = None
    """Known only of the place where the walk begins; ``parent`` is then its own descriptor."""

    def stat(self) -> os.stat_result:
        """Return the facts of the name itself, of a link those of the link."""
        if self.facts is not None:
            return self.facts
        return os.stat(self.name, dir_fd=self.parent, follow_symlinks=False)


Sort: TypeAlias = Callable[[list[Entry]], list[Entry]]


def by_name(entries: list[Entry]) -> list[Entry]:
    """Sort as ``ls`` does in the C locale."""
    return sorted(entries, key=lambda entry: entry.name)


@attrs.define
class _Left:
    entries: int = MAX_ENTRIES


def walk(
    fd: int, path: str, *, depth: int, enter: Callable[[Entry], bool], sort: Sort = by_name
) -> Generator[Entry, None, None]:
    """Yield what is in the folder ``fd``, which is called ``path``, down to ``depth`` levels.

    ``enter`` says of each folder whether to go into it. Each folder's entries are sorted by themselves. After
    200,000 names the walk ends; close the iterator to end it earlier.
    """
    yield from _walk(os.dup(fd), "" if path == "." else f"{path}/", 1, min(depth, _MAX_DEPTH), enter, sort, _Left())


def _walk(
    fd: int, prefix: str, level: int, depth: int, enter: Callable[[Entry], bool], sort: Sort, left: _Left
) -> Generator[Entry, None, None]:
    try:
        for entry in sort(_entries(fd, prefix, level, left)):
            yield entry
            if entry.what != "dir" or level >= depth or not enter(entry):
                continue
            try:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                inner = os.open(entry.name, flags, dir_fd=fd)
            except OSError:
                continue  # removed, replaced or closed to us since it was listed
            yield from _walk(inner, f"{entry.path}/", level + 1, depth, enter, sort, left)
    finally:
        os.close(fd)


def _entries(fd: int, prefix: str, level: int, left: _Left) -> list[Entry]:
    found: list[Entry] = []
    with os.scandir(fd) as entries:
        for entry in entries:
            left.entries -= 1
            if left.entries < 0:
                break
            if left.entries % _CHECK_EVERY == 0:
                interruptible()
            found.append(Entry(path=prefix + entry.name, name=entry.name, depth=level, what=_what(entry), parent=fd))
    return found


def _what(entry: "os.DirEntry[str]") -> What:
    if entry.is_symlink():
        return "symlink"
    if entry.is_dir(follow_symlinks=False):
        return "dir"
    return "file" if entry.is_file(follow_symlinks=False) else "other"
