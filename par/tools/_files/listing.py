"""ls and find: the names in a folder, and below it."""

import os
from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from typing import Annotated, Final, Literal, TypeAlias

import attrs

from par import AgentTool, Param, tool
from par.outcomes import Done, Failed
from par.tools._files.answers import answered
from par.tools.bash._commands.refusals import refusal
from par.tools.bash._commands.texts import glob_problem, path_problem
from par.tools.bash._native.listing import shown_time
from par.tools.bash._native.match import matches
from par.tools.bash._native.room import Room, refuse_os_error
from par.tools.bash._native.walk import Entry, What, walk
from par.tools.bash._run.clean import escape_name

__all__ = ["FileEntry", "Found", "Listing", "find_tool", "ls_tool"]

_LS_S: Final = 15.0
_FIND_S: Final = 30.0
_DEEPEST: Final = 64
_PASSED_OVER: Final = ("node_modules", "__pycache__", ".venv")

Kind: TypeAlias = Literal["any", "file", "dir", "symlink"]


@attrs.frozen(kw_only=True)
class FileEntry:
    """A name in a folder. Whatever is odd in it is escaped."""

    name: str
    kind: What
    size: int | None
    """Bytes, of a file."""
    modified: str
    """When it was changed, in UTC."""


@attrs.frozen(kw_only=True)
class Listing:
    """What ``ls`` returns."""

    path: str
    entries: tuple[FileEntry, ...]
    more: bool


@attrs.frozen(kw_only=True)
class Found:
    """What ``find`` returns: paths relative to the workspace, with ``/`` at the end of folders."""

    paths: tuple[str, ...]
    more: bool


def ls_tool(room: Room) -> AgentTool[object]:
    """Return the tool ``ls``."""

    @tool(effect="read", timeout=_LS_S)
    def ls(
        path: Annotated[
            str, Param(description="a folder, relative to the workspace", min_length=1, max_length=4096)
        ] = ".",
        pattern: Annotated[
            str, Param(description="only names like this, such as *.py", min_length=1, max_length=256)
        ] = "*",
        limit: Annotated[int, Param(description="names to return at most", ge=1, le=5000)] = 500,
    ) -> Done[Listing] | Failed:
        """List a folder: names, kinds, sizes and times, sorted by name; names with a dot too."""
        return answered("ls", partial(_ls, room, path, pattern, limit))

    return ls


def _ls(room: Room, path: str, pattern: str, limit: int) -> Done[Listing]:
    _check(path, pattern, ())
    kept: list[FileEntry] = []
    more = False
    for entry in _walked(room, path, 1, lambda _: False, partial(_named, pattern)):
        if len(kept) >= limit:
            more = True
            break
        kept.append(_entry(entry))
    return Done(Listing(path=path, entries=tuple(kept), more=more))


def _entry(entry: Entry) -> FileEntry:
    try:
        facts: os.stat_result | None = entry.stat()
    except OSError:
        facts = None  # gone since it was listed
    return FileEntry(
        name=escape_name(entry.name),
        kind=entry.what,
        size=facts.st_size if facts is not None and entry.what == "file" else None,
        modified="?" if facts is None else shown_time(facts.st_mtime),
    )


def find_tool(room: Room) -> AgentTool[object]:
    """Return the tool ``find``."""

    @tool(effect="read", timeout=_FIND_S)
    def find(
        pattern: Annotated[
            str,
            Param(
                description="a name such as *.py, or with / a path below the folder such as src/**/*.py; "
                "* and ? stand for anything but /, ** for folders",
                min_length=1,
                max_length=256,
            ),
        ],
        path: Annotated[str, Param(description="the folder to search", min_length=1, max_length=4096)] = ".",
        kind: Annotated[Kind, Param(description="what to find")] = "any",
        max_depth: Annotated[
            int, Param(description="how far down; 1 is the folder alone", ge=1, le=_DEEPEST)
        ] = _DEEPEST,
        passed_over: Annotated[
            tuple[Annotated[str, Param(max_length=256)], ...],
            Param(description="folders that are not entered, besides .git", max_length=32),
        ] = _PASSED_OVER,
        limit: Annotated[int, Param(description="paths to return at most", ge=1, le=5000)] = 500,
    ) -> Done[Found] | Failed:
        """Find files and folders by their names, at any depth. Links are not followed."""
        return answered("find", partial(_find, room, pattern, path, kind, max_depth, passed_over, limit))

    return find


def _find(
    room: Room, pattern: str, path: str, kind: Kind, max_depth: int, passed_over: tuple[str, ...], limit: int
) -> Done[Found]:
    _check(path, pattern, passed_over)
    below = "/".join(part for part in path.split("/") if part not in {"", "."})

    def enters(folder: Entry) -> bool:
        return folder.name != ".git" and not any(matches(name, folder.path) for name in passed_over)

    def wanted(entry: Entry) -> bool:
        return (kind in {"any", entry.what}) and _named(pattern, entry)

    kept: list[str] = []
    more = False
    for entry in _walked(room, path, max_depth, enters, wanted):
        if len(kept) >= limit:
            more = True
            break
        whole = f"{below}/{entry.path}" if below else entry.path
        kept.append(escape_name(whole) + ("/" if entry.what == "dir" else ""))
    return Done(Found(paths=tuple(kept), more=more))


def _named(pattern: str, entry: Entry) -> bool:
    return matches(pattern, entry.path)


def _check(path: str, pattern: str, passed_over: tuple[str, ...]) -> None:
    problems = [path_problem("path", path), glob_problem("pattern", pattern)]
    problems += [glob_problem(f"passed_over[{number}]", name) for number, name in enumerate(passed_over)]
    found = [problem for problem in problems if problem is not None]
    if found:
        raise refusal(found)


def _walked(
    room: Room, path: str, depth: int, enters: Callable[[Entry], bool], wanted: Callable[[Entry], bool]
) -> Generator[Entry, None, None]:
    """Yield what is wanted below a folder, as paths from there."""
    try:
        with (
            room.workspace.open_folder(path) as folder,
            closing(walk(folder.fd, ".", depth=depth, enter=enters)) as entries,
        ):
            yield from filter(wanted, entries)
    except OSError as error:
        refuse_os_error(error, path, "path")
