"""Read the host of a URL into one form, so that what is checked is what is connected to."""

import re
from ipaddress import IPv4Address

import attrs
import idna

from par.errors import ToolFailed
from par.tools._web.addresses import Address, read_address

__all__ = ["Host", "read_host"]

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"0x[0-9a-f]*|[0-9]+")
_MOST_NAME = 253
_SHOWN = 100


@attrs.frozen
class Host:
    """A host: its name in small ASCII letters, and its address if the name is one."""

    name: str
    address: Address | None = None

    @property
    def in_url(self) -> str:
        """The host as URLs and the ``Host`` header have it."""
        return f"[{self.name}]" if ":" in self.name else self.name


def read_host(text: str) -> Host:
    """Return the host that stands in a URL.

    Capitals, other scripts, full-width digits and the dot at the end are brought into one form. Other ways to write an
    IPv4 address than four decimal numbers are refused, because readers differ about them: ``0177.0.0.1``, ``127.1``,
    ``0x7f000001``, ``2130706433``.

    Raises:
        ToolFailed: if it is no host.
    """
    if text.startswith("["):
        return _bracketed(text)
    name = _ascii(text).lower().removesuffix(".")
    labels = name.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            address = IPv4Address(name)
        except ValueError:
            raise ToolFailed(
                f"The host {text[:_SHOWN]!r} looks like an address, but is not four decimal numbers of 0 to 255: "
                "write the host's name."
            ) from None
        return Host(str(address), address)
    if len(name) > _MOST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise ToolFailed(f"{text[:_SHOWN]!r} is no host name: it has letters, digits and hyphens between single dots.")
    return Host(name)


def _bracketed(text: str) -> Host:
    inner = text[1:-1]
    if "%" in inner:
        raise ToolFailed(f"The address {text[:_SHOWN]!r} names a zone of one machine: leave out what follows the %.")
    try:
        address = read_address(inner) if text.endswith("]") and ":" in inner else None
    except ValueError:
        address = None
    if address is None:
        raise ToolFailed(f"{text[:_SHOWN]!r} is no IPv6 address.")
    return Host(str(address), address)


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise ToolFailed(f"{text[:_SHOWN]!r} is no host name: it breaks the rules for international names.") from None
