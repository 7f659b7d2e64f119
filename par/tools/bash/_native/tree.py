"""tree: a drawing of the folders below a folder."""

from contextlib import closing

from par.tools.bash._commands.looking import Tree
from par.tools.bash._native.listing import link_target
from par.tools.bash._native.match import matches
from par.tools.bash._native.room import Room, refuse_os_error
from par.tools.bash._native.walk import Entry, walk
from par.tools.bash._run.clean import escape_name
from par.tools.bash._run.output import Outcome

__all__ = ["tree"]

_MAX_DRAWN = 10_000


def tree(room: Room, command: Tree) -> Outcome:
    """Draw what is below a folder. Links are shown and not followed, and what is in .git is left out."""
    try:
        with room.workspace.open_folder(command.path) as folder:
            plain = "/".join(part for part in command.path.split("/") if part not in {"", "."}) or "."
            drawn, more = _shown(command, folder.fd, plain)
    except OSError as error:
        refuse_os_error(error, command.path, "path")
    kept = room.lines()
    kept.add(f"{escape_name(plain)}/\n".encode())
    open_below: list[bool] = []  # of each level above: whether a line must lead on to a later sibling
    for (entry, words), last in zip(drawn, _lasts(drawn), strict=True):
        del open_below[entry.depth - 1 :]
        lead = "".join("│   " if goes_on else "    " for goes_on in open_below)
        if not kept.add(f"{lead}{'└── ' if last else '├── '}{words}\n".encode()):
            break
        open_below.append(not last)
    folders = sum(entry.what == "dir" for entry, _ in drawn)
    notes = [f"{folders} folders, {len(drawn) - folders} files."]
    if more or kept.full:
        notes = [f"Only the first {kept.count - 1} names are shown: take a smaller depth, or name a folder in path."]
    return Outcome(stdout=kept.captured(), notes=tuple(notes))


def _shown(command: Tree, fd: int, plain: str) -> tuple[list[tuple[Entry, str]], bool]:
    def left_out(entry: Entry) -> bool:
        return any(matches(pattern, entry.path) for pattern in command.ignore or ())

    def enters(folder: Entry) -> bool:
        return folder.name != ".git" and not left_out(folder)

    found: list[tuple[Entry, str]] = []
    with closing(walk(fd, plain, depth=command.depth, enter=enters)) as entries:
        for entry in entries:
            if left_out(entry) or (command.dirs_only and entry.what != "dir"):
                continue
            if len(found) >= _MAX_DRAWN:
                return found, True
            found.append((entry, _words(entry)))
    return found, False


def _words(entry: Entry) -> str:
    name = escape_name(entry.name)
    if entry.what == "symlink":
        return f"{name} -> {link_target(entry.name, entry.parent)}"
    return f"{name}/" if entry.what == "dir" else name


def _lasts(drawn: list[tuple[Entry, str]]) -> list[bool]:
    """Say of each entry whether no sibling follows it, looking from the end."""
    answers: list[bool] = []
    later: set[int] = set()
    for entry, _ in reversed(drawn):
        answers.append(entry.depth not in later)
        later = {depth for depth in later if depth < entry.depth} | {entry.depth}
    return answers[::-1]
