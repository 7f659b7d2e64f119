"""git_restore, git_switch, git_branch and git_reset."""

import os
from typing import Final

from par.errors import CommandRefused
from par.tools.bash._commands.git_writing import GitBranch, GitReset, GitRestore, GitSwitch
from par.tools.bash._commands.protected import protected_name
from par.tools.bash._commands.refusals import quote
from par.tools.bash._git.argv_writing import branch_argv, reset_argv, restore_argv, switch_argv
from par.tools.bash._git.process import Git, failed
from par.tools.bash._run.clean import escape_name
from par.tools.bash._run.output import Outcome

__all__ = ["branch", "obeyed", "reset", "restore", "switch"]

_SHOWN: Final = 20


def obeyed(git: Git, names: list[bytes]) -> tuple[str, ...]:
    """Refuse names that the policy keeps from being written; tell of those that programs obey."""
    for name in names:
        git.allow_writing(os.fsdecode(name))
    found = [os.fsdecode(name) for name in names if protected_name(os.fsdecode(name)) is not None]
    shown = ", ".join(escape_name(name[:200]) for name in found[:_SHOWN])
    return (f"Changed with it, and obeyed by programs: {shown}.",) if found else ()


async def restore(git: Git, command: GitRestore) -> Outcome:
    """Put files back as they were, in the index or in the work tree.

    Raises:
        CommandRefused: ``path_not_found``, ``conflict``, ``protected_path``, and others.
    """
    oid = None if command.source is None else await git.resolve(command.source, "source")
    paths = git.paths.given(command.paths)
    if oid is None and command.staged:
        oid = await git.resolve("HEAD", "staged")
    changed: list[bytes] = []
    notes: tuple[str, ...] = ()
    if command.in_worktree:
        changed = await git.differing(oid, paths)
        notes = obeyed(git, changed)
    ended = await git.run(*restore_argv(command, oid, paths))
    if ended.exit_code != 0:
        raise failed(ended, "restore", remedy="git_status shows the state.")
    return git.told(changed, *notes, f"Put back {'in the work tree' if command.in_worktree else 'in the index'}.")


async def switch(git: Git, command: GitSwitch) -> Outcome:
    """Switch to a branch; changes that it would overwrite keep it from happening.

    Raises:
        CommandRefused: ``branch_missing``, ``branch_exists``, ``dirty_worktree``, ``conflict``, and others.
    """
    there = await git.find(f"refs/heads/{command.branch}")
    if command.create and there is not None:
        raise _exists(command.branch, "branch")
    if not command.create and there is None and await git.branch() != command.branch:
        problem = f"there is no branch {quote(command.branch)}."
        remedy = "git_refs lists them; create: true makes one, with start to begin at a tag or a remote's branch."
        raise CommandRefused("branch_missing", problem, field="branch", remedy=remedy)
    start = None if command.start is None else await git.resolve(command.start, "start")
    notes = await _arriving(git, start if command.create else there)
    ended = await git.run(*switch_argv(command, start))
    if ended.exit_code != 0:
        raise failed(ended, "switch", remedy="git_status shows the state.")
    return git.told((), *notes, f"On {'the new ' if command.create else ''}branch {command.branch}.")


async def _arriving(git: Git, oid: str | None) -> tuple[str, ...]:
    """Look at what changes in the work tree when another commit is checked out."""
    if oid is None:
        return ()
    head = await git.find("HEAD")
    if head == oid:
        return ()
    seen = ("-r", "--name-only", "-z")
    if head is None:
        return obeyed(git, await git.names("ls-tree", *seen, "--full-tree", oid, "--"))
    return obeyed(git, await git.names("diff-tree", *seen, "--no-renames", head, oid, "--"))


def _exists(name: str, field: str) -> CommandRefused:
    problem = f"there is a branch {quote(name)} already."
    return CommandRefused("branch_exists", problem, field=field, remedy="Use git_switch, or take another name.")


async def branch(git: Git, command: GitBranch) -> Outcome:
    """Make, delete or rename a branch.

    Raises:
        CommandRefused: ``branch_missing``, ``branch_exists``, ``branch_in_use``, ``not_merged``, ``bad_rev``.
    """
    current = await git.branch()
    there = await git.find(f"refs/heads/{command.name}")
    if command.action == "create":
        if there is not None and not command.force:
            raise _exists(command.name, "name")
        if command.name == current and there is not None:
            raise _in_use(command.name)
        oid = await git.resolve(command.start or "HEAD", "start")
        return await _branched(git, command, oid, f"Made {command.name} at {oid[:12]}.")
    if there is None:
        raise CommandRefused(
            "branch_missing", f"there is no branch {quote(command.name)}.", field="name", remedy="git_refs lists them."
        )
    if command.action == "delete":
        if command.name == current:
            raise _in_use(command.name)
        return await _branched(git, command, None, f"Deleted {command.name}, which was at {there[:12]}.")
    new = command.new_name or ""
    if new == current != command.name:
        raise _in_use(new)
    if not command.force and new != command.name and await git.find(f"refs/heads/{new}") is not None:
        raise _exists(new, "new_name")
    outcome = await _branched(git, command, None, f"Renamed {command.name} to {new}.", *_left(git, command.name))
    if command.name == current:
        # git has moved the HEAD of its view, which is not the repository's
        ended = await git.run("symbolic-ref", "-m", "branch: renamed", "HEAD", f"refs/heads/{new}")
        if ended.exit_code != 0:
            raise failed(ended, "branch", remedy=f"HEAD names no branch now: use git_switch to go to {new}.")
    return outcome


def _left(git: Git, name: str) -> tuple[str, ...]:
    kept = any(key.startswith(f"branch.{name}.") for key, _ in git.entries)
    return ("Its upstream stays noted under the old name in .git/config.",) if kept else ()


def _in_use(name: str) -> CommandRefused:
    problem = f"{quote(name)} is checked out."
    return CommandRefused("branch_in_use", problem, field="name", remedy="Use git_switch to go to another first.")


async def _branched(git: Git, command: GitBranch, oid: str | None, *notes: str) -> Outcome:
    ended = await git.run(*branch_argv(command, oid))
    if ended.exit_code != 0:
        raise failed(ended, "branch")
    return git.told((), *notes)


async def reset(git: Git, command: GitReset) -> Outcome:
    """Move the branch to a revision, and with it the index or the work tree too.

    Raises:
        CommandRefused: ``bad_rev``, ``conflict``, ``protected_path``, and others.
    """
    oid = await git.resolve(command.rev)
    notes: tuple[str, ...] = ()
    if command.mode == "hard":
        notes = obeyed(git, await git.differing(oid))
    ended = await git.run(*reset_argv(command, oid))
    if ended.exit_code != 0:
        raise failed(ended, "reset", remedy="git_status shows the state.")
    return git.told((), *notes, f"HEAD is at {oid[:12]} now.")
