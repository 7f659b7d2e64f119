"""What the native commands share: the place they work in, and how they stay interruptible."""

import errno
import os
from collections.abc import Iterator
from typing import Never

import anyio.from_thread
import attrs

from par.errors import CommandRefused
from par.tools._workspace import Opened, Workspace
from par.tools.bash._commands.refusals import quote
from par.tools.bash._policy.policy import Policy
from par.tools.bash._run.capture import Lines
from par.tools.bash._run.clean import escape_name

__all__ = ["CHUNK", "Room", "chunks", "interruptible", "refuse_os_error"]

CHUNK = 256 * 1024


@attrs.frozen(kw_only=True)
class Room:
    """Where a native command works, and within which rules."""

    workspace: Workspace
    policy: Policy

    def lines(self) -> Lines:
        """Return an empty collector with the policy's bounds."""
        return Lines(self.policy.max_output_bytes, self.policy.max_output_lines)

    def allow_reading(self, opened: Opened) -> None:
        """Refuse a file that is denied by its real name, which a link may have hidden.

        Raises:
            CommandRefused: with the code ``read_denied``.
        """
        if self.policy.denies_reading(opened.name):
            deny = self.policy.read_denied(opened.name)
            raise CommandRefused(deny.code, deny.reason, field="path", remedy=deny.remedy)


def interruptible() -> None:
    """Give up, in a worker thread, if the command was cancelled or is out of time."""
    anyio.from_thread.check_cancelled()


def chunks(fd: int) -> Iterator[bytes]:
    """Read a file to its end, and look between the chunks whether to go on."""
    while chunk := os.read(fd, CHUNK):
        interruptible()
        yield chunk


_CODES = {
    errno.ENOENT: ("path_not_found", "there is no such file or folder.", "Look with list_dir or find."),
    errno.ENOTDIR: ("not_a_folder", "it is not a folder.", "Use read_file for a file."),
    errno.EISDIR: ("not_regular_file", "it is a folder.", "Use list_dir for a folder."),
    errno.EINVAL: ("not_regular_file", "it is not a regular file.", "Devices, sockets and pipes are not read."),
    errno.ENXIO: ("not_regular_file", "it is not a regular file.", "Devices, sockets and pipes are not read."),
    errno.EXDEV: ("path_symlink", "it leads out of the workspace.", "Only what is in the workspace can be used."),
    errno.ELOOP: ("path_symlink", "its links lead nowhere.", "Only what is in the workspace can be used."),
    errno.EACCES: ("unreadable", "the file system does not allow it.", "Ask the user for access."),
    errno.EPERM: ("unreadable", "the file system does not allow it.", "Ask the user for access."),
    errno.ENAMETOOLONG: ("path_too_long", "the name is too long.", "Look with list_dir or find."),
}


def refuse_os_error(error: OSError, path: str, field: str) -> Never:
    """Turn a failure to open ``path`` into a refusal; the message has no path of the host.

    Raises:
        CommandRefused: always.
    """
    known = _CODES.get(error.errno or 0)
    code, problem, remedy = known or ("unreadable", f"it cannot be opened ({error.strerror}).", "")
    raise CommandRefused(code, f"{quote(escape_name(path))}: {problem}", field=field, remedy=remedy) from None
