"""Each setting of the policy, by what changes with it, and the values that are no settings."""

from math import inf, nan

import pytest
from unit.tools.builtin.web_server import client_of, names, page, serving

from par.errors import ToolFailed
from par.tools.web import WebClient, WebPolicy

pytestmark = pytest.mark.anyio


async def refused(client, url):
    with pytest.raises(ToolFailed) as caught:
        await client.get(url)
    return caught.value


# --- what each setting changes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allow", "deny", "host", "allowed"),
    [
        ((), (), "a.test", True),
        (("a.test",), (), "a.test", True),
        (("A.Test.",), (), "a.test", True),
        (("a.test",), (), "b.test", False),
        (("a.test",), (), "x.a.test", False),
        (("*.a.test",), (), "x.a.test", True),
        (("*.a.test",), (), "x.y.a.test", True),
        (("*.a.test",), (), "a.test", False),
        (("*.a.test",), (), "xa.test", False),
        (("*.bücher.test",), (), "www.xn--bcher-kva.test", True),
        (("127.0.0.1",), (), "127.0.0.1", True),
        ((), ("a.test",), "a.test", False),
        ((), ("*.a.test",), "x.a.test", False),
        ((), ("a.test",), "b.test", True),
        (("*.test",), ("a.test",), "a.test", False),
        (("a.test",), ("*.a.test",), "a.test", True),
    ],
)  # fmt: skip
async def test_hosts_are_allowed_and_denied_by_pattern(allow, deny, host, allowed):
    known = {name.replace(".", "_"): ("127.0.0.1",) for name in (host,)}
    async with serving(page()) as server:
        client = client_of(server, names(**known), allow_hosts=allow, deny_hosts=deny)

        if allowed:
            assert (await client.get(server.url(host=host))).text == "hello"
        else:
            assert f"{host}:{server.port} is refused" in str(await refused(client, server.url(host=host)))
            assert server.heads == []


async def test_a_denied_host_is_not_even_looked_up():
    resolve = names()
    client = WebClient(WebPolicy(deny_hosts=("a.test",)), resolve=resolve)

    await refused(client, "http://a.test/")

    assert resolve.asked == []


async def test_private_addresses_are_reached_only_if_allowed():
    async with serving(page()) as server:
        url = server.url()

        assert (await client_of(server).get(url)).text == "hello"
        assert "not public (this machine)" in str(await refused(client_of(server, allow_private=False), url))
        assert len(server.heads) == 1


async def test_only_the_ports_of_the_policy_are_reached():
    async with serving(page()) as server:
        client = client_of(server, ports=(80, 443))

        assert f"port {server.port} is not among 80, 443" in str(await refused(client, server.url()))
        assert server.heads == []


@pytest.mark.parametrize("port", [22, 25, 6379, 9200, 81])
async def test_ports_of_other_services_are_refused_by_default(port):
    assert f"port {port} is not among 80, 443, 8080, 8443" in str(
        await refused(WebClient(), f"http://example.com:{port}/")
    )


async def test_a_body_is_cut_at_the_most_bytes():
    async with serving(page(b"a" * 100)) as server:
        whole = await client_of(server, max_bytes=100).get(server.url())
        cut = await client_of(server, max_bytes=99).get(server.url())

    assert (whole.text, whole.cut) == ("a" * 100, False)
    assert (cut.text, cut.cut) == ("a" * 99, True)


async def test_redirects_are_followed_so_many_times():
    answers = {
        "/0": page(status="302 Found", Location="/1"),
        "/1": page(status="302 Found", Location="/2"),
        "/2": page(b"there"),
    }
    async with serving(answers) as server:
        assert (await client_of(server, max_redirects=2).get(server.url("/0"))).text == "there"
        assert "redirects more than 1 times" in str(await refused(client_of(server, max_redirects=1), server.url("/0")))
        assert "redirects more than 0 times" in str(await refused(client_of(server, max_redirects=0), server.url("/0")))


async def test_the_user_agent_is_the_one_of_the_policy():
    async with serving(page()) as server:
        await client_of(server).get(server.url())
        await client_of(server, user_agent="me/1.0").get(server.url())

    assert server.header("User-Agent", 0).startswith("par ")
    assert server.header("User-Agent", 1) == "me/1.0"


@pytest.mark.parametrize(
    ("kind", "allowed", "read"),
    [
        ("text/html; charset=utf-8", None, True),
        ("TEXT/Plain", None, True),
        ("application/json", None, True),
        ("application/ld+json", None, True),
        ("application/xhtml+xml", None, True),
        ("application/pdf", None, False),
        ("image/png", None, False),
        ("application/octet-stream", None, False),
        ("application/+json", None, False),
        ("", None, False),
        ("application/pdf", ("application/pdf",), True),
        ("text/html", ("application/*",), False),
        ("text/css", ("text/*",), True),
        ("text/", ("text/*",), False),
    ],
)  # fmt: skip
async def test_only_the_content_types_of_the_policy_are_read(kind, allowed, read):
    settings = {} if allowed is None else {"content_types": allowed}
    async with serving(page(kind=kind)) as server:
        client = client_of(server, **settings)

        if read:
            assert (await client.get(server.url())).text == "hello"
        else:
            assert "which is not read here" in str(await refused(client, server.url()))


# --- what is no setting -------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["allow_hosts", "deny_hosts"])
@pytest.mark.parametrize("pattern", ["", "*", "*.", "a.*", "http://a.test", "a.test/x", "a b", "*.127.0.0.1", "127.1"])
def test_what_is_no_pattern_of_hosts_is_refused_by_name(field, pattern):
    with pytest.raises(ValueError, match=field):
        WebPolicy(**{field: (pattern,)})


@pytest.mark.parametrize("field", ["allow_hosts", "deny_hosts", "content_types"])
@pytest.mark.parametrize("value", ["a.test", (1,), None], ids=repr)
def test_what_is_no_tuple_of_texts_is_refused_by_name(field, value):
    with pytest.raises(TypeError, match=f"{field}|iterable"):
        WebPolicy(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("allow_private", 1),
        ("ports", ()),
        ("ports", (0,)),
        ("ports", (65536,)),
        ("ports", (True,)),
        ("ports", 80),
        ("ports", ("80",)),
        ("max_bytes", 0),
        ("max_bytes", -1),
        ("max_bytes", True),
        ("max_bytes", 1.5),
        ("max_bytes", 50_000_001),
        ("max_redirects", -1),
        ("max_redirects", 21),
        ("max_redirects", True),
        ("timeout_s", 0),
        ("timeout_s", -1.0),
        ("timeout_s", nan),
        ("timeout_s", inf),
        ("timeout_s", 601),
        ("timeout_s", True),
        ("timeout_s", "5"),
        ("user_agent", ""),
        ("user_agent", "a\r\nX: y"),
        ("user_agent", "é"),
        ("user_agent", "a" * 201),
        ("user_agent", None),
        ("content_types", ()),
        ("content_types", ("html",)),
        ("content_types", ("*/*",)),
        ("content_types", ("TEXT/html",)),
    ],
)  # fmt: skip
def test_what_is_no_setting_is_refused_by_name(field, value):
    with pytest.raises((ValueError, TypeError), match=field):
        WebPolicy(**{field: value})


def test_lists_of_hosts_become_tuples_in_one_form():
    assert WebPolicy(allow_hosts=["WWW.Example.COM.", "[::1]"[1:-1]]).allow_hosts == ("www.example.com", "::1")
