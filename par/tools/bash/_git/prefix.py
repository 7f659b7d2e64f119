"""What every run of git begins with, and the environment that it gets: both built from nothing."""

from types import MappingProxyType
from typing import Final

__all__ = ["ALONE", "CLEAN_ENV", "GIT_ENV", "GIT_PREFIX"]

_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=keep",
    "core.pager=cat",
    "core.editor=false",
    "sequence.editor=false",
    "diff.external=",
    "core.sshCommand=false",
    "core.askPass=",
    "credential.helper=",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "gpg.program=false",
    "log.showSignature=false",
    "core.alternateRefsCommand=false",
    "interactive.diffFilter=",
    "protocol.allow=never",
    "safe.bareRepository=explicit",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "color.ui=false",
    "core.quotePath=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "rerere.enabled=false",
    "branch.autoSetupMerge=false",
)

# .git and the work tree are named relative to a folder that is held by descriptor: git does not search for them
GIT_PREFIX: Final[tuple[str, ...]] = (
    "--no-pager",
    "--no-replace-objects",
    "--git-dir=.git",
    "--work-tree=.",
    *(token for setting in _SETTINGS for token in ("-c", setting)),
)

# HOME is no folder, so nothing can be read from it or put there
CLEAN_ENV: Final = MappingProxyType({
    "PATH": "/usr/bin:/bin",
    "HOME": "/dev/null",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "TERM": "dumb",
    "NO_COLOR": "1",
    "PAGER": "cat",
})

GIT_ENV: Final = MappingProxyType({
    **CLEAN_ENV,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_EDITOR": "false",
    "GIT_SEQUENCE_EDITOR": "false",
    "GIT_ASKPASS": "/bin/false",
    "SSH_ASKPASS": "/bin/false",
    "GIT_SSH_COMMAND": "/bin/false",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_PAGER": "cat",
})

ALONE: Final = MappingProxyType({"PATH": "/dev/null", "GIT_EXEC_PATH": "/dev/null"})
"""Where git finds no git: it would start one in each submodule, which has a configuration of its own."""
