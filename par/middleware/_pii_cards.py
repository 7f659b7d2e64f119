"""Payment cards: 13 to 19 digits, an issuer's prefix, the usual groups, and Luhn's checksum."""

import re
from collections.abc import Iterable
from random import Random
from typing import final

import attrs

__all__ = ["CardNumbers", "luhn_ok"]

_SEP = "[ .\\-\u00a0\u2009\u202f\u2010-\u2013]"
_CANDIDATE = re.compile(
    # no part of a word, a decimal number, or a longer chain of groups such as a UUID
    rf"(?<![A-Za-z0-9_\-])(?<![0-9][.,])(?=[2-6])"
    r"(?=("
    r"[0-9]{13,19}"
    rf"|[0-9]{{4}}({_SEP})[0-9]{{4}}\2[0-9]{{4}}\2[0-9]{{4}}\2[0-9]{{1,3}}"
    rf"|[0-9]{{4}}({_SEP})[0-9]{{4}}\3[0-9]{{4}}\3[0-9]{{1,4}}"
    rf"|[0-9]{{4}}({_SEP})[0-9]{{6}}\4[0-9]{{4,5}}"
    r")(?![A-Za-z0-9_])(?![.\-][A-Za-z0-9_]))"
)

# Source: the issuer identification numbers of ISO/IEC 7812, as the networks publish them: (first, last, lengths)
_ISSUERS: tuple[tuple[str, str, frozenset[int]], ...] = (
    ("4", "4", frozenset({13, 16, 19})),
    ("51", "55", frozenset({16})),
    ("2221", "2720", frozenset({16})),
    ("34", "34", frozenset({15})),
    ("37", "37", frozenset({15})),
    ("6011", "6011", frozenset(range(16, 20))),
    ("644", "659", frozenset(range(16, 20))),
    ("622126", "622925", frozenset(range(16, 20))),
    ("62", "62", frozenset(range(16, 20))),
    ("81", "81", frozenset(range(16, 20))),
    ("3528", "3589", frozenset(range(16, 20))),
    ("300", "305", frozenset(range(14, 20))),
    ("36", "36", frozenset(range(14, 20))),
    ("38", "39", frozenset(range(14, 20))),
    ("5018", "5018", frozenset(range(13, 20))),
    ("5020", "5020", frozenset(range(13, 20))),
    ("5038", "5038", frozenset(range(13, 20))),
    ("5893", "5893", frozenset(range(13, 20))),
    ("6304", "6304", frozenset(range(13, 20))),
    ("6759", "6763", frozenset(range(13, 20))),
)
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn_ok(digits: str) -> bool:
    """Tell whether the last digit is the right check digit (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = ord(digit) - 48
        total += _DOUBLED[value] if place % 2 else value
    return total % 10 == 0


def _issued(digits: str) -> bool:
    return any(len(digits) in lengths and first <= digits[: len(first)] <= last for first, last, lengths in _ISSUERS)


def _digits_of(text: str) -> str:
    return "".join([character for character in text if "0" <= character <= "9"])


@final
@attrs.frozen
class CardNumbers:
    """Finds payment card numbers."""

    kind: str = attrs.field(default="card", init=False)
    max_chars: int = attrs.field(default=23, init=False)

    def find(self, text: str, /) -> Iterable[tuple[int, int]]:
        """Return the numbers whose issuer, length and check digit are right."""
        hits: list[tuple[int, int]] = []
        for match in _CANDIDATE.finditer(text):
            start, end = match.span(1)
            if hits and start < hits[-1][1]:
                continue
            digits = _digits_of(match[1])
            if _issued(digits) and luhn_ok(digits):
                hits.append((start, end))
        return hits

    def surrogate(self, value: str, rng: Random, /) -> str:
        """Return a number of the same issuer range, length and grouping, with a right check digit."""
        digits = _digits_of(value)
        kept = 6 if digits.startswith("62") else 4  # what tells the issuers apart
        made = digits[:kept] + "".join([rng.choice("0123456789") for _ in range(len(digits) - kept - 1)])
        made += next(check for check in "0123456789" if luhn_ok(made + check))
        fresh = iter(made)
        return "".join([next(fresh) if "0" <= character <= "9" else character for character in value])
