"""Further names of files that are kept from being read: a hard link has the content, and tells nothing of the name."""

import os
from contextlib import closing
from typing import final

from par.tools._workspace import Workspace
from par.tools.bash._native.walk import MAX_ENTRIES, Entry, walk
from par.tools.bash._policy.policy import Policy

__all__ = ["LinkedNames"]

_DEEPEST = 64


@final
class LinkedNames:
    """Tells whether a file is one that the policy keeps from being read, whatever name it was opened by.

    The workspace is walked when a file with several names is met for the first time, and not otherwise.
    """

    def __init__(self, workspace: Workspace, policy: Policy) -> None:
        self._workspace = workspace
        self._policy = policy
        self._denied: frozenset[tuple[int, int]] | None = None
        self._whole = True

    def denied(self, facts: os.stat_result) -> bool:
        """Tell whether the file has a name that is denied, or may have one where there are too many to look at.

        Call it in a worker thread.
        """
        if facts.st_nlink < 2 or not self._policy.read_deny:
            return False
        if self._denied is None:
            self._denied = frozenset(self._found())
        return not self._whole or (facts.st_dev, facts.st_ino) in self._denied

    def _found(self) -> set[tuple[int, int]]:
        found: set[tuple[int, int]] = set()
        seen = 0
        with (
            self._workspace.root() as root,
            closing(walk(root, ".", depth=_DEEPEST, enter=_enters)) as entries,
        ):
            for entry in entries:
                seen += 1
                if entry.what == "file" and self._policy.denies_reading(entry.path):
                    try:
                        facts = entry.stat()
                    except OSError:
                        continue  # gone since it was listed
                    found.add((facts.st_dev, facts.st_ino))
        self._whole = seen < MAX_ENTRIES
        return found


def _enters(folder: Entry) -> bool:
    return folder.name != ".git"
