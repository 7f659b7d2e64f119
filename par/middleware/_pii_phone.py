"""Phone numbers as people write them: international, North American, and with a leading 0."""

import re
from collections.abc import Iterable
from random import Random
from typing import final

import attrs

from par.middleware._pii_detector import random_like

__all__ = ["PhoneNumbers"]

_S = "[ .\\-/\u00a0\u2009\u202f\u2010-\u2013]"
_AFTER = r"(?![A-Za-z0-9_])(?![.\-/:,][0-9])"
_INTERNATIONAL = re.compile(
    rf"(?<![A-Za-z0-9_+])(?!\+[0-9]{{1,3}}\.[0-9]{{3,}}(?![0-9]|[.\- ][0-9]))"  # no decimal number such as +37.774929
    rf"(?=((?:\+|(?<![0-9] )00(?=[1-9][0-9]?[ \-]))[1-9](?:{_S}{{0,2}}\(?[0-9]\)?){{6,13}}{_S}?\(?[0-9]){_AFTER})"
)
_NORTH_AMERICAN = re.compile(
    r"(?<![A-Za-z0-9_\-.+/])(?=((?:1[ .\-])?"
    r"(?:\([2-9][0-9]{2}\)[ .\-\u00a0]?[2-9][0-9]{2}[ .\-\u00a0]?[0-9]{4}"
    rf"|[2-9][0-9]{{2}}({_S})[2-9][0-9]{{2}}\2[0-9]{{4}}"
    rf"|[2-9][0-9]{{2}}[ \u00a0][2-9][0-9]{{2}}-[0-9]{{4}})){_AFTER})"
)
_TRUNK = re.compile(
    r"(?<![A-Za-z0-9_\-.+/:])(?=("
    r"(?<![0-9][ .])0[1-9](?:[ .][0-9]{2}){4}(?![ .][0-9])"  # 06 12 34 56 78
    r"|\(0[1-9][0-9]{1,4}\)[ ]?[0-9]{3,4}[ \-]?[0-9]{3,5}"  # (020) 7946 0958
    r"|0[1-9][0-9]{1,3}[ \u00a0][0-9]{3,4}[ \u00a0\-][0-9]{3,4}"  # 020 7946 0958
    r"|0[1-9][0-9]{1,4}[ /][0-9]{5,8}"  # 0171 1234567, 030/1234567
    rf"){_AFTER})"
)
_BARE = re.compile(rf"(?<![A-Za-z0-9_\-.+/])\+?[0-9]{{9,15}}{_AFTER}")
_NAMED = re.compile(
    r"(?:\b|_)(?:phone|telephone|tel|mobile|cell|cellphone|fax|whatsapp|sms|handy|telefon|call(?:ed)? (?:me|us|him|her|them)"
    r"|reach (?:me|us)|text me|dial)(?:[ _-]?(?:number|no|nr|num))?\.?(?:[ ]is|[ ](?:at|on))?['\"]?\s{0,2}[:=]?\s{0,2}['\"]?$",
    re.IGNORECASE,
)
_REACH = 40


@final
@attrs.frozen
class PhoneNumbers:
    """Finds phone numbers. A bare run of digits is one only where the words before it say so."""

    kind: str = attrs.field(default="phone", init=False)
    max_chars: int = attrs.field(default=46, init=False)

    def find(self, text: str, /) -> Iterable[tuple[int, int]]:
        """Return the numbers, longest first where two begin at one place."""
        spans: list[tuple[int, int]] = []
        for pattern in (_INTERNATIONAL, _NORTH_AMERICAN, _TRUNK):
            spans.extend(match.span(1) for match in pattern.finditer(text))
        bare = _BARE.finditer(text)
        spans.extend(one.span() for one in bare if _NAMED.search(text[max(0, one.start() - _REACH) : one.start()]))
        hits: list[tuple[int, int]] = []
        for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            if not hits or start >= hits[-1][1]:
                hits.append((start, end))
        return hits

    def surrogate(self, value: str, rng: Random, /) -> str:
        """Return a number of the same form and country; North American ones are of the fictional 555-01xx."""
        digits = [place for place, character in enumerate(value) if "0" <= character <= "9"]
        national = digits[-10:]
        prefix = "".join(value[place] for place in digits[:-10])
        if len(digits) >= 10 and prefix in ("", "1") and value[digits[0]] != "0":
            made = f"{rng.randint(2, 9)}{rng.randint(0, 8)}{rng.randint(0, 9)}55501{rng.randint(0, 99):02d}"
            fresh = dict(zip(national, made, strict=True))
            return "".join([fresh.get(place, character) for place, character in enumerate(value)])
        return random_like(value, rng, keep=digits[min(3, len(digits) - 1)])
