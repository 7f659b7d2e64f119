"""What pages could do to those who read them, and do not any more."""

import pytest
from unit.tools.builtin.web_server import client_of, page, serving

from par import ToolCall
from par.tools.web import Link, SearchHit, web_tools

pytestmark = pytest.mark.anyio

HOSTILE = "a\x1b[2J\x1b]52;c;cm0=\x07b\u202ec\U000e0041\u200b\x9bdd"
SPELLED = "ab<U+202E>c<U+E0041><U+200B>d"
HTML = (
    b"<title>a\x1b[2Jb&#x202e;</title><p>c\x1b]0;t\x07d&#xE0041;</p>"
    b"<a href='http://public.test/&#x202e;'>e\x1b[31mf&#x200b;</a>"
)


async def value(tools, name, **arguments):
    (a_tool,) = [tool for tool in tools if tool.spec.name == name]
    return await a_tool.invoke(ToolCall(id="1", name=name, arguments=arguments))


async def test_a_fetched_text_has_no_escapes_and_nothing_that_hides():
    async with serving(page(HOSTILE.encode(), kind="text/plain; charset=utf-8")) as server:
        outcome = await value(web_tools(client=client_of(server)), "fetch_url", url=server.url())

    assert outcome.value.text == SPELLED


async def test_a_page_that_is_read_has_none_in_its_text_title_and_links():
    async with serving(page(HTML, kind="text/html; charset=utf-8")) as server:
        outcome = await value(web_tools(client=client_of(server)), "read_webpage", url=server.url(), links=True)

    assert outcome.value.title == "ab<U+202E>"
    assert outcome.value.text.startswith("cd<U+E0041>")
    assert outcome.value.links == (Link(text="ef<U+200B>", url="http://public.test/<U+202E>"),)


async def test_what_a_search_finds_has_none():
    class Backend:
        async def search(self, query, max_results, /):
            return [SearchHit(title=HOSTILE, url=f"https://e.test/{HOSTILE}", snippet=HOSTILE)]

    outcome = await value(web_tools(search=Backend()), "web_search", query="x")

    assert outcome.value.results == (SearchHit(title=SPELLED, url=f"https://e.test/{SPELLED}", snippet=SPELLED),)


async def test_what_a_server_says_of_its_failure_has_none():
    answer = page(HOSTILE.encode(), status="500 Oops", kind="text/plain; charset=utf-8")
    async with serving(answer) as server:
        outcome = await value(web_tools(client=client_of(server)), "fetch_url", url=server.url())

    assert outcome.message.endswith(f"It says: {SPELLED}")
