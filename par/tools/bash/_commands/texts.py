"""The rules for texts in commands: paths, patterns of names, regular expressions, revisions, short texts."""

import re

from par.tools.bash._commands.protected import protected_name
from par.tools.bash._commands.refusals import Problem, quote

__all__ = [
    "branch_problem",
    "character_problem",
    "expression_problem",
    "glob_problem",
    "invisible",
    "path_problem",
    "pattern_problem",
    "program_problem",
    "ranges_problem",
    "ref_glob_problem",
    "revision_problem",
    "target_problem",
    "text_problem",
    "word_problem",
    "words_problem",
    "write_path_problem",
]

_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"  # invisible
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"  # selectors, byte order mark, surrogates
    "\U000e0000-\U000e0fff]"  # tags and more selectors
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_BRANCH = re.compile(r"(?!-)[A-Za-z0-9_](?:[A-Za-z0-9_.+-]|/(?=[A-Za-z0-9_]))*")
_RANGES = re.compile(r"(?:[0-9]{1,6}(?:-[0-9]{0,6})?|-[0-9]{1,6})(?:,(?:[0-9]{1,6}(?:-[0-9]{0,6})?|-[0-9]{1,6}))*")
_EXPRESSION = re.compile(r"(?:[A-Za-z0-9_.:\[\]-]+|[() ])+")
_REVISION = re.compile(r"[A-Za-z0-9_@](?:[A-Za-z0-9_./~+@-]|@\{[0-9]{1,9}\}|\^(?:\{commit\})?)*")


def invisible(text: str) -> str | None:
    """Name the first character that people do not see, or that turns text around; ``None`` if there is none."""
    found = _INVISIBLE.search(text)
    return None if found is None else f"U+{ord(found.group()):04X}"


def _unseen(code: str, field: str, text: str) -> Problem | None:
    found = invisible(text)
    if found is None:
        return None
    return Problem(
        code=code,
        field=field,
        problem=f"{quote(text)} contains the character {found}, which is not visible.",
        remedy="Write it without control characters.",
    )


def path_problem(field: str, text: str) -> Problem | None:
    """Say why ``text`` is no path below the workspace. Nothing in it is expanded or normalised."""
    unseen = _unseen("path_control", field, text)
    if unseen is not None:
        return unseen
    code, problem, remedy = "", "", "Paths are relative to the workspace, such as src/app.py."
    if not text.strip():
        code, problem, remedy = "path_empty", "the path is empty.", 'The workspace itself is ".".'
    elif text.startswith("/"):
        code, problem = "path_absolute", f"{quote(text)} is absolute."
        remedy = "Paths are relative to the workspace: leave out everything up to it, as in src/app.py."
    elif text.startswith("~"):
        code, problem = "path_tilde", f"{quote(text)} begins with ~, which is not expanded here."
    elif ".." in text.split("/"):
        code, problem = "path_parent", f"{quote(text)} goes up with .. ."
    elif len(text.encode()) > 4096 or any(len(part.encode()) > 255 for part in text.split("/")):
        code, problem = "path_too_long", f"{quote(text)} is longer than a path can be."
    return Problem(code=code, field=field, problem=problem, remedy=remedy) if code else None


def glob_problem(field: str, text: str) -> Problem | None:
    """Say why ``text`` is no pattern of names."""
    unseen = _unseen("bad_glob", field, text)
    if unseen is not None:
        return unseen
    if text.startswith("/") or ".." in text.split("/"):
        problem = f"{quote(text)} leads out of the place where it is applied."
    elif text.count("*") > 16 or text.count("**") > 4:
        problem = f"{quote(text)} has more than 16 stars, or more than four **."
    elif not text.strip():
        problem = "the pattern is empty."
    else:
        return None
    return Problem(code="bad_glob", field=field, problem=problem, remedy="Use a pattern such as *.py or src/**/*.py.")


def pattern_problem(field: str, text: str) -> Problem | None:
    """Say why ``text`` cannot be looked for: it is empty, or has control characters other than a tab."""
    if not text:
        return Problem(code="bad_pattern", field=field, problem="the pattern is empty.", remedy="Say what to look for.")
    return _unseen("bad_pattern", field, text.replace("\t", " "))


def words_problem(field: str, text: str) -> Problem | None:
    """Say why ``text`` is no short text in one line."""
    if not text.strip():
        return Problem(code="bad_text", field=field, problem="the text is empty.", remedy="Leave the field out.")
    return _unseen("bad_text", field, text)


def revision_problem(field: str, text: str) -> Problem | None:
    """Say why ``text`` is no revision of a closed set: names, ids, ``~n``, ``^``, ``@{n}``."""
    if _REVISION.fullmatch(text) and ".." not in text:
        return None
    return Problem(
        code="bad_rev",
        field=field,
        problem=f'{quote(text)} is no revision here: letters, digits, . _ / - ~ ^ and @{{n}} are; ":" and ".." are not.',
        remedy='Give a file in "path" or "paths", and the ends of a range in two fields.',
    )


def write_path_problem(field: str, text: str) -> Problem | None:
    """Say why ``text`` is no path that a command may change."""
    problem = path_problem(field, text)
    if problem is not None:
        return problem
    if all(part in {"", "."} for part in text.split("/")):
        return Problem(
            code="protected_path",
            field=field,
            problem="this is the workspace itself.",
            remedy="Name something in it, such as out/x.txt.",
        )
    name = protected_name(text)
    if name is None:
        return None
    remedy = "Use git_add and git_commit." if name == ".git" else "Ask the user to change it."
    return Problem(
        code="protected_path",
        field=field,
        problem=f"{quote(text)} is protected: commands do not write {name}, nor anything in it.",
        remedy=remedy,
    )


def text_problem(field: str, text: str, *, lines: bool = True) -> Problem | None:
    """Say why ``text`` has characters that no text has; tabs, and with ``lines`` line breaks, are fine."""
    plain = text.replace("\t", " ").replace("\n", " ") if lines else text.replace("\t", " ")
    found = _CONTROL.search(plain)
    if found is None:
        return None
    problem = f"{quote(text)} contains the character U+{ord(found.group()):04X}, which is a control character."
    return Problem(code="bad_text", field=field, problem=problem, remedy="Write it without control characters.")


def ranges_problem(field: str, text: str) -> Problem | None:
    """Say why ``text`` is no list of numbers and spans, counted from 1."""
    spans = [part.partition("-") for part in text.split(",")] if _RANGES.fullmatch(text) else []
    turned = [first for first, _, last in spans if first and last and int(last) < int(first)]
    if spans and not turned and all(int(end) >= 1 for first, _, last in spans for end in (first, last) if end):
        return None
    return Problem(
        code="bad_range",
        field=field,
        problem=f"{quote(text)} is no list of numbers from 1 and spans.",
        remedy='Write it as in "1", "2-4", "-3", "5-" or "1,3-5".',
    )


def character_problem(field: str, text: str) -> Problem | None:
    """Say why ``text`` is not one character that can be seen, or a tab."""
    if len(text) == 1 and (text == "\t" or (text.isascii() and text.isprintable())):
        return None
    return Problem(
        code="bad_text", field=field, problem=f"{quote(text)} is not one character of ASCII.", remedy='For example ",".'
    )


def branch_problem(field: str, text: str) -> Problem | None:
    """Say why ``text`` is no branch's name of the kind that everybody uses."""
    refused = ".." in text or text.endswith((".", ".lock")) or "/." in text or ".lock/" in text or text == "HEAD"
    if _BRANCH.fullmatch(text) and not refused:
        return None
    return Problem(
        code="bad_branch",
        field=field,
        problem=f"{quote(text)} is no branch name here: letters, digits, . _ / - and + are, beginning with a letter.",
        remedy="For example feature/parser.",
    )


def ref_glob_problem(field: str, text: str) -> Problem | None:
    """Say why ``text`` is no pattern of branches and tags."""
    if re.fullmatch(r"[A-Za-z0-9_*?][A-Za-z0-9_.+/*?-]*", text) and ".." not in text and text.count("*") <= 8:
        return None
    return Problem(
        code="bad_glob",
        field=field,
        problem=f"{quote(text)} is no pattern of names.",
        remedy="For example v1.* or feature/*.",
    )


def word_problem(field: str, text: str) -> Problem | None:
    """Say why ``text`` is no name of letters, digits, dashes, dots and underscores."""
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", text):
        return None
    return Problem(code="bad_text", field=field, problem=f"{quote(text)} is no name.", remedy="For example build.")


def program_problem(field: str, text: str) -> Problem | None:
    """Say why ``text`` is no program's name; a path is none."""
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+-]*", text):
        return None
    return Problem(
        code="bad_text", field=field, problem=f"{quote(text)} is no program's name.", remedy="For example python3."
    )


def target_problem(field: str, text: str) -> Problem | None:
    """Say why ``text`` does not name a test file, or a test in it."""
    file, colons, test = text.partition("::")
    problem = path_problem(field, file)
    if problem is not None:
        return problem
    unseen = _unseen("bad_text", field, test) if test else None
    if unseen is not None or not (colons and not test):
        return unseen
    return Problem(code="bad_text", field=field, problem="there is no name after ::.", remedy="Leave :: out.")


def expression_problem(field: str, text: str) -> Problem | None:
    """Say why ``text`` chooses no tests: names, ``and``, ``or``, ``not`` and brackets are all that it may have."""
    if _EXPRESSION.fullmatch(text) and text.strip() and not text.startswith("-"):
        return None
    return Problem(
        code="bad_text",
        field=field,
        problem=f"{quote(text)} is no choice of names.",
        remedy='For example "parse and not slow".',
    )
