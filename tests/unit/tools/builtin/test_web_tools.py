"""The web tools as a model meets them, and search through JSON APIs."""

import importlib
import json
import sys

import anyio
import pytest
from unit.tools.builtin.web_server import client_of, names, page, serving

from par import Done, ToolCall
from par.errors import MissingExtra, ToolFailed, UsageError
from par.outcomes import Failed
from par.tools.web import BraveSearch, SearchHit, SearxngSearch, WebClient, WebPolicy, web_tools

pytestmark = pytest.mark.anyio

HTML = b"<title>T</title><script>x()</script><h1>Head</h1><p>Text <a href=/l>link</a></p>"


async def called(tools, name, **arguments):
    (a_tool,) = [tool for tool in tools if tool.spec.name == name]
    return await a_tool.invoke(ToolCall(id="1", name=name, arguments=arguments))


async def refused(tools, name, **arguments):
    outcome = await called(tools, name, **arguments)
    assert isinstance(outcome, Failed), outcome
    return outcome


class Found:
    """A backend that finds what it is told to."""

    def __init__(self, *hits):
        self.hits = hits
        self.asked = []

    async def search(self, query, max_results, /):
        await anyio.lowlevel.checkpoint()
        self.asked.append((query, max_results))
        return list(self.hits)


def hit(number=1, **changes):
    return SearchHit(**{"title": f"T{number}", "url": f"https://e.test/{number}", "snippet": "S", **changes})


# --- the set ------------------------------------------------------------------------------------------


def test_the_set_reads_and_searches_only_if_there_is_something_to_ask():
    assert [tool.spec.name for tool in web_tools()] == ["fetch_url", "read_webpage"]
    assert [tool.spec.name for tool in web_tools(search=Found())] == ["fetch_url", "read_webpage", "web_search"]


def test_each_tool_reads_and_has_a_time_limit_that_follows_the_policy():
    tools = web_tools(search=Found(), policy=WebPolicy(timeout_s=7))

    assert [(tool.spec.effect, tool.spec.timeout_s) for tool in tools] == [
        ("read", 17.0),
        ("read", 17.0),
        ("read", 60.0),
    ]


def test_a_client_has_its_own_policy():
    with pytest.raises(UsageError, match="give the policy to the client"):
        web_tools(client=WebClient(), policy=WebPolicy())


async def test_without_a_client_the_policy_holds():
    tools = web_tools(policy=WebPolicy(deny_hosts=("*.test",)))

    assert "it is denied here" in (await refused(tools, "fetch_url", url="http://a.test/")).message


async def test_without_anything_the_guard_holds():
    async with serving(page()) as server:
        outcome = await refused(web_tools(), "fetch_url", url="http://127.0.0.1:8080/")

    assert "not public (this machine)" in outcome.message
    assert server.ended == []


# --- fetch_url ----------------------------------------------------------------------------------------


async def test_fetch_url_returns_the_text_as_it_is():
    async with serving({"/a": page(status="302 Found", Location="/b"), "/b": page(HTML, kind="text/html")}) as server:
        outcome = await called(web_tools(client=client_of(server)), "fetch_url", url=server.url("/a"))

    assert outcome == Done({
        "url": server.url("/b"),
        "status": 200,
        "content_type": "text/html",
        "text": HTML.decode(),
        "cut": False,
    })


async def test_fetch_url_keeps_the_query():
    async with serving(page()) as server:
        await called(web_tools(client=client_of(server)), "fetch_url", url=server.url("/s?q=a&p=2"))

    assert server.lines == ["GET /s?q=a&p=2 HTTP/1.1"]


async def test_fetch_url_cuts_with_a_note():
    async with serving(page(b"a" * 500)) as server:
        tools = web_tools(client=client_of(server))
        cut = (await called(tools, "fetch_url", url=server.url(), max_length=100)).value
        whole = (await called(tools, "fetch_url", url=server.url(), max_length=500)).value

    assert (cut.text, cut.cut) == ("a" * 100 + "\n[cut: the first 100 of 500 characters]", True)
    assert (whole.text, whole.cut) == ("a" * 500, False)


async def test_fetch_url_says_when_the_body_was_cut():
    async with serving(page(b"a" * 500)) as server:
        tools = web_tools(client=client_of(server, max_bytes=300))
        found = (await called(tools, "fetch_url", url=server.url())).value

    assert (found.text, found.cut) == ("a" * 300 + "\n[cut: the page is larger than what is read of it]", True)


@pytest.mark.parametrize("name", ["fetch_url", "read_webpage"])
@pytest.mark.parametrize("arguments", [{"max_length": 99}, {"max_length": 500_001}, {"url": ""}, {"url": "h" * 4001}])
async def test_arguments_have_bounds(name, arguments):
    outcome = await refused(web_tools(), name, **{"url": "http://a.test/", **arguments})

    assert outcome.kind == "invalid_arguments"


@pytest.mark.parametrize("name", ["fetch_url", "read_webpage"])
@pytest.mark.parametrize(("status", "retryable"), [("404 No", False), ("503 Busy", True), ("429 Slow", True)])
async def test_a_failure_says_whether_to_try_again(name, status, retryable):
    async with serving(page(status=status)) as server:
        outcome = await refused(web_tools(client=client_of(server)), name, url=server.url())

    assert (outcome.kind, outcome.retryable) == ("failed", retryable)
    assert f"answered with status {status[:3]}" in outcome.message


# --- read_webpage -------------------------------------------------------------------------------------


async def test_read_webpage_returns_title_and_text():
    async with serving(page(HTML, kind="text/html")) as server:
        outcome = await called(web_tools(client=client_of(server)), "read_webpage", url=server.url())

    assert outcome == Done({
        "url": server.url(),
        "title": "T",
        "text": "# Head\n\nText link",
        "links": [],
        "cut": False,
    })


async def test_read_webpage_lists_links_if_asked():
    async with serving(page(HTML, kind="application/xhtml+xml")) as server:
        tools = web_tools(client=client_of(server))
        found = (await called(tools, "read_webpage", url=server.url(), links=True)).value

    assert [(link.text, link.url) for link in found.links] == [("link", server.url("/l"))]


async def test_read_webpage_returns_what_is_no_html_as_it_is():
    async with serving(page(b'{"a": "<b>"}', kind="application/json")) as server:
        found = (await called(web_tools(client=client_of(server)), "read_webpage", url=server.url())).value

    assert (found.title, found.text) == ("", '{"a": "<b>"}')


async def test_read_webpage_cuts_the_text_and_not_the_source():
    body = b"<style>" + b"x" * 5000 + b"</style>" + b"a" * 300
    async with serving(page(body, kind="text/html")) as server:
        tools = web_tools(client=client_of(server))
        cut = (await called(tools, "read_webpage", url=server.url(), max_length=100)).value
        whole = (await called(tools, "read_webpage", url=server.url(), max_length=300)).value

    assert (cut.text, cut.cut) == ("a" * 100 + "\n[cut: the first 100 of 300 characters]", True)
    assert (whole.text, whole.cut) == ("a" * 300, False)


async def test_read_webpage_reads_so_much_html_and_says_so():
    body = b"<p>a</p>" + b" " * 3_000_000 + b"<p>b</p>"
    async with serving(page(body, kind="text/html")) as server:
        tools = web_tools(client=client_of(server, max_bytes=4_000_000))
        found = (await called(tools, "read_webpage", url=server.url())).value

    assert (found.text, found.cut) == ("a\n[cut: the page is larger than what is read of it]", True)


# --- web_search ---------------------------------------------------------------------------------------


async def test_web_search_asks_the_backend_and_returns_its_hits():
    backend = Found(hit(1), hit(2))
    outcome = await called(web_tools(search=backend), "web_search", query="tea", max_results=7)

    assert backend.asked == [("tea", 7)]
    assert outcome == Done({
        "query": "tea",
        "results": [
            {"title": "T1", "url": "https://e.test/1", "snippet": "S"},
            {"title": "T2", "url": "https://e.test/2", "snippet": "S"},
        ],
    })


async def test_web_search_holds_any_backend_to_the_limits():
    bad = [hit(url="javascript:x"), hit(url="https://e.test/" + "a" * 2000)]
    backend = Found(*bad, *(hit(number, title="t" * 999, snippet="s" * 999) for number in range(9)))
    found = (await called(web_tools(search=backend), "web_search", query="tea", max_results=3)).value

    assert [one.url for one in found.results] == [f"https://e.test/{number}" for number in range(3)]
    assert {(len(one.title), len(one.snippet)) for one in found.results} == {(200, 500)}


@pytest.mark.parametrize("arguments", [{"query": ""}, {"query": "a" * 401}, {"max_results": 0}, {"max_results": 21}])
async def test_a_search_has_bounds(arguments):
    outcome = await refused(web_tools(search=Found()), "web_search", **{"query": "a", **arguments})

    assert outcome.kind == "invalid_arguments"


def found_by_searxng(count=3):
    results = [
        {"title": f"T {n}", "url": f"https://e.test/{n}", "content": f"a <b>  {n}", "engine": "x", "score": 1.0}
        for n in range(count)
    ]
    return json.dumps({"query": "q", "results": [*results, {"title": 1, "url": "x"}, None]}).encode()


def searxng(server, path="", **settings):
    return SearxngSearch(server.url(path), resolve=names(public_test=("127.0.0.1",)), **settings)


async def test_searxng_is_asked_for_json_and_read():
    async with serving(page(found_by_searxng(), kind="application/json")) as server:
        hits = await searxng(server, "/base/").search("tea & müsli", 2)

    assert server.lines == ["GET /base/search?q=tea+%26+m%C3%BCsli&format=json HTTP/1.1"]
    assert hits == [
        SearchHit(title="T 0", url="https://e.test/0", snippet="a <b> 0"),
        SearchHit(title="T 1", url="https://e.test/1", snippet="a <b> 1"),
    ]


def found_by_brave():
    results = [
        {"title": "T &amp; <strong>U</strong>", "url": "https://e.test/1", "description": "a <strong>b</strong>"}
    ]
    return json.dumps({"type": "search", "web": {"results": results}}).encode()


def brave(server, key="k-1"):
    return BraveSearch(key, url=f"http://127.0.0.1:{server.port}/res/v1/web/search")


async def test_brave_is_asked_with_the_key_and_read_without_markup():
    async with serving(page(found_by_brave(), kind="application/json")) as server:
        hits = await brave(server).search("tea", 50)

    assert server.lines == ["GET /res/v1/web/search?q=tea&count=20 HTTP/1.1"]
    assert server.header("X-Subscription-Token") == "k-1"
    assert hits == [SearchHit(title="T & U", url="https://e.test/1", snippet="a b")]


@pytest.mark.parametrize("body", [b"{}", b'{"web": {}}', b'{"web": {"results": []}}'])
async def test_brave_may_find_nothing(body):
    async with serving(page(body, kind="application/json")) as server:
        assert await brave(server).search("tea", 5) == []


@pytest.mark.parametrize(
    ("answer", "said", "retryable"),
    [
        (page(b"<p>", kind="text/html"), "which is not read here", False),
        (page(b"{", kind="application/json"), "is not JSON", False),
        (page(b"[]", kind="application/json"), "has no list of results", False),
        (page(b'{"web": 1, "results": 1}', kind="application/json"), "has no list of results", False),
        (page(b'{"web": {"results": {}}}', kind="application/json"), "has no list of results", False),
        (page(status="302 Found", Location="http://127.0.0.1/"), "redirects more than 0 times", False),
        (page(status="401 No"), "status 401", False),
        (page(status="429 Slow"), "status 429", True),
        (page(b'"' + b"a" * 2_000_001, kind="application/json"), "too large", False),
    ],
    ids=["html", "broken", "list", "number", "object", "redirect", "key", "slow", "large"],
)
@pytest.mark.parametrize("backend", [searxng, brave], ids=["searxng", "brave"])
async def test_an_engine_that_answers_otherwise_is_a_failure(backend, answer, said, retryable):
    async with serving(answer) as server:
        with pytest.raises(ToolFailed) as caught:
            await backend(server).search("tea", 5)

    assert said in str(caught.value)
    assert caught.value.retryable is retryable


async def test_a_search_ends_with_its_time_limit():
    async def silent(stream):
        await stream.receive()

    async with serving(silent) as server:
        with pytest.raises(ToolFailed, match=r"took longer than 0\.05 s"):
            await searxng(server, timeout_s=0.05).search("tea", 5)


async def test_the_key_shows_in_no_error_and_in_no_representation():
    async with serving(page(b"no", status="403 No")) as server:
        backend = brave(server, key="very-secret")
        with pytest.raises(ToolFailed) as caught:
            await backend.search("tea", 5)

    assert "very-secret" not in repr(backend) + str(caught.value) + repr(caught.value)
    assert repr(searxng(server)) == f"SearxngSearch('{server.url('/search')}')"


@pytest.mark.parametrize("url", ["http://api.test/", "http://8.8.8.8/"])
def test_a_key_is_not_sent_in_the_clear(url):
    with pytest.raises(UsageError, match="give an https URL"):
        BraveSearch("k", url=url)


@pytest.mark.parametrize("url", ["https://api.test/", "http://localhost:1/", "http://10.0.0.1/", "http://[::1]/"])
def test_a_key_is_sent_encrypted_or_to_a_private_network(url):
    assert url in repr(BraveSearch("k", url=url))


@pytest.mark.parametrize("key", ["", "a b", "a\nb", "é", "k" * 501])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(UsageError, match="key of BraveSearch"):
        BraveSearch(key)


def test_what_is_no_url_of_an_engine_is_refused():
    with pytest.raises(UsageError, match="search engine's URL"):
        SearxngSearch("localhost:8888")


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), True])
def test_what_is_no_time_for_a_search_is_refused(timeout_s):
    with pytest.raises(ValueError, match="timeout_s"):
        SearxngSearch("http://localhost", timeout_s=timeout_s)


async def test_the_engines_host_is_refused_if_it_gives_out_credentials():
    backend = SearxngSearch("http://a.test", resolve=names(a_test=("169.254.169.254",)))

    with pytest.raises(ToolFailed, match="link-local"):
        await backend.search("tea", 5)


def test_without_the_extra_the_module_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "httpcore2", None)
    monkeypatch.delitem(sys.modules, "par.tools._web.pinned")

    with pytest.raises(MissingExtra, match=r"par-sdk\[web\]"):
        importlib.import_module("par.tools._web.pinned")
