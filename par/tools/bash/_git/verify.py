"""The rules for an argv of git: written apart from the builders, so that both must err for a mistake to run."""

import re
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import attrs

from par.tools.bash._git.prefix import GIT_PREFIX
from par.tools.bash._run.verify_tokens import NUMBER, parted

__all__ = ["git_problem"]

After: TypeAlias = Literal[
    "pathspecs", "marked", "one path", "a ref", "a branch", "a branch and an id", "two branches", "nothing", "absent"
]
"""What stands after ``--``; ``absent``: there is no ``--``."""

_OID = "(?:[0-9a-f]{40}|[0-9a-f]{64})"
_AGE = r"[0-9]{1,6}\.(?:minutes|hours|days|weeks|months|years)\.ago"
_BRANCH = r"[A-Za-z0-9_](?:(?!\.\.|//|/\.)[A-Za-z0-9_.+/-])*(?<![./])"
_DIFF = ("--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short", "--ignore-submodules=all")
_SHOWN = r"--patch|--stat|--name-only|--name-status|--no-patch"
_FORMAT = r"--format=(?:%h%d %s|%an|short|medium|full)"
_LOG = (
    rf"--author=.+|--grep=.+|--fixed-strings|--regexp-ignore-case|--since={_AGE}|--until={_AGE}"
    r"|--follow|--graph|--reverse|--first-parent|-S.+|--all|--full-history|--sparse"
)
_NAMES = ("--name-only", "--no-renames", "--ignore-submodules=all", "-z")
_RESTORED = rf"--source={_OID}|--staged|--worktree"


@attrs.frozen(kw_only=True)
class _Rule:
    """What may follow the name of one git command, in one of its uses."""

    fixed: tuple[str, ...] = ()
    """All of these, once each."""
    choices: str = "(?!)"
    """Besides, tokens that match this, once each."""
    needs: str = ""
    """If not empty: exactly one of the choices matches this."""
    oids: tuple[int, int] = (0, 0)
    """How many object ids, at least and at most; one may exclude."""
    after: After = "pathspecs"


_RULES: Final = MappingProxyType({
    "status": (
        _Rule(
            fixed=("--porcelain=v1", "--branch", "--ignore-submodules=all"),
            choices=r"--untracked-files=(?:no|normal|all)|--ignored=(?:no|traditional)",
            needs="--untracked-files=.*",
        ),
        _Rule(
            fixed=("--porcelain=v1", "-z", "--ignore-submodules=all", "--no-renames"),
            choices="--untracked-files=(?:no|all)",
            needs="--untracked-files=.*",
        ),
    ),
    "diff": (
        _Rule(
            fixed=_DIFF,
            choices=rf"{_SHOWN}|--merge-base|--cached|--unified={NUMBER}|--ignore-all-space",
            needs=_SHOWN,
            oids=(0, 2),
        ),
    ),
    "log": (
        _Rule(
            fixed=(*_DIFF, "--no-show-signature", "--date=iso-strict"),
            choices=rf"{_SHOWN}|{_FORMAT}|--max-count={NUMBER}|{_LOG}",
            needs=f"--max-count={NUMBER}",
            oids=(0, 2),
        ),
        _Rule(
            fixed=("--walk-reflogs", "--no-patch", "--no-show-signature", "--no-color", "--format=%gd: %gs", "refs/stash"),
            choices=f"--max-count={NUMBER}",
            needs=f"--max-count={NUMBER}",
            after="nothing",
        ),
        _Rule(
            fixed=("--walk-reflogs", "--no-patch", "--no-show-signature", "--no-color", "--format=%h %gd: %gs", "HEAD"),
            choices=f"--max-count={NUMBER}",
            needs=f"--max-count={NUMBER}",
            after="nothing",
        ),
    ),
    "show": (
        _Rule(
            fixed=(*_DIFF, "--no-show-signature", "--date=iso-strict"),
            choices=f"{_SHOWN}|{_FORMAT}",
            needs=_SHOWN,
            oids=(1, 1),
        ),
    ),
    "ls-tree": (
        _Rule(fixed=("-z", "--full-tree"), oids=(1, 1)),
        _Rule(fixed=("-r", "--name-only", "-z", "--full-tree"), oids=(1, 1), after="nothing"),
    ),
    "cat-file": (_Rule(fixed=("blob",), oids=(1, 1), after="absent"),),
    "blame": (
        _Rule(
            fixed=("--no-textconv", "--date=short"),
            choices=rf"-L{NUMBER},(?:{NUMBER})?",
            oids=(1, 1),
            after="one path",
        ),
    ),
    "for-each-ref": (
        _Rule(
            fixed=("--format=%(HEAD) %(refname:short) %(objectname:short) %(contents:subject)",),
            choices=rf"--count={NUMBER}|--contains={_OID}|--merged={_OID}",
            needs=f"--count={NUMBER}",
            after="a ref",
        ),
    ),
    "ls-files": (
        _Rule(fixed=("-z",), choices="--cached|--modified|--deleted|--unmerged", needs=".*"),
        _Rule(fixed=("-z", "--others")),
        _Rule(fixed=("-z", "--others", "--exclude-standard"), choices="--ignored"),
        _Rule(fixed=("-z", "--stage"), after="nothing"),
    ),
    "symbolic-ref": (
        _Rule(fixed=("--quiet", "HEAD"), after="absent"),
        _Rule(fixed=("-m", "branch: renamed", "HEAD"), choices=f"refs/heads/{_BRANCH}", needs=".*", after="absent"),
    ),
    "merge-base": (_Rule(oids=(2, 2), after="absent"),),
    "diff-files": (_Rule(fixed=_NAMES),),
    "diff-index": (_Rule(fixed=_NAMES, oids=(1, 1)),),
    "diff-tree": (_Rule(fixed=("-r", "--name-only", "-z", "--no-renames"), oids=(2, 2), after="nothing"),),
    "update-index": (
        _Rule(fixed=("--add", "--remove", "--replace", "-z", "--stdin"), after="absent"),
        _Rule(fixed=("-q", "--unmerged", "--ignore-submodules", "--refresh"), after="absent"),
    ),
    "commit": (
        _Rule(
            fixed=("--no-verify", "--no-gpg-sign", "--no-edit", "--no-status", "--cleanup=strip", "-F", "-"),
            choices="--amend|--allow-empty",
            after="absent",
        ),
        _Rule(
            fixed=("--no-verify", "--no-gpg-sign", "--no-edit", "--no-status", "--cleanup=strip", "--amend"),
            choices="--allow-empty",
            after="absent",
        ),
    ),
    "restore": (
        _Rule(fixed=("--quiet", "--no-recurse-submodules"), choices=_RESTORED, needs="--worktree", after="marked"),
        _Rule(fixed=("--quiet", "--no-recurse-submodules"), choices=f"--staged|--source={_OID}", needs="--staged", after="marked"),
    ),
    "switch": (
        _Rule(fixed=("--quiet", "--no-guess", "--no-recurse-submodules"), after="a branch"),
        _Rule(
            fixed=("--quiet", "--no-guess", "--no-recurse-submodules", "--no-track"),
            choices=f"--create={_BRANCH}",
            needs=".*",
            oids=(0, 1),
            after="nothing",
        ),
    ),
    "branch": (
        _Rule(fixed=("--no-track",), choices="--force", after="a branch and an id"),
        _Rule(fixed=("--delete",), choices="--force", after="a branch"),
        _Rule(fixed=("--move",), choices="--force", after="two branches"),
    ),
    "stash": (
        _Rule(fixed=("push",), choices="--include-untracked|--no-include-untracked|--message=.+", needs="--(?:no-)?include-untracked", after="absent"),
        _Rule(choices="pop|apply|drop", needs=".*", after="absent"),
    ),
    "reset": (
        _Rule(fixed=("--quiet", "--no-recurse-submodules"), choices="--soft|--mixed|--hard", needs=".*", oids=(1, 1), after="nothing"),
    ),
    "apply": (
        _Rule(fixed=("-p1", "--whitespace=nowarn", "--verbose"), choices="--check|--reverse", after="absent"),
        _Rule(fixed=("-p1", "--numstat", "-z", "--whitespace=nowarn"), after="absent"),
    ),
})  # fmt: skip
_REVISION = r"[A-Za-z0-9_@](?:(?!\.\.)[A-Za-z0-9_./~+@{}^-]){0,255}"
_REV_PARSE = re.compile(
    rf"--verify\n--quiet\n--end-of-options\n{_REVISION}\^\{{commit\}}"
    rf"|--verify\n--quiet\n--abbrev-ref\n--end-of-options\n{_REVISION}"
    rf"|--verify\n--short\n{_OID}"
)
_PATHSPEC = re.compile(r":\(top,(?:literal|exclude,icase,glob)\)[^/].*", re.DOTALL)
_MARKED = re.compile(r":\(top,literal\)[^/].*|:\(top\)", re.DOTALL)
_REF = re.compile(r"refs/(?:heads|remotes|tags)/(?:(?!\.\.)[A-Za-z0-9_.+/*?-])*")
_CONFIG = ("config", "--file", "-", "--no-includes", "--list", "-z")


def git_problem(tokens: tuple[str, ...]) -> str:
    """Say what is wrong with what git gets after its own name; nothing is the empty text."""
    if tokens == _CONFIG:
        return ""
    if tokens[: len(GIT_PREFIX)] != GIT_PREFIX:
        return "git does not begin with its fixed options"
    tokens = tokens[len(GIT_PREFIX) :]
    verb, rest = (tokens[0], tokens[1:]) if tokens else ("", ())
    if verb == "rev-parse":
        return "" if _REV_PARSE.fullmatch("\n".join(rest)) else "rev-parse gets something else than one revision"
    if verb not in _RULES:
        return "git gets a command that is not used"
    problems = [_problem(rule, rest) for rule in _RULES[verb]]
    return "" if "" in problems else problems[0]


def _problem(rule: _Rule, tokens: tuple[str, ...]) -> str:
    before, after = parted(tokens)
    if (after is None) != (rule.after == "absent") or not _after_is(rule.after, after or ()):
        return "git gets a path that is not marked as one"
    if any(before.count(token) != 1 for token in rule.fixed):
        return "git lacks an option that it always gets"
    others = [token for token in before if token not in rule.fixed]
    oids = [token for token in others if re.fullmatch(rf"\^?{_OID}", token)]
    chosen = [token for token in others if token not in oids]
    if any(not re.fullmatch(rule.choices, token, re.DOTALL) for token in chosen) or len(set(others)) != len(others):
        return "git gets an option that is not used"
    if rule.needs and sum(re.fullmatch(rule.needs, token, re.DOTALL) is not None for token in chosen) != 1:
        return "git does not get exactly one of the options that it must choose from"
    least, most = rule.oids
    return "" if least <= len(oids) <= most else "git gets too few or too many revisions"


def _after_is(wanted: After, tokens: tuple[str, ...]) -> bool:
    if wanted in {"absent", "nothing"}:
        return not tokens
    if wanted == "pathspecs":
        return all(_PATHSPEC.fullmatch(token) for token in tokens)
    if wanted == "marked":
        return bool(tokens) and all(_MARKED.fullmatch(token) for token in tokens)
    if wanted == "one path":
        return len(tokens) == 1 and all(part not in {"", ".", ".."} for part in tokens[0].split("/"))
    if wanted == "a ref":
        return 1 <= len(tokens) <= 2 and all(_REF.fullmatch(token) for token in tokens)
    kinds = {"a branch": (_BRANCH,), "a branch and an id": (_BRANCH, _OID)}.get(wanted, (_BRANCH, _BRANCH))
    return len(tokens) == len(kinds) and all(map(re.fullmatch, kinds, tokens))
