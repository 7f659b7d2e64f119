"""The argv of each git command, from values that are already checked and revisions that are object ids."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

import attrs

from par.tools.bash._commands.git_reading import GitDiff, GitLog, GitShow, GitStatus
from par.tools.bash._commands.nested import Age
from par.tools.bash._policy.names import deny_parts
from par.tools.bash._policy.policy import Policy

__all__ = ["Pathspecs", "diff_argv", "log_argv", "planned", "show_argv", "status_argv"]

_DIFF = ("--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short", "--ignore-submodules=all")
_OUTPUT = {"patch": "--patch", "stat": "--stat", "name_only": "--name-only", "name_status": "--name-status"}
_FORMAT = {
    "oneline": "--format=%h%d %s",
    "author": "--format=%an",
    "short": "--format=short",
    "medium": "--format=medium",
    "full": "--format=full",
}


@attrs.frozen(kw_only=True)
class Pathspecs:
    """How paths are told to git: each marked as literal, and what may not be read marked as excluded.

    ``repository`` is where the repository lies in the workspace, ``cwd`` the real name of what paths are relative to.
    """

    policy: Policy
    repository: str
    cwd: str

    def inside(self, path: str) -> str:
        """Return a path of a command relative to the repository."""
        parts = [part for part in f"{self.cwd}/{path}".split("/") if part not in {"", "."}]
        skipped = 0 if self.repository == "." else self.repository.count("/") + 1
        return "/".join(parts[skipped:])

    def given(self, paths: tuple[str, ...] | None) -> tuple[str, ...]:
        """Return the marks of the paths of a command; none for all of the repository."""
        inner = [self.inside(path) for path in paths or ()]
        return () if "" in inner else self.marked(inner)

    def marked(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the marks of paths that are relative to the repository."""
        return tuple(f":(top,literal){name}" for name in names)

    def excluded(self) -> tuple[str, ...]:
        """Return the marks of what the policy keeps from being read, anywhere in the repository."""
        found: list[str] = []
        above = [] if self.repository == "." else self.repository.casefold().split("/")
        for pattern in self.policy.read_deny:
            parts = deny_parts(pattern)
            found += _both("**/" + "/".join(parts))
            for taken in range(1, len(parts)):  # a pattern that begins above the repository and ends in it
                tail = above[-taken:]
                if len(tail) == taken and all(map(fnmatchcase, tail, parts[:taken])):
                    found += _both("/".join(parts[taken:]))
        return tuple(found)


def _both(pattern: str) -> tuple[str, str]:
    mark = ":(top,exclude,icase,glob)"
    return f"{mark}{pattern}", f"{mark}{pattern}/**"


def status_argv(command: GitStatus, paths: Pathspecs) -> tuple[str, ...]:
    """Return the arguments of ``git status``."""
    shown = "--ignored=traditional" if command.ignored else "--ignored=no"
    options = ("--porcelain=v1", "--branch", "--ignore-submodules=all", f"--untracked-files={command.untracked}", shown)
    return ("status", *options, "--", *paths.given(command.paths))


def diff_argv(command: GitDiff, revs: dict[str, str], paths: Pathspecs) -> tuple[str, ...]:
    """Return the arguments of ``git diff``; ``revs`` are the object ids of the revisions."""
    options = [*_DIFF, _OUTPUT[command.output]]
    options += ["--cached"] if command.staged else []
    options += ["--merge-base"] if command.merge_base else []
    options += [] if command.unified is None else [f"--unified={command.unified}"]
    options += ["--ignore-all-space"] if command.ignore_space else []
    ids = dict.fromkeys(revs[rev] for rev in (command.rev_from, command.rev_to) if rev is not None)
    hidden = paths.excluded() if command.output == "patch" else ()
    return ("diff", *options, *ids, "--", *paths.given(command.paths), *hidden)


def log_argv(command: GitLog, revs: dict[str, str], paths: Pathspecs) -> tuple[str, ...]:
    """Return the arguments of ``git log``."""
    given = paths.given(command.paths)
    # what a search for changed text finds also tells of content
    hidden = paths.excluded() if command.patch or command.pickaxe is not None else ()
    choices = (
        (command.patch, "--patch"),
        (command.stat, "--stat"),
        (not command.patch and not command.stat, "--no-patch"),
        # the excluded names would otherwise count as a choice of paths, and commits would be left out
        (bool(hidden) and not given, "--full-history"),
        (bool(hidden) and not given and command.pickaxe is None, "--sparse"),
        (command.author is not None, f"--author={command.author}"),
        (command.grep is not None, f"--grep={command.grep}"),
        (command.author is not None or command.grep is not None, "--fixed-strings"),
        (command.ignore_case, "--regexp-ignore-case"),
        (command.since is not None, f"--since={_ago(command.since)}"),
        (command.until is not None, f"--until={_ago(command.until)}"),
        (command.follow, "--follow"),
        (command.graph, "--graph"),
        (command.reverse, "--reverse"),
        (command.first_parent, "--first-parent"),
        (command.pickaxe is not None, f"-S{command.pickaxe}"),
        (command.all, "--all"),
    )
    options = [
        *_DIFF,
        "--no-show-signature",
        "--date=iso-strict",
        _FORMAT[command.format],
        f"--max-count={command.max_count}",
    ]
    options += [token for wanted, token in choices if wanted]
    ids = [] if command.all else [revs[command.rev or "HEAD"]]
    ids += [] if command.rev_exclude is None else [f"^{revs[command.rev_exclude]}"]
    return ("log", *options, *ids, "--", *given, *hidden)


def _ago(age: Age | None) -> str:
    return "" if age is None else f"{age.count}.{age.unit}.ago"


def show_argv(command: GitShow, revs: dict[str, str], paths: Pathspecs) -> tuple[str, ...]:
    """Return the arguments of ``git show`` for a commit."""
    options = (*_DIFF, "--no-show-signature", "--date=iso-strict", _FORMAT[command.format], _OUTPUT[command.output])
    hidden = paths.excluded() if command.output == "patch" else ()
    return ("show", *options, revs[command.rev], "--", *hidden)


def planned(command: GitStatus | GitDiff | GitLog | GitShow) -> tuple[str, ...]:
    """Return the revisions that a command names, which are resolved before anything else runs."""
    if isinstance(command, GitDiff):
        named = (command.rev_from, command.rev_to)
    elif isinstance(command, GitLog):
        named = (None if command.all else command.rev or "HEAD", command.rev_exclude)
    elif isinstance(command, GitShow):
        named = (command.rev, None)
    else:
        named = (None, None)
    return tuple(dict.fromkeys(rev for rev in named if rev is not None))
