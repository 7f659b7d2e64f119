"""Cut HTML into text and tags, in time that grows with its length and with nothing else.

The standard library's parser takes quadratic time for some malformed input in many of its releases, and a thread
cannot be stopped. Here every step moves forward: whatever is opened and never closed ends the document, so that
nothing is searched for twice.
"""

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Final, final

import attrs

__all__ = ["Tag", "pieces", "plain"]

_NAME = re.compile(r"[a-zA-Z][^\s/>]*")
_BETWEEN = re.compile(r"[\s/]*")
_ATTRIBUTE = re.compile(r"[^\s/>][^\s/>=]*")
_EQUALS = re.compile(r"\s*=\s*")
_UNQUOTED = re.compile(r"[^\s>]*")
_COMMENT_END = re.compile(r"--!?>")
_MOST_ATTRIBUTES = 30
_MOST_NAME = 40
_LONG_NUMBER = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")
"""Beyond all characters; the standard library fails on numbers of thousands of digits."""

SKIPPED: Final = frozenset(
    {"audio", "canvas", "iframe", "noembed", "noframes", "noscript", "object", "script", "style", "svg", "template"}
    | {"textarea", "video", "xmp"}
)
"""What stands inside of these is no text to read."""
_ENDS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in (*SKIPPED, "title")
}


@attrs.frozen(kw_only=True)
class Tag:
    """A tag. ``title`` comes with its text in ``content``, and the elements in ``SKIPPED`` do not come at all."""

    name: str
    closing: bool = False
    attributes: Mapping[str, str] = attrs.field(factory=dict[str, str])
    content: str = ""


def plain(text: str) -> str:
    """Return text with its character references replaced."""
    return unescape(_LONG_NUMBER.sub("\ufffd", text)) if "&" in text else text


def pieces(html: str) -> Iterator[str | Tag]:
    """Return the text between tags, with its references as they stand, and the tags, in order."""
    return _Reader(html).all()


@final
class _Reader:
    def __init__(self, html: str) -> None:
        self._html = html
        self._place: int = 0

    def all(self) -> Iterator[str | Tag]:
        html = self._html
        while 0 <= self._place < len(html):
            start = html.find("<", self._place)
            if start < 0:
                yield html[self._place :]
                return
            if start > self._place:
                yield html[self._place : start]
            self._place = start
            piece = self._markup()
            if piece is not None:
                yield piece

    def _markup(self) -> str | Tag | None:
        """Read what begins with ``<``; an end that is not there leaves the place at -1, which ends the document."""
        html, start = self._html, self._place
        if html.startswith("<!--", start):
            end = _COMMENT_END.search(html, start + 2)
            self._place = -1 if end is None else end.end()
            return None
        closing = html.startswith("</", start)
        name = _NAME.match(html, start + 1 + closing)
        if name is None:
            if closing or html.startswith(("<!", "<?"), start):
                self._place = html.find(">", start) + 1 or -1
                return None
            self._place = start + 1
            return "<"
        self._place = name.end()
        attributes, empty = self._attributes()
        if self._place < 0:
            return None
        short = name[0][:_MOST_NAME].lower()
        return self._element(short, attributes, empty=empty) if not closing else Tag(name=short, closing=True)

    def _element(self, name: str, attributes: Mapping[str, str], *, empty: bool) -> Tag | None:
        pattern = _ENDS.get(name)
        if pattern is None or (empty and name == "svg"):  # the slash counts in foreign elements only
            return Tag(name=name, attributes=attributes)
        start = self._place
        end = pattern.search(self._html, start)
        self._place = -1 if end is None else end.start()
        if name != "title":
            return None
        return Tag(name=name, content=self._html[start : None if end is None else end.start()])

    def _attributes(self) -> tuple[Mapping[str, str], bool]:
        """Read up to behind the ``>``; tell whether a slash stands before it."""
        html, found = self._html, dict[str, str]()
        while True:
            between = _BETWEEN.match(html, self._place)
            place = self._place if between is None else between.end()
            if place >= len(html):
                self._place = -1
                return found, False
            if html[place] == ">":
                empty = html[place - 1] == "/"
                self._place = place + 1
                return found, empty
            name = _ATTRIBUTE.match(html, place)
            self._place = place + 1 if name is None else name.end()
            value = self._value()
            if self._place < 0:
                return found, False
            if len(found) < _MOST_ATTRIBUTES and name is not None:
                found.setdefault(name[0][:_MOST_NAME].lower(), value)

    def _value(self) -> str:
        html = self._html
        equals = _EQUALS.match(html, self._place)
        if equals is None:
            return ""
        start = equals.end()
        quote = html[start : start + 1]
        if quote and quote in "\"'":
            end = html.find(quote, start + 1)
            self._place = end + 1 if end >= 0 else -1
            return html[start + 1 : end] if end >= 0 else ""
        unquoted = _UNQUOTED.match(html, start)
        self._place = start if unquoted is None else unquoted.end()
        return html[start : self._place]
