"""Search through the JSON API of a search engine."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, final
from urllib.parse import urlencode

import anyio.to_thread
import attrs

from par._json import Json, JsonSyntaxError, load_json
from par.errors import ToolFailed, UsageError
from par.tools._web.addresses import why_not
from par.tools._web.client import WebClient
from par.tools._web.hosts import Host
from par.tools._web.policy import WebPolicy
from par.tools._web.readable import read_html
from par.tools._web.resolve import Resolve, system_addresses
from par.tools._web.urls import Target, read_url

__all__ = ["BraveSearch", "SearchBackend", "SearchHit", "SearxngSearch"]

_KEY = re.compile(r"[\x21-\x7e]{1,500}")
_BRAVE = "https://api.search.brave.com/res/v1/web/search"
_BRAVE_MOST = 20
_MOST_TEXT = 5000


@attrs.frozen(kw_only=True)
class SearchHit:
    """One page that a search found."""

    title: str
    url: str
    snippet: str


class SearchBackend(Protocol):
    """What ``web_search`` asks."""

    async def search(self, query: str, max_results: int, /) -> Sequence[SearchHit]:
        """Return the best hits, the best first.

        Raises:
            ToolFailed: with a sentence for the model; ``retryable`` if the same search may succeed later.
        """
        ...


def _endpoint(url: str, timeout_s: float, resolve: Resolve) -> tuple[Target, WebClient]:
    """Return the endpoint that the program named, and a client that speaks to it and to nothing else."""
    try:
        target = read_url(url)
    except ToolFailed as error:
        raise UsageError(f"the search engine's URL {url!r} is refused: {error}") from None
    policy = WebPolicy(
        allow_hosts=(target.host.name,),
        allow_private=True,  # many run their own; the model has no say in this host
        ports=(target.port,),
        max_redirects=0,
        timeout_s=timeout_s,
        content_types=("application/json",),
    )
    return target, WebClient(policy, resolve=resolve)


async def _asked(client: WebClient, target: Target, query: Mapping[str, str], headers: Mapping[str, str]) -> Json:
    between = "&" if "?" in target.path else "?"
    page = await client.get(f"{target.url}{between}{urlencode(query, errors='replace')}", headers=headers)
    if page.cut:
        raise ToolFailed("The search engine's answer is too large.")
    try:
        return await anyio.to_thread.run_sync(load_json, page.text)
    except JsonSyntaxError:
        raise ToolFailed("The search engine's answer is not JSON.") from None


def _hits(found: Json, snippet: str, clean: Callable[[str], str]) -> list[SearchHit]:
    """Read a list of results; what is no result is left out, what is no list is an error."""
    if not isinstance(found, list):
        raise ToolFailed("The search engine's answer has no list of results.")
    hits: list[SearchHit] = []
    for item in found:
        if isinstance(item, dict):
            title, url, text = item.get("title"), item.get("url"), item.get(snippet)
            if isinstance(title, str) and isinstance(url, str):
                said = clean(text) if isinstance(text, str) else ""
                hits.append(SearchHit(title=clean(title), url=url, snippet=said))
    return hits


def _one_line(text: str) -> str:
    return " ".join(text[:_MOST_TEXT].split())


def _without_markup(text: str) -> str:
    return _one_line(read_html(text[:_MOST_TEXT], "").text)


def _is_private(host: Host) -> bool:
    return host.name == "localhost" or (
        host.address is not None and why_not(host.address, allow_private=False) is not None
    )


@final
class SearxngSearch:
    """Asks a SearXNG server, whose settings must allow the format ``json``.

    Args:
        url: the server's address, for example ``http://localhost:8888``. It may be in a private network.
        timeout_s: seconds for one search, more than 0 and up to 600.
        resolve: how the server's name is looked up; by the system's resolver by default.

    Raises:
        UsageError: for a URL that is none.
        ValueError: for a time that is none.
    """

    __slots__ = ("_client", "_target")

    def __init__(self, url: str, *, timeout_s: float = 15.0, resolve: Resolve = system_addresses) -> None:
        self._target, self._client = _endpoint(url.rstrip("/") + "/search", timeout_s, resolve)

    def __repr__(self) -> str:
        return f"SearxngSearch({self._target.url!r})"

    async def search(self, query: str, max_results: int, /) -> Sequence[SearchHit]:
        """Return the first page of results, cut to ``max_results``.

        Raises:
            ToolFailed: if the server does not answer as SearXNG does.
        """
        answer = await _asked(self._client, self._target, {"q": query, "format": "json"}, {})
        return _hits(answer.get("results") if isinstance(answer, dict) else None, "content", _one_line)[:max_results]


@final
class BraveSearch:
    """Asks Brave Search, or a server with the same API.

    Args:
        key: the subscription's key, sent in ``X-Subscription-Token`` to this server alone, and shown nowhere.
        url: the API's address; https, except for ``localhost`` and addresses of private networks.
        timeout_s: seconds for one search, more than 0 and up to 600.
        resolve: how the server's name is looked up; by the system's resolver by default.

    Raises:
        UsageError: for a URL or a key that is none.
        ValueError: for a time that is none.
    """

    __slots__ = ("_client", "_key", "_target")

    def __init__(
        self, key: str, *, url: str = _BRAVE, timeout_s: float = 15.0, resolve: Resolve = system_addresses
    ) -> None:
        if not _KEY.fullmatch(key):
            raise UsageError("the key of BraveSearch is empty, or has characters that no header has")
        self._key = key
        self._target, self._client = _endpoint(url, timeout_s, resolve)
        if self._target.scheme == "http" and not _is_private(self._target.host):
            raise UsageError("over http the key of BraveSearch could be read on its way: give an https URL")

    def __repr__(self) -> str:
        return f"BraveSearch({self._target.url!r})"

    async def search(self, query: str, max_results: int, /) -> Sequence[SearchHit]:
        """Return at most twenty results, which is what one request can bring.

        Raises:
            ToolFailed: if the server refuses the key, or does not answer as Brave Search does.
        """
        count = min(max_results, _BRAVE_MOST)
        answer = await _asked(
            self._client, self._target, {"q": query, "count": str(count)}, {"X-Subscription-Token": self._key}
        )
        web = answer.get("web", {}) if isinstance(answer, dict) else None
        # a search that finds nothing has no "web", or one without results
        found = web.get("results", []) if isinstance(web, dict) else None
        # titles and descriptions are HTML, with the words that were found in <strong>
        return _hits(found, "description", _without_markup)[:count]
