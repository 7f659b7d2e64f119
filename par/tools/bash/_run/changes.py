"""Which files of the workspace changed while a command ran, by the time that only the kernel sets."""

import os
from typing import Final

from par.tools._workspace import Workspace
from par.tools.bash._run.clean import escape_name

__all__ = ["changed_since"]

_MOST_SEEN: Final = 50_000
_MOST_TOLD: Final = 30
_SKIPPED: Final = frozenset({".git", "node_modules", "__pycache__", ".venv", "venv", "target"})


def changed_since(workspace: Workspace, since_ns: int) -> tuple[str, ...]:
    """Return notes on the files whose inode changed since a time, at most thirty of them by name."""
    found: list[str] = []
    seen = 0
    folders = ["."]
    while folders and seen < _MOST_SEEN:
        name = folders.pop()
        try:
            with workspace.open_folder(name) as folder, os.scandir(folder.fd) as entries:
                for entry in entries:
                    seen += 1
                    path = entry.name if name == "." else f"{name}/{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in _SKIPPED:
                            folders.append(path)
                    elif entry.stat(follow_symlinks=False).st_ctime_ns >= since_ns:
                        found.append(path)
        except OSError:
            continue  # removed meanwhile, or not ours to read
    if not found:
        return ()
    found.sort()
    shown = ", ".join(escape_name(path) for path in found[:_MOST_TOLD])
    more = f" and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
    unseen = " There may be others: the workspace is too large to look at all of it." if folders else ""
    return (f"Changed or made: {shown}{more}.{unseen}",)
