"""disk_usage: the space that folders take, summed up without leaving the file system."""

import os
from contextlib import closing
from stat import S_ISDIR

import attrs

from par.tools.bash._commands.looking import DiskUsage
from par.tools.bash._native.room import Room, refuse_os_error
from par.tools.bash._native.walk import MAX_ENTRIES, Entry, walk
from par.tools.bash._run.clean import escape_name
from par.tools.bash._run.output import Outcome

__all__ = ["disk_usage"]

_BLOCK = 512  # the unit of st_blocks, whatever the file system's own
_DEEPEST = 64
_LAST = "\U0010ffff"


@attrs.define
class _Sums:
    """Bytes by folder, each with all that is below it."""

    device: int
    sums: dict[str, int] = attrs.field(factory=dict[str, int])
    linked: set[int] = attrs.field(factory=set[int])
    seen: int = 0
    elsewhere: int = 0

    def take(self, path: str, facts: os.stat_result) -> None:
        """Add a file or a folder to all folders above it; one with several names counts once."""
        if facts.st_nlink > 1 and not S_ISDIR(facts.st_mode):
            if facts.st_ino in self.linked:
                return
            self.linked.add(facts.st_ino)
        size = facts.st_blocks * _BLOCK
        at = path
        if S_ISDIR(facts.st_mode):
            self.sums[path] = self.sums.get(path, 0) + size
        while at:
            at = at.rpartition("/")[0]
            self.sums[at] = self.sums.get(at, 0) + size

    def enters(self, folder: Entry) -> bool:
        """Say whether a folder is on the same file system."""
        try:
            if folder.stat().st_dev == self.device:
                return True
        except OSError:
            return False
        self.elsewhere += 1
        return False


def disk_usage(room: Room, command: DiskUsage) -> Outcome:
    """Sum up what is below a folder; .git counts too."""
    try:
        with room.workspace.open_any(command.path) as opened:
            sums = _Sums(opened.facts.st_dev)
            sums.sums[""] = opened.facts.st_blocks * _BLOCK
            if S_ISDIR(opened.facts.st_mode):
                with closing(walk(opened.fd, ".", depth=_DEEPEST, enter=sums.enters)) as entries:
                    for entry in entries:
                        _take(sums, entry)
    except OSError as error:
        refuse_os_error(error, command.path, "path")
    return _shown(room, command, sums)


def _take(sums: _Sums, entry: Entry) -> None:
    sums.seen += 1
    try:
        facts = entry.stat()
    except OSError:
        return  # gone since it was listed
    if facts.st_dev == sums.device:
        sums.take(entry.path, facts)


def _shown(room: Room, command: DiskUsage, sums: _Sums) -> Outcome:
    start = "/".join(part for part in command.path.split("/") if part not in {"", "."})
    depth = 0 if command.summarize else _DEEPEST if command.depth is None else command.depth
    levels = {path: path.count("/") + 1 if path else 0 for path in sums.sums}
    wanted = [path for path in sums.sums if levels[path] <= depth]
    kept = room.lines()
    for path in sorted(wanted, key=lambda path: (*(part for part in path.split("/") if part), _LAST)):
        size = _human(sums.sums[path]) if command.human else str(sums.sums[path])
        name = "/".join(part for part in (start, path) if part) or "."
        if not kept.add(f"{size}\t{escape_name(name)}\n".encode()):
            break
    notes: list[str] = []
    if sums.elsewhere:
        notes.append(f"Not counted: {sums.elsewhere} folders on other file systems.")
    if sums.seen >= MAX_ENTRIES:
        notes.append(f"Only the first {MAX_ENTRIES} names were counted: name a folder in path.")
    if kept.full:
        notes.append("Not all folders are shown: take a smaller depth, or summarize.")
    return Outcome(stdout=kept.captured(), notes=tuple(notes))


def _human(size: float) -> str:
    for unit in ("", "K", "M", "G"):
        if size < 1024:
            return f"{size:.0f}" if not unit else f"{size:.1f}{unit}"
        size /= 1024
    return f"{size:.1f}T"
