"""What the tools may reach, and how much they read."""

import re
from collections.abc import Callable, Iterable
from math import isfinite
from typing import cast

import attrs

from par.errors import ToolFailed
from par.tools._web.hosts import Host, read_host

__all__ = ["WebPolicy"]

_MOST_BYTES = 50_000_000
_MOST_REDIRECTS = 20
_MOST_SECONDS = 600.0
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]*/(?:\*|(?:\*\+)?[a-z0-9][a-z0-9.+-]*)")
_HEADER_TEXT = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?")


def _several(value: Iterable[str]) -> tuple[str, ...]:
    # a lone text would become a tuple of its letters; it stays, for the validator to refuse
    return cast("tuple[str, ...]", value) if isinstance(value, str) else tuple(value)


def _patterns(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(_pattern(item) for item in value) if _are_texts(value) else cast("tuple[str, ...]", value)


def _are_texts(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, (list, tuple, set, frozenset)):
        return False
    return all(isinstance(item, str) for item in cast("Iterable[object]", value))


def _pattern(text: str) -> str:
    prefix = "*." if text.startswith("*.") else ""
    bare = text.removeprefix("*.")
    try:
        host = read_host(f"[{bare}]" if ":" in bare else bare)
    except ToolFailed:
        return text
    return text if prefix and host.address is not None else prefix + host.name


def _check_patterns(instance: object, attribute: "attrs.Attribute[tuple[str, ...]]", value: object) -> None:
    del instance
    if not _are_texts(value):
        raise TypeError(f"{attribute.name} is a tuple of patterns, not {value!r}")
    for pattern in cast("tuple[str, ...]", value):
        bare = pattern.removeprefix("*.")
        try:
            host = read_host(f"[{bare}]" if ":" in bare else bare)
        except ToolFailed:
            host = None
        if host is None or (host.address is not None and bare != pattern):
            raise ValueError(
                f'{attribute.name} has patterns such as "example.com", "*.example.com" and "192.0.2.1", not {pattern!r}'
            )


def _check_ports(instance: object, attribute: "attrs.Attribute[tuple[int, ...]]", value: object) -> None:
    del instance
    items = cast("tuple[object, ...]", value) if isinstance(value, tuple) else ()
    if not items or not all(type(item) is int and 0 < item < 65_536 for item in items):
        raise ValueError(f"{attribute.name} is a tuple of port numbers, got {value!r}")


def _check_count(least: int, most: int) -> Callable[[object, "attrs.Attribute[int]", int], None]:
    def check(instance: object, attribute: "attrs.Attribute[int]", value: int) -> None:
        del instance
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"{attribute.name} must be a whole number from {least} to {most}, got {value!r}")

    return check


def _check_time(instance: object, attribute: "attrs.Attribute[float]", value: object) -> None:
    del instance
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        raise ValueError(f"{attribute.name} must be a number of seconds, got {value!r}")
    if not 0 < value <= _MOST_SECONDS:
        raise ValueError(f"{attribute.name} must be greater than 0 and at most {_MOST_SECONDS:g} s, got {value!r}")


def _check_header(instance: object, attribute: "attrs.Attribute[str]", value: object) -> None:
    del instance
    if not isinstance(value, str) or not _HEADER_TEXT.fullmatch(value):
        raise ValueError(f"{attribute.name} must be one line of 1 to 200 ASCII characters, got {value!r}")


def _check_media_types(instance: object, attribute: "attrs.Attribute[tuple[str, ...]]", value: object) -> None:
    del instance
    if not _are_texts(value) or not value:
        raise TypeError(f"{attribute.name} is a tuple of media types, not {value!r}")
    for pattern in cast("tuple[str, ...]", value):
        if not _MEDIA_TYPE.fullmatch(pattern):
            raise ValueError(
                f'{attribute.name} has patterns such as "text/html", "text/*" and "application/*+json", not {pattern!r}'
            )


@attrs.frozen(kw_only=True)
class WebPolicy:
    """What the web tools may reach, and how much they read. Checked before each connection, redirects included.

    Raises:
        ValueError, TypeError: for a setting that is none, with its name.
    """

    allow_hosts: tuple[str, ...] = attrs.field(default=(), converter=_patterns, validator=_check_patterns)
    """``"example.com"`` is that host, ``"*.example.com"`` are the hosts below it. Empty: all that is not denied."""
    deny_hosts: tuple[str, ...] = attrs.field(default=(), converter=_patterns, validator=_check_patterns)
    """Patterns as above; they win over ``allow_hosts``."""
    allow_private: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool))
    """Whether this machine and private networks may be reached. Link-local addresses and the credential services of
    cloud hosts stay refused."""
    ports: tuple[int, ...] = attrs.field(default=(80, 443, 8080, 8443), validator=_check_ports)
    """The web's usual ones, so that no other service of a host can be spoken to."""
    max_bytes: int = attrs.field(default=2_000_000, validator=_check_count(1, _MOST_BYTES))
    """Bytes of a body that are read, counted after decompression; the rest is cut, and the result says so. 1 to 50
    million; most pages have less than the default."""
    max_redirects: int = attrs.field(default=5, validator=_check_count(0, _MOST_REDIRECTS))
    """0 to 20."""
    timeout_s: float = attrs.field(default=15.0, validator=_check_time)
    """Seconds for a whole call: names, connections, redirects and bodies together. Up to 600."""
    user_agent: str = attrs.field(default="par (+https://pypi.org/project/par-sdk)", validator=_check_header)
    content_types: tuple[str, ...] = attrs.field(
        default=("text/*", "application/json", "application/*+json", "application/xml", "application/*+xml"),
        converter=_several,
        validator=_check_media_types,
    )
    """Media types that are read; ``*`` stands for a whole subtype or for all before a ``+``."""

    def refusal_of(self, host: Host, port: int) -> str | None:
        """Say why a host and port must not be asked, ``None`` if they may."""
        if port not in self.ports:
            return f"port {port} is not among {', '.join(str(number) for number in self.ports)}"
        if any(_fits(host.name, pattern) for pattern in self.deny_hosts):
            return "it is denied here"
        if self.allow_hosts and not any(_fits(host.name, pattern) for pattern in self.allow_hosts):
            return f"only {', '.join(self.allow_hosts)} may be asked here"
        return None

    def reads(self, media_type: str) -> bool:
        """Tell whether bodies of a media type are read."""
        return any(_is_type(media_type, pattern) for pattern in self.content_types)


def _fits(name: str, pattern: str) -> bool:
    return name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern


def _is_type(media_type: str, pattern: str) -> bool:
    before, star, after = pattern.partition("*")
    if not star:
        return media_type == pattern
    return media_type.startswith(before) and media_type.endswith(after) and len(media_type) > len(before) + len(after)
