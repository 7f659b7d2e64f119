"""git_stash."""

import os

from par.errors import CommandRefused
from par.tools.bash._commands.git_writing import GitStash
from par.tools.bash._commands.protected import protected_name
from par.tools.bash._commands.refusals import quote
from par.tools.bash._git.argv_writing import stash_argv
from par.tools.bash._git.moving import obeyed
from par.tools.bash._git.process import Git, failed
from par.tools.bash._run.output import Outcome

__all__ = ["stash"]


async def stash(git: Git, command: GitStash) -> Outcome:
    """Put changes aside, or take them back.

    Git does this with further gits of its own, so it is refused where those could meet submodules.

    Raises:
        CommandRefused: ``has_submodules``, ``nothing_to_stash``, ``no_stash``, ``dirty_worktree``, and others.
    """
    await _refuse_submodules(git)
    notes: tuple[str, ...] = ()
    if command.action == "push":
        notes = obeyed(git, await git.differing(await git.resolve("HEAD", "action")))
    else:
        there = await git.find("refs/stash")
        if there is None:
            raise CommandRefused(
                "no_stash", "nothing is stashed.", field="action", remedy="git_refs with kind stashes lists them."
            )
        if command.action != "drop":
            notes = await _arriving(git, there)
    ended = await git.run(*stash_argv(command), starts_itself=True)
    said = ended.stdout.head + ended.stdout.tail
    if command.action == "push" and b"No local changes to save" in said:
        raise CommandRefused(
            "nothing_to_stash", "there are no changes.", field="action", remedy="git_status shows the state."
        )
    if ended.exit_code == 1 and b"CONFLICT" in said:
        advice = "Conflicts: edit the files between the marks, git_add them. The stash is kept: drop it afterwards."
        return git.outcome(ended, *notes, advice)
    if ended.exit_code != 0:
        raise failed(ended, "stash", remedy="git_status shows the state.")
    return git.outcome(ended, *notes)


async def _arriving(git: Git, oid: str) -> tuple[str, ...]:
    seen = ("-r", "--name-only", "-z")
    parent = await git.resolve("refs/stash^1", "action")
    await _refuse_renames(git, parent)
    names = await git.names("diff-tree", *seen, "--no-renames", parent, oid, "--")
    untracked = await git.find("refs/stash^3")
    if untracked is not None:
        names += await git.names("ls-tree", *seen, "--full-tree", untracked, "--")
    return obeyed(git, names)


async def _refuse_renames(git: Git, parent: str) -> None:
    """Refuse if changes could come to names that they were not made under: git follows files that were renamed.

    No option of git 2.39 keeps it from that, so what was renamed, made or removed since then may not be protected.
    """
    head = await git.resolve("HEAD", "action")
    if head == parent:
        return
    policy = git.room.policy
    for entry in await git.names("diff-tree", "-r", "--name-only", "-z", "--no-renames", parent, head, "--"):
        name = git.real(os.fsdecode(entry))
        if protected_name(name) is not None or policy.denies_writing(name) or policy.denies_reading(name):
            problem = (
                f"{quote(name)} is protected, and not as it was when the stash was made: git could carry changes over."
            )
            raise CommandRefused(
                "protected_path",
                problem,
                field="action",
                remedy="Go to where the stash was made with git_switch first.",
            )


async def _refuse_submodules(git: Git) -> None:
    for entry in await git.names("ls-files", "-z", "--stage", "--"):
        if entry.startswith(b"160000 "):
            raise CommandRefused(
                "has_submodules",
                "stashing looks into submodules, whose configuration nobody has checked.",
                field="op",
                remedy="Make a branch with git_switch and create: true, and commit there instead.",
            )
