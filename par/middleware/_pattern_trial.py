"""Try a regular expression on texts that are made to be hard for it, each a little longer than the one before."""

import re
import time
from collections.abc import Iterator, Sequence

__all__ = ["takes_too_long"]

# Each size is so little longer than the one before that time grows visibly before it explodes. Exponential time shows
# within a few dozen characters; at the longest a quadratic pattern takes a millisecond, a cubic one two hundred.
_SHORT = tuple(range(4, 44, 2))
_MIDDLE = (*range(44, 132, 6), 160, 200)
_LONG = (256, 330, 420, 512)
_SHORT_S = 0.01
_LONG_S = 0.03
_ALL_S = 3.0
_TAILS = ("\x00", "_")  # one that is part of no word, one that is
_CLASSES = {"d": "0", "w": "a0", "s": " \t", "D": "a", "W": "-", "S": "a"}
_MOST_LETTERS = 8
_FAIL = "(?!)"  # so that the engine tries every way there is

_Element = tuple[int, int]


def takes_too_long(pattern: re.Pattern[str], tokens: Sequence[str]) -> bool:
    """Tell whether the pattern, or a part of it, takes more than quadratic time on a text of its own characters.

    The processor time of this thread is counted, so a busy machine makes no difference. Takes milliseconds for most
    patterns; a pattern of so many parts that trying takes three seconds counts as one that takes too long.
    """
    begun = time.thread_time()
    pumps = _pumps(tokens)
    beginnings, rests = _parts(pattern, tokens)
    trials = [(part, _SHORT) for part in beginnings]
    trials += [(part, (*_SHORT, *_MIDDLE, *_LONG)) for part in rests]
    for part, sizes in trials:
        for pump in pumps:
            if any(_is_slow(part, pump, tail, sizes) for tail in _TAILS):
                return True
            if time.thread_time() - begun > _ALL_S:
                return True
    return False


def _is_slow(pattern: re.Pattern[str], pump: str, tail: str, sizes: Sequence[int]) -> bool:
    for size in sizes:
        text = pump * (size // len(pump)) + tail
        since = time.thread_time()
        pattern.search(text)
        if time.thread_time() - since > (_LONG_S if size in _LONG else _SHORT_S):
            return True
    return False


def _parts(pattern: re.Pattern[str], tokens: Sequence[str]) -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
    """Return the beginnings of all sequences of the pattern, made to fail, and what follows each place in them.

    Beginnings come first and the shortest of them first: what must follow them may have a least length, which would
    hide how they behave on short texts.
    """
    beginnings: dict[str, None] = {}
    rests: dict[str, None] = {}
    for elements in _sequences(tokens):
        first, last = elements[0][0], elements[-1][1]
        for start, end in elements:
            if not any(_repeats(token) for token in tokens[start:end]):
                continue  # there is one way alone through it, or as many as there are alternatives
            beginnings["".join(tokens[start:end]) + _FAIL] = None
            beginnings["".join(tokens[first:end]) + _FAIL] = None
            rests["".join(tokens[start:last])] = None
    made = [list(_compiled(sorted(texts, key=len), pattern.flags)) for texts in (beginnings, rests)]
    return made[0], [*made[1], pattern]


def _compiled(texts: Sequence[str], flags: int) -> Iterator[re.Pattern[str]]:
    for text in texts:
        try:
            yield re.compile(text, flags)
        except (re.error, OverflowError, RecursionError):
            continue  # it refers to a group that is not in it


def _sequences(tokens: Sequence[str]) -> list[list[_Element]]:
    """Return the sequences of the pattern, one for each alternative of each group, as lists of their elements."""
    done: list[list[_Element]] = []
    stack: list[tuple[int, list[_Element]]] = []
    current: list[_Element] = []
    for place, token in enumerate(tokens):
        if token.startswith("("):
            stack.append((place, current))
            current = []
        elif token == ")" and stack:  # noqa: S105 # a bracket
            done.append(current)
            start, current = stack.pop()
            current.append((start, place + 1))
        elif token == "|":  # noqa: S105 # a bar
            done.append(current)
            current = []
        elif current and current[-1][1] == place and _repeats(token):
            current[-1] = (current[-1][0], place + 1)
        else:
            current.append((place, place + 1))
    done.append(current)
    return [elements for elements in done if elements]


def _repeats(token: str) -> bool:
    return token in {"*", "+", "?"} or re.fullmatch(r"\{\d*,?\d*\}", token) is not None


def _pumps(tokens: Sequence[str]) -> list[str]:
    """Return what to repeat: each letter that the pattern knows, and pairs of them."""
    letters: list[str] = []
    for token in tokens:
        letters += [letter for letter in _letters(token) if letter not in letters]
    letters = letters[:_MOST_LETTERS] or ["a"]
    return [*letters, *(one + other for one in letters[:4] for other in letters[:4] if one != other)]


def _letters(token: str) -> str:
    if token[0] == "\\":
        return _CLASSES.get(token[1:2], token[1:2] if not token[1:2].isalnum() else "")
    if token[0] == "[":
        inside = re.sub(r"\\(.)", lambda match: _CLASSES.get(match[1], match[1]), token[1:-1])
        return "a0 " if inside.startswith("^") else inside[:1] + inside[-1:]
    if token == ".":  # noqa: S105 # any character
        return "a"
    return "" if token[0] in "()*+?{|^$" else token
