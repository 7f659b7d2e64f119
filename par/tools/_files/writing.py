"""write and edit: files are replaced as a whole, and no change of somebody else's is lost."""

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Annotated, Final

import attrs

from par import AgentTool, Param, tool
from par.errors import CommandRefused
from par.outcomes import Done, Failed
from par.tools._files.answers import answered, fenced, refuse_denied
from par.tools._files.diff import diff_of
from par.tools._files.edits import Edit, edited
from par.tools._workspace import Opened, Spot
from par.tools._workspace_write import locked, replace
from par.tools.bash._commands.protected import asked_name
from par.tools.bash._commands.writing import WriteFile
from par.tools.bash._native.interrupt import chunks, interruptible
from par.tools.bash._native.room import Room
from par.tools.bash._native.write_file import check_replaceable, make_parents, put
from par.tools.bash._native.write_place import pieces, place, refuse
from par.tools.bash._run.clean import clean

__all__ = ["EditedFile", "WrittenFile", "edit_tool", "write_tool"]

_WRITE_S: Final = 30.0
_MAX_EDITED: Final = 8 * 1024 * 1024
"""Bytes of a file that is edited; sources are far smaller, and a diff of more takes long."""
_MAX_CONTENT: Final = 1_048_576


@attrs.frozen(kw_only=True)
class WrittenFile:
    """What ``write`` returns."""

    path: str
    bytes: int
    replaced_bytes: int | None
    """The size of the file that was replaced, if there was one."""
    changed: bool
    """Whether anything was written; ``False`` if the file had this content already."""
    new_folders: tuple[str, ...]


@attrs.frozen(kw_only=True)
class EditedFile:
    """What ``edit`` returns."""

    path: str
    edits: int
    lines_added: int
    lines_removed: int
    bytes: int
    """The size of the file by now."""
    diff: str
    diff_cut: bool
    """Whether the diff is longer than what is shown of it."""


def write_tool(room: Room) -> AgentTool[object]:
    """Return the tool ``write``."""

    @tool(effect="idempotent", timeout=_WRITE_S)
    def write(
        path: Annotated[str, Param(description="a file, relative to the workspace", min_length=1, max_length=4096)],
        content: Annotated[str, Param(description="all of its text", max_length=_MAX_CONTENT)],
        overwrite: Annotated[bool, Param(description="replace a file that is there")] = False,
        create_dirs: Annotated[bool, Param(description="make the folders above it that are absent")] = False,
    ) -> Done[WrittenFile] | Failed:
        """Write a text file, as a whole or not at all. To change a part of a file use edit."""
        work = partial(_write, room, path, content, overwrite=overwrite, create_dirs=create_dirs)
        return answered("write", work, path_not_found="Look with ls or find, or set create_dirs: true.")

    return write


def _write(room: Room, path: str, content: str, *, overwrite: bool, create_dirs: bool) -> Done[WrittenFile]:
    WriteFile(path=path, content=content)  # checks both
    _refuse_asked(path)
    data = content.encode()
    folder = "/".join([part for part in path.split("/") if part not in {"", "."}][:-1])
    made = make_parents(room, folder) if create_dirs and folder else []
    try:
        with place(room, path) as spot:
            if _holds(room, spot, data):
                size = len(data)
                return Done(
                    WrittenFile(path=path, bytes=size, replaced_bytes=size, changed=False, new_folders=tuple(made))
                )
            size, old = put(spot, pieces(data), overwrite=overwrite)
    except BaseException:
        for name in reversed(made):
            with suppress(CommandRefused), place(room, name) as spot:
                os.rmdir(spot.leaf, dir_fd=spot.fd)
        raise
    return Done(WrittenFile(path=path, bytes=size, replaced_bytes=old, changed=True, new_folders=tuple(made)))


def _refuse_asked(path: str) -> None:
    if asked_name(path):
        problem = "programs run or obey it later, so a person decides on it."
        raise refuse("protected_path", path, problem, "Ask the user to change it.")


def _holds(room: Room, spot: Spot, data: bytes) -> bool:
    """Tell whether the file has this content already: a call that is repeated is no mistake."""
    facts = spot.facts()
    if facts is None or not stat.S_ISREG(facts.st_mode) or facts.st_size != len(data):
        return False
    if room.policy.denies_reading(spot.name) or room.linked().denied(facts):
        return False  # whether a guess is right is not told
    with _opened(spot) as (fd, _):
        return b"".join(chunks(fd)) == data


@contextmanager
def _opened(spot: Spot) -> Generator[tuple[int, os.stat_result], None, None]:
    fd = spot.open(os.O_RDONLY)
    try:
        yield fd, os.fstat(fd)
    finally:
        os.close(fd)


def edit_tool(room: Room) -> AgentTool[object]:
    """Return the tool ``edit``."""

    @tool(effect="once", timeout=_WRITE_S)
    def edit(
        path: Annotated[
            str, Param(description="a text file, relative to the workspace", min_length=1, max_length=4096)
        ],
        edits: Annotated[
            tuple[Edit, ...],
            Param(
                description="replacements, made one after the other; all of them or none", min_length=1, max_length=100
            ),
        ],
    ) -> Done[EditedFile] | Failed:
        """Replace exact pieces of a text file. Each old text must occur exactly once; all edits are made or none."""
        return answered("edit", partial(_edit, room, path, edits))

    return edit


def _edit(room: Room, path: str, edits: tuple[Edit, ...]) -> Done[EditedFile]:
    with place(room, path) as spot:
        _refuse_asked(spot.name)
        refuse_denied(room, spot.name)
        with locked(spot, interruptible):
            before, facts = _text(room, spot, path)
            after = edited(before, edits)
            data = after.encode()
            if after == before:
                raise CommandRefused("no_change", "the edits undo each other.", field="edits")
            if len(data) > _MAX_EDITED:
                raise refuse("too_large", path, f"it would have {len(data)} bytes.", f"At most {_MAX_EDITED} are.")
            interruptible()
            replace(spot, pieces(data), facts, unchanged=True)
    diff = diff_of(before, after, spot.name)
    shown = clean(diff.text.encode())
    result = EditedFile(
        path=spot.name,
        edits=len(edits),
        lines_added=diff.added,
        lines_removed=diff.removed,
        bytes=len(data),
        diff=shown,
        diff_cut=diff.cut,
    )
    facts_text = f"Made {len(edits)} edits in {spot.name!a}: {diff.added} lines added, {diff.removed} removed."
    if diff.cut:
        facts_text += " Of the diff only the beginning is shown."
    return Done(result, content=fenced(facts_text, shown))


def _text(room: Room, spot: Spot, path: str) -> tuple[str, os.stat_result]:
    there = spot.facts()
    if there is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), spot.name)
    check_replaceable(spot, there)
    with _opened(spot) as (fd, facts):
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", spot.name)
        room.allow_reading(Opened(fd=fd, name=spot.name, facts=facts))
        if facts.st_size > _MAX_EDITED:
            problem = f"it has {facts.st_size} bytes; files up to {_MAX_EDITED} are edited."
            raise refuse("too_large", path, problem, "Ask the user to change it.")
        data = b"".join(chunks(fd))
    if b"\0" in data:
        raise refuse("binary", path, "it is no text: there is a NUL in it.", "Only text can be edited.")
    try:
        return data.decode(), facts
    except UnicodeDecodeError as error:
        problem = f"it is not UTF-8: the byte at {error.start} belongs to no character."
        raise refuse("binary", path, problem, "Only UTF-8 can be edited.") from None
