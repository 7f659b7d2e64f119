"""The second look at an argv that runs code: by the host's template, and by other rules than those that built it."""

import re
from collections.abc import Sequence

from par.errors import CommandRefused
from par.tools.bash._policy.hosted import Linter, PythonHost, Task, TestRunner

__all__ = ["verify_hosted"]

_MAX_TOKENS = 600
_MAX_BYTES = 128 * 1024


def verify_hosted(argv: Sequence[str], host: TestRunner | Linter | Task | PythonHost) -> None:
    """Accept an argv that the template of ``host`` can have become, and no other.

    Raises:
        CommandRefused: with the code ``argv_refused``; it means a defect in a builder.
    """
    problem = _problem(tuple(argv), host)
    if problem:
        raise CommandRefused("argv_refused", f"{problem}.", field="command", remedy="This is a defect: report it.")


def _problem(argv: tuple[str, ...], host: TestRunner | Linter | Task | PythonHost) -> str:
    if len(argv) > _MAX_TOKENS or sum(len(token.encode("utf-8", "surrogatepass")) + 1 for token in argv) > _MAX_BYTES:
        return "there are too many arguments"
    if any("\0" in token for token in argv):
        return "an argument has a NUL"
    if isinstance(host, Task):
        return _task_problem(argv, host)
    if isinstance(host, PythonHost):
        return _python_problem(argv, host)
    if argv[: len(host.argv)] != host.argv:
        return "the beginning is not the host's"
    rest = argv[len(host.argv) :]
    cut = next((at for at, token in enumerate(rest) if token.startswith("./")), len(rest))
    options, paths = rest[:cut], rest[cut:]
    if any(not token.startswith("./") for token in paths):
        return "something stands among the paths that is none"
    if paths and host.guard:
        if options[len(options) - len(host.guard) :] != host.guard:
            return "nothing keeps the paths from being options"
        options = options[: len(options) - len(host.guard)]
    return _options_problem(options, host)


def _python_problem(argv: tuple[str, ...], host: PythonHost) -> str:
    """Accept the reader with a descriptor and a script of the workspace, or a module of the host; then any arguments."""
    if argv[0] != host.python:
        return "the program is not the host's"
    if argv[1:4] == ("-I", "-X", "utf8"):
        reader, held, shown = (*argv[4:7], "", "", "")[:3]
        right = reader.endswith("/_run/script_main.py") and held.isdecimal() and shown.startswith("./")
        return "" if right else "python gets something else than a script that is held"
    if argv[1:6] == ("-P", "-s", "-X", "utf8", "-m"):
        return "" if len(argv) > 6 and argv[6] in host.modules else "python gets a module that is not the host's"
    return "python does not begin with its fixed options"


def _options_problem(options: tuple[str, ...], host: TestRunner | Linter) -> str:
    """Take the host's options away from the front until nothing is left; each of them once."""
    if isinstance(host, Linter):
        groups = [host.check, host.fix or ()]
    else:
        groups = [host.verbose, host.quiet, host.collect_only, host.last_failed, host.keyword, host.marker]
        groups.append(host.max_failures)
    left = [group for group in groups if group]
    while options:
        for group in left:
            if _fits(options[: len(group)], group):
                options = options[len(group) :]
                left.remove(group)
                break
        else:
            return "there is an option that is not the host's"
    return ""


def _fits(tokens: tuple[str, ...], group: tuple[str, ...]) -> bool:
    if len(tokens) != len(group):
        return False
    for token, wanted in zip(tokens, group, strict=True):
        before, hole, after = wanted.partition("{}")
        if not hole and token != wanted:
            return False
        if hole and not (token.startswith(before) and token.endswith(after) and _plain(token[len(before) :])):
            return False
    return True


def _plain(value: str) -> bool:
    return bool(value) and not value.startswith("-") and "\n" not in value


def _task_problem(argv: tuple[str, ...], task: Task) -> str:
    """Walk along both: each token is the host's, or what a hole in it became, or was left out."""
    at = 1
    if argv[0] != task.argv[0]:
        return "the program is not the host's"
    for wanted in task.argv[1:]:
        hole = re.search(r"\{([A-Za-z_][A-Za-z0-9_.-]*)(?::([^{}]*))?\}", wanted)
        param = next((param for param in task.params if hole is not None and param.name == hole[1]), None)
        token = argv[at] if at < len(argv) else None
        if hole is None or param is None:
            if token != wanted:
                return "a token is not the host's"
            at += 1
        elif param.kind == "flag":
            at += token == (hole[2] or hole[1])
        elif token is not None and _in_hole(token, wanted[: hole.start()], wanted[hole.end() :]):
            at += 1
        elif param.required:
            return "a parameter is not where it belongs"
    return "" if at == len(argv) else "there is a token too many"


def _in_hole(token: str, before: str, after: str) -> bool:
    if not (token.startswith(before) and token.endswith(after) and len(token) > len(before) + len(after)):
        return False
    value = token[len(before) : len(token) - len(after)]
    return not value.startswith("-") or value[1:].isdecimal()
