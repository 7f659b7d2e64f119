"""Refuse regular expressions that match nothing or may take for ever."""

import re
from collections.abc import Iterator

from par.middleware._pattern_trial import takes_too_long

__all__ = ["checked_pattern"]

_MOST_CHARS = 2_000  # longer ones are not written by hand, and take long to try


def checked_pattern(field: str, pattern: str, flags: int) -> re.Pattern[str]:
    """Return the compiled pattern.

    Three things are refused as taking for ever: a reference back to a group, by its form; a group that repeats without a bound inside a repetition without a
    bound, by its form; and whatever takes more than quadratic time on texts made of the pattern's own characters, by
    trial.

    Raises:
        ValueError: for one that is no regular expression, that is too long, that matches the empty text, or that may
            take for ever.
    """
    if len(pattern) > _MOST_CHARS:
        raise ValueError(f"{field} must have at most {_MOST_CHARS} characters, got {len(pattern)}")
    try:
        compiled = re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{field} is not a regular expression: {error}") from error
    if compiled.search("") is not None:
        raise ValueError(f"{field} matches the empty text, so it would match everywhere")
    if any(_BACK.match(token) for token in _tokens(pattern)):
        raise ValueError(f"{field} refers back to a group, which can take for ever: write it without")
    if _nests_repeats(pattern):
        raise ValueError(f"{field} repeats a group that repeats without a bound, which can take for ever: bound it")
    if takes_too_long(compiled, list(_tokens(pattern))):
        raise ValueError(
            f"{field} can match the same text in many ways, which can take for ever: let its alternatives and its "
            "neighbouring repetitions begin with different characters"
        )
    return compiled


_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?[^:=!<)]*[:=!<]?)?|\)|[*+]|\{\d*,?\d*\}|.", re.DOTALL)


_BACK = re.compile(r"\\[1-9]|\(\?P=")


def _nests_repeats(pattern: str) -> bool:
    groups = [False]  # for each open group, whether something inside repeats without a bound
    closed = False  # whether the token before closed a group of that kind
    for token in _tokens(pattern):
        unbounded = token in {"*", "+"} or (token.startswith("{") and token.endswith(",}"))
        if unbounded:
            if closed:
                return True
            groups[-1] = True
            closed = False
        elif token.startswith("("):
            groups.append(False)
            closed = False
        elif token == ")":  # noqa: S105 # a bracket
            closed = groups.pop() if len(groups) > 1 else False
            groups[-1] = groups[-1] or closed
        else:
            closed = False
    return False


def _tokens(pattern: str) -> Iterator[str]:
    return (match[0] for match in _TOKEN.finditer(pattern))
