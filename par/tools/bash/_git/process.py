"""Running git in one repository, through the view of it, with an argv that was looked at twice."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Final

import attrs

from par.errors import CommandRefused
from par.tools.bash._commands.refusals import quote
from par.tools.bash._git.argv import Pathspecs
from par.tools.bash._git.gate import Entries, Repository
from par.tools.bash._git.prefix import ALONE, GIT_ENV, GIT_PREFIX
from par.tools.bash._git.view import View
from par.tools.bash._native.room import Room
from par.tools.bash._run.capture import Captured
from par.tools.bash._run.clean import clean, escape_name
from par.tools.bash._run.output import Outcome
from par.tools.bash._run.runner import Exited, Job, Launcher, run_process
from par.tools.bash._run.verify import verify

__all__ = ["Git", "failed", "lines_of", "list_config"]

_OID = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64})\n")
_CONFIG: Final = ("config", "--file", "-", "--no-includes", "--list", "-z")
_MAX_LIST: Final = 16 * 1024 * 1024
"""Bytes of a list of names that this module works with itself."""
_SAID: Final = 600
_FAILED: Final = "git_status shows the state. If it stays so, tell the user."
_ENDED: Final = "git_status shows how far it came. If it happens again, tell the user."


@attrs.frozen(kw_only=True)
class Git:
    """Runs git in one repository."""

    room: Room
    program: str
    launcher: Launcher
    repository: Repository
    view: View
    entries: Entries
    """The configuration."""
    argvs: list[tuple[str, ...]] = attrs.field(factory=list[tuple[str, ...]])

    @property
    def paths(self) -> Pathspecs:
        """How paths of the command are told to git."""
        return Pathspecs(policy=self.room.policy, repository=self.repository.folder, cwd=self.repository.cwd)

    def env(self, *, starts_itself: bool) -> dict[str, str]:
        """Return the environment; a git that does not start itself can start no other git either."""
        identity = self.room.policy.identity
        env = {**GIT_ENV, **({} if starts_itself else ALONE), "GIT_COMMON_DIR": self.view.folder}
        for role in ("AUTHOR", "COMMITTER"):
            env[f"GIT_{role}_NAME"], env[f"GIT_{role}_EMAIL"] = identity.name, identity.email
        if self.view.index is not None:
            env["GIT_INDEX_FILE"] = self.view.index
        return env

    async def run(
        self, *arguments: str, stdin: bytes | None = None, starts_itself: bool = False, most: int | None = None
    ) -> Exited:
        """Run git once. ``most`` bytes of its output are kept, the policy's bound unless given."""
        argv = (self.program, *GIT_PREFIX, *arguments)
        verify(argv, program=self.program)
        self.argvs.append(argv)
        job = Job(
            argv=argv,
            folder=self.repository.fd,
            env=self.env(starts_itself=starts_itself),
            cpu_s=self.room.policy.cpu_s,
            max_bytes=most or self.room.policy.max_output_bytes,
            max_lines=most or self.room.policy.max_output_lines,
            stdin=stdin,
        )
        ended = await run_process(job, self.launcher)
        return attrs.evolve(ended, stderr=self._scrubbed(ended.stderr)) if ended.stderr.total else ended

    def _scrubbed(self, said: Captured) -> Captured:
        """Take the places of the host out of what git says about files."""
        places = [(os.fsencode(self.view.folder), b".git"), (b"/proc/self/cwd/", b"")]
        if sys.platform != "darwin":
            places.append((os.fsencode(Path(f"/proc/self/fd/{self.repository.fd}").readlink()) + b"/", b""))
        head, tail = said.head, said.tail
        for place, shown in places:
            head, tail = head.replace(place, shown), tail.replace(place, shown)
        return attrs.evolve(said, head=head, tail=tail)

    async def names(self, *arguments: str) -> list[bytes]:
        """Return the entries of a list that git ends with NUL bytes.

        Raises:
            CommandRefused: if git fails, or the list is longer than 16 MiB.
        """
        ended = await self.run(*arguments, most=_MAX_LIST)
        if ended.stdout.cut:
            raise CommandRefused(
                "too_large", "the list of files is longer than 16 MiB.", field="paths", remedy="Name a folder in paths."
            )
        if ended.exit_code != 0:
            raise failed(ended, arguments[0])
        return [name for name in ended.stdout.head.split(b"\0") if name]

    async def differing(self, oid: str | None, paths: tuple[str, ...] = ()) -> list[bytes]:
        """Return the files of the work tree that are not as in a commit, or not as in the index for ``None``."""
        # without this, a file that was only touched counts as changed
        await self.run("update-index", "-q", "--unmerged", "--ignore-submodules", "--refresh")
        seen = ("--name-only", "--no-renames", "--ignore-submodules=all", "-z")
        compared = ("diff-files", *seen) if oid is None else ("diff-index", *seen, oid)
        return list(dict.fromkeys(await self.names(*compared, "--", *paths)))

    async def find(self, revision: str) -> str | None:
        """Return the id of the commit that a revision names, or ``None``."""
        ended = await self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        found = _OID.fullmatch(ended.stdout.head)
        return found[1].decode() if ended.exit_code == 0 and found is not None else None

    async def resolve(self, revision: str, field: str = "rev") -> str:
        """Return the id of the commit that a revision names.

        Raises:
            CommandRefused: with the code ``bad_rev``.
        """
        found = await self.find(revision)
        if found is not None:
            return found
        remedy = (
            "See git_log with all: true for what there is." if revision != "HEAD" else "There may be no commit yet."
        )
        raise CommandRefused("bad_rev", f"{quote(revision)} names no commit.", field=field, remedy=remedy)

    async def branch(self) -> str | None:
        """Return the branch that is checked out, also one without commits; ``None`` for a detached HEAD."""
        ended = await self.run("symbolic-ref", "--quiet", "HEAD")
        name = ended.stdout.head.decode("utf-8", "replace").removesuffix("\n")
        return name.removeprefix("refs/heads/") if ended.exit_code == 0 else None

    def real(self, name: str) -> str:
        """Return a path of the repository relative to the workspace."""
        return name if self.repository.folder == "." else f"{self.repository.folder}/{name}"

    def allow_reading(self, name: str, field: str = "path") -> None:
        """Refuse a path of the repository whose content the policy keeps from being read.

        Raises:
            CommandRefused: with the code ``read_denied``.
        """
        if self.room.policy.denies_reading(self.real(name)):
            deny = self.room.policy.read_denied(self.real(name))
            raise CommandRefused(deny.code, deny.reason, field=field, remedy=deny.remedy)

    def allow_writing(self, name: str, field: str = "op") -> None:
        """Refuse a path of the repository that the policy keeps from being written.

        Raises:
            CommandRefused: with the code ``protected_path``.
        """
        if self.room.policy.denies_writing(self.real(name)):
            problem = (
                f"it would write {quote(name)}, which the policy {self.room.policy.name} keeps from being written."
            )
            raise CommandRefused("protected_path", problem, field=field, remedy="Ask the user to do it.")

    def outcome(self, ended: Exited, *notes: str) -> Outcome:
        """Return what a command came to, told by the last run of git."""
        if ended.flooded:
            notes = (*notes, "The output was so long that the command was ended.")
        return Outcome(
            stdout=ended.stdout,
            stderr=ended.stderr,
            exit_code=ended.exit_code,
            signal=ended.signal,
            notes=notes,
            argv=tuple(self.argvs),
        )

    def told(self, lines: list[bytes] | tuple[bytes, ...], *notes: str) -> Outcome:
        """Return lines of our own as what a command came to."""
        return Outcome(stdout=lines_of(self.room, lines), notes=notes, argv=tuple(self.argvs))


def lines_of(room: Room, lines: list[bytes] | tuple[bytes, ...]) -> Captured:
    """Return names as lines, within the policy's bounds."""
    kept = room.lines()
    for line in lines:
        if not kept.add(escape_name(os.fsdecode(line)).encode("utf-8", "replace") + b"\n"):
            break
    return kept.captured()


async def list_config(program: str, room: Room, repository: Repository, launcher: Launcher) -> bytes:
    """Return a configuration as git reads it, key by key; no repository is looked at.

    Raises:
        CommandRefused: ``repo_config_refused`` if git cannot read it.
    """
    argv = (program, *_CONFIG)
    verify(argv, program=program)
    job = Job(
        argv=argv,
        folder=repository.fd,
        env={**GIT_ENV, **ALONE, "GIT_DIR": "/dev/null"},
        cpu_s=room.policy.cpu_s,
        max_bytes=_MAX_LIST,
        max_lines=_MAX_LIST,
        stdin=repository.config,
    )
    listed = await run_process(job, launcher)
    if listed.exit_code != 0 or listed.stdout.cut:
        raise CommandRefused(
            "repo_config_refused",
            "git cannot read this repository's configuration.",
            field="cwd",
            remedy="Ask the user to look at .git/config.",
        )
    return listed.stdout.head


# what git says in English, because it is run with the locale C
_ALWAYS: Final = (
    (r"\.lock': File exists", "repo_locked", "Another git is at work, or was killed: try again, then ask the user."),
    (r"beyond a symbolic link", "path_symlink", "Name the file by its real place, without links."),
)
_KNOWN: Final = (
    *_ALWAYS,
    (r"checked out at|used by worktree", "branch_in_use", "Switch to another branch first."),
    (r"not fully merged", "not_merged", "Its commits would be lost: force: true deletes it all the same."),
    (r"cannot lock ref|unable to create directory for", "branch_exists", "A branch of that name, or a part of it, exists."),
    (r"a branch named .* already exists", "branch_exists", "Use git_switch to go to it, or take another name."),
    (r"would be overwritten|local changes|local modifications", "dirty_worktree", "Commit or git_stash them first."),
    (r"conflict|unmerged|needs merge|resolve your current index|in the middle of|while merging", "conflict",
     "Edit the files that git_ls_files lists as unmerged, git_add them, then commit."),
    (r"nothing to commit|nothing added to commit|no changes added|would make\s+it empty|could not run 'git status",
     "nothing_to_commit", "git_add changes first; git_status shows them. allow_empty: true commits without."),
    (r"No stash entries|refs/stash@\{0\} is not a|No stash found", "no_stash", "git_refs with kind stashes lists them."),
    (r"did not match any file|no such path", "path_not_found", "git_ls_files lists what git knows."),
    (r"bad object|unable to read|missing blob|object file .* is empty|loose object|not a valid object|bad tree",
     "repo_damaged", "Objects of the repository are missing or damaged: tell the user."),
)  # fmt: skip
_SIGXFSZ: Final = 25


def failed(ended: Exited, verb: str, *, code: str = "git_failed", remedy: str = _FAILED) -> CommandRefused:
    """Return the refusal that a failure of git becomes: a code, what git says, and what to do."""
    said = clean(ended.stderr.head or ended.stdout.head).strip()
    problem = f"git {verb} failed" + (f"; it says {json.dumps(said[:_SAID], ensure_ascii=False)}." if said else ".")
    if ended.signal == _SIGXFSZ:
        return CommandRefused(
            "too_large", "a file is larger than git may write here.", field="op", remedy="Leave large files out."
        )
    if ended.signal is not None:
        problem = f"git {verb} was ended by signal {ended.signal}."
        return CommandRefused("git_ended", problem, field="op", remedy=_ENDED)
    # what git says about a patch is mostly text of the patch
    for pattern, known, advice in _ALWAYS if verb == "apply" else _KNOWN:
        if re.search(pattern, said, re.IGNORECASE | re.DOTALL):
            return CommandRefused(known, problem, field="op", remedy=advice)
    return CommandRefused(code, problem, field="op", remedy=remedy)
