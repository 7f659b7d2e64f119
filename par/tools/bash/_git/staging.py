"""git_add and git_commit."""

import os
import stat
from functools import partial
from typing import Final

import attrs

from par.errors import CommandRefused
from par.tools.bash._commands.git_writing import GitAdd, GitCommit
from par.tools.bash._commands.refusals import quote
from par.tools.bash._git.argv_writing import STAGE, candidates_argv, commit_argv
from par.tools.bash._git.process import Git, failed
from par.tools.bash._native.interrupt import in_thread
from par.tools.bash._native.linked import LinkedNames
from par.tools.bash._run.clean import escape_name
from par.tools.bash._run.output import Outcome

__all__ = ["add", "commit"]

_SHOWN: Final = 20


@attrs.frozen(kw_only=True)
class _Changes:
    """What may be put into the index, and what may not, relative to the repository."""

    wanted: list[bytes]
    denied: list[bytes]
    repositories: list[bytes]


async def add(git: Git, command: GitAdd) -> Outcome:
    """Put changes into the index: first they are listed, then exactly those that may be read are added.

    Raises:
        CommandRefused: ``path_not_found`` and ``ignored`` for a path that cannot be added, ``read_denied`` if all
            of what was named is denied.
    """
    paths = git.paths.given(command.paths)
    listed = await git.names(*candidates_argv(paths, untracked=not command.update))
    changes = await in_thread(partial(_sorted, git, listed))
    if not changes.wanted:
        await _explain(git, command, changes)
    notes = [_note("Skipped, because the policy keeps them from being read", changes.denied)]
    notes.append(_note("Skipped, because they are repositories of their own", changes.repositories))
    if not changes.wanted:
        return git.told((), *(note for note in notes if note), "Nothing to add: the index has it all.")
    ended = await git.run(*STAGE, stdin=b"".join(name + b"\0" for name in changes.wanted))
    if ended.exit_code != 0:
        raise failed(ended, "add")
    return git.told(changes.wanted, *(note for note in notes if note), f"Added {_count(changes.wanted)}.")


def _sorted(git: Git, listed: list[bytes]) -> _Changes:
    found = _Changes(wanted=[], denied=[], repositories=[])
    linked = git.room.linked()
    for entry in listed:
        state, name = entry[1:2], entry[3:]
        if state == b" ":
            continue  # only the index differs from the last commit
        if name.endswith(b"/"):
            found.repositories.append(name)
        elif git.room.policy.denies_reading(git.real(os.fsdecode(name))) or _is_linked(git, linked, name):
            found.denied.append(name)
        else:
            found.wanted.append(name)
    return found


def _is_linked(git: Git, linked: LinkedNames, name: bytes) -> bool:
    try:
        facts = os.stat(name, dir_fd=git.repository.fd, follow_symlinks=False)
    except OSError:
        return False  # it was removed, which is a change too
    return stat.S_ISREG(facts.st_mode) and linked.denied(facts)


async def _explain(git: Git, command: GitAdd, changes: _Changes) -> None:
    """Refuse paths that were named and have nothing to add, unless they are as they were committed."""
    for number, path in enumerate(command.paths or ()):
        name = git.paths.inside(path)
        if not name:
            continue
        git.allow_reading(name, f"paths[{number}]")
        if any(skipped.startswith(os.fsencode(name)) for skipped in (*changes.denied, *changes.repositories)):
            continue
        if await git.names("ls-files", "-z", "--cached", "--", *git.paths.marked([name])):
            continue
        if await git.names("ls-files", "-z", "--others", "--", *git.paths.marked([name])):
            problem = f"{quote(path)} is ignored by a .gitignore, or git does not know it."
            raise CommandRefused("ignored", problem, field=f"paths[{number}]", remedy="git_ls_files shows which files.")
        problem = f"{quote(path)}: there is no such file with changes."
        raise CommandRefused("path_not_found", problem, field=f"paths[{number}]", remedy="git_status shows changes.")


def _count(names: list[bytes]) -> str:
    return "1 file" if len(names) == 1 else f"{len(names)} files"


def _note(why: str, names: list[bytes]) -> str:
    if not names:
        return ""
    shown = ", ".join(escape_name(os.fsdecode(name)[:200]) for name in names[:_SHOWN])
    return f"{why}: {shown}{', ...' if len(names) > _SHOWN else ''}."


async def commit(git: Git, command: GitCommit) -> Outcome:
    """Commit what is in the index, in the name of the policy's identity.

    Raises:
        CommandRefused: ``nothing_to_commit``, ``conflict``, and others.
    """
    text = None if command.message is None else command.message.encode()
    ended = await git.run(*commit_argv(command), stdin=text)
    if ended.exit_code != 0:
        raise failed(ended, "commit", remedy="git_status shows the state.")
    return git.outcome(ended)
