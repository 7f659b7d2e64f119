"""git_blame, git_refs, git_ls_files and git_rev_parse."""

import os
import re
from functools import partial
from typing import Final

from par.errors import CommandRefused
from par.tools.bash._commands.git_history import GitBlame, GitLsFiles, GitRefs, GitRevParse
from par.tools.bash._commands.refusals import quote
from par.tools.bash._git.argv_history import blame_argv, ls_files_argv, reflog_argv, refs_argv
from par.tools.bash._git.elsewhere import remotes, worktrees
from par.tools.bash._git.process import Git, failed
from par.tools.bash._native.interrupt import in_thread
from par.tools.bash._native.match import matches
from par.tools.bash._run.output import Outcome

__all__ = ["blame", "ls_files", "refs", "rev_parse"]

_GLOB: Final = re.compile(r"[*?\[]")
_NO_COMMIT: Final = "There is no commit yet."


async def blame(git: Git, command: GitBlame) -> Outcome:
    """Tell who changed each line of a committed file last."""
    name = git.paths.inside(command.path)
    if not name:
        raise CommandRefused("not_regular_file", "it is a folder.", field="path", remedy="Name a file.")
    git.allow_reading(name)
    oid = await git.resolve(command.rev or "HEAD")
    ended = await git.run(*blame_argv(command, oid, name))
    if ended.exit_code != 0:
        raise failed(ended, "blame", remedy="git_ls_files lists the files, word_count counts their lines.")
    return git.outcome(ended)


async def refs(git: Git, command: GitRefs) -> Outcome:
    """List names of a kind."""
    if command.kind == "current":
        return await _current(git)
    if command.kind == "remotes":
        found = remotes(git.entries)[: command.limit]
        return git.told(found) if found else git.told((), "There are no remotes.")
    if command.kind == "worktrees":
        listed = await in_thread(partial(worktrees, git.repository, git.room.workspace.path))
        return git.told(listed[: command.limit])
    if command.kind in {"stashes", "reflog"}:
        there = await git.find("refs/stash" if command.kind == "stashes" else "HEAD")
        if there is None:
            return git.told((), "Nothing is stashed." if command.kind == "stashes" else _NO_COMMIT)
        ended = await git.run(*reflog_argv(command))
    else:
        named = (command.contains, command.merged)
        revs = {rev: await git.resolve(rev) for rev in dict.fromkeys(named) if rev is not None}
        ended = await git.run(*refs_argv(command, revs))
    if ended.exit_code != 0:
        raise failed(ended, "refs")
    full = ended.stdout.head.count(b"\n") + ended.stdout.tail.count(b"\n") >= command.limit
    return git.outcome(ended, *((f"There may be more: limit is {command.limit}.",) if full else ()))


async def _current(git: Git) -> Outcome:
    branch = await git.branch()
    oid = await git.find("HEAD")
    if branch is None:
        return git.told([(oid or "").encode()], "HEAD is detached: no branch is checked out.")
    return git.told([os.fsencode(branch)], *(() if oid is not None else (_NO_COMMIT,)))


async def ls_files(git: Git, command: GitLsFiles) -> Outcome:
    """List files of a kind; paths may have stars here, which our own matcher looks at."""
    given = [git.paths.inside(path) for path in command.paths or ()]
    whole = not given or "" in given
    has_glob = any(_GLOB.search(name) for name in given)
    paths = () if whole or has_glob else git.paths.marked(given)
    found = await git.names(*ls_files_argv(command, paths))
    names = dict.fromkeys(name.partition(b"\t")[2] if command.which == "unmerged" else name for name in found)
    below = git.paths.inside(".")
    chosen = [name for name in names if whole or not has_glob or _chosen(os.fsdecode(name), given, below)]
    return git.told(chosen) if chosen else git.told((), "No files.")


def _chosen(name: str, given: list[str], below: str) -> bool:
    for wanted in given:
        if name == wanted or name.startswith(f"{wanted}/"):
            return True
        inner = wanted.removeprefix(f"{below}/")
        if "/" not in inner and below and not name.startswith(f"{below}/"):
            continue  # a pattern of names counts below cwd only
        if matches(inner if "/" not in inner else wanted, name):
            return True
    return False


async def rev_parse(git: Git, command: GitRevParse) -> Outcome:
    """Tell the id or the name of a revision, where the repository is, or where two revisions parted."""
    if command.what == "toplevel":
        return git.told([os.fsencode(git.repository.folder)], "Relative to the workspace.")
    if command.what == "abbrev_ref" and command.rev == "HEAD":
        return await _current(git)
    oid = await git.resolve(command.rev)
    if command.what == "oid":
        return git.told([oid.encode()])
    if command.what == "short_oid":
        ended = await git.run("rev-parse", "--verify", "--short", oid)
    elif command.what == "abbrev_ref":
        ended = await git.run("rev-parse", "--verify", "--quiet", "--abbrev-ref", "--end-of-options", command.rev)
        if ended.exit_code == 0 and not ended.stdout.head.strip():
            return git.told((), f"{quote(command.rev)} is a commit, and no branch or tag.")
    else:
        other = await git.resolve(command.other or "", "other")
        if other == oid:
            return git.told([oid.encode()])
        ended = await git.run("merge-base", oid, other)
        if ended.exit_code == 1:
            return git.told((), "The two have no commit in common.")
    if ended.exit_code != 0:
        raise failed(ended, "rev-parse")
    return git.outcome(ended)
