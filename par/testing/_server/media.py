"""Checkers for pictures and files inside requests."""

import base64
import binascii
import re

from par._json import Json
from par.testing._server.refused import Misshapen, Place
from par.testing._server.shape import Checker

__all__ = ["base64_data", "data_url", "web_or_data_url", "web_url"]

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)
_WEB_URL = re.compile(r"https?://[^\s/]+\S*")


def base64_data(value: Json, place: Place) -> None:
    """Take bytes in base64, without the beginning of a data URL."""
    if not isinstance(value, str):
        raise Misshapen(place, "type", "a string of base64")
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Misshapen(place, "value", "base64-encoded data") from None
    if not content:
        raise Misshapen(place, "value", "base64-encoded data that is not empty")


def data_url(*kinds: str) -> Checker:
    """Take a data URL in base64 whose media type begins with one of ``kinds``."""

    def check(value: Json, place: Place) -> None:
        match = _DATA_URL.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            raise Misshapen(place, "value", "a data URL with its media type, in base64")
        if not match[1].startswith(kinds):
            raise Misshapen(place, "value", f"a data URL of {', '.join(kinds)}, but got {match[1]}")
        base64_data(match[2], place)

    return check


def web_url(value: Json, place: Place) -> None:
    """Take an address of the web."""
    if not isinstance(value, str) or _WEB_URL.fullmatch(value) is None:
        raise Misshapen(place, "value", "a URL that begins with http:// or https://")


def web_or_data_url(*kinds: str) -> Checker:
    """Take either of the two."""
    inline = data_url(*kinds)

    def check(value: Json, place: Place) -> None:
        if isinstance(value, str) and value.startswith("data:"):
            inline(value, place)
        else:
            web_url(value, place)

    return check
