"""The rules for texts in commands: paths, patterns of names, regular expressions, revisions, short texts."""

import re

from par.tools.bash._commands.refusals import Problem, quote

__all__ = ["glob_problem", "invisible", "path_problem", "pattern_problem", "revision_problem", "words_problem"]

_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"  # invisible
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"  # selectors, byte order mark, surrogates
    "\U000e0000-\U000e0fff]"  # tags and more selectors
)
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
