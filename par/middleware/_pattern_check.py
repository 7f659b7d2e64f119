"""Refuse regular expressions that match nothing or may take for ever."""

import re

__all__ = ["checked_pattern"]


def checked_pattern(field: str, pattern: str, flags: int) -> re.Pattern[str]:
    """Return the compiled pattern.

    Raises:
        ValueError: for one that is no regular expression, that matches the empty text, or that repeats a group
            which itself repeats without a bound: such a pattern can take exponential time.
    """
    try:
        compiled = re.compile(pattern, flags)
    except re.error as error:
        raise ValueError(f"{field} is not a regular expression: {error}") from error
    if compiled.search("") is not None:
        raise ValueError(f"{field} matches the empty text, so it would match everywhere")
    if _nests_repeats(pattern):
        raise ValueError(f"{field} repeats a group that repeats without a bound, which can take for ever: bound it")
    return compiled


_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?[^:=!<)]*[:=!<]?)?|\)|[*+]|\{\d*,?\d*\}|.", re.DOTALL)


def _nests_repeats(pattern: str) -> bool:
    groups = [False]  # for each open group, whether something inside repeats without a bound
    closed = False  # whether the token before closed a group of that kind
    for match in _TOKEN.finditer(pattern):
        token = match[0]
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
