"""Where a command writes: the name is checked, its folder is held, and failures are put into words."""

import errno
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final, Never

from par.errors import CommandRefused
from par.tools._workspace import Spot
from par.tools.bash._commands.protected import asked_name, folded, protected_name
from par.tools.bash._commands.refusals import quote, refusal
from par.tools.bash._commands.texts import write_path_problem
from par.tools.bash._native.interrupt import CHUNK, interruptible
from par.tools.bash._native.room import Room
from par.tools.bash._run.clean import escape_name

__all__ = [
    "allow_writing",
    "holds_history",
    "kept_shut",
    "pieces",
    "place",
    "protected",
    "refuse",
    "refuse_write_error",
    "shown",
]

_HISTORY: Final = frozenset({".git", ".hg", ".svn"})
_TEXTS: Final = {
    errno.ENOENT: ("path_not_found", "it, or the folder that it stands in, does not exist.", "Make folders first."),
    errno.EEXIST: ("exists", "something has this name already.", "Choose another name, or overwrite it on purpose."),
    errno.ENOTEMPTY: ("not_empty", "the folder is not empty.", "Name what is in it."),
    errno.ENOTDIR: ("not_a_folder", "it, or what stands above it, is not a folder.", "Look with list_dir."),
    errno.EISDIR: ("not_regular_file", "it is a folder.", "Name a file in it."),
    errno.EINVAL: ("not_regular_file", "it is not a regular file.", "Devices, sockets and pipes are left alone."),
    errno.ENXIO: ("not_regular_file", "it is not a regular file.", "Devices, sockets and pipes are left alone."),
    errno.ELOOP: (
        "path_symlink",
        "there is a link in it, and nothing is written through links.",
        "Use the real path, without links; stat shows where a link leads.",
    ),
    errno.EXDEV: ("other_device", "it lies on another file system.", "Use copy, then remove the original."),
    errno.E2BIG: ("too_large", "there is too much in it for one command.", "Take parts of it, one after the other."),
    errno.EMLINK: (
        "hard_link",
        "the file has more than one name, and the others would change with it.",
        "Write it anew with overwrite, which leaves the other names as they are.",
    ),
    errno.ESTALE: ("changed", "it was changed by something else meanwhile.", "Read it again, then try again."),
    errno.EBUSY: ("busy", "another program is at work in its folder.", "Try again later."),
    errno.EACCES: ("not_writable", "the file system does not allow it.", "Ask the user for access."),
    errno.EPERM: ("not_writable", "the file system does not allow it.", "Ask the user for access."),
    errno.EROFS: ("not_writable", "the file system can only be read.", "Ask the user for access."),
    errno.ENOSPC: ("no_space", "there is no space left; nothing was kept of it.", "Ask the user to make room."),
    errno.EDQUOT: ("no_space", "there is no space left; nothing was kept of it.", "Ask the user to make room."),
    errno.EFBIG: ("too_large", "it would be larger than a file may be here.", "Write less, or several files."),
    errno.ENAMETOOLONG: ("path_too_long", "the name is too long.", "Choose a shorter one."),
    errno.EILSEQ: ("bad_text", "the file system cannot store this name.", "Choose a plain one."),
}


def refuse_write_error(error: OSError, path: str, field: str) -> Never:
    """Turn a failure to write ``path`` into a refusal; the message has no path of the host.

    Raises:
        CommandRefused: always.
    """
    known = _TEXTS.get(error.errno or 0)
    code, problem, remedy = known or ("not_writable", f"it cannot be written ({error.strerror}).", "Tell the user.")
    raise refuse(code, path, problem, remedy, field) from None


def refuse(code: str, path: str, problem: str, remedy: str, field: str = "path") -> CommandRefused:
    """Return the refusal of what a command would do with ``path``."""
    return CommandRefused(code, f"{quote(escape_name(path))}: {problem}", field=field, remedy=remedy)


def shown(path: str) -> str:
    """Return a path as it stands in notes: one line, quoted, at most 80 characters."""
    return quote(escape_name(path))


@contextmanager
def place(room: Room, path: str, field: str = "path") -> Generator[Spot, None, None]:
    """Hold the folder of ``path`` for the time of the block, if the name may be written.

    The name is checked here again: a command that was built without its checks gets no further than another.

    Raises:
        CommandRefused: why it may not, or cannot, be written; also for an ``OSError`` of the block.
    """
    allow_writing(room, path, field)
    try:
        with room.workspace.open_spot(path) as spot:
            yield spot
    except OSError as error:
        refuse_write_error(error, path, field)


def allow_writing(room: Room, path: str, field: str = "path") -> None:
    """Refuse a path that may not be written whatever is there.

    No part of it is a link when it is opened for writing, so what is opened has this name and no other.

    Raises:
        CommandRefused: why it may not be written.
    """
    problem = write_path_problem(field, path)
    if problem is not None:
        raise refusal([problem])
    if room.policy.denies_writing(path):
        why = f"the policy {room.policy.name} keeps it from being written."
        raise refuse("protected_path", path, why, "Ask the user to change it.", field)


def protected(room: Room, name: str) -> bool:
    """Tell whether nothing may be written, moved or removed that is called ``name``, wherever it came from."""
    return protected_name(name) is not None or room.policy.denies_writing(name)


def holds_history(name: str) -> bool:
    """Tell whether ``name`` is, or is in, a folder that holds the history of a repository."""
    return any(folded(part) in _HISTORY for part in name.split("/"))


def kept_shut(room: Room, name: str, within: str) -> str | None:
    """Say why ``name``, which would come to be below ``within``, is left out; ``None``: it may come to be.

    A person who was asked about ``within`` has seen nothing of what is in it.
    """
    if protected(room, name):
        return "protected names"
    if room.policy.approve_at is not None and asked_name(name) and not asked_name(within):
        return "names that a person decides on one by one"
    return None


def pieces(data: bytes) -> Iterator[bytes]:
    """Yield ``data`` in chunks, and look between them whether to go on."""
    for at in range(0, len(data), CHUNK):
        interruptible()
        yield data[at : at + CHUNK]
