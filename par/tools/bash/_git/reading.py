"""git_status, git_diff, git_log and git_show."""

import re

import attrs

from par.errors import CommandRefused
from par.tools.bash._commands.git_reading import GitDiff, GitLog, GitShow, GitStatus
from par.tools.bash._commands.refusals import quote
from par.tools.bash._git.argv import diff_argv, log_argv, planned, show_argv, status_argv
from par.tools.bash._git.process import Git
from par.tools.bash._run.output import Outcome

__all__ = ["read"]

_ENTRY = re.compile(rb"([0-7]{6}) (blob|tree|commit) ([0-9a-f]{40}|[0-9a-f]{64})\t")


async def read(git: Git, command: GitStatus | GitDiff | GitLog | GitShow) -> Outcome:
    """Show the state, changes, commits, or a file as it was."""
    policy, repository = git.room.policy, git.repository
    revs = {rev: await git.resolve(rev) for rev in planned(command)}
    if isinstance(command, GitShow) and command.path is not None:
        return await _blob(git, command.path, revs[command.rev])
    if isinstance(command, GitStatus):
        arguments = status_argv(command, git.paths)
    elif isinstance(command, GitDiff):
        arguments = diff_argv(command, revs, git.paths)
    elif isinstance(command, GitLog):
        arguments = log_argv(command, revs, git.paths)
    else:
        arguments = show_argv(command, revs, git.paths)
    if arguments[-1].startswith(":(top,exclude") and policy.denies_reading(repository.folder):
        deny = policy.read_denied(repository.folder)
        raise CommandRefused(deny.code, deny.reason, field="cwd", remedy=deny.remedy)
    ended = await git.run(*arguments)
    same = isinstance(command, GitDiff) and ended.exit_code == 0 and not ended.stdout.total
    return git.outcome(ended, *(("No differences.",) if same else ()))


async def _blob(git: Git, path: str, oid: str) -> Outcome:
    """Show a file as it was: looked up in the tree, so that git gets an object id and no path to interpret."""
    name = git.paths.inside(path)
    git.allow_reading(name)
    listed = await git.run("ls-tree", "-z", "--full-tree", oid, "--", *git.paths.marked([name]))
    found = _ENTRY.match(listed.stdout.head)
    if found is None:
        problem = f"{quote(path)} is not in that commit."
        raise CommandRefused(
            "path_not_found", problem, field="path", remedy="git_show with output: stat lists what it changed."
        )
    if found[2] != b"blob":
        problem = f"{quote(path)} is a folder or a submodule in that commit."
        raise CommandRefused("not_regular_file", problem, field="path", remedy="Name a file in it.")
    outcome = git.outcome(await git.run("cat-file", "blob", found[3].decode()))
    return (
        attrs.evolve(outcome, notes=("This is a symbolic link; its target is shown.",))
        if found[1] == b"120000"
        else outcome
    )
