"""Bank accounts: IBANs with the length of their country and the checksum mod 97."""

import re
from collections.abc import Iterable
from random import Random
from typing import final

import attrs

from par.middleware._pii_detector import random_like

__all__ = ["Ibans", "iban_ok"]

# Source: the IBAN registry that SWIFT keeps for ISO 13616
_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20,
    "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25,
    "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip

_CANDIDATE = re.compile(
    r"(?<![A-Za-z0-9_])(?=([A-Z]{2}[0-9]{2}(?:[ \-\u00a0\u202f]?[A-Z0-9]){11,30}|[A-Za-z]{2}[0-9]{2}[A-Za-z0-9]{11,30}))"
)


def iban_ok(compact: str) -> bool:
    """Tell whether an IBAN without spaces has its country's length and the right check digits (ISO 7064)."""
    if _LENGTHS.get(compact[:2]) != len(compact):
        return False
    return _rest(compact) == 1


def _rest(compact: str) -> int:
    return int("".join([str(int(character, 36)) for character in compact[4:] + compact[:4]])) % 97


@final
@attrs.frozen
class Ibans:
    """Finds IBANs, written together or in groups."""

    kind: str = attrs.field(default="iban", init=False)
    max_chars: int = attrs.field(default=66, init=False)

    def find(self, text: str, /) -> Iterable[tuple[int, int]]:
        """Return the accounts whose length and check digits are right."""
        hits: list[tuple[int, int]] = []
        for match in _CANDIDATE.finditer(text):
            start = match.start(1)
            if hits and start < hits[-1][1]:
                continue
            end = _end_of(text, start, match.end(1))
            if end is not None:
                hits.append((start, end))
        return hits

    def surrogate(self, value: str, rng: Random, /) -> str:
        """Return an account of the same country and form, with right check digits."""
        fresh = random_like(value, rng, keep=4)
        compact = "".join([character for character in fresh if character.isalnum()]).upper()
        check = 98 - _rest(compact[:2] + "00" + compact[4:])
        return f"{value[:2]}{check:02d}{fresh[4:]}"


def _end_of(text: str, start: int, last: int) -> int | None:
    """Return where the IBAN that begins at ``start`` ends, ``None`` if it is none."""
    wanted = _LENGTHS.get(text[start : start + 2].upper())
    if wanted is None:
        return None
    found: list[str] = []
    for place in range(start, last):
        if text[place].isalnum():
            found.append(text[place])
            if len(found) == wanted:
                joined = place + 1 < len(text) and (text[place + 1].isascii() and text[place + 1].isalnum())
                return place + 1 if not joined and iban_ok("".join(found).upper()) else None
    return None
