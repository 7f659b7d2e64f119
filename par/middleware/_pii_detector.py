"""What finds one kind of personal data, and the one that authors make from a regular expression."""

import re
from collections.abc import Iterable
from random import Random
from typing import Protocol, final

import attrs

from par.middleware._checks import Field
from par.middleware._pattern_check import checked_pattern

__all__ = ["Detector", "PatternDetector", "random_like"]

_DIGITS = "0123456789"
_LOWER = "abcdefghijklmnopqrstuvwxyz"


class Detector(Protocol):
    """Finds one kind of personal data in text.

    Whether a place is a hit may depend on the hit and on up to 64 characters around it, and on nothing else, so
    that a stream can be judged piece by piece.
    """

    @property
    def kind(self) -> str:
        """What it finds, as it is told in ``[kind]`` and in ``PiiMasked``."""
        ...

    @property
    def max_chars(self) -> int:
        """The longest hit in characters; a stream is held back that far."""
        ...

    def find(self, text: str, /) -> Iterable[tuple[int, int]]:
        """Return where the hits begin and end, in order."""
        ...

    def surrogate(self, value: str, rng: Random, /) -> str:
        """Return a made-up value of the same form."""
        ...


def random_like(value: str, rng: Random, *, keep: int = 0) -> str:
    """Return ``value`` with random digits for digits and letters for letters, after the first ``keep`` characters."""
    made = [value[:keep]]
    for character in value[keep:]:
        if "0" <= character <= "9":
            made.append(rng.choice(_DIGITS))
        elif character.isalpha():
            letter = rng.choice(_LOWER)
            made.append(letter.upper() if character.isupper() else letter)
        else:
            made.append(character)
    return "".join(made)


def _kind(_instance: object, field: Field, value: str) -> None:
    if re.fullmatch(r"[a-z][a-z0-9_]{0,31}", value) is None:
        raise ValueError(f"{field.name} must be a short lower-case name such as 'customer', got {value!r}")


@final
@attrs.frozen(eq=False)
class PatternDetector:
    """Finds what a regular expression matches: ``PatternDetector("customer", "C-[0-9]{6}", max_chars=8)``.

    Raises:
        ValueError: for a pattern that matches the empty text or can take for ever, and for a bad kind or length.
    """

    kind: str = attrs.field(validator=_kind)
    pattern: str
    max_chars: int = attrs.field(kw_only=True, default=64)
    """The longest hit in characters; longer matches are no hits. A stream is held back that far."""
    ignore_case: bool = attrs.field(kw_only=True, default=False)

    _regex: re.Pattern[str] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.max_chars, bool) or not 1 <= self.max_chars <= 4096:
            raise ValueError(f"max_chars must be a whole number from 1 to 4096, got {self.max_chars!r}")
        flags = re.IGNORECASE if self.ignore_case else 0
        object.__setattr__(self, "_regex", checked_pattern("pattern", self.pattern, flags))

    def find(self, text: str, /) -> Iterable[tuple[int, int]]:
        """Return the matches that are short enough."""
        return [match.span() for match in self._regex.finditer(text) if len(match[0]) <= self.max_chars]

    def surrogate(self, value: str, rng: Random, /) -> str:
        """Return the value with its letters and digits replaced by others."""
        return random_like(value, rng)
