"""copy: a file, or a folder that gets its name when all of it is there."""

import errno
import os
import stat
from collections.abc import Iterator
from typing import Final, final

from par.errors import CommandRefused
from par.tools._workspace import Opened, Spot
from par.tools._workspace_rename import rename_new
from par.tools._workspace_tree import MAX_DEPTH, MAX_ENTRIES, Found, entries
from par.tools._workspace_write import add_file, create, locked, make_folder, replace, temporary_folder
from par.tools.bash._commands.writing import Copy
from par.tools.bash._native.interrupt import chunks, interruptible
from par.tools.bash._native.room import Room, refuse_os_error
from par.tools.bash._native.write_file import check_replaceable
from par.tools.bash._native.write_place import kept_shut, place, refuse, shown
from par.tools.bash._native.write_skipped import Skipped
from par.tools.bash._run.output import Outcome

__all__ = ["MAX_BYTES", "copy"]

MAX_BYTES: Final = 1024 * 1024 * 1024
"""Bytes that one command copies; some seconds of work."""


def copy(room: Room, command: Copy) -> Outcome:
    """Copy a file, or with ``recursive`` a folder."""
    try:
        with room.workspace.open_any(command.src) as source:
            room.allow_reading(source, "src")
            if stat.S_ISDIR(source.facts.st_mode):
                return _copy_folder(room, command, source)
            return _copy_file(room, command, source)
    except OSError as error:
        refuse_os_error(error, command.src, "src")


def _copy_file(room: Room, command: Copy, source: Opened) -> Outcome:
    facts = source.facts
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", source.name)
    if facts.st_nlink > 1:
        problem = "the file has more than one name, and what the others protect cannot be told."
        raise refuse(
            "hard_link", command.src, problem, "Use read_file, and write what you need with write_file.", "src"
        )
    if facts.st_size > MAX_BYTES:
        problem = f"it has {facts.st_size} bytes; at most {MAX_BYTES} are copied."
        raise refuse("too_large", command.src, problem, "Ask the user to copy it.", "src")
    with place(room, command.dst, "dst") as target:
        old = target.facts()
        if old is None:
            size = create(target, _bounded(source.fd), mode=facts.st_mode)
            return Outcome(notes=(f"Copied {shown(command.src)} to {shown(target.name)}: {size} bytes.",))
        if (old.st_dev, old.st_ino) == (facts.st_dev, facts.st_ino):
            raise refuse("same_file", command.dst, "this is the file itself.", "Choose another name.", "dst")
        if stat.S_ISDIR(old.st_mode):
            remedy = f"Name the copy itself, such as {command.dst.rstrip('/')}/{source.name.rsplit('/', 1)[-1]}."
            raise refuse("exists", command.dst, "it is a folder.", remedy[:200], "dst")
        if not command.overwrite and stat.S_ISREG(old.st_mode):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target.name)
        check_replaceable(target, old, "dst")
        with locked(target, interruptible):
            size = replace(target, _bounded(source.fd), old)
        note = f"Copied {shown(command.src)} to {shown(target.name)}: {size} bytes, in the place of {old.st_size}."
        return Outcome(notes=(note,))


def _bounded(fd: int) -> Iterator[bytes]:
    """Read a file that may grow while it is read."""
    left = MAX_BYTES
    for chunk in chunks(fd):
        left -= len(chunk)
        if left < 0:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        yield chunk


def _copy_folder(room: Room, command: Copy, source: Opened) -> Outcome:
    if not command.recursive:
        raise refuse("not_regular_file", command.src, "it is a folder.", "Set recursive: true to copy it.", "src")
    if source.name == ".":
        raise _into_itself(command)
    with place(room, command.dst, "dst") as target:
        if _is_below(target.fd, source.facts):
            raise _into_itself(command)
        old = target.facts()
        if old is not None:
            if stat.S_ISLNK(old.st_mode):
                raise OSError(errno.ELOOP, "it is a link", target.name)
            remedy = "Name a folder that is absent; what is there is not mixed with a copy."
            raise refuse("exists", command.dst, "something has this name already.", remedy, "dst")
        with temporary_folder(target) as temporary:
            tree = _Tree(room, command, target.name)
            with temporary.inside() as inner:
                tree.fill(source.fd, source.name, inner, target.name)
            rename_new(temporary, target)
        note = f"Copied {shown(command.src)} to {shown(target.name)}: {tree.files} files, {tree.size} bytes."
        return Outcome(notes=(note, *tree.skipped.notes("Not copied")))


def _into_itself(command: Copy) -> CommandRefused:
    return refuse(
        "into_itself", command.dst, "it is in the folder that would be copied.", "Choose a place outside of it.", "dst"
    )


def _is_below(folder: int, above: os.stat_result) -> bool:
    """Tell whether the open folder is ``above``, or below it, whatever names lead there."""
    fd = os.dup(folder)
    try:
        last: tuple[int, int] | None = None
        while True:
            facts = os.fstat(fd)
            here = (facts.st_dev, facts.st_ino)
            if here == (above.st_dev, above.st_ino):
                return True
            if here == last:
                return False  # the root of the file system is its own parent
            last = here
            parent = os.open("..", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
            os.close(fd)
            fd = parent
    finally:
        os.close(fd)


@final
class _Tree:
    """Fills a new folder with what may be copied, and counts it."""

    def __init__(self, room: Room, command: Copy, within: str) -> None:
        self._room = room
        self._command = command
        self._within = within
        self._left = MAX_ENTRIES
        self.skipped = Skipped()
        self.files = 0
        self.size = 0

    def fill(self, source: int, source_name: str, target: Spot, target_name: str, depth: int = 1) -> None:
        """Copy what is in the open folder ``source`` into the folder that ``target`` holds."""
        if depth > MAX_DEPTH:
            raise self._too_large(f"there are more than {MAX_DEPTH} folders in each other.")
        try:
            names = entries(source, self._left)
        except OSError as error:
            if error.errno == errno.E2BIG:
                raise self._too_large(f"there are more than {MAX_ENTRIES} names in it.") from None
            raise
        self._left -= len(names)
        for leaf in names:
            interruptible()
            spot = Spot(fd=source, leaf=leaf, name=f"{source_name}/{leaf}", kernel=target.kernel)
            reason = kept_shut(self._room, f"{target_name}/{leaf}", self._within)
            if reason is None and self._room.policy.denies_reading(spot.name):
                reason = "names that the policy keeps from being read"
            facts = spot.facts()
            if facts is None:
                continue
            if reason is None:
                reason = self._take(Found(spot=spot, facts=facts), target.beside(leaf), f"{target_name}/{leaf}", depth)
            if reason is not None:
                self.skipped.add(reason, spot.name)

    def _take(self, found: Found, target: Spot, name: str, depth: int) -> str | None:
        mode = found.facts.st_mode
        if stat.S_ISLNK(mode):
            return _copy_link(found.spot, target, name)
        if not stat.S_ISREG(mode) and not found.is_folder:
            return "neither files nor folders"
        try:
            fd = found.spot.open(os.O_RDONLY | (os.O_DIRECTORY if found.is_folder else 0))
        except OSError:
            return "not readable"  # or replaced since it was listed
        try:
            facts = os.fstat(fd)
            if found.is_folder:
                make_folder(target, mode=facts.st_mode)
                with target.inside() as inner:
                    self.fill(fd, found.spot.name, inner, name, depth + 1)
                return None
            return self._copy_content(fd, facts, target)
        finally:
            os.close(fd)

    def _copy_content(self, fd: int, facts: os.stat_result, target: Spot) -> str | None:
        if not stat.S_ISREG(facts.st_mode):
            return "neither files nor folders"
        if facts.st_nlink > 1:
            return "files with more than one name"
        if self.size + facts.st_size > MAX_BYTES:
            raise self._too_large(f"there are more than {MAX_BYTES} bytes in it.")
        self.size += add_file(target, _bounded(fd), mode=facts.st_mode)
        self.files += 1
        return None

    def _too_large(self, problem: str) -> CommandRefused:
        return refuse("too_large", self._command.src, problem, "Copy parts of it.", "src")


def _copy_link(source: Spot, target: Spot, name: str) -> str | None:
    try:
        leads_to = os.readlink(source.leaf, dir_fd=source.fd)
    except OSError:
        return "not readable"
    if not _stays_inside(leads_to, name):
        return "links that would lead out of the workspace"
    os.symlink(leads_to, target.leaf, dir_fd=target.fd)
    return None


def _stays_inside(leads_to: str, name: str) -> bool:
    """Tell whether the target of a link that is called ``name`` is in the workspace, read as it is written."""
    if leads_to.startswith("/"):
        return False
    depth = name.count("/")
    for part in leads_to.split("/"):
        if part == "..":
            depth -= 1
        elif part not in {"", "."}:
            depth += 1
        if depth < 0:
            return False
    return True
