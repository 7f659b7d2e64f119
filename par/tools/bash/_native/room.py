"""What the commands share: the place they work in, the files they open there, and how failures are told."""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Never

import attrs

from par.errors import CommandRefused
from par.tools._workspace import Opened, Workspace
from par.tools.bash._commands.refusals import quote
from par.tools.bash._native.flow import FLOW_BYTES, FLOW_LINES, Flow, Sink
from par.tools.bash._native.linked import LinkedNames
from par.tools.bash._policy.policy import Policy
from par.tools.bash._run.capture import Lines
from par.tools.bash._run.clean import escape_name

__all__ = ["Room", "refuse_os_error"]


@attrs.frozen(kw_only=True)
class Room:
    """Where a native command works, and within which rules."""

    workspace: Workspace
    policy: Policy
    flowing: bool = False
    """Whether the output goes to the next stage of a pipeline and not to the model."""

    def flow(self) -> "Room":
        """Return the same room with the bounds of what flows through a pipeline.

        They replace the bounds of the policy, so that every command keeps to them, wherever its output comes from.
        """
        wide = attrs.evolve(self.policy, max_output_bytes=FLOW_BYTES, max_output_lines=FLOW_LINES)
        return attrs.evolve(self, policy=wide, flowing=True)

    def lines(self) -> Sink:
        """Return an empty collector with the bounds of this room."""
        return Flow() if self.flowing else Lines(self.policy.max_output_bytes, self.policy.max_output_lines)

    def linked(self) -> LinkedNames:
        """Return what tells whether a file has another name that is denied."""
        return LinkedNames(self.workspace, self.policy)

    def allow_reading(self, opened: Opened, field: str = "path") -> None:
        """Refuse a file that is denied by its real name, which a link may have hidden, or by another name of it.

        Call it in a worker thread.

        Raises:
            CommandRefused: with the code ``read_denied``.
        """
        if self.policy.denies_reading(opened.name) or self.linked().denied(opened.facts):
            deny = self.policy.read_denied(opened.name)
            raise CommandRefused(deny.code, deny.reason, field=field, remedy=deny.remedy)

    @contextmanager
    def reading(
        self, path: str | None, stdin: int | None, *, field: str = "path", most: int | None = None
    ) -> Generator[Opened, None, None]:
        """Open the file ``path`` if it may be read, or take ``stdin`` where a command has no path.

        Raises:
            CommandRefused: why it cannot be read; ``too_large`` for more than ``most`` bytes.
        """
        if path is None:
            if stdin is None:
                raise CommandRefused("missing_field", f"there is no {field}, and nothing comes in.", field=field)
            os.lseek(stdin, 0, os.SEEK_SET)
            yield Opened(fd=stdin, name="", facts=os.fstat(stdin))
            return
        try:
            with self.workspace.open_file(path) as opened:
                self.allow_reading(opened, field)
                _check_size(opened, path, field, most)
                yield opened
        except OSError as error:
            refuse_os_error(error, path, field)

    @contextmanager
    def looking_at(self, path: str, field: str = "path") -> Generator[Opened, None, None]:
        """Open whatever ``path`` is, without waiting; whether its content may be read is not asked.

        Raises:
            CommandRefused: why it cannot be opened.
        """
        try:
            with self.workspace.open_any(path) as opened:
                yield opened
        except OSError as error:
            refuse_os_error(error, path, field)


def _check_size(opened: Opened, path: str, field: str, most: int | None) -> None:
    size = opened.facts.st_size
    if most is not None and size > most:
        problem = f"{quote(escape_name(path))} has {size} bytes; at most {most} are taken."
        raise CommandRefused("too_large", problem, field=field, remedy="Take a part of it with head, tail or grep.")


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
    code, problem, remedy = known or ("unreadable", f"it cannot be opened ({error.strerror}).", "Tell the user.")
    raise CommandRefused(code, f"{quote(escape_name(path))}: {problem}", field=field, remedy=remedy) from None
