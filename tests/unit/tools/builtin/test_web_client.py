"""Getting pages from a real server: what is read, what is refused, what may be tried again."""

import gzip
import ssl
import time
import tracemalloc
import zlib

import anyio
import pytest
from unit.tools.builtin.web_server import client_of, names, page, serving

from par.errors import ToolFailed
from par.tools._web.body import read_body
from par.tools.web import WebClient, WebPolicy

pytestmark = pytest.mark.anyio

CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBpDCCAUmgAwIBAgIUeVhHN/zXOedKY12YGiNFANPQij8wCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIcGFyIHRlc3QwIBcNMjYxMTIwMTQwMDUxWhgPMjEyNjEwMjcx
NDAwNTFaMBMxETAPBgNVBAMMCHBhciB0ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAE516uJljIHdGo34/hWpyZzvilh0F6AVVWT1FufIzAAbzMJyvDKVKkGppj
tldWhDw7dkb0QouXfWqVZelOjRbF4KN5MHcwHQYDVR0OBBYEFAZKFbDdvOZ3ylf8
HoMgB6KVeYiNMB8GA1UdIwQYMBaAFAZKFbDdvOZ3ylf8HoMgB6KVeYiNMBQGA1Ud
EQQNMAuCCWdvb2QudGVzdDAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIC
hDAKBggqhkjOPQQDAgNJADBGAiEArrg4/lsWdRUlr/pp280UkTp4lRUrGHwdZYj1
YGUvc5cCIQClsTuipRxialA2kTWsR+xDSLhFR+G+w662dD87Kux1PA==
-----END CERTIFICATE-----
"""
"""Made for this test, for the one name good.test, by itself."""
KEY = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdtEHqK/x/CZVNDm1
bQrScqso31f0tfCzr28B24CuExuhRANCAATnXq4mWMgd0ajfj+FanJnO+KWHQXoB
VVZPUW58jMABvMwnK8MpUqQammO2V1aEPDt2RvRCi5d9apVl6U6NFsXg
-----END PRIVATE KEY-----
"""


@pytest.fixture
def server_tls(tmp_path):
    (tmp_path / "pair.pem").write_text(KEY + CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    return context


@pytest.fixture
def trusting():
    return ssl.create_default_context(cadata=CERTIFICATE)


async def refused(client, url):
    with pytest.raises(ToolFailed) as caught:
        await client.get(url)
    return caught.value


# --- requests -----------------------------------------------------------------------------------------


async def test_the_page_comes_with_its_facts():
    async with serving(page("grüß".encode(), kind="text/html; charset=UTF-8", status="203 Other")) as server:
        got = await client_of(server).get(server.url("/a?b=c#d"))

    assert (got.url, got.status, got.content_type) == (server.url("/a?b=c"), 203, "text/html")
    assert (got.text, got.cut) == ("grüß", False)


async def test_the_path_and_the_query_arrive_as_they_were_written():
    async with serving(page()) as server:
        await client_of(server).get(server.url("/a%2Fb/../é?q=1+2%26&r=a b".replace(" ", "%20")))

    assert server.lines == ["GET /a%2Fb/../%C3%A9?q=1+2%26&r=a%20b HTTP/1.1"]


async def test_the_server_sees_the_name_and_not_the_address():
    async with serving(page()) as server:
        await client_of(server).get(server.url())

    assert server.header("Host") == f"public.test:{server.port}"
    assert server.header("Connection") == "close"
    assert server.header("Accept-Encoding") == "gzip, deflate"


async def test_headers_of_the_caller_go_to_the_first_host_alone():
    answers = {"/a": page(status="302 Found", Location="/b"), "/b": None, "/c": page()}
    async with serving(answers) as server:
        answers["/b"] = page(status="302 Found", Location=server.url("/c", host="other.test"))
        client = client_of(server, names(public_test=("127.0.0.1",), other_test=("127.0.0.1",)))
        await client.get(server.url("/a"), headers={"X-Key": "secret"})

    assert [server.header("X-Key", which) for which in range(3)] == ["secret", "secret", None]


async def test_a_header_of_the_caller_replaces_the_one_of_the_client():
    async with serving(page()) as server:
        await client_of(server).get(server.url(), headers={"ACCEPT": "text/csv", "User-agent": "me"})

    assert server.heads[0].lower().count("accept:") == 1
    assert (server.header("accept"), server.header("user-agent")) == ("text/csv", "me")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x"),
        ("connection", "x"),
        ("Accept-Encoding", "br"),
        ("a b", "x"),
        ("", "x"),
        ("X", "a\r\nY: z"),
        ("X", "é"),
    ],
)
async def test_what_is_no_header_of_a_caller_is_refused_without_its_value(name, value):
    with pytest.raises(ValueError, match="header") as caught:
        await WebClient().get("http://a.test/", headers={name: value})

    assert value == "x" or value not in str(caught.value)


async def test_no_cookie_is_kept():
    answers = {"/a": page(status="302 Found", Location="/b", Set_Cookie="a=b"), "/b": page()}
    async with serving(answers) as server:
        await client_of(server).get(server.url("/a"))

    assert server.header("Cookie") is None


async def test_proxies_of_the_environment_are_not_used(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(page()) as server:
        assert (await client_of(server).get(server.url())).text == "hello"


async def test_ipv6_is_spoken():
    async with serving(page(), host="::1") as server:
        got = await client_of(server, names(public_test=("::1",))).get(server.url())
        literal = await client_of(server).get(server.url(host="[::1]"))

    assert got.text == literal.text == "hello"
    assert server.header("Host") == f"[::1]:{server.port}"


async def test_the_next_address_is_tried_if_one_does_not_answer():
    async with serving(page()) as server:
        client = client_of(server, names(public_test=("127.0.0.2", "127.0.0.1")))

        assert (await client.get(server.url())).text == "hello"


async def test_a_host_that_nobody_answers_for_may_be_tried_again():
    async with serving(page()) as server:
        client = client_of(server, names(public_test=("127.0.0.2", "127.0.0.3")))
        error = await refused(client, server.url())

    assert f"public.test:{server.port} cannot be reached" in str(error)
    assert error.retryable


def test_the_client_shows_its_policy():
    assert repr(WebClient(WebPolicy(max_bytes=7))).startswith("WebClient(WebPolicy(")


# --- answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        ("400 Bad", False),
        ("401 No", False),
        ("404 Not Found", False),
        ("408 Late", True),
        ("429 Slow", True),
        ("500 Oops", True),
        ("503 Busy", True),
        ("304 Same", False),
        ("302 Nowhere", False),
    ],
)  # fmt: skip
async def test_another_status_is_a_failure_and_some_may_be_tried_again(status, retryable):
    async with serving(page(b"<p>", kind="text/html", status=status)) as server:
        error = await refused(client_of(server), server.url("/x"))

    assert str(error) == f"{server.url('/x')} answered with status {status[:3]}."
    assert error.retryable is retryable


async def test_what_an_error_says_of_itself_is_told_and_cut():
    body = b'{"error":\n "q is missing' + b"!" * 5000
    async with serving(page(body, kind="application/json", status="422 No")) as server:
        error = await refused(client_of(server), server.url())

    assert 'It says: {"error": "q is missing!' in str(error)
    assert len(str(error)) < 450


async def test_how_long_to_wait_is_told():
    async with serving(page(b"", status="503 Busy", Retry_After="30")) as server:
        assert "It asks to wait 30 s." in str(await refused(client_of(server), server.url()))


async def test_an_answer_without_a_body_is_empty():
    async with serving(b"HTTP/1.1 204 None\r\n\r\n") as server:
        got = await client_of(server).get(server.url())

    assert (got.status, got.text, got.content_type) == (204, "", "")


async def test_a_chunked_body_is_put_together():
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving(head + b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX: y\r\n\r\n") as server:
        assert (await client_of(server).get(server.url())).text == "abcdefg"


async def test_a_body_without_a_length_ends_with_the_connection():
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nabc") as server:
        assert (await client_of(server).get(server.url())).text == "abc"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ],
    ids=["short", "chunk", "ssh", "nothing"],
)
async def test_what_breaks_the_rules_of_http_is_a_failure(answer):
    async with serving(answer) as server:
        assert "broke the rules of HTTP" in str(await refused(client_of(server), server.url()))


async def test_endless_headers_are_a_failure():
    async def endless(stream):
        await stream.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await stream.send(b"X-Filler: " + b"a" * 1000 + b"\r\n")

    async with serving(endless) as server:
        assert "broke the rules of HTTP" in str(await refused(client_of(server), server.url()))


async def test_an_endless_body_is_cut_and_left():
    async def endless(stream):
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            await stream.send(b"a" * 10_000)

    async with serving(endless) as server:
        got = await client_of(server, max_bytes=50_000).get(server.url())

    assert (len(got.text), got.cut) == (50_000, True)
    assert server.ended == ["broken"]


async def test_a_slow_drip_ends_with_the_time_limit():
    async def drip(stream):
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while True:  # each byte comes long before any limit between two bytes would end the wait
            await stream.send(b"a")
            await anyio.sleep(0.01)

    async with serving(drip) as server:
        started = time.monotonic()
        error = await refused(client_of(server, timeout_s=0.3), server.url())

    assert str(error) == f"public.test:{server.port} took longer than 0.3 s."
    assert error.retryable
    assert time.monotonic() - started < 5


async def test_the_time_limit_covers_the_lookup():
    async def forever(name, port):
        await anyio.sleep_forever()

    error = await refused(WebClient(WebPolicy(timeout_s=0.05), resolve=forever), "http://a.test/")

    assert "took longer than 0.05 s" in str(error)


async def test_a_cancelled_call_closes_its_connection():
    begun = anyio.Event()

    async def silent(stream):
        begun.set()
        await stream.receive()

    async with serving(silent) as server:
        async with anyio.create_task_group() as group:
            group.start_soon(client_of(server, timeout_s=60).get, server.url())
            await begun.wait()
            group.cancel_scope.cancel()
        with anyio.fail_after(5):
            while not server.ended:
                await anyio.lowlevel.checkpoint()

    assert server.ended == ["broken"]


# --- compression --------------------------------------------------------------------------------------


def raw_deflate(data):
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"hello" * 1000)),
        ("X-GZip", gzip.compress(b"hello" * 1000)),
        ("gzip", gzip.compress(b"hello" * 400) + gzip.compress(b"hello" * 600)),
        ("gzip", gzip.compress(b"hello" * 1000) + b"\0\0\0"),
        ("deflate", zlib.compress(b"hello" * 1000)),
        ("deflate", raw_deflate(b"hello" * 1000)),
        ("identity", b"hello" * 1000),
    ],
    ids=["gzip", "x-gzip", "members", "padded", "zlib", "raw", "identity"],
)
async def test_a_compressed_body_is_read(coding, body):
    async with serving(page(body, Content_Encoding=coding)) as server:
        got = await client_of(server).get(server.url())

    assert (got.text, got.cut) == ("hello" * 1000, False)


@pytest.mark.parametrize("at", range(-3, 4))
async def test_a_member_may_begin_anywhere_in_a_chunk(at):
    first, second = gzip.compress(b"hello"), gzip.compress(b" again")
    whole = first + second
    cut = len(first) + at
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunks = [whole[:cut], whole[cut:]]
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    async with serving(head + body + b"0\r\n\r\n") as server:
        assert (await client_of(server).get(server.url())).text == "hello again"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_bomb_is_cut_where_its_contents_reach_the_limit(coding):
    compress = gzip.compress if coding == "gzip" else zlib.compress
    bomb = compress(b"a" * 50_000_000, 1 if coding == "gzip" else 9)
    async with serving(page(bomb, Content_Encoding=coding)) as server:
        started = time.process_time()
        got = await client_of(server, max_bytes=300_000).get(server.url())

    assert (len(got.text), got.cut) == (300_000, True)
    assert time.process_time() - started < 1.0


async def test_a_bomb_takes_no_more_memory_than_the_limit():
    bomb = zlib.compress(b"a" * 50_000_000, 9)

    async def chunks():
        await anyio.lowlevel.checkpoint()
        yield bomb

    tracemalloc.start()
    try:
        body = await read_body(chunks(), "deflate", 300_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (len(body.data), body.cut) == (300_000, True)
    assert peak < 3_000_000


async def test_members_that_hold_nothing_count_by_what_they_weigh():
    async with serving(page(gzip.compress(b"") * 20_000, Content_Encoding="gzip")) as server:
        got = await client_of(server, max_bytes=100_000).get(server.url())

    assert (got.text, got.cut) == ("", True)


@pytest.mark.parametrize(
    ("coding", "body", "said"),
    [
        ("gzip", b"no gzip at all", "compressed answer is broken"),
        ("deflate", b"\xff\xff\xff\xff", "compressed answer is broken"),
        ("gzip", gzip.compress(b"hello" * 1000)[:-9], "ended too early"),
        ("br", b"x", "the coding 'br', which was not asked for"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"x")), "which was not asked for"),
    ],
    ids=["garbage", "garbage-deflate", "short", "brotli", "twice"],
)
async def test_a_body_that_cannot_be_decompressed_is_refused(coding, body, said):
    async with serving(page(body, Content_Encoding=coding)) as server:
        assert said in str(await refused(client_of(server), server.url()))


# --- characters ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/plain", "é€".encode(), "é€"),
        ("text/plain; charset=iso-8859-1", b"\xe9\x80", "é€"),
        ('text/plain; Charset="Windows-1251"', "Привет".encode("cp1251"), "Привет"),
        ("text/plain; charset=shift_jis", "日本".encode("shift_jis"), "日本"),
        ("text/html; charset=utf-16le", "é".encode("utf-16-le"), "é"),
        ("text/plain; charset=latin1", b"\xef\xbb\xbf" + "é".encode(), "é"),
        ("text/plain", b"\xff\xfe" + "é".encode("utf-16-le"), "é"),
        ("text/html", b'<meta charset="koi8-r">' + "Да".encode("koi8-r"), '<meta charset="koi8-r">Да'),
        ("text/html", b'<meta http-equiv=x content="text/html; charset=gbk">' + "中".encode("gbk"), None),
        ("application/xml", b'<?xml version="1.0" encoding="ISO-8859-2"?>\xb1', '<?xml version="1.0" encoding="ISO-8859-2"?>ą'),
        ("text/html; charset=utf-8", b'<meta charset="koi8-r">' + "é".encode(), '<meta charset="koi8-r">é'),
        ("text/html", b'<meta charset="utf-16">' + "é".encode(), '<meta charset="utf-16">é'),
        ("text/plain; charset=nonsense", "é".encode(), "é"),
        ("text/plain; charset=punycode", b"abc-", "abc-"),
        ("text/plain; charset=unicode_escape", b"\\x41", "\\x41"),
        ("text/plain; charset=zlib", b"abc", "abc"),
        ("text/plain", b"a\xffb", "a\ufffdb"),
    ],
)  # fmt: skip
async def test_a_body_is_decoded_by_what_is_said_of_it(kind, body, text):
    async with serving(page(body, kind=kind)) as server:
        got = await client_of(server).get(server.url())

    assert got.text == text or (text is None and got.text.endswith("中"))


# --- https --------------------------------------------------------------------------------------------


async def test_https_checks_the_name_against_the_certificate_and_connects_to_the_address(server_tls, trusting):
    seen = []
    server_tls.sni_callback = lambda connection, name, context: seen.append(name)
    async with serving(page(), tls=server_tls) as server:
        client = client_of(server, names(good_test=("127.0.0.1",)), tls=trusting)
        got = await client.get(server.url(host="good.test", scheme="https"))

    assert got.text == "hello"
    assert seen == ["good.test"]
    assert server.header("Host") == f"good.test:{server.port}"


@pytest.mark.parametrize(("host", "said"), [("bad.test", "mismatch"), ("127.0.0.1", "mismatch")])
async def test_a_certificate_for_another_name_is_refused(server_tls, trusting, host, said):
    async with serving(page(), tls=server_tls) as server:
        client = client_of(server, names(bad_test=("127.0.0.1",)), tls=trusting)
        error = await refused(client, server.url(host=host, scheme="https"))

    assert f"The certificate of {host} is refused" in str(error)
    assert said in str(error)
    assert not error.retryable
    assert server.heads == []


async def test_a_certificate_of_an_unknown_authority_is_refused(server_tls):
    async with serving(page(), tls=server_tls) as server:
        client = client_of(server, names(good_test=("127.0.0.1",)))
        error = await refused(client, server.url(host="good.test", scheme="https"))

    assert "The certificate of good.test is refused: self-signed certificate" in str(error)


async def test_a_redirect_from_https_to_http_is_refused(server_tls, trusting):
    async with serving(page(status="302 Found", Location="http://good.test/"), tls=server_tls) as server:
        client = client_of(server, names(good_test=("127.0.0.1",)), tls=trusting)
        error = await refused(client, server.url(host="good.test", scheme="https"))

    assert "from https to http" in str(error)


@pytest.mark.parametrize("weak", ["names", "certificates"])
def test_settings_that_check_nothing_are_refused(weak):
    context = ssl.create_default_context()
    context.check_hostname = False
    if weak == "certificates":
        context.verify_mode = ssl.CERT_NONE

    with pytest.raises(ValueError, match="tls must check"):
        WebClient(tls=context)
