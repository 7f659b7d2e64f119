"""The git commands: the gate, then the revisions, then one run with object ids only."""

import re
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

import anyio.to_thread
import attrs

from par.errors import CommandRefused
from par.tools.bash._commands.git_reading import GitDiff, GitLog, GitShow, GitStatus
from par.tools.bash._commands.refusals import quote
from par.tools.bash._git.argv import Pathspecs, diff_argv, log_argv, planned, show_argv, status_argv
from par.tools.bash._git.gate import GitGate, Repository, check_config, open_repository, private_index
from par.tools.bash._git.prefix import GIT_ENV, GIT_PREFIX
from par.tools.bash._native.room import Room
from par.tools.bash._run.output import Outcome
from par.tools.bash._run.programs import find_program
from par.tools.bash._run.runner import Exited, Job, Launcher, run_process
from par.tools.bash._run.verify import verify

T = TypeVar("T")

__all__ = ["GitCommand", "git"]

GitCommand = GitStatus | GitDiff | GitLog | GitShow
_OID = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64})\n")
_ENTRY = re.compile(rb"([0-7]{6}) (blob|tree|commit) ([0-9a-f]{40}|[0-9a-f]{64})\t")
_CONFIG = ("config", "--file", "-", "--no-includes", "--list", "-z")


@attrs.frozen(kw_only=True)
class _Git:
    """Runs git in one repository."""

    room: Room
    program: str
    launcher: Launcher
    repository: Repository
    argvs: list[tuple[str, ...]] = attrs.field(factory=list[tuple[str, ...]])

    async def run(self, *arguments: str, stdin: bytes | None = None, index: str | None = None) -> Exited:
        argv = (self.program, *(() if stdin is not None else GIT_PREFIX), *arguments)
        verify(argv, program=self.program)
        self.argvs.append(argv)
        env = dict(GIT_ENV)
        if stdin is not None:
            env["GIT_DIR"] = "/dev/null"  # or git would look at the repository for this too
        if index is not None:
            env["GIT_INDEX_FILE"] = index
        job = Job(
            argv=argv,
            folder=self.repository.fd,
            env=env,
            cpu_s=self.room.policy.cpu_s,
            max_bytes=self.room.policy.max_output_bytes,
            max_lines=self.room.policy.max_output_lines,
            stdin=stdin,
        )
        return await run_process(job, self.launcher)

    async def resolve(self, revision: str) -> str:
        ended = await self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        found = _OID.fullmatch(ended.stdout.head)
        if ended.exit_code == 0 and found is not None:
            return found[1].decode()
        remedy = (
            "See git_log with all: true for what there is." if revision != "HEAD" else "There may be no commit yet."
        )
        raise CommandRefused("bad_rev", f"{quote(revision)} names no commit.", field="rev", remedy=remedy)


async def git(room: Room, command: GitCommand, launcher: Launcher, gate: GitGate) -> Outcome:
    """Run a git command in the repository that ``cwd`` lies in.

    Raises:
        CommandRefused: for a repository that may not be used, an unknown revision or path, a denied file.
    """
    program = find_program("git", room.policy)
    stack = ExitStack()
    try:
        with stack:
            opening = open_repository(room, command.cwd)
            repository = await anyio.to_thread.run_sync(_entered, stack, opening)
            runner = _Git(room=room, program=program, launcher=launcher, repository=repository)
            await _pass(runner, gate)
            return await _run(runner, command)
    finally:
        stack.close()


def _entered(stack: ExitStack, opening: AbstractContextManager[T]) -> T:
    return stack.enter_context(opening)


async def _pass(git: _Git, gate: GitGate) -> None:
    configs = git.repository.configs
    if gate.knows(configs):
        return
    for config in configs:
        if not config.strip():
            continue
        listed = await git.run(*_CONFIG, stdin=config)
        if listed.exit_code != 0 or listed.stdout.cut:
            raise CommandRefused(
                "repo_config_refused", "git cannot read this repository's configuration.", field="cwd",
                remedy="Ask the user to look at .git/config.",
            )  # fmt: skip
        check_config(listed.stdout.head, git.room.policy.git_keys)
    gate.passed(configs)


async def _run(git: _Git, command: GitCommand) -> Outcome:
    policy, repository = git.room.policy, git.repository
    paths = Pathspecs(policy=policy, repository=repository.folder, cwd=command.cwd or ".")
    revs = {rev: await git.resolve(rev) for rev in planned(command)}
    if isinstance(command, GitShow) and command.path is not None:
        return await _blob(git, command, revs[command.rev], paths)
    if isinstance(command, GitStatus):
        arguments = status_argv(command, paths)
    elif isinstance(command, GitDiff):
        arguments = diff_argv(command, revs, paths)
    elif isinstance(command, GitLog):
        arguments = log_argv(command, revs, paths)
    else:
        arguments = show_argv(command, revs, paths)
    if arguments[-1].startswith(":(top,exclude") and policy.denies_reading(repository.folder):
        deny = policy.read_denied(repository.folder)
        raise CommandRefused(deny.code, deny.reason, field="cwd", remedy=deny.remedy)
    if not isinstance(command, GitDiff) or command.rev_to is not None:
        return _outcome(git, await git.run(*arguments), command)
    with ExitStack() as stack:
        index = await anyio.to_thread.run_sync(_entered, stack, private_index(repository))
        return _outcome(git, await git.run(*arguments, index=index), command)


async def _blob(git: _Git, command: GitShow, oid: str, paths: Pathspecs) -> Outcome:
    """Show a file as it was: looked up in the tree, so that git gets an object id and no path to interpret."""
    name = paths.inside(command.path or "")
    real = name if git.repository.folder == "." else f"{git.repository.folder}/{name}"
    if git.room.policy.denies_reading(real):
        deny = git.room.policy.read_denied(real)
        raise CommandRefused(deny.code, deny.reason, field="path", remedy=deny.remedy)
    listed = await git.run("ls-tree", "-z", "--full-tree", oid, "--", f":(top,literal){name}")
    found = _ENTRY.match(listed.stdout.head)
    if found is None:
        problem = f"{quote(command.path or '')} is not in that commit."
        raise CommandRefused(
            "path_not_found", problem, field="path", remedy="git_show with output: stat lists what it changed."
        )
    if found[2] != b"blob":
        problem = f"{quote(command.path or '')} is a folder or a submodule in that commit."
        raise CommandRefused("not_regular_file", problem, field="path", remedy="Name a file in it.")
    outcome = _outcome(git, await git.run("cat-file", "blob", found[3].decode()), command)
    return (
        attrs.evolve(outcome, notes=("This is a symbolic link; its target is shown.",))
        if found[1] == b"120000"
        else outcome
    )


def _outcome(git: _Git, ended: Exited, command: GitCommand) -> Outcome:
    notes: tuple[str, ...] = ()
    if ended.exit_code == 0 and not ended.stdout.total:
        notes = ("No differences.",) if isinstance(command, GitDiff) else ()
    if ended.flooded:
        notes = (*notes, "The output was so long that the command was ended.")
    return Outcome(
        stdout=ended.stdout,
        stderr=ended.stderr,
        exit_code=ended.exit_code,
        signal=ended.signal,
        notes=notes,
        argv=tuple(git.argvs),
    )
