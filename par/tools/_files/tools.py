"""The set of the tools on files."""

import os
from collections.abc import Iterable
from typing import Final

from par import AgentTool
from par.errors import UsageError
from par.tools._files.listing import find_tool, ls_tool
from par.tools._files.reading import grep_tool, read_tool
from par.tools._files.writing import edit_tool, write_tool
from par.tools._workspace import Workspace
from par.tools.bash._commands.reading import Find, Grep, ListDir, ReadFile
from par.tools.bash._commands.writing import WriteFile
from par.tools.bash._native.room import Room
from par.tools.bash._policy.policy import READ_DENY, Policy

__all__ = ["file_tools"]

_LEAST: Final = 1024
_MOST: Final = 1024 * 1024
_READ_BYTES: Final = 50 * 1024


def file_tools(
    workspace: Workspace | str | os.PathLike[str],
    *,
    read_deny: Iterable[str] = READ_DENY,
    write_protect: Iterable[str] = (),
    write: bool = True,
    max_read_bytes: int = _READ_BYTES,
) -> tuple[AgentTool[object], ...]:
    """Return ``read``, ``ls``, ``find`` and ``grep``, and ``write`` and ``edit`` unless ``write`` is ``False``.

    They open nothing outside of the workspace, through no link and in no race, as the commands of ``Bash`` do, and
    keep to the same names: what ``read_deny`` covers is not read, searched or edited, and nothing is written under
    protected names such as ``.git``, nor under those that a person is asked about, such as ``.github/workflows``.

    Args:
        workspace: a ``Workspace`` or the path of a folder; one that a ``Bash`` has can be used by both.
        read_deny: names whose content is never shown, in any letter case: ``*.pem`` is any part of a path that
            matches, ``.ssh/**`` everything below such a folder. By default what usually holds secrets.
        write_protect: more names that are never written, patterns as in ``read_deny``.
        write: whether there are tools that write.
        max_read_bytes: bytes of text that one call of ``read`` or ``grep`` returns at most, from 1024 to 1048576.
            50 KiB, the default, are about 12,000 tokens.

    Raises:
        UsageError: for a pattern or a number that is none, and on Windows.
        WorkspaceNotFound: if the folder is absent.
    """
    if type(max_read_bytes) is not int or not _LEAST <= max_read_bytes <= _MOST:
        raise UsageError(f"max_read_bytes must be a whole number from {_LEAST} to {_MOST}, got {max_read_bytes!r}")
    policy = Policy(
        name="of the file tools",
        allow=(ReadFile, ListDir, Find, Grep, WriteFile),
        effects=("read", "write"),
        approve_at=None,  # there is nobody to ask; what a person decides on is refused
        read_deny=read_deny,
        write_protect=write_protect,
        max_output_bytes=max_read_bytes,
    )
    held = workspace if isinstance(workspace, Workspace) else Workspace(workspace)
    room = Room(workspace=held, policy=policy)
    reading = (read_tool(room), ls_tool(room), find_tool(room), grep_tool(room))
    return (*reading, write_tool(room), edit_tool(room)) if write else reading
