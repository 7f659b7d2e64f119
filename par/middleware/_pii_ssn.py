"""US social security numbers, within the ranges that are given out."""

import re
from collections.abc import Iterable
from random import Random
from typing import final

import attrs

__all__ = ["SocialSecurityNumbers"]

_PARTED = re.compile(
    r"(?<![A-Za-z0-9_\-.])(?=((?!000|666|9)[0-9]{3}([\- \u00a0\u2010\u2011\u2013])(?!00)[0-9]{2}\2(?!0000)[0-9]{4})"
    r"(?![A-Za-z0-9_])(?![\-.][A-Za-z0-9_]))"
)
_BARE = re.compile(
    r"(?<![A-Za-z0-9_\-.])(?!000|666|9)[0-9]{3}(?!00)[0-9]{2}(?!0000)[0-9]{4}(?![A-Za-z0-9_])(?![\-.][0-9])"
)
_NAMED = re.compile(r"\b(?:ssn|ssns|social[ _-]?security|social[ _-]?sec)\b|ssn\b", re.IGNORECASE)
_REACH = 40


@final
@attrs.frozen
class SocialSecurityNumbers:
    """Finds US social security numbers: parted by dashes or spaces, or bare where the text before names them."""

    kind: str = attrs.field(default="ssn", init=False)
    max_chars: int = attrs.field(default=11, init=False)

    def find(self, text: str, /) -> Iterable[tuple[int, int]]:
        """Return the numbers in a valid range."""
        hits = [match.span(1) for match in _PARTED.finditer(text)]
        for match in _BARE.finditer(text):
            before = text[max(0, match.start() - _REACH) : match.start()]
            if _NAMED.search(before):
                hits.append(match.span())
        return sorted(hits)

    def surrogate(self, value: str, rng: Random, /) -> str:
        """Return a number of a valid range in the same form."""
        made = f"{rng.randint(1, 665):03d}{rng.randint(1, 99):02d}{rng.randint(1, 9999):04d}"
        fresh = iter(made)
        return "".join([next(fresh) if "0" <= character <= "9" else character for character in value])
