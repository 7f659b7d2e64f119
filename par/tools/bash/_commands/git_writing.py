"""The commands that change a git repository: nothing here reaches the network, a hook or another program."""

from typing import ClassVar, Literal

import attrs

from par.tools.bash._commands.git_reading import CWD, PATHS
from par.tools.bash._commands.kinds import Choice, Flag, Many
from par.tools.bash._commands.kinds_of_text import branch, path, revision, text, words
from par.tools.bash._commands.refusals import Problem
from par.tools.bash._commands.values import as_optional_tuple, as_tuple, check, joined

__all__ = ["GitAdd", "GitApply", "GitBranch", "GitCommit", "GitReset", "GitRestore", "GitStash", "GitSwitch"]


@attrs.frozen(kw_only=True)
class GitAdd:
    """Put changes into the index, for the next commit."""

    op: ClassVar[Literal["git_add"]] = "git_add"

    paths: tuple[str, ...] | None = attrs.field(default=None, converter=as_optional_tuple, metadata=PATHS)
    all: bool = attrs.field(default=False, metadata=Flag("All changes, new and removed files too.").at())
    update: bool = attrs.field(default=False, metadata=Flag("Changes of files that git knows.").at())
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        problem: Problem | None = None
        if self.all is True and self.update is True:
            problem = joined("give all or update, not both.", "all")
        elif self.paths is None and self.all is not True and self.update is not True:
            problem = joined("give paths, all or update.", "paths")
        check(self, problem)


@attrs.frozen(kw_only=True)
class GitCommit:
    """Commit what is in the index."""

    op: ClassVar[Literal["git_commit"]] = "git_commit"

    message: str | None = attrs.field(default=None, metadata=text("The message; lines are fine.", 8192).at())
    amend: bool = attrs.field(default=False, metadata=Flag("Replace the last commit.").at())
    allow_empty: bool = attrs.field(default=False, metadata=Flag("Also without changes.").at())
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        problem: Problem | None = None
        if self.message is None and self.amend is not True:
            problem = joined("a commit needs a message.", "message")
        elif isinstance(self.message, str) and not self.message.strip():
            problem = joined("the message is empty.", "message")
        check(self, problem)


@attrs.frozen(kw_only=True)
class GitRestore:
    """Put files back as they were: in the work tree, where edits are lost, or in the index (staged)."""

    op: ClassVar[Literal["git_restore"]] = "git_restore"

    paths: tuple[str, ...] = attrs.field(
        converter=as_tuple, metadata=Many("Which files and folders, relative to cwd.", path("")).at()
    )
    staged: bool = attrs.field(default=False, metadata=Flag("In the index.").at())
    worktree: bool | None = attrs.field(
        default=None, metadata=Flag("In the work tree; so it is unless staged is given.").at()
    )
    source: str | None = attrs.field(default=None, metadata=revision("As in this revision.").at())
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        nothing = self.worktree is False and self.staged is not True
        check(self, joined("give staged or worktree.", "worktree") if nothing else None)

    @property
    def in_worktree(self) -> bool:
        """Whether files of the work tree are overwritten."""
        return self.worktree is True or (self.worktree is None and not self.staged)


@attrs.frozen(kw_only=True)
class GitSwitch:
    """Switch to a branch, or make one and switch to it."""

    op: ClassVar[Literal["git_switch"]] = "git_switch"

    branch: str = attrs.field(metadata=branch("The branch.").at())
    create: bool = attrs.field(default=False, metadata=Flag("Make it.").at())
    start: str | None = attrs.field(default=None, metadata=revision("With create: begin here.").at())
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        alone = self.start is not None and self.create is not True
        check(self, joined("start goes with create.", "start") if alone else None)


@attrs.frozen(kw_only=True)
class GitBranch:
    """Make, delete or rename a branch."""

    op: ClassVar[Literal["git_branch"]] = "git_branch"

    action: Literal["create", "delete", "rename"] = attrs.field(
        metadata=Choice("What to do.", ("create", "delete", "rename")).at()
    )
    name: str = attrs.field(metadata=branch("The branch.").at())
    new_name: str | None = attrs.field(default=None, metadata=branch("With rename: its new name.").at())
    start: str | None = attrs.field(default=None, metadata=revision("With create: begin here.").at())
    force: bool = attrs.field(default=False, metadata=Flag("Also what is not merged, or is there.").at())
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        problem: Problem | None = None
        if (self.action == "rename") != (self.new_name is not None):
            problem = joined("rename needs new_name, and nothing else has it.", "new_name")
        elif self.start is not None and self.action != "create":
            problem = joined("start goes with create.", "start")
        check(self, problem)


@attrs.frozen(kw_only=True)
class GitStash:
    """Put changes aside, or take them back."""

    op: ClassVar[Literal["git_stash"]] = "git_stash"

    action: Literal["push", "pop", "apply", "drop"] = attrs.field(
        metadata=Choice("What to do; see git_refs with kind stashes.", ("push", "pop", "apply", "drop")).at()
    )
    message: str | None = attrs.field(default=None, metadata=words("With push: a name for it.").at())
    untracked: bool = attrs.field(default=False, metadata=Flag("With push: also files that git does not know.").at())
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        alone = self.action != "push" and (self.message is not None or self.untracked is True)
        check(self, joined("message and untracked go with push.", "message") if alone else None)


@attrs.frozen(kw_only=True)
class GitReset:
    """Move the branch to a revision: soft keeps index and files, mixed the files, hard neither."""

    op: ClassVar[Literal["git_reset"]] = "git_reset"

    rev: str = attrs.field(default="HEAD", metadata=revision("The revision.").at())
    mode: Literal["soft", "mixed", "hard"] = attrs.field(
        default="mixed", metadata=Choice("What to keep.", ("soft", "mixed", "hard")).at()
    )
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class GitApply:
    """Apply a patch to files of the work tree."""

    op: ClassVar[Literal["git_apply"]] = "git_apply"

    patch: str = attrs.field(
        metadata=text(
            "The patch, as git diff shows one; its paths count from the top of the repository.", 1_048_576
        ).at()
    )
    check: bool = attrs.field(default=False, metadata=Flag("Only tell whether it applies.").at())
    reverse: bool = attrs.field(default=False, metadata=Flag("Take it back.").at())
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        check(self)
