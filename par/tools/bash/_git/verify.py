"""The rules for an argv of git: written apart from the builders, so that both must err for a mistake to run."""

import re

from par.tools.bash._git.prefix import GIT_PREFIX
from par.tools.bash._run.verify_tokens import NUMBER, parted

__all__ = ["git_problem"]

_OID = "(?:[0-9a-f]{40}|[0-9a-f]{64})"
_AGE = r"[0-9]{1,6}\.(?:minutes|hours|days|weeks|months|years)\.ago"
_DIFF = "--no-ext-diff|--no-textconv|--no-color|--submodule=short|--ignore-submodules=all"
_SHOWN = r"--patch|--stat|--name-only|--name-status|--no-patch"
_FORMAT = r"--format=(?:%h%d %s|%an|short|medium|full)|--date=iso-strict|--no-show-signature"
_LOG = (
    rf"--max-count={NUMBER}|--author=.+|--grep=.+|--fixed-strings|--regexp-ignore-case|--since={_AGE}|--until={_AGE}"
    r"|--follow|--graph|--reverse|--first-parent|-S.+|--all|--full-history|--sparse"
)
_SPAN = rf"--merge-base|--cached|--unified={NUMBER}|--ignore-all-space"
_GIT = {
    "status": r"--porcelain=v1|--branch|--ignore-submodules=all|--untracked-files=(?:no|normal|all)|--ignored=(?:no|traditional)",
    "diff": rf"{_DIFF}|{_SHOWN}|{_SPAN}|{_OID}",
    "log": rf"{_DIFF}|{_SHOWN}|{_FORMAT}|{_LOG}|\^?{_OID}",
    "show": rf"{_DIFF}|{_SHOWN}|{_FORMAT}|{_OID}",
    "ls-tree": rf"-z|--full-tree|{_OID}",
    "cat-file": rf"blob|{_OID}",
}
_MOST_OIDS = {"status": 0, "diff": 2, "log": 2, "show": 1, "ls-tree": 1, "cat-file": 1}
_REVISION = re.compile(r"[A-Za-z0-9_@](?:(?!\.\.)[A-Za-z0-9_./~+@{}^-]){0,255}\^\{commit\}")
_PATHSPEC = re.compile(r":\(top,(?:literal|exclude,icase,glob)\)[^/].*", re.DOTALL)
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
        fixed, revision = rest[:-1], rest[-1] if rest else ""
        right = fixed == ("--verify", "--quiet", "--end-of-options") and _REVISION.fullmatch(revision)
        return "" if right else "rev-parse gets something else than one revision"
    if verb not in _GIT:
        return "git gets a command that is not used"
    before, after = parted(rest)
    if verb == "cat-file":
        return (
            "" if len(before) == 2 and after is None and re.fullmatch(f"blob {_OID}", " ".join(before)) else "cat-file"
        )
    if after is None or any(not _PATHSPEC.fullmatch(token) for token in after):
        return "git gets a path that is not marked as one"
    if any(not re.fullmatch(_GIT[verb], token, re.DOTALL) for token in before) or len(set(before)) != len(before):
        return "git gets an option that is not used"
    oids = [token for token in before if re.fullmatch(rf"\^?{_OID}", token)]
    return "" if len(oids) <= _MOST_OIDS[verb] else "git gets too many revisions"
