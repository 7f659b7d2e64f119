"""Which addresses are on the public Internet, and what the others are for."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

import attrs

__all__ = ["Address", "read_address", "why_not"]

Address: TypeAlias = IPv4Address | IPv6Address


@attrs.frozen
class _Range:
    """Addresses that are not public. ``private`` ones may be allowed; the others never lead to a web page."""

    network: IPv4Network | IPv6Network
    words: str
    private: bool = False


def _v4(network: str, words: str, *, private: bool = False) -> _Range:
    return _Range(IPv4Network(network), words, private)


def _v6(network: str, words: str, *, private: bool = False) -> _Range:
    return _Range(IPv6Network(network), words, private)


_PUBLIC_V6 = IPv6Network("2000::/3")
"""All that has been given out as global unicast; what stands outside and is not named below is refused too."""
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")

# Source: the IANA registries of special-purpose addresses for IPv4 and IPv6, and the makers' pages for metadata
# services. A table of our own, because the answers of ipaddress.is_global differ between versions of Python. Services
# that hand out credentials come first: they stay refused where private networks are allowed.
_RANGES = (
    _v4("168.63.129.16/32", "a service of the cloud host"),
    _v4("100.100.100.200/32", "a service of the cloud host"),
    _v6("fd00:ec2::/32", "a service of the cloud host"),
    _v6("fd20:ce::254/128", "a service of the cloud host"),
    _v4("0.0.0.0/8", "unspecified"),
    _v4("10.0.0.0/8", "private", private=True),
    _v4("100.64.0.0/10", "shared by a provider's customers", private=True),
    _v4("127.0.0.0/8", "this machine", private=True),
    _v4("169.254.0.0/16", "link-local"),
    _v4("172.16.0.0/12", "private", private=True),
    _v4("192.0.0.0/24", "reserved for protocols"),
    _v4("192.0.2.0/24", "for documentation"),
    _v4("192.31.196.0/24", "reserved for name servers"),
    _v4("192.52.193.0/24", "a multicast relay"),
    _v4("192.88.99.0/24", "a 6to4 relay"),
    _v4("192.168.0.0/16", "private", private=True),
    _v4("192.175.48.0/24", "reserved for name servers"),
    _v4("198.18.0.0/15", "for benchmarks"),
    _v4("198.51.100.0/24", "for documentation"),
    _v4("203.0.113.0/24", "for documentation"),
    _v4("224.0.0.0/4", "multicast"),
    _v4("240.0.0.0/4", "reserved"),
    _v6("::/128", "unspecified"),
    _v6("::1/128", "this machine", private=True),
    _v6("fc00::/7", "private", private=True),
    _v6("fe80::/10", "link-local"),
    _v6("ff00::/8", "multicast"),
    _v6("2001::/32", "a Teredo tunnel"),
    _v6("2001::/23", "reserved for protocols"),
    _v6("2001:db8::/32", "for documentation"),
    _v6("2002::/16", "a 6to4 tunnel"),
    _v6("2620:4f:8000::/48", "reserved for name servers"),
    _v6("3fff::/20", "for documentation"),
)


def read_address(text: str) -> Address:
    """Return an address; an IPv4 address in an IPv6 coat is returned as what it is.

    Raises:
        ValueError: if the text is no address.
    """
    if ":" not in text:
        return IPv4Address(text)
    address = IPv6Address(text)
    return IPv4Address(int(address) & 0xFFFF_FFFF) if address in _MAPPED else address


def why_not(address: Address, *, allow_private: bool) -> str | None:
    """Say why an address must not be connected to, ``None`` if it may.

    Private networks and this machine are allowed by ``allow_private``; what can be no server, and the services that
    give a cloud machine its credentials, are not allowed by anything.
    """
    # a translator for networks without IPv4: what counts is where it leads
    judged = IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else address
    for known in _RANGES:
        if judged in known.network:
            return None if known.private and allow_private and judged is address else known.words
    if isinstance(judged, IPv6Address) and judged not in _PUBLIC_V6:
        return "not public"
    return None
