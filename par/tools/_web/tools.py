"""The tools that read the web."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import anyio.to_thread
import attrs

from par import AgentTool, Param, tool
from par.errors import UsageError
from par.tools._harmless import harmless
from par.tools._web.client import WebClient
from par.tools._web.policy import WebPolicy
from par.tools._web.readable import Link, Readable, read_html
from par.tools._web.search import SearchBackend, SearchHit
from par.tools._web.urls import MOST_CHARACTERS

__all__ = ["FetchedUrl", "ReadWebpage", "SearchResults", "web_tools"]

_READING_S = 10.0
"""For making a page readable, on top of the time for getting it."""
_SEARCHING_S = 60.0
"""An outer limit; the backends that come with par have their own."""
_MOST_HTML = 3_000_000
"""Characters; what is hostile enough takes two seconds for each million."""
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_MOST_TITLE, _MOST_SNIPPET, _MOST_URL = 200, 500, 2000


@attrs.frozen(kw_only=True)
class FetchedUrl:
    """What ``fetch_url`` returns."""

    url: str
    """Where the text came from, after redirects."""
    status: int
    content_type: str
    text: str
    cut: bool


@attrs.frozen(kw_only=True)
class ReadWebpage:
    """What ``read_webpage`` returns."""

    url: str
    title: str
    text: str
    links: tuple[Link, ...]
    cut: bool


@attrs.frozen(kw_only=True)
class SearchResults:
    """What ``web_search`` returns."""

    query: str
    results: tuple[SearchHit, ...]


def web_tools(
    *,
    client: WebClient | None = None,
    search: SearchBackend | None = None,
    policy: WebPolicy | None = None,
) -> tuple[AgentTool[object], ...]:
    """Return ``fetch_url`` and ``read_webpage``, and ``web_search`` if there is a backend to ask.

    Args:
        client: gets the pages; by default one with ``policy``.
        search: what ``web_search`` asks, such as ``SearxngSearch`` or ``BraveSearch``.
        policy: what may be reached and how much is read, if no client is given, which has its own.

    Raises:
        UsageError: if both a client and a policy are given.
    """
    if client is not None and policy is not None:
        raise UsageError("web_tools takes a client or a policy: give the policy to the client")
    pages = WebClient(policy) if client is None else client
    found = (_fetch_url(pages), _read_webpage(pages))
    return found if search is None else (*found, _web_search(search))


def _shown(text: str, most: int, *, more: bool) -> tuple[str, bool]:
    """Cut a text and make it harmless; the note is part of it, because that is where a model looks."""
    kept = harmless(text[:most])
    if len(text) > most:
        return f"{kept}\n[cut: the first {most} of {len(text)} characters]", True
    return (f"{kept}\n[cut: the page is larger than what is read of it]", True) if more else (kept, False)


_Url = Annotated[str, Param(description="an http or https URL", min_length=1, max_length=MOST_CHARACTERS)]


def _fetch_url(client: WebClient) -> AgentTool[object]:
    @tool(effect="read", timeout=client.policy.timeout_s + _READING_S)
    async def fetch_url(
        url: _Url,
        max_length: Annotated[int, Param(description="characters of the text returned", ge=100, le=500_000)] = 50_000,
    ) -> FetchedUrl:
        """Get a URL with GET and return its text as it is: JSON, XML, HTML source or plain text."""
        page = await client.get(url)
        text, cut = _shown(page.text, max_length, more=page.cut)
        return FetchedUrl(url=page.url, status=page.status, content_type=page.content_type, text=text, cut=cut)

    return fetch_url


def _read_webpage(client: WebClient) -> AgentTool[object]:
    @tool(effect="read", timeout=client.policy.timeout_s + _READING_S)
    async def read_webpage(
        url: _Url,
        max_length: Annotated[int, Param(description="characters of the text returned", ge=100, le=500_000)] = 10_000,
        links: Annotated[bool, Param(description="whether to list the page's links too")] = False,
    ) -> ReadWebpage:
        """Read a web page: its title and its text, without markup, scripts and styles."""
        page = await client.get(url)
        if page.content_type in _HTML:
            html = page.text[:_MOST_HTML]
            readable = await anyio.to_thread.run_sync(partial(read_html, html, page.url))
        else:
            html = page.text
            readable = Readable(title="", text=page.text, links=())
        text, cut = _shown(readable.text, max_length, more=page.cut or len(html) < len(page.text))
        found = readable.links if links else ()
        return ReadWebpage(
            url=page.url,
            title=harmless(readable.title),
            text=text,
            links=tuple(Link(text=harmless(link.text), url=harmless(link.url)) for link in found),
            cut=cut,
        )

    return read_webpage


def _web_search(backend: SearchBackend) -> AgentTool[object]:
    @tool(effect="read", timeout=_SEARCHING_S)
    async def web_search(
        query: Annotated[str, Param(description="what to search for", min_length=1, max_length=400)],
        max_results: Annotated[int, Param(ge=1, le=20)] = 5,
    ) -> SearchResults:
        """Search the web and return titles, URLs and snippets; read_webpage then reads a page."""
        hits = await backend.search(query, max_results)
        return SearchResults(query=query, results=_kept(hits, max_results))

    return web_search


def _kept(hits: Sequence[SearchHit], most: int) -> tuple[SearchHit, ...]:
    """Hold a backend to the limits, whoever wrote it; URLs of other schemes than http and https are left out."""
    kept = [hit for hit in hits if hit.url.startswith(("http://", "https://")) and len(hit.url) <= _MOST_URL]
    return tuple(
        SearchHit(
            title=harmless(hit.title[:_MOST_TITLE]),
            url=harmless(hit.url),
            snippet=harmless(hit.snippet[:_MOST_SNIPPET]),
        )
        for hit in kept[:most]
    )
