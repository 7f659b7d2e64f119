"""find: names by pattern, kind, size and age."""

import os
from contextlib import closing
from fnmatch import fnmatchcase
from stat import S_ISDIR, S_ISREG

import attrs

from par.tools.bash._commands.reading import Find
from par.tools.bash._native.flow import Sink
from par.tools.bash._native.listing import shown_time
from par.tools.bash._native.match import matches
from par.tools.bash._native.room import Room, refuse_os_error
from par.tools.bash._native.walk import Entry, What, walk
from par.tools.bash._run.clean import escape_name
from par.tools.bash._run.output import Outcome

__all__ = ["find"]

_DEEPEST = 64


@attrs.frozen(kw_only=True)
class _Search:
    """One search: what is asked, and the times that its ages come to."""

    command: Find
    kept: Sink
    newer: float | None
    older: float | None

    def below(self, fd: int, top: Entry) -> bool:
        """Look at ``top`` and at what is below it; ``False`` when there is no room for more."""
        if not self._take(top):
            return False
        depth = _DEEPEST if self.command.max_depth is None else self.command.max_depth
        if top.what != "dir" or depth == 0:
            return True
        with closing(walk(fd, top.path, depth=depth, enter=self._enters)) as entries:
            return all(self._take(entry) for entry in entries)

    def _enters(self, folder: Entry) -> bool:
        left_out = self.command.exclude_dirs or ()
        return folder.name != ".git" and not any(matches(pattern, folder.path) for pattern in left_out)

    def _take(self, entry: Entry) -> bool:
        if not self._named(entry):
            return True
        try:
            facts = entry.stat()
            if not self._measured(entry, facts):
                return True
        except OSError:
            return True  # gone since it was listed
        if self.kept.count >= self.command.limit:
            return False
        shown = escape_name(entry.path)
        if self.command.print == "size":
            shown = f"{facts.st_size:>12}  {shown}"
        elif self.command.print == "mtime":
            shown = f"{shown_time(facts.st_mtime)}  {shown}"
        return self.kept.add(f"{shown}\n".encode())

    def _named(self, entry: Entry) -> bool:
        ask = self.command
        if ask.type is not None and entry.what != ask.type:
            return False
        if ask.min_depth is not None and entry.depth < ask.min_depth:
            return False
        if ask.exclude_dirs and entry.what == "dir" and not self._enters(entry) and entry.name != ".git":
            return False
        if ask.name is not None and not fnmatchcase(entry.name, ask.name):
            return False
        if ask.iname is not None and not fnmatchcase(entry.name.casefold(), ask.iname.casefold()):
            return False
        return ask.path_glob is None or any(fnmatchcase(at, ask.path_glob) for at in (entry.path, f"./{entry.path}"))

    def _measured(self, entry: Entry, facts: os.stat_result) -> bool:
        ask = self.command
        return not (
            (ask.size_min is not None and facts.st_size < ask.size_min)
            or (ask.size_max is not None and facts.st_size > ask.size_max)
            or (self.newer is not None and facts.st_mtime <= self.newer)
            or (self.older is not None and facts.st_mtime >= self.older)
            or (ask.empty and not _is_empty(entry, facts))
        )


def find(room: Room, command: Find, now: float) -> Outcome:
    """Find names below the paths of the command; ``now`` is what ages are counted from."""
    kept = room.lines()
    older = None if command.older_than is None else now - command.older_than.seconds
    search = _Search(command=command, kept=kept, newer=_newer(room, command, now), older=older)
    more = True
    for number, start in enumerate(command.paths):
        try:
            with room.workspace.open_any(start) as opened:
                more = search.below(opened.fd, _top(start, opened.fd, opened.facts))
        except OSError as error:
            refuse_os_error(error, start, f"paths[{number}]")
        if not more:
            break
    notes = () if kept.count else ("Nothing was found.",)
    if not more:
        notes = (f"There are more than the {kept.count} results shown: narrow the search.",)
    return Outcome(stdout=attrs.evolve(kept.captured(), cut=not more), notes=notes)


def _newer(room: Room, command: Find, now: float) -> float | None:
    """Return the time after which a file must have changed, the later one of the two that can be given."""
    times: list[float] = []
    if command.newer_than is not None:
        times.append(now - command.newer_than.seconds)
    if command.newer_than_path is not None:
        try:
            with room.workspace.open_any(command.newer_than_path) as opened:
                times.append(opened.facts.st_mtime)
        except OSError as error:
            refuse_os_error(error, command.newer_than_path, "newer_than_path")
    return max(times, default=None)


def _top(start: str, fd: int, facts: os.stat_result) -> Entry:
    plain = "/".join(part for part in start.split("/") if part not in {"", "."}) or "."
    if S_ISDIR(facts.st_mode):
        return Entry(path=plain, name=plain.rsplit("/", 1)[-1], depth=0, what="dir", parent=fd, facts=facts)
    what: What = "file" if S_ISREG(facts.st_mode) else "other"
    return Entry(path=plain, name=plain.rsplit("/", 1)[-1], depth=0, what=what, parent=fd, facts=facts)


def _is_empty(entry: Entry, facts: os.stat_result) -> bool:
    if entry.what == "file":
        return facts.st_size == 0
    if entry.what != "dir":
        return False
    fd = os.open(
        "." if entry.facts else entry.name,
        os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
        dir_fd=entry.parent,
    )
    try:
        with os.scandir(fd) as names:
            return next(names, None) is None
    finally:
        os.close(fd)
