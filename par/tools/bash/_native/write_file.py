"""make_dir, touch, write_file and set_executable; and where the output of a pipeline is saved."""

import errno
import os
import select
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import Final

from par.tools._workspace import Spot
from par.tools._workspace_write import append, create, locked, make_folder, replace, set_executable, touch
from par.tools.bash._commands.writing import MakeDir, SetExecutable, Touch, WriteFile
from par.tools.bash._native.interrupt import CHUNK, interruptible
from par.tools.bash._native.room import Room
from par.tools.bash._native.write_place import allow_writing, pieces, place, refuse, refuse_write_error, shown
from par.tools.bash._run.output import Outcome

__all__ = [
    "check_replaceable",
    "make_dir",
    "make_executable",
    "make_parents",
    "put",
    "save_output",
    "touch_file",
    "write_file",
]

_MAX_SAVED: Final = 64 * 1024 * 1024
"""Bytes of a pipeline's output that are saved, as many as a program may write to one file."""
_DEEPEST: Final = 128
_LOOK_MS: Final = 100


def make_dir(room: Room, command: MakeDir) -> Outcome:
    """Make a folder, and with ``parents`` those above it."""
    if command.parents:
        made = make_parents(room, command.path)
        if not made:
            return Outcome(notes=(f"The folder {shown(command.path)} was there already.",))
        return Outcome(notes=tuple(f"Made the folder {shown(name)}." for name in made))
    with place(room, command.path) as spot:
        try:
            make_folder(spot)
        except FileExistsError:
            remedy = "There is nothing to do; parents: true takes a folder that is there."
            there = spot.facts()
            if there is not None and not stat.S_ISDIR(there.st_mode):
                remedy = "Choose another name."
            raise refuse("exists", command.path, "something has this name already.", remedy) from None
        return Outcome(notes=(f"Made the folder {shown(spot.name)}.",))


def make_parents(room: Room, path: str, field: str = "path") -> list[str]:
    """Make the folder ``path`` and those above it that are absent; return the names of the new ones.

    If it fails in the middle, the new ones are removed again.

    Raises:
        CommandRefused: why it cannot be made.
    """
    allow_writing(room, path, field)
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if len(parts) > _DEEPEST:
        problem = f"it has more than {_DEEPEST} folders in each other."
        raise refuse("path_too_long", path, problem, "Make fewer.", field)
    made: list[Spot] = []
    try:
        with ExitStack() as held:
            spot = held.enter_context(room.workspace.open_spot(parts[0]))
            try:
                for leaf in [*parts[1:], ""]:
                    with suppress(FileExistsError):
                        make_folder(spot)
                        made.append(spot)
                    spot = held.enter_context(spot.inside(leaf))  # refuses a link, and what is no folder
            except BaseException:
                for folder in reversed(made):
                    with suppress(OSError):  # somebody has put something into it
                        os.rmdir(folder.leaf, dir_fd=folder.fd)
                raise
    except OSError as error:
        refuse_write_error(error, path, field)
    return [folder.name for folder in made]


def touch_file(room: Room, command: Touch) -> Outcome:
    """Make an empty file, or set the times of one."""
    with place(room, command.path) as spot:
        new = touch(spot)
        return Outcome(notes=(f"{'Made the empty file' if new else 'Set the times of'} {shown(spot.name)}.",))


def make_executable(room: Room, command: SetExecutable) -> Outcome:
    """Let a file be run, or not."""
    with place(room, command.path) as spot:
        if spot.facts() is None:
            raise refuse("path_not_found", command.path, "there is no such file.", "Look with list_dir or find.")
        changed = set_executable(spot, executable=command.executable)
        state = "can be run" if command.executable else "cannot be run"
        return Outcome(notes=(f"{shown(spot.name)} {state} {'now' if changed else 'as before'}.",))


def write_file(room: Room, command: WriteFile) -> Outcome:
    """Write a text file: a new one, one in the place of another, or more at the end of one."""
    data = command.content.encode()
    with place(room, command.path) as spot:
        if command.mode == "append":
            return Outcome(notes=(_appended(spot, pieces(data)),))
        return Outcome(notes=(_put(spot, pieces(data), overwrite=command.mode == "overwrite"),))


def save_output(room: Room, path: str, source_fd: int, *, append: bool) -> tuple[str, ...]:
    """Save what can be read from ``source_fd``, which is read to its end, in the new file ``path``.

    With ``append`` it is added to the file if there is one. Returns notes that say what was written. Nothing is
    left behind if it fails or is cancelled. It runs in a worker thread.

    Raises:
        CommandRefused: why it cannot be saved; ``too_large`` for more than 64 MiB.
    """
    with place(room, path, "save_to") as spot:
        data = _read(source_fd, path)
        return (_appended(spot, data) if append else _put(spot, data, overwrite=False),)


def _read(fd: int, path: str) -> Iterator[bytes]:
    ready = select.poll()
    ready.register(fd, select.POLLIN)
    left = _MAX_SAVED
    while True:
        interruptible()
        if not ready.poll(_LOOK_MS):
            continue  # a pipe whose writer is still at work
        chunk = os.read(fd, CHUNK)
        if not chunk:
            return
        left -= len(chunk)
        if left < 0:
            problem = f"there are more than {_MAX_SAVED} bytes to save; nothing was kept."
            raise refuse("too_large", path, problem, "Add a stage that takes less, such as head.", "save_to")
        yield chunk


def put(spot: Spot, data: Iterable[bytes], *, overwrite: bool) -> tuple[int, int | None]:
    """Write a new file, or with ``overwrite`` in the place of one; return its size and the size of the old one.

    Raises:
        CommandRefused: ``read_only``.
        OSError: what stands in the way, and what writing raises.
    """
    old = spot.facts()
    if old is None:
        return create(spot, data), None
    if not overwrite and not stat.S_ISLNK(old.st_mode):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), spot.name)
    check_replaceable(spot, old)
    with locked(spot, interruptible):
        return replace(spot, data, old), old.st_size


def _put(spot: Spot, data: Iterable[bytes], *, overwrite: bool) -> str:
    size, old = put(spot, data, overwrite=overwrite)
    if old is None:
        return f"Wrote the new file {shown(spot.name)}: {size} bytes."
    return f"Wrote {shown(spot.name)}: {size} bytes, in the place of {old} bytes."


def _appended(spot: Spot, data: Iterable[bytes]) -> str:
    old = spot.facts()
    if old is None:
        return _put(spot, data, overwrite=False)
    check_replaceable(spot, old)
    with locked(spot, interruptible):
        size = append(spot, data)
    return f"Added {size} bytes to {shown(spot.name)}, which had {old.st_size}."


def check_replaceable(spot: Spot, old: os.stat_result, field: str = "path") -> None:
    """Refuse to write what is no regular file, or is marked as one that is only read.

    Raises:
        OSError: ``EISDIR``, ``ELOOP`` or ``EINVAL``, told by what is there.
        CommandRefused: ``read_only``.
    """
    if stat.S_ISDIR(old.st_mode):
        raise OSError(errno.EISDIR, "it is a folder", spot.name)
    if stat.S_ISLNK(old.st_mode):
        raise OSError(errno.ELOOP, "it is a link", spot.name)
    if not stat.S_ISREG(old.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", spot.name)
    if not old.st_mode & 0o222:
        raise refuse(
            "read_only", spot.name, "the file is marked as one that is only read.", "Ask the user to change it.", field
        )
