"""Read a URL once, strictly; all that follows uses what was read and never the text again."""

import re
from collections.abc import Mapping
from typing import Literal, TypeAlias, cast
from urllib.parse import quote, urljoin, urlsplit

import attrs

from par.errors import ToolFailed
from par.tools._web.hosts import Host, read_host

__all__ = ["MOST_CHARACTERS", "Target", "read_url", "redirected"]

Scheme: TypeAlias = Literal["http", "https"]

MOST_CHARACTERS = 4000
_MOST_SHOWN = 200
_PORTS: Mapping[str, int] = {"http": 80, "https": 443}
_PORT = re.compile(r"[0-9]{1,5}")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_PATH_SAFE = "/%:@!$&'()*+,;=-._~"
_QUERY_SAFE = _PATH_SAFE + "?"


@attrs.frozen(kw_only=True)
class Target:
    """Where a request goes."""

    scheme: Scheme
    host: Host
    port: int
    path: str
    """The path and the query, percent-encoded."""

    @property
    def authority(self) -> str:
        """The host, and the port if it is not the usual one: the ``Host`` header."""
        return self.host.in_url if self.port == _PORTS[self.scheme] else f"{self.host.in_url}:{self.port}"

    @property
    def url(self) -> str:
        """The URL in one form, without a fragment."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def shown(self) -> str:
        """The URL, cut to a length that fits a sentence."""
        return self.url if len(self.url) <= _MOST_SHOWN else f"{self.url[:_MOST_SHOWN]}..."


def read_url(text: str) -> Target:
    """Return where a URL leads.

    Raises:
        ToolFailed: if it is no http or https URL, is ambiguous, or carries credentials.
    """
    if len(text) > MOST_CHARACTERS:
        raise ToolFailed(f"The URL has {len(text)} characters; at most {MOST_CHARACTERS} are read.")
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        raise ToolFailed(
            f"{forbidden[0]!r} at position {forbidden.start() + 1} cannot stand in a URL: percent-encode it."
        )
    try:
        parts = urlsplit(text)
        path = quote(parts.path or "/", safe=_PATH_SAFE)
        query = quote(parts.query, safe=_QUERY_SAFE)
    except ValueError as error:  # brackets that do not close, half of a surrogate pair
        raise ToolFailed(f"This is no URL: {error}.") from None
    if parts.scheme not in _PORTS:
        raise ToolFailed("Only http and https URLs are read: begin with https://.")
    if not parts.netloc:
        raise ToolFailed("The URL names no host: write https://host/path.")
    if "@" in parts.netloc:
        raise ToolFailed("Credentials in a URL are refused: leave out what stands before the @.")
    scheme = cast("Scheme", parts.scheme)  # as checked against the ports
    host, port = _authority(parts.netloc, scheme)
    return Target(scheme=scheme, host=host, port=port, path=f"{path}?{query}" if query else path)


def _authority(text: str, scheme: Scheme) -> tuple[Host, int]:
    end = text.find("]") + 1 if text.startswith("[") else text.find(":")
    name, rest = (text, "") if end < 0 else (text[:end], text[end:])
    if rest in {"", ":"}:
        return read_host(name), _PORTS[scheme]
    digits = rest[1:]
    if not rest.startswith(":") or not _PORT.fullmatch(digits) or not 0 < int(digits) < 65_536:
        raise ToolFailed(f"{rest[:20]!r} after the host is no port: write a colon and a number from 1 to 65535.")
    return read_host(name), int(digits)


def redirected(current: Target, location: str) -> Target:
    """Return where an answer sends on to.

    Raises:
        ToolFailed: if that is no URL, or leaves encryption.
    """
    try:
        joined = urljoin(current.url, location.strip().replace(" ", "%20"))
    except ValueError as error:
        raise ToolFailed(f"{current.authority} redirects to what is no URL: {error}.") from None
    try:
        target = read_url(joined)
    except ToolFailed as error:
        raise ToolFailed(f"{current.authority} redirects to a URL that is refused. {error}") from None
    if current.scheme == "https" and target.scheme == "http":
        raise ToolFailed(f"{current.authority} redirects from https to http, which is refused: it gives up encryption.")
    return target
