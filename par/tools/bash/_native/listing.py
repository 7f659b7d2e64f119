"""list_dir: the names in a folder, one per line, with whatever is odd in them escaped."""

import os
import stat
import time
from collections.abc import Callable
from contextlib import closing

from par.tools.bash._commands.reading import ListDir
from par.tools.bash._native.room import Room, refuse_os_error
from par.tools.bash._native.walk import Entry, by_name, walk
from par.tools.bash._run.clean import escape_name
from par.tools.bash._run.output import Outcome

__all__ = ["link_target", "list_dir", "shown_time"]

_MAX_LISTED = 10_000


def list_dir(room: Room, command: ListDir) -> Outcome:
    """List a folder, or the folders below it too."""
    depth = (command.max_depth or 32) if command.recursive else 1
    kept = room.lines()
    notes: list[str] = []
    listed = 0
    try:
        with room.workspace.open_folder(command.path) as folder:
            entries = walk(folder.fd, ".", depth=depth, enter=_visible(command), sort=_order(command))
            with closing(entries):
                for entry in entries:
                    if not _wanted(command, entry):
                        continue
                    listed += 1
                    if listed > _MAX_LISTED or not kept.add(_line(command, entry)):
                        notes.append(
                            f"Only the first {kept.count} names are shown: name a folder in path, or use find."
                        )
                        break
    except OSError as error:
        refuse_os_error(error, command.path, "path")
    if not listed:
        notes.append("The folder is empty." if command.all else "Nothing to list; all: true shows names with a dot.")
    return Outcome(stdout=kept.captured(), notes=tuple(notes))


def _wanted(command: ListDir, entry: Entry) -> bool:
    return (command.all or not entry.name.startswith(".")) and (not command.dirs_only or entry.what == "dir")


def _visible(command: ListDir) -> Callable[[Entry], bool]:
    return lambda entry: command.all or not entry.name.startswith(".")


def _order(command: ListDir) -> Callable[[list[Entry]], list[Entry]]:
    def ordered(entries: list[Entry]) -> list[Entry]:
        found = by_name(entries)
        if command.sort == "size":
            found = sorted(found, key=lambda entry: -_facts(entry, "st_size"))
        elif command.sort == "time":
            found = sorted(found, key=lambda entry: -_facts(entry, "st_mtime_ns"))
        return found[::-1] if command.reverse else found

    return ordered


def _facts(entry: Entry, name: str) -> int:
    try:
        return int(getattr(entry.stat(), name))
    except OSError:
        return 0


def _line(command: ListDir, entry: Entry) -> bytes:
    name = escape_name(entry.path) + ("/" if entry.what == "dir" else "")
    if not command.long:
        return f"{name}\n".encode()
    try:
        facts = entry.stat()
    except OSError:
        return f"?  {name} (gone)\n".encode()
    if entry.what == "symlink":
        name += " -> " + link_target(entry.name, entry.parent)
    return f"{stat.filemode(facts.st_mode)} {facts.st_size:>10} {shown_time(facts.st_mtime)} {name}\n".encode()


def link_target(name: str, parent: int) -> str:
    """Return where a link in the folder ``parent`` leads, as it may be shown."""
    try:
        target = os.readlink(name, dir_fd=parent)
    except OSError:
        return "?"
    # a target outside tells where things are on the host, which nobody here needs to know
    return "(an absolute path)" if target.startswith("/") else escape_name(target)


def shown_time(seconds: float) -> str:
    """Return a time of change in UTC, to the second."""
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "?"
