"""The git commands: the gate, then a view that nobody else changes, then runs with object ids only."""

from contextlib import AbstractContextManager, AsyncExitStack, ExitStack
from functools import partial
from typing import Final, TypeAlias, TypeVar

from par.tools.bash._commands.git_history import GitBlame, GitLsFiles, GitRefs, GitRevParse
from par.tools.bash._commands.git_reading import GitDiff, GitLog, GitShow, GitStatus
from par.tools.bash._commands.git_writing import (
    GitAdd,
    GitApply,
    GitBranch,
    GitCommit,
    GitReset,
    GitRestore,
    GitStash,
    GitSwitch,
)
from par.tools.bash._commands.leaves import GitRead, GitWrite
from par.tools.bash._git import history, moving, staging
from par.tools.bash._git.gate import GitGate, Repository, check_config, open_repository
from par.tools.bash._git.patch import apply
from par.tools.bash._git.process import Git, list_config
from par.tools.bash._git.reading import read
from par.tools.bash._git.stash import stash
from par.tools.bash._git.view import IndexUse, View, open_view
from par.tools.bash._native.interrupt import in_thread
from par.tools.bash._native.room import Room
from par.tools.bash._run.output import Outcome
from par.tools.bash._run.programs import find_program
from par.tools.bash._run.runner import Launcher

__all__ = ["GitCommand", "git"]

T = TypeVar("T")
GitCommand: TypeAlias = GitRead | GitWrite
_WRITES: Final = (GitAdd, GitCommit, GitRestore, GitSwitch, GitBranch, GitStash, GitReset, GitApply)


async def git(room: Room, command: GitCommand, launcher: Launcher, gate: GitGate) -> Outcome:
    """Run a git command in the repository that ``cwd`` lies in. Of those that write, one runs at a time.

    Raises:
        CommandRefused: for a repository that may not be used, an unknown revision or path, a denied file, and
            for what git refuses.
    """
    program = find_program("git", room.policy)
    use = _index_use(command)
    async with AsyncExitStack() as turns:
        if isinstance(command, _WRITES):
            await turns.enter_async_context(gate.turn())
        stack = ExitStack()
        try:
            repository, view = await in_thread(partial(_opened, stack, room, command.cwd, use))
            entries = gate.entries(repository.config)
            if entries is None:
                listed = await list_config(program, room, repository, launcher)
                entries = check_config(listed, room.policy.git_keys)
                gate.passed(repository.config, entries)
            runner = Git(
                room=room, program=program, launcher=launcher, repository=repository, view=view, entries=entries
            )
            return await _run(runner, command)
        finally:
            stack.close()


def _opened(stack: ExitStack, room: Room, cwd: str | None, use: IndexUse) -> tuple[Repository, View]:
    repository = _entered(stack, open_repository(room, cwd))
    return repository, _entered(stack, open_view(repository, use))


def _entered(stack: ExitStack, opening: AbstractContextManager[T]) -> T:
    return stack.enter_context(opening)


def _index_use(command: GitCommand) -> IndexUse:
    if isinstance(command, _WRITES):
        return "locked"
    # a diff writes to the index that it compares with
    return "copy" if isinstance(command, GitDiff) and command.rev_to is None else "own"


async def _run(runner: Git, command: GitCommand) -> Outcome:
    if isinstance(command, (GitStatus, GitDiff, GitLog, GitShow)):
        return await read(runner, command)
    if isinstance(command, (GitBlame, GitRefs, GitLsFiles, GitRevParse)):
        return await _look(runner, command)
    if isinstance(command, (GitAdd, GitCommit)):
        return await (staging.add(runner, command) if isinstance(command, GitAdd) else staging.commit(runner, command))
    if isinstance(command, GitStash):
        return await stash(runner, command)
    if isinstance(command, GitApply):
        return await apply(runner, command)
    return await _move(runner, command)


async def _look(runner: Git, command: GitBlame | GitRefs | GitLsFiles | GitRevParse) -> Outcome:
    if isinstance(command, GitBlame):
        return await history.blame(runner, command)
    if isinstance(command, GitRefs):
        return await history.refs(runner, command)
    if isinstance(command, GitLsFiles):
        return await history.ls_files(runner, command)
    return await history.rev_parse(runner, command)


async def _move(runner: Git, command: GitRestore | GitSwitch | GitBranch | GitReset) -> Outcome:
    if isinstance(command, GitRestore):
        return await moving.restore(runner, command)
    if isinstance(command, GitSwitch):
        return await moving.switch(runner, command)
    if isinstance(command, GitBranch):
        return await moving.branch(runner, command)
    return await moving.reset(runner, command)
