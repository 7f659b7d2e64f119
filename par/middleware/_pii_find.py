"""Run all detectors over a text, cheaply where there is nothing to find."""

import re
from collections.abc import Iterable
from typing import final

import attrs

from par.middleware._pii_cards import CardNumbers
from par.middleware._pii_detector import Detector
from par.middleware._pii_email import Emails
from par.middleware._pii_iban import Ibans
from par.middleware._pii_phone import PhoneNumbers
from par.middleware._pii_secrets import Secrets
from par.middleware._pii_ssn import SocialSecurityNumbers

__all__ = ["DEFAULT_DETECTORS", "Finder", "Hit"]

DEFAULT_DETECTORS: tuple[Detector, ...] = (
    Secrets(),
    Emails(),
    CardNumbers(),
    Ibans(),
    SocialSecurityNumbers(),
    PhoneNumbers(),
)

_OF_DIGITS = (CardNumbers, Ibans, SocialSecurityNumbers, PhoneNumbers)
_BUILT_IN = (*_OF_DIGITS, Emails, Secrets)
_DIGITS = re.compile(r"[0-9](?:[^0-9A-Za-z@\n]{0,3}[0-9]){6}")  # nothing made of digits has fewer than 7
_SHORTEST = 6  # a@b.io
_NUMBER_CHARS = 20


@attrs.frozen
class Hit:
    """A place in a text and who found it."""

    start: int
    end: int
    detector: Detector


@final
class Finder:
    """The detectors of one ``PiiMask``."""

    def __init__(self, detectors: Iterable[Detector]) -> None:
        self.detectors = tuple(detectors)
        self._of_digits = tuple(one for one in self.detectors if isinstance(one, _OF_DIGITS))
        self._secrets = tuple(one for one in self.detectors if isinstance(one, Secrets))
        self._emails = tuple(one for one in self.detectors if isinstance(one, Emails))
        self._own = tuple(one for one in self.detectors if not isinstance(one, _BUILT_IN))
        self.has_secrets = bool(self._secrets)
        self.longest = max((one.max_chars for one in self.detectors), default=0)
        self.longest_own = max((one.max_chars for one in self._own), default=0)

    def find(self, text: str, key: str = "") -> list[Hit]:
        """Return the hits in order, those that overlap made one; ``key`` is what the text stands under."""
        if len(text) < _SHORTEST and not self._own:
            return []
        worth = list(self._own)
        if "@" in text:
            worth.extend(self._emails)
        if len(text) > _NUMBER_CHARS - 1:
            worth.extend(self._secrets)
        digits = _DIGITS.search(text) is not None
        if digits:
            worth.extend(self._of_digits)
        if not worth:
            return []
        hits = [Hit(start, end, one) for one in worth for start, end in one.find(text)]
        if hits:
            return hits if len(hits) == 1 else _united(hits)
        if digits and key and len(text) <= _NUMBER_CHARS:
            return self._named(text, key)
        return []

    def _named(self, text: str, key: str) -> list[Hit]:
        # {"phone": "4155552671"}: the key says what the digits are
        shift = len(key) + 2
        hits = [
            Hit(start - shift, end - shift, one)
            for one in self._of_digits
            for start, end in one.find(f"{key}: {text}")
            if start >= shift
        ]
        return _united(hits)


def _united(hits: list[Hit]) -> list[Hit]:
    result: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        last = result[-1] if result else None
        if last is None or hit.start >= last.end:
            result.append(hit)
        elif hit.end > last.end:
            longer = hit if hit.end - hit.start > last.end - last.start else last
            result[-1] = Hit(last.start, hit.end, longer.detector)
    return result
