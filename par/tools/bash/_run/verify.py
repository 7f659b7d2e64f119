"""The second look at an argv, before it runs, by other rules than those that built it."""

from collections.abc import Sequence

from par.errors import CommandRefused
from par.tools.bash._git.verify import git_problem
from par.tools.bash._run.verify_filters import filter_problem

__all__ = ["verify"]

_MAX_TOKENS = 512
_MAX_BYTES = 96 * 1024


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
        return git_problem(tuple(argv[1:]))
    return filter_problem(name, tuple(argv[1:]))
