"""More commands that read a git repository: who wrote a line, which names there are, which files."""

from typing import ClassVar, Literal

import attrs

from par.tools.bash._commands.git_reading import CWD, PATHS
from par.tools.bash._commands.kinds import Choice, Whole
from par.tools.bash._commands.kinds_of_text import path, ref_glob, revision
from par.tools.bash._commands.refusals import Problem
from par.tools.bash._commands.values import as_optional_tuple, check, joined

__all__ = ["GitBlame", "GitLsFiles", "GitRefs", "GitRevParse"]

_KINDS = (
    "current",
    "branches",
    "remote_branches",
    "all_branches",
    "tags",
    "remotes",
    "stashes",
    "worktrees",
    "reflog",
)
_WHICH = ("tracked", "untracked", "ignored", "modified", "deleted", "unmerged")


@attrs.frozen(kw_only=True)
class GitBlame:
    """Show who changed each line of a committed file last."""

    op: ClassVar[Literal["git_blame"]] = "git_blame"

    path: str = attrs.field(metadata=path("The file, relative to cwd.").at())
    rev: str | None = attrs.field(default=None, metadata=revision("As of this revision; HEAD unless given.").at())
    start_line: int | None = attrs.field(default=None, metadata=Whole("First line, from 1.", 1, 10_000_000).at())
    end_line: int | None = attrs.field(default=None, metadata=Whole("Last line.", 1, 10_000_000).at())
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        turned = type(self.start_line) is int and type(self.end_line) is int and self.end_line < self.start_line
        check(self, joined("end_line is before start_line.", "end_line") if turned else None)


@attrs.frozen(kw_only=True)
class GitRefs:
    """List branches, tags, remotes, stashes, work trees, or where HEAD has been."""

    op: ClassVar[Literal["git_refs"]] = "git_refs"

    kind: Literal[
        "current", "branches", "remote_branches", "all_branches", "tags", "remotes", "stashes", "worktrees", "reflog"
    ] = attrs.field(default="branches", metadata=Choice("What to list.", _KINDS).at())
    pattern: str | None = attrs.field(default=None, metadata=ref_glob("Only names like this.").at())
    contains: str | None = attrs.field(default=None, metadata=revision("Only those that contain this revision.").at())
    merged: str | None = attrs.field(default=None, metadata=revision("Only those that this revision contains.").at())
    limit: int = attrs.field(default=100, metadata=Whole("At most so many.", 1, 10_000).at())
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        problem: Problem | None = None
        named = self.kind in {"branches", "remote_branches", "all_branches", "tags"}
        if not named and (self.pattern is not None or self.contains is not None or self.merged is not None):
            problem = joined("pattern, contains and merged go with branches and tags.", "kind")
        check(self, problem)


@attrs.frozen(kw_only=True)
class GitLsFiles:
    """List the files that git knows, or those that it does not."""

    op: ClassVar[Literal["git_ls_files"]] = "git_ls_files"

    which: Literal["tracked", "untracked", "ignored", "modified", "deleted", "unmerged"] = attrs.field(
        default="tracked", metadata=Choice("Which files.", _WHICH).at()
    )
    paths: tuple[str, ...] | None = attrs.field(default=None, converter=as_optional_tuple, metadata=PATHS)
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class GitRevParse:
    """Turn a revision into an id or a name, or find where two revisions parted."""

    op: ClassVar[Literal["git_rev_parse"]] = "git_rev_parse"

    rev: str = attrs.field(default="HEAD", metadata=revision("The revision.").at())
    what: Literal["oid", "short_oid", "abbrev_ref", "toplevel", "merge_base"] = attrs.field(
        default="oid",
        metadata=Choice("What to tell.", ("oid", "short_oid", "abbrev_ref", "toplevel", "merge_base")).at(),
    )
    other: str | None = attrs.field(default=None, metadata=revision("With merge_base: the other revision.").at())
    cwd: str | None = attrs.field(default=None, metadata=CWD)

    def __attrs_post_init__(self) -> None:
        problem: Problem | None = None
        if self.what == "merge_base" and self.other is None:
            problem = joined("merge_base needs other.", "other")
        elif self.what != "merge_base" and self.other is not None:
            problem = joined("other goes with merge_base.", "other")
        check(self, problem)
