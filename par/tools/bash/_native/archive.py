"""archive_list and archive_extract: an archive is unpacked as a whole, into a new folder, or not at all."""

import errno
import os
import stat
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Final

from par.errors import CommandRefused
from par.tools._workspace import Opened, Spot
from par.tools._workspace_rename import rename_new
from par.tools._workspace_tree import MAX_DEPTH, entries
from par.tools._workspace_write import add_file, make_folder, temporary_folder
from par.tools.bash._commands.texts import path_problem
from par.tools.bash._commands.writing import ArchiveExtract, ArchiveList
from par.tools.bash._native.archive_members import Member, members
from par.tools.bash._native.archive_stream import bad_archive
from par.tools.bash._native.interrupt import interruptible
from par.tools.bash._native.room import Room
from par.tools.bash._native.write_place import kept_shut, place, refuse, shown
from par.tools.bash._native.write_skipped import Skipped
from par.tools.bash._run.clean import escape_name
from par.tools.bash._run.output import Outcome

__all__ = ["archive_extract", "archive_list"]

_MAX_ARCHIVE: Final = 512 * 1024 * 1024
_MARKS: Final = {"file": "", "dir": "/", "link": " (a link)", "other": " (neither file nor folder)"}
_LEFT_OUT: Final = {"link": "links", "other": "neither files nor folders"}


def archive_list(room: Room, command: ArchiveList) -> Outcome:
    """List the entries of an archive with their sizes, as the archive gives them."""
    kept = room.lines()
    files = total = 0
    with room.reading(command.path, None, most=_MAX_ARCHIVE) as opened, closing(members(opened)) as found:
        for member in found:
            interruptible()
            line = f"{member.size:>12}  {escape_name(member.name.rstrip('/'))}{_MARKS[member.kind]}\n"
            if not kept.add(line.encode()):
                break
            files += member.kind == "file"
            total += member.size
    if kept.full:
        return Outcome(stdout=kept.captured(), notes=(f"Only the first {kept.count} entries are shown.",))
    return Outcome(stdout=kept.captured(), notes=(f"{kept.count} entries, {files} files, {total} bytes unpacked.",))


def archive_extract(room: Room, command: ArchiveExtract) -> Outcome:
    """Unpack an archive into a folder that is absent or empty, and report what was left out."""
    with room.reading(command.path, None, most=_MAX_ARCHIVE) as opened, place(room, command.dst, "dst") as target:
        there = _is_there(command, target)
        with temporary_folder(target) as temporary:
            unpacking = _Unpacking(room, target.name)
            with temporary.inside() as inner:
                unpacking.fill(opened, inner)
            if there:  # an empty folder is replaced by a folder in one step, and a full one is not
                os.rename(temporary.leaf, target.leaf, src_dir_fd=temporary.fd, dst_dir_fd=target.fd)
            else:
                rename_new(temporary, target)
        done = (
            f"Unpacked {shown(command.path)} to {shown(target.name)}: {unpacking.files} files, {unpacking.size} bytes."
        )
        return Outcome(notes=(done, *unpacking.skipped.notes("Not unpacked")))


def _is_there(command: ArchiveExtract, target: Spot) -> bool:
    old = target.facts()
    if old is None:
        return False
    if stat.S_ISLNK(old.st_mode):
        raise OSError(errno.ELOOP, "it is a link", target.name)
    if not stat.S_ISDIR(old.st_mode):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target.name)
    with target.inside() as inner:
        try:
            empty = not entries(inner.fd, 1)
        except OSError:
            empty = False
    if not empty:
        problem = "there is something in this folder already."
        raise refuse("not_empty", command.dst, problem, "Name a folder that is absent or empty.", "dst")
    return True


class _Unpacking:
    """Fills a new folder from an archive, and counts."""

    def __init__(self, room: Room, within: str) -> None:
        self._room = room
        self._within = within
        self.skipped = Skipped()
        self.files = 0
        self.size = 0

    def fill(self, opened: Opened, folder: Spot) -> None:
        with closing(members(opened)) as found:
            for member in found:
                interruptible()
                self._take(member, folder)

    def _take(self, member: Member, folder: Spot) -> None:
        problem = path_problem("path", member.name)
        if problem is not None:
            raise CommandRefused(problem.code, f"in the archive: {problem.problem} Nothing was unpacked.", field="path")
        parts = [part for part in member.name.split("/") if part not in {"", "."}]
        if not parts:
            return
        if len(parts) > MAX_DEPTH:
            raise bad_archive(f"it has more than {MAX_DEPTH} folders in each other.")
        name = "/".join(parts)
        reason = _LEFT_OUT.get(member.kind) or kept_shut(self._room, f"{self._within}/{name}", self._within)
        if reason is not None:
            self.skipped.add(reason, name)
            return
        try:
            with _below(folder, parts) as spot:
                if member.kind == "dir":
                    with suppress(FileExistsError):
                        make_folder(spot)
                    with spot.inside():
                        return
                self.size += add_file(spot, member.data, mode=0o777 if member.executable else 0o666)
                self.files += 1
        except (FileExistsError, NotADirectoryError):
            raise bad_archive(f"it has two entries {shown(name)}.") from None


@contextmanager
def _below(folder: Spot, parts: list[str]) -> Generator[Spot, None, None]:
    """Give the name at the end of ``parts``; the folders on the way there are made."""
    with ExitStack() as held:
        spot = folder.beside(parts[0])
        for leaf in parts[1:]:
            with suppress(FileExistsError):
                make_folder(spot)
            spot = held.enter_context(spot.inside(leaf))
        yield spot
