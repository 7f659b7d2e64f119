"""The commands that read a git repository."""

from typing import ClassVar, Literal

import attrs

from par.tools.bash._commands.kinds import Choice, Flag, Many, Whole
from par.tools.bash._commands.kinds_of_text import path, revision, words
from par.tools.bash._commands.nested import Age, age, as_age
from par.tools.bash._commands.refusals import Problem
from par.tools.bash._commands.values import as_optional_tuple, check, joined

__all__ = ["CWD", "PATHS", "GitDiff", "GitLog", "GitShow", "GitStatus"]

PATHS = Many("Only these files and folders, relative to cwd.", path("")).at()
CWD = path("A folder of the repository, if it is not the workspace's own.").at()
_OUTPUT = Choice("What to show.", ("patch", "stat", "name_only", "name_status")).at()


@attrs.frozen(kw_only=True)
class GitStatus:
    """Show the branch and what is changed, staged and untracked."""

    op: ClassVar[Literal["git_status"]] = "git_status"

    untracked: Literal["no", "normal", "all"] = attrs.field(
        default="normal", metadata=Choice("Untracked files: none, by folder, each.", ("no", "normal", "all")).at()
    )
    ignored: bool = attrs.field(default=False, metadata=Flag("Also ignored files.").at())
    paths: tuple[str, ...] | None = attrs.field(default=None, converter=as_optional_tuple, metadata=PATHS)
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class GitDiff:
    """Show changes: of the work tree, of the index (staged), or between revisions."""

    op: ClassVar[Literal["git_diff"]] = "git_diff"

    rev_from: str | None = attrs.field(default=None, metadata=revision("Compare with this revision.").at())
    rev_to: str | None = attrs.field(default=None, metadata=revision("Compare rev_from with this one.").at())
    merge_base: bool = attrs.field(
        default=False, metadata=Flag("Begin where the two revisions parted (rev_from...rev_to).").at()
    )
    staged: bool = attrs.field(default=False, metadata=Flag("What would be committed.").at())
    paths: tuple[str, ...] | None = attrs.field(default=None, converter=as_optional_tuple, metadata=PATHS)
    output: Literal["patch", "stat", "name_only", "name_status"] = attrs.field(default="patch", metadata=_OUTPUT)
    unified: int | None = attrs.field(default=None, metadata=Whole("Lines around each change.", 0, 100).at())
    ignore_space: bool = attrs.field(default=False, metadata=Flag("Leave out changes of white space.").at())
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        problem: Problem | None = None
        if self.rev_to is not None and self.rev_from is None:
            problem = joined("rev_to needs rev_from.", "rev_to")
        elif self.merge_base is True and self.rev_from is None:
            problem = joined("merge_base needs rev_from.", "merge_base")
        elif self.staged is True and self.rev_to is not None:
            problem = joined("staged compares the index with rev_from; rev_to has no place.", "staged")
        check(self, problem)


@attrs.frozen(kw_only=True)
class GitLog:
    """Show commits, the newest first."""

    op: ClassVar[Literal["git_log"]] = "git_log"

    rev: str | None = attrs.field(default=None, metadata=revision("Begin here; HEAD unless given.").at())
    rev_exclude: str | None = attrs.field(
        default=None, metadata=revision("Leave out what this revision contains.").at()
    )
    max_count: int = attrs.field(default=50, metadata=Whole("At most so many commits.", 1, 10_000).at())
    paths: tuple[str, ...] | None = attrs.field(default=None, converter=as_optional_tuple, metadata=PATHS)
    author: str | None = attrs.field(default=None, metadata=words("Author contains this text.").at())
    grep: str | None = attrs.field(default=None, metadata=words("Message contains this text.").at())
    ignore_case: bool = attrs.field(default=False, metadata=Flag("For author and grep.").at())
    since: Age | None = attrs.field(default=None, converter=as_age, metadata=age("Not older than this.").at())
    until: Age | None = attrs.field(default=None, converter=as_age, metadata=age("Older than this.").at())
    format: Literal["oneline", "short", "medium", "full", "author"] = attrs.field(
        default="medium",
        metadata=Choice("How to show a commit.", ("oneline", "short", "medium", "full", "author")).at(),
    )
    patch: bool = attrs.field(default=False, metadata=Flag("Also the changes.").at())
    stat: bool = attrs.field(default=False, metadata=Flag("Also the changed files with counts.").at())
    follow: bool = attrs.field(default=False, metadata=Flag("Follow one file through renames.").at())
    graph: bool = attrs.field(default=False, metadata=Flag("Draw the branches.").at())
    reverse: bool = attrs.field(default=False, metadata=Flag("The oldest first.").at())
    first_parent: bool = attrs.field(default=False, metadata=Flag("Follow first parents only.").at())
    pickaxe: str | None = attrs.field(
        default=None, metadata=words("Commits that change how often this text occurs.").at()
    )
    all: bool = attrs.field(default=False, metadata=Flag("All branches and tags.").at())
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        problem: Problem | None = None
        if self.follow is True and (self.paths is None or len(self.paths) != 1):
            problem = joined("follow needs exactly one entry in paths.", "follow")
        elif self.follow is True and (self.patch is True or self.pickaxe is not None):
            # a rename could show the content of a name that the policy keeps from being read
            problem = joined("follow does not go with patch or pickaxe; use git_show for one commit.", "follow")
        elif self.all is True and self.rev is not None:
            problem = joined("give rev or all, not both.", "all")
        elif self.graph is True and self.reverse is True:
            problem = joined("give graph or reverse, not both.", "graph")
        check(self, problem)


@attrs.frozen(kw_only=True)
class GitShow:
    """Show one commit, or with path the content that a file had in it."""

    op: ClassVar[Literal["git_show"]] = "git_show"

    rev: str = attrs.field(default="HEAD", metadata=revision("The commit.").at())
    path: str | None = attrs.field(default=None, metadata=path("Show this file as it was, relative to cwd.").at())
    output: Literal["patch", "stat", "name_only", "name_status"] = attrs.field(default="patch", metadata=_OUTPUT)
    format: Literal["oneline", "short", "medium", "full", "author"] = attrs.field(
        default="medium",
        metadata=Choice("How to show the commit.", ("oneline", "short", "medium", "full", "author")).at(),
    )
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        other = self.path is not None and (self.output != "patch" or self.format != "medium")
        check(self, joined("output and format are for commits, not for path.", "path") if other else None)
