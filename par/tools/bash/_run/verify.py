"""The second look at an argv, before it runs, by other rules than those that built it."""

import re
from collections.abc import Sequence

from par.errors import CommandRefused
from par.tools.bash._git.prefix import GIT_PREFIX

__all__ = ["verify"]

_MAX_TOKENS = 512
_MAX_BYTES = 96 * 1024
_OID = "(?:[0-9a-f]{40}|[0-9a-f]{64})"
_N = "[0-9]{1,7}"
_AGE = r"[0-9]{1,6}\.(?:minutes|hours|days|weeks|months|years)\.ago"
_DIFF = "--no-ext-diff|--no-textconv|--no-color|--submodule=short|--ignore-submodules=all"
_SHOWN = r"--patch|--stat|--name-only|--name-status|--no-patch"
_FORMAT = r"--format=(?:%h%d %s|%an|short|medium|full)|--date=iso-strict|--no-show-signature"
_LOG = (
    rf"--max-count={_N}|--author=.+|--grep=.+|--fixed-strings|--regexp-ignore-case|--since={_AGE}|--until={_AGE}"
    r"|--follow|--graph|--reverse|--first-parent|-S.+|--all|--full-history|--sparse"
)
_SPAN = rf"--merge-base|--cached|--unified={_N}|--ignore-all-space"
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
_GREP = re.compile(
    rf"--extended-regexp|--fixed-strings|--color=never|--binary-files=without-match|--with-filename|--null"
    rf"|--no-messages|--line-number|--ignore-case|--word-regexp|--invert-match|--files-with-matches"
    rf"|--files-without-match|--count|--only-matching|--(?:before|after)-context={_N}|--max-count={_N}|--regexp=.+",
    re.DOTALL,
)
_DESCRIPTOR = re.compile(r"/(?:proc/self|dev)/fd/[0-9]{1,7}")


def verify(argv: Sequence[str], *, program: str) -> None:
    """Accept an argv that the builders can have made, and no other.

    Raises:
        CommandRefused: with the code ``argv_refused``; it means a defect in a builder.
    """
    problem = _problem(argv, program)
    if problem:
        raise CommandRefused("argv_refused", f"{problem}.", field="command", remedy="This is a defect: report it.")


def _problem(argv: Sequence[str], program: str) -> str:
    if len(argv) < 2 or argv[0] != program or not program.startswith("/"):
        return "the program is not the one that was chosen"
    if len(argv) > _MAX_TOKENS or sum(len(token.encode("utf-8", "surrogatepass")) + 1 for token in argv) > _MAX_BYTES:
        return "there are too many arguments"
    if any("\0" in token or "\n" in token for token in argv):
        return "an argument has a NUL or a line break"
    name = program.rsplit("/", 1)[-1]
    if name.endswith("git"):
        return _git_problem(tuple(argv[1:]))
    return _grep_problem(tuple(argv[1:])) if name.endswith("grep") else "there are no rules for the program"


def _git_problem(tokens: tuple[str, ...]) -> str:
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
    before, after = _parted(rest)
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


def _grep_problem(tokens: tuple[str, ...]) -> str:
    before, after = _parted(tokens)
    if after is None or any(not _DESCRIPTOR.fullmatch(token) for token in after):
        return "grep gets a file that is not a descriptor"
    if any(not _GREP.fullmatch(token) for token in before) or len(set(before)) != len(before):
        return "grep gets an option that is not used"
    return "" if sum(token.startswith("--regexp=") for token in before) == 1 else "grep does not get one pattern"


def _parted(tokens: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    if "--" not in tokens:
        return tokens, None
    at = tokens.index("--")
    return tokens[:at], tokens[at + 1 :]
