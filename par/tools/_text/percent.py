"""The tool that writes and reads percent-encoding."""

import re
from typing import Annotated
from urllib.parse import quote

import attrs

from par import Param, tool
from par.errors import ToolFailed
from par.tools._text.limits import MOST_CHARACTERS, encoded

__all__ = ["UrlText", "url_encode"]

_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPES = re.compile(rb"%([0-9A-Fa-f]{2})")


@attrs.frozen(kw_only=True)
class UrlText:
    """What ``url_encode`` returns."""

    text: str


@tool(effect="read", timeout=5.0)
def url_encode(
    text: Annotated[str, Param(max_length=MOST_CHARACTERS)],
    decode: Annotated[bool, Param(description="read percent-encoding instead of writing it")] = False,
    form: Annotated[
        bool,
        Param(description="as in HTML forms: a space is +. Otherwise a space is %20, and a + read is a +"),
    ] = False,
) -> UrlText:
    """Percent-encode a text for a URL, or decode one (RFC 3986).

    All but letters, digits and ``-._~`` is encoded, as the bytes of UTF-8. What is broken is refused, never dropped.
    """
    if decode:
        return UrlText(text=_decoded(text.replace("+", " ") if form else text))
    written = quote(encoded(text), safe="")
    return UrlText(text=written.replace("%20", "+") if form else written)


def _decoded(text: str) -> str:
    broken = _BROKEN.search(text)
    if broken is not None:
        shown = text[broken.start() : broken.start() + 3]
        raise ToolFailed(
            f"{shown!r} at position {broken.start() + 1} is no percent-encoding: % stands before two hexadecimal "
            "digits, and a % itself is written %25."
        )
    raw = _ESCAPES.sub(lambda match: bytes([int(match[1], 16)]), encoded(text))
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ToolFailed(
            f"Decoded, the byte 0x{raw[error.start]:02x} after {error.start} bytes begins no UTF-8 character: "
            "the text was encoded otherwise, or cut."
        ) from None
