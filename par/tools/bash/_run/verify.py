"""The second look at an argv, before it runs, by other rules than those that built it."""

from collections.abc import Sequence

from par.errors import CommandRefused
from par.tools.bash._git.verify import git_problem
from par.tools.bash._run.verify_filters import filter_problem

__all__ = ["verify"]

_MAX_TOKENS = 512
_MAX_BYTES = 96 * 1024
_VERSION = ("--version",)


def verify(argv: Sequence[str], *, program: str, rules: str | None = None) -> None:
    """Accept an argv that the builders can have made, and no other.

    ``rules`` says by which rules; those of the program's own name unless given.

    Raises:
        CommandRefused: with the code ``argv_refused``; it means a defect in a builder.
    """
    problem = _problem(argv, program, rules or program.rsplit("/", 1)[-1])
    if problem:
        raise CommandRefused("argv_refused", f"{problem}.", field="command", remedy="This is a defect: report it.")


def _problem(argv: Sequence[str], program: str, rules: str) -> str:
    if not argv or argv[0] != program or not program.startswith("/"):
        return "the program is not the one that was chosen"
    if len(argv) > _MAX_TOKENS or sum(len(token.encode("utf-8", "surrogatepass")) + 1 for token in argv) > _MAX_BYTES:
        return "there are too many arguments"
    if any("\0" in token for token in argv):
        return "an argument has a NUL"
    tokens = tuple(argv[1:])
    if not rules.endswith("git"):
        return filter_problem(rules, tokens)
    if any("\n" in token for token in tokens):
        return "an argument has a line break"
    return "" if tokens == _VERSION else git_problem(tokens)
