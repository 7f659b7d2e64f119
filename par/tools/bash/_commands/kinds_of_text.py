"""The kinds of text that a field may hold."""

from par.tools.bash._commands.kinds import One
from par.tools.bash._commands.texts import (
    branch_problem,
    character_problem,
    expression_problem,
    glob_problem,
    path_problem,
    pattern_problem,
    program_problem,
    ranges_problem,
    ref_glob_problem,
    revision_problem,
    target_problem,
    text_problem,
    word_problem,
    words_problem,
    write_path_problem,
)

__all__ = [
    "argument",
    "branch",
    "character",
    "expression",
    "glob",
    "path",
    "pattern",
    "program",
    "ranges",
    "ref_glob",
    "revision",
    "target",
    "text",
    "word",
    "words",
    "write_path",
]


def path(doc: str) -> One:
    """Return the kind of one path below the workspace."""
    return One(doc, "a relative path", path_problem, 4096, is_path=True)


def glob(doc: str) -> One:
    """Return the kind of one pattern of names with ``*``, ``?`` and ``[...]``."""
    return One(doc, "a pattern of names such as *.py", glob_problem, 256)


def pattern(doc: str) -> One:
    """Return the kind of a regular expression or a text to look for."""
    return One(doc, "a text", pattern_problem, 1000)


def revision(doc: str) -> One:
    """Return the kind of a git revision."""
    return One(doc, "a revision such as HEAD~1, main or abc1234", revision_problem, 256)


def words(doc: str) -> One:
    """Return the kind of a short text in one line."""
    return One(doc, "a text", words_problem, 500)


def write_path(doc: str) -> One:
    """Return the kind of one path that a command may change: no part of it has a protected name."""
    return One(doc, "a relative path", write_path_problem, 4096, is_path=True)


def text(doc: str, longest: int, *, empty: bool = False) -> One:
    """Return the kind of a text in lines; tabs and line breaks are its only control characters."""
    return One(doc, "a text", text_problem, longest, shortest=0 if empty else 1)


def argument(doc: str) -> One:
    """Return the kind of one argument of a program: one line, which may be empty."""
    return One(doc, "a text", lambda field, value: text_problem(field, value, lines=False), 4096, shortest=0)


def ranges(doc: str) -> One:
    """Return the kind of a list of numbers and spans such as ``1,3-5,7-``."""
    return One(doc, "numbers and spans such as 1,3-5", ranges_problem, 200)


def character(doc: str) -> One:
    """Return the kind of one character."""
    return One(doc, "one character", character_problem, 1)


def branch(doc: str) -> One:
    """Return the kind of a branch's name."""
    return One(doc, "the name of a branch", branch_problem, 200)


def ref_glob(doc: str) -> One:
    """Return the kind of a pattern of branches and tags."""
    return One(doc, "a pattern of names such as v1.*", ref_glob_problem, 200)


def word(doc: str) -> One:
    """Return the kind of a name that the host has registered, or of an enumeration's member."""
    return One(doc, "a name", word_problem, 64)


def program(doc: str) -> One:
    """Return the kind of a program's name."""
    return One(doc, "the name of a program", program_problem, 64)


def target(doc: str) -> One:
    """Return the kind of what to test: a path, and after ``::`` a test in it."""
    return One(doc, "a relative path, with ::test where one is meant", target_problem, 4096, is_path=True)


def expression(doc: str) -> One:
    """Return the kind of a choice of tests: names with ``and``, ``or``, ``not`` and brackets."""
    return One(doc, 'names with "and", "or", "not"', expression_problem, 300)
