"""move and remove: nothing is replaced that was not named, and nothing leaves its protection."""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import closing
from typing import Final

import attrs

from par.errors import CommandRefused
from par.tools._workspace import Spot
from par.tools._workspace_rename import rename_new
from par.tools._workspace_tree import Found, remove_tree, survey
from par.tools._workspace_write import locked
from par.tools.bash._commands.protected import asked_name
from par.tools.bash._commands.writing import Move, Remove
from par.tools.bash._native.interrupt import interruptible
from par.tools.bash._native.room import Room
from par.tools.bash._native.write_file import check_replaceable
from par.tools.bash._native.write_place import (
    holds_history,
    place,
    protected,
    refuse,
    shown,
)
from par.tools.bash._run.output import Outcome

__all__ = ["move", "remove"]

_CHECK_EVERY: Final = 64


@attrs.define
class _Weight:
    """What a command does something to."""

    files: int = 0
    size: int = 0
    folder: bool = False

    def words(self) -> str:
        if not self.folder:
            return f"{self.size} bytes"
        return f"a folder with {self.files} files, {self.size} bytes"


def _weigh(spot: Spot, facts: os.stat_result, check: Callable[[Found], None]) -> _Weight:
    weight = _Weight(folder=stat.S_ISDIR(facts.st_mode))
    if not weight.folder:
        weight.size = facts.st_size
        return weight
    with closing(survey(spot)) as found:
        for number, one in enumerate(found):
            if number % _CHECK_EVERY == 0:
                interruptible()
            check(one)
            if not one.is_folder:
                weight.files += 1
                weight.size += one.facts.st_size
    return weight


# --- move -------------------------------------------------------------------------------------------------


def move(room: Room, command: Move) -> Outcome:
    """Give a file or a folder another name."""
    with place(room, command.src, "src") as source:
        facts = source.facts()
        if facts is None:
            raise refuse("path_not_found", command.src, "there is nothing of this name.", "Look with list_dir.", "src")
        if stat.S_ISLNK(facts.st_mode):
            raise OSError(errno.ELOOP, "it is a link", source.name)
        if room.policy.denies_reading(source.name):
            deny = room.policy.read_denied(source.name)
            raise CommandRefused(deny.code, deny.reason, field="src", remedy=deny.remedy)
        with place(room, command.dst, "dst") as target:
            weight = _weigh(source, facts, _movable(room, source.name, target.name))
            replaced = _renamed(command, source, target, facts)
        where = f" in the place of {replaced} bytes" if replaced is not None else ""
        return Outcome(notes=(f"Moved {shown(source.name)} ({weight.words()}) to {shown(target.name)}{where}.",))


def _movable(room: Room, old: str, new: str) -> Callable[[Found], None]:
    """Refuse what is protected, and what another name of a folder above it would take out of its protection."""

    def check(found: Found) -> None:
        name = found.spot.name
        moved = new + name.removeprefix(old)
        if protected(room, name) or protected(room, moved):
            raise refuse("protected_path", name, "it is protected, and it would move too.", "Move the rest.", "src")
        if room.policy.denies_reading(name) and not room.policy.denies_reading(moved):
            problem = "it is kept from being read, and under its new name it would not be."
            raise refuse("read_denied", name, problem, "Move the rest.", "src")
        if room.policy.approve_at is not None and asked_name(moved) and not (asked_name(name) or asked_name(new)):
            problem = f"it would become {shown(moved)}, which a person decides on."
            raise refuse("protected_path", name, problem, "Move it by itself.", "src")

    return check


def _renamed(command: Move, source: Spot, target: Spot, facts: os.stat_result) -> int | None:
    """Rename, and return the size of a file that was replaced."""
    try:
        old = target.facts()
        if old is None:
            rename_new(source, target)
            return None
        if (old.st_dev, old.st_ino) == (facts.st_dev, facts.st_ino):
            _rename_the_same(command, source, target, facts)
            return None
        _check_target(command, target, old, facts)
        with locked(target, interruptible):
            os.rename(source.leaf, target.leaf, src_dir_fd=source.fd, dst_dir_fd=target.fd)
        return old.st_size
    except OSError as error:
        if error.errno == errno.EINVAL and stat.S_ISDIR(facts.st_mode):
            problem = "it is in the folder that would be moved."
            raise refuse("into_itself", command.dst, problem, "Choose a place outside of it.", "dst") from None
        raise


def _rename_the_same(command: Move, source: Spot, target: Spot, facts: os.stat_result) -> None:
    """Change the case of a name where case does not count; two names of one file are left alone."""
    one_name = stat.S_ISDIR(facts.st_mode) or facts.st_nlink == 1
    if source.leaf == target.leaf or not one_name:
        raise refuse("same_file", command.dst, "this is the file itself.", "Choose another name.", "dst")
    os.rename(source.leaf, target.leaf, src_dir_fd=source.fd, dst_dir_fd=target.fd)


def _check_target(command: Move, target: Spot, old: os.stat_result, facts: os.stat_result) -> None:
    if stat.S_ISDIR(old.st_mode):
        remedy = f"Name the new place itself, such as {command.dst.rstrip('/')}/{command.src.rsplit('/', 1)[-1]}."
        raise refuse("exists", command.dst, "it is a folder.", remedy[:200], "dst")
    if not command.overwrite and not stat.S_ISLNK(old.st_mode):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target.name)
    if not stat.S_ISREG(facts.st_mode):
        problem = "a file stands there, and only a file replaces a file."
        raise refuse("exists", command.dst, problem, "Choose another name.", "dst")
    check_replaceable(target, old, "dst")


# --- remove -----------------------------------------------------------------------------------------------


def remove(room: Room, command: Remove) -> Outcome:
    """Remove files, and with ``recursive`` folders. All paths are looked at before the first one is removed.

    When it is cancelled, what is not removed yet stays as it is.
    """
    for number, path in enumerate(command.paths):
        _look(room, command, path, f"paths[{number}]")
    notes: list[str] = []
    for number, path in enumerate(command.paths):
        field = f"paths[{number}]"
        try:
            notes.append(_remove(room, command, path, field))
        except CommandRefused as refused:
            if not notes:
                raise
            done = f"{refused.problem} Before that: {' '.join(notes)}"
            raise CommandRefused(refused.code, done, field=refused.field, remedy=refused.remedy) from None
    return Outcome(notes=tuple(notes))


def _look(room: Room, command: Remove, path: str, field: str) -> _Weight | None:
    """Return what would be removed, if it may be; ``None`` for what is absent and may be."""
    try:
        with place(room, path, field) as spot:
            facts = spot.facts()
            if facts is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            weight = _weigh(spot, facts, _removable(room, field))
            if weight.folder and not command.recursive and _has_entries(spot):
                problem = f"it is {weight.words()}, and nothing was removed."
                raise refuse("not_empty", path, problem, "Set recursive: true to remove all of it.", field)
            return weight
    except CommandRefused as refused:
        if refused.code != "path_not_found":
            raise
        if command.missing_ok:
            return None
        problem = "there is nothing of this name, and nothing was removed."
        raise refuse("path_not_found", path, problem, "missing_ok: true lets it be absent.", field) from None


def _has_entries(spot: Spot) -> bool:
    with spot.inside() as inner, os.scandir(inner.fd) as names:
        return next(names, None) is not None


def _removable(room: Room, field: str) -> Callable[[Found], None]:
    def check(found: Found) -> None:
        _check_removable(room, found.spot, field)

    return check


def _check_removable(room: Room, spot: Spot, field: str) -> None:
    # what goes with a folder is not obeyed any more, such as an .npmrc in node_modules; a repository is work that is lost
    if holds_history(spot.name) or room.policy.denies_writing(spot.name):
        problem = "it is protected, and it would be removed too."
        raise refuse("protected_path", spot.name, problem, "Name the rest, or ask the user.", field)


def _remove(room: Room, command: Remove, path: str, field: str) -> str:
    try:
        weight = _look(room, command, path, field)
    except CommandRefused as refused:
        if refused.code == "path_not_found":
            return f"{shown(path)} went with another path."
        raise
    if weight is None:
        return f"{shown(path)} was absent."
    begun = False

    def before(one: Spot) -> None:
        nonlocal begun
        _check_removable(room, one, field)
        interruptible()
        begun = True

    try:
        with place(room, path, field) as spot:
            if not weight.folder:
                os.unlink(spot.leaf, dir_fd=spot.fd)
            elif command.recursive:
                remove_tree(spot, before)
            else:
                os.rmdir(spot.leaf, dir_fd=spot.fd)
    except CommandRefused as refused:
        if not begun:
            raise
        done = f"{refused.problem} A part of {shown(path)} may be gone."
        raise CommandRefused(refused.code, done, field=field, remedy=refused.remedy) from None
    return f"Removed {shown(path)} ({weight.words()})."
