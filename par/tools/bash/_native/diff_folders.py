"""Comparing two folders by descriptor: which names are on one side only, and which files have other bytes."""

import os
import stat
from collections.abc import Generator
from typing import Final

import attrs

from par.tools._workspace import Opened
from par.tools.bash._native.interrupt import CHUNK, interruptible
from par.tools.bash._native.linked import LinkedNames
from par.tools.bash._native.room import Room
from par.tools.bash._run.clean import escape_name

__all__ = ["Pair", "Skipped", "differing"]

_MAX_FILE: Final = 64 * 1024 * 1024
_MAX_NAMES: Final = 100_000
_DEEPEST: Final = 64
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@attrs.frozen(kw_only=True)
class Pair:
    """Two files with other bytes; the descriptors are open until the next pair is asked for."""

    names: tuple[str, str]
    fds: tuple[int, int]


@attrs.define
class Skipped:
    """How many files were not compared."""

    denied: int = 0
    large: int = 0
    unreadable: int = 0
    names_left: int = _MAX_NAMES
    linked: LinkedNames = attrs.field(kw_only=True, eq=False, repr=False)

    def notes(self) -> tuple[str, ...]:
        """Return what to tell of it."""
        words = (
            (self.denied, "kept from being read by the policy"),
            (self.large, f"larger than {_MAX_FILE} bytes"),
            (self.unreadable, "not readable"),
        )
        told = [f"Not compared: {count} names, {why}." for count, why in words if count]
        if self.names_left < 0:
            told.append(f"Only the first {_MAX_NAMES} names were compared: compare smaller folders.")
        return tuple(told)


@attrs.frozen(kw_only=True)
class _Side:
    """One of the two folders at one level: its descriptor, how it is called, and its real name."""

    fd: int
    shown: str
    real: str

    def below(self, fd: int, name: str) -> "_Side":
        """Return the side one level down."""
        return _Side(fd=fd, shown=f"{self.shown}/{name}", real=name if self.real == "." else f"{self.real}/{name}")


def differing(
    room: Room, opened: tuple[Opened, Opened], names: tuple[str, str], skipped: Skipped
) -> Generator[Pair | str, None, None]:
    """Yield pairs of files that differ, and a line of text for each other difference.

    Links are compared and not followed; .git is left out.
    """
    left, right = (_Side(fd=side.fd, shown=name, real=side.name) for side, name in zip(opened, names, strict=True))
    yield from _folders(room, left, right, skipped, 1)


def _folders(room: Room, left: _Side, right: _Side, skipped: Skipped, level: int) -> Generator[Pair | str, None, None]:
    there = [_listed(side.fd, skipped) for side in (left, right)]
    for name in sorted(there[0] | there[1]):
        if name == ".git":
            continue
        interruptible()
        for side, names in ((left, there[0]), (right, there[1])):
            if name not in there[0] & there[1] and name in names:
                yield f"Only in {escape_name(side.shown)}: {escape_name(name)}"
        if name in there[0] & there[1]:
            yield from _both(room, left, right, name, skipped, level)


def _listed(fd: int, skipped: Skipped) -> set[str]:
    found: set[str] = set()
    with os.scandir(fd) as entries:
        for entry in entries:
            skipped.names_left -= 1
            if skipped.names_left < 0:
                break
            found.add(entry.name)
    return found


def _both(
    room: Room, left: _Side, right: _Side, name: str, skipped: Skipped, level: int
) -> Generator[Pair | str, None, None]:
    try:
        kinds = [_kind(os.stat(name, dir_fd=side.fd, follow_symlinks=False).st_mode) for side in (left, right)]
    except OSError:
        skipped.unreadable += 1
        return
    shown = [escape_name(f"{side.shown}/{name}") for side in (left, right)]
    if kinds[0] != kinds[1]:
        yield f"{shown[0]} is a {kinds[0]}, {shown[1]} is a {kinds[1]}"
    elif kinds[0] == "folder":
        if level < _DEEPEST:
            yield from _below(room, left, right, name, skipped, level)
    elif kinds[0] == "link":
        if _target(left, name) != _target(right, name):
            yield f"The links {shown[0]} and {shown[1]} differ"
    elif kinds[0] == "file":
        yield from _files(room, left, right, name, skipped)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISLNK(mode):
        return "link"
    return "file" if stat.S_ISREG(mode) else "special file"


def _target(side: _Side, name: str) -> str:
    try:
        return os.readlink(name, dir_fd=side.fd)
    except OSError:
        return ""


def _below(
    room: Room, left: _Side, right: _Side, name: str, skipped: Skipped, level: int
) -> Generator[Pair | str, None, None]:
    fds = _opened(left, right, name, _FOLDER)
    if fds is None:
        skipped.unreadable += 1
        return
    try:
        yield from _folders(room, left.below(fds[0], name), right.below(fds[1], name), skipped, level + 1)
    finally:
        _close(fds)


def _files(room: Room, left: _Side, right: _Side, name: str, skipped: Skipped) -> Generator[Pair, None, None]:
    sides = (left.below(-1, name), right.below(-1, name))
    if any(room.policy.denies_reading(path) for side in sides for path in (side.real, side.shown)):
        skipped.denied += 1
        return
    fds = _opened(left, right, name, _FILE)
    if fds is None:
        skipped.unreadable += 1
        return
    try:
        facts = [os.fstat(fd) for fd in fds]
        if not all(stat.S_ISREG(fact.st_mode) for fact in facts):
            skipped.unreadable += 1
        elif any(skipped.linked.denied(fact) for fact in facts):
            skipped.denied += 1
        elif any(fact.st_size > _MAX_FILE for fact in facts):
            skipped.large += 1
        elif not _same(*fds):
            yield Pair(names=(sides[0].shown, sides[1].shown), fds=fds)
    finally:
        _close(fds)


def _opened(left: _Side, right: _Side, name: str, flags: int) -> tuple[int, int] | None:
    try:
        first = os.open(name, flags, dir_fd=left.fd)
    except OSError:
        return None
    try:
        return first, os.open(name, flags, dir_fd=right.fd)
    except OSError:
        os.close(first)
        return None


def _close(fds: tuple[int, int]) -> None:
    for fd in fds:
        os.close(fd)


def _same(left: int, right: int) -> bool:
    place = 0
    while True:
        interruptible()
        one, other = os.pread(left, CHUNK, place), os.pread(right, CHUNK, place)
        if one != other:
            return False
        if not one:
            return True
        place += len(one)
