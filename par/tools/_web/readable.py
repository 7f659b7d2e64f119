"""Make a page readable: its title, its text, its links."""

import re
from typing import final
from urllib.parse import urljoin

import attrs

from par.tools._web.html import Tag, pieces, plain

__all__ = ["Link", "Readable", "read_html"]

_SPACE = re.compile(r"\s+")
_PARAGRAPHS = frozenset(
    {"article", "aside", "blockquote", "details", "dl", "fieldset", "figure", "footer", "form", "h1", "h2", "h3"}
    | {"h4", "h5", "h6", "header", "hr", "main", "nav", "ol", "p", "pre", "section", "table", "ul"}
)
_LINES = frozenset(
    {"address", "body", "caption", "dd", "div", "dt", "figcaption", "head", "html", "legend", "li", "option"}
    | {"summary", "tr"}
)
_CELLS = frozenset({"td", "th"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_MOST_TITLE = 300
_MOST_LINKS = 100
_MOST_LINK_TEXT = 200
_MOST_URL = 2000


@attrs.frozen(kw_only=True)
class Link:
    """A link of a page."""

    text: str
    url: str


@attrs.frozen(kw_only=True)
class Readable:
    """What a page says."""

    title: str
    text: str
    links: tuple[Link, ...]


def read_html(html: str, url: str) -> Readable:
    """Return what an HTML page says, with one empty line between paragraphs.

    Headings begin with ``#``, list items with ``-``; the cells of a row stand between bars. Links are absolute, http or
    https, each URL once, at most a hundred. This takes a second or so for the largest pages: run it in a thread.
    """
    page = _Page(url)
    for piece in pieces(html):
        if isinstance(piece, str):
            page.add(plain(piece))
        else:
            page.mark(piece)
    return page.done()


@final
class _Page:
    def __init__(self, url: str) -> None:
        self._base = url
        self._has_base = False
        self._title: str | None = None
        self._parts: list[str] = []
        self._breaks = 2
        """Ends of line that stand already at the end of the text."""
        self._wanted = 0
        """Ends of line that must stand before the next word."""
        self._space = False
        self._preformatted = 0
        self._links: dict[str, str] = {}
        self._link: tuple[str, int] | None = None

    def add(self, text: str) -> None:
        if self._preformatted:
            self._put(text)
            return
        words = _SPACE.sub(" ", text)
        bare = words.strip(" ")
        if not bare:
            self._space = self._space or bool(words)
            return
        self._space = self._space or words.startswith(" ")
        self._put(bare)
        self._space = words.endswith(" ")

    def _put(self, text: str) -> None:
        missing = max(0, self._wanted - self._breaks)
        if missing:
            self._parts.append("\n" * missing)
        elif self._space and not self._breaks:
            self._parts.append(" ")
        self._parts.append(text)
        self._breaks = min(2, len(text) - len(text.rstrip("\n")))
        self._wanted = 0
        self._space = False

    def mark(self, tag: Tag) -> None:
        name = tag.name
        if name == "title":
            if self._title is None and not tag.closing:
                self._title = _SPACE.sub(" ", plain(tag.content)).strip()[:_MOST_TITLE]
        elif name == "a":
            self._end_link()
            if not tag.closing:
                self._begin_link(plain(tag.attributes.get("href", "")))
        elif name == "base":
            if not self._has_base:  # the first one counts
                self._has_base = True
                self._base = _joined(self._base, plain(tag.attributes.get("href", ""))) or self._base
        else:
            self._lay_out(name, closing=tag.closing)

    def _lay_out(self, name: str, *, closing: bool) -> None:
        if name in _PARAGRAPHS:
            self._wanted = 2
        elif name in _LINES:
            self._wanted = max(self._wanted, 1)
        elif name == "br":
            self._wanted = min(2, max(self._wanted, self._breaks) + 1)
        elif name in _CELLS and not closing and not self._wanted and not self._breaks:
            self._space = True
            self._put("|")
            self._space = True
        if name == "pre":
            self._preformatted = max(0, self._preformatted - 1) if closing else 1
        elif closing:
            return
        elif name in _HEADINGS:
            self._put("#" * int(name[1]))
            self._space = True
        elif name == "li":
            self._put("-")
            self._space = True

    def _begin_link(self, href: str) -> None:
        url = _joined(self._base, href) if href and not href.startswith("#") else ""
        if url and url not in self._links and len(self._links) < _MOST_LINKS:
            self._link = (url, len(self._parts))

    def _end_link(self) -> None:
        if self._link is not None:
            url, start = self._link
            self._link = None
            text = _SPACE.sub(" ", "".join(self._parts[start:])).strip()
            self._links[url] = text[:_MOST_LINK_TEXT]

    def done(self) -> Readable:
        self._end_link()
        links = tuple(Link(text=text, url=url) for url, text in self._links.items())
        return Readable(title=self._title or "", text="".join(self._parts).strip(), links=links)


def _joined(base: str, href: str) -> str:
    try:
        url = urljoin(base, href.strip())
    except ValueError:
        return ""
    return url if url.startswith(("http://", "https://")) and len(url) <= _MOST_URL else ""
