"""The argv of the commands that tell who wrote what, which names there are, and which files."""

from types import MappingProxyType
from typing import Final

from par.tools.bash._commands.git_history import GitBlame, GitLsFiles, GitRefs

__all__ = ["blame_argv", "ls_files_argv", "reflog_argv", "refs_argv"]

_PLACES: Final = MappingProxyType({
    "branches": ("refs/heads/",),
    "remote_branches": ("refs/remotes/",),
    "all_branches": ("refs/heads/", "refs/remotes/"),
    "tags": ("refs/tags/",),
})
_WHICH: Final = MappingProxyType({
    "tracked": ("--cached",),
    "untracked": ("--others", "--exclude-standard"),
    "ignored": ("--others", "--ignored", "--exclude-standard"),
    "modified": ("--modified",),
    "deleted": ("--deleted",),
    "unmerged": ("--unmerged",),
})


def blame_argv(command: GitBlame, oid: str, name: str) -> tuple[str, ...]:
    """Return the arguments of ``git blame``; always of a commit, because a file of the work tree may be filtered."""
    span: tuple[str, ...] = ()
    if command.start_line is not None or command.end_line is not None:
        span = (f"-L{command.start_line or 1},{'' if command.end_line is None else command.end_line}",)
    return ("blame", "--no-textconv", "--date=short", *span, oid, "--", name)


def refs_argv(command: GitRefs, revs: dict[str, str]) -> tuple[str, ...]:
    """Return the arguments of ``git for-each-ref`` for branches and tags."""
    choices = (
        (command.contains is not None, f"--contains={revs.get(command.contains or '')}"),
        (command.merged is not None, f"--merged={revs.get(command.merged or '')}"),
    )
    shown = "--format=%(HEAD) %(refname:short) %(objectname:short) %(contents:subject)"
    places = (f"{place}{command.pattern or ''}" for place in _PLACES[command.kind])
    return (
        "for-each-ref",
        f"--count={command.limit}",
        shown,
        *(token for wanted, token in choices if wanted),
        "--",
        *places,
    )


def reflog_argv(command: GitRefs) -> tuple[str, ...]:
    """Return the arguments of ``git log`` for where HEAD has been, and for what was stashed."""
    ref = "refs/stash" if command.kind == "stashes" else "HEAD"
    shown = "--format=%gd: %gs" if command.kind == "stashes" else "--format=%h %gd: %gs"
    fixed = ("--walk-reflogs", "--no-patch", "--no-show-signature", "--no-color", shown)
    return ("log", *fixed, f"--max-count={command.limit}", ref, "--")


def ls_files_argv(command: GitLsFiles, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the arguments of ``git ls-files``."""
    return ("ls-files", "-z", *_WHICH[command.which], "--", *paths)
