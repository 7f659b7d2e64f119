"""Tools that read the public web, and the guarded client that they read it with. Needs the extra ``web``."""

from par.tools._web.client import WebClient, WebPage
from par.tools._web.policy import WebPolicy
from par.tools._web.readable import Link
from par.tools._web.resolve import Resolve
from par.tools._web.search import BraveSearch, SearchBackend, SearchHit, SearxngSearch
from par.tools._web.tools import FetchedUrl, ReadWebpage, SearchResults, web_tools

__all__ = [
    "BraveSearch",
    "FetchedUrl",
    "Link",
    "ReadWebpage",
    "Resolve",
    "SearchBackend",
    "SearchHit",
    "SearchResults",
    "SearxngSearch",
    "WebClient",
    "WebPage",
    "WebPolicy",
    "web_tools",
]
