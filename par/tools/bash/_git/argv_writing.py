"""The argv of the commands that change a repository: ids instead of revisions, texts on the standard input."""

from typing import Final

from par.tools.bash._commands.git_writing import (
    GitApply,
    GitBranch,
    GitCommit,
    GitReset,
    GitRestore,
    GitStash,
    GitSwitch,
)

__all__ = [
    "NUMSTAT",
    "STAGE",
    "apply_argv",
    "branch_argv",
    "candidates_argv",
    "commit_argv",
    "reset_argv",
    "restore_argv",
    "stash_argv",
    "switch_argv",
]

STAGE: Final = ("update-index", "--add", "--remove", "--replace", "-z", "--stdin")
"""Puts exactly the names on the standard input into the index: no pattern, and no look into submodules."""
NUMSTAT: Final = ("apply", "-p1", "--numstat", "-z", "--whitespace=nowarn")
_EVERYTHING: Final = ":(top)"


def candidates_argv(paths: tuple[str, ...], *, untracked: bool) -> tuple[str, ...]:
    """Return the arguments of the ``git status`` that finds what ``git_add`` may add."""
    files = f"--untracked-files={'all' if untracked else 'no'}"
    return ("status", "--porcelain=v1", "-z", "--ignore-submodules=all", "--no-renames", files, "--", *paths)


def commit_argv(command: GitCommit) -> tuple[str, ...]:
    """Return the arguments of ``git commit``."""
    message = ("-F", "-") if command.message is not None else ()
    choices = ((command.amend, "--amend"), (command.allow_empty, "--allow-empty"))
    fixed = ("--no-verify", "--no-gpg-sign", "--no-edit", "--no-status", "--cleanup=strip")
    return ("commit", *fixed, *(token for wanted, token in choices if wanted), *message)


def restore_argv(command: GitRestore, oid: str | None, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the arguments of ``git restore``; no path stands for all of the repository."""
    choices = (
        (oid is not None, f"--source={oid}"),
        (command.staged, "--staged"),
        (command.in_worktree, "--worktree"),
    )
    fixed = ("--quiet", "--no-recurse-submodules")
    return ("restore", *fixed, *(token for wanted, token in choices if wanted), "--", *(paths or (_EVERYTHING,)))


def switch_argv(command: GitSwitch, oid: str | None) -> tuple[str, ...]:
    """Return the arguments of ``git switch``; quiet, because what it tells it would look for in submodules."""
    fixed = ("--quiet", "--no-guess", "--no-recurse-submodules")
    if not command.create:
        return ("switch", *fixed, "--", command.branch)
    return ("switch", *fixed, "--no-track", f"--create={command.branch}", *(() if oid is None else (oid,)), "--")


def branch_argv(command: GitBranch, oid: str | None) -> tuple[str, ...]:
    """Return the arguments of ``git branch``."""
    force = ("--force",) if command.force else ()
    if command.action == "create":
        return ("branch", "--no-track", *force, "--", command.name, oid or "")
    if command.action == "delete":
        return ("branch", "--delete", *force, "--", command.name)
    return ("branch", "--move", *force, "--", command.name, command.new_name or "")


def stash_argv(command: GitStash) -> tuple[str, ...]:
    """Return the arguments of ``git stash``."""
    if command.action != "push":
        return ("stash", command.action)
    untracked = "--include-untracked" if command.untracked else "--no-include-untracked"
    message = () if command.message is None else (f"--message={command.message}",)
    return ("stash", "push", untracked, *message)


def reset_argv(command: GitReset, oid: str) -> tuple[str, ...]:
    """Return the arguments of ``git reset``."""
    return ("reset", "--quiet", "--no-recurse-submodules", f"--{command.mode}", oid, "--")


def apply_argv(command: GitApply) -> tuple[str, ...]:
    """Return the arguments of ``git apply``, which reads the patch from its standard input.

    Without ``-p1`` it would guess from the patch how many parts to take off the names.
    """
    choices = ((command.check, "--check"), (command.reverse, "--reverse"))
    return ("apply", "-p1", "--whitespace=nowarn", "--verbose", *(token for wanted, token in choices if wanted))
