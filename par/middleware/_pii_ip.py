"""IP addresses; not among the defaults, for they are more often machines than people."""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from random import Random
from typing import final

import attrs

__all__ = ["IpAddresses"]

_V4 = re.compile(r"(?<![A-Za-z0-9_.\-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![A-Za-z0-9_\-])(?!\.[A-Za-z0-9])")
_V6 = re.compile(r"(?<![A-Za-z0-9_.:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![A-Za-z0-9_:])(?!\.[0-9])")
_VERSION = re.compile(r"(?:version|release|build|ver|v)\.?[ =:]{0,2}$", re.IGNORECASE)


@final
@attrs.frozen
class IpAddresses:
    """Finds IPv4 and IPv6 addresses that are no version numbers."""

    kind: str = attrs.field(default="ip", init=False)
    max_chars: int = attrs.field(default=39, init=False)

    def find(self, text: str, /) -> Iterable[tuple[int, int]]:
        """Return the addresses."""
        spans = [match.span() for match in _V4.finditer(text) if _is_address(text, match)]
        spans.extend(match.span() for match in _V6.finditer(text) if _is_address(text, match))
        return sorted(spans)

    def surrogate(self, value: str, rng: Random, /) -> str:
        """Return an address of a range that is reserved for documentation (RFC 5737, RFC 3849)."""
        if ":" in value:
            return f"2001:db8::{rng.randrange(1, 65536):x}:{rng.randrange(1, 65536):x}"
        net = rng.choice(("192.0.2", "198.51.100", "203.0.113"))
        return f"{net}.{rng.randint(1, 254)}"


def _is_address(text: str, match: re.Match[str]) -> bool:
    found = match[0]
    if ":" in found and sum(character.isalnum() for character in found) < 3:
        return False
    try:
        ip_address(found)
    except ValueError:
        return False
    return _VERSION.search(text[max(0, match.start() - 12) : match.start()]) is None
