"""How URLs are read, and which addresses count as public."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from par.errors import ToolFailed
from par.tools._web.addresses import read_address, why_not
from par.tools._web.hosts import read_host
from par.tools._web.urls import read_url, redirected


def refusal(url):
    with pytest.raises(ToolFailed) as caught:
        read_url(url)
    return str(caught.value)


# --- URLs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://EXAMPLE.com:443/A?b=C#d", "https://example.com/A?b=C"),
        ("http://example.com:80", "http://example.com/"),
        ("http://example.com:", "http://example.com/"),
        ("http://example.com:8080/x", "http://example.com:8080/x"),
        ("http://example.com./", "http://example.com/"),
        ("http://a_b.example.com/", "http://a_b.example.com/"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://例え。テスト/", "http://xn--r8jz45g.xn--zckzah/"),
        ("http://ｅｘａｍｐｌｅ.com/", "http://example.com/"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("http://[2606:4700:0:0::1111]:8080/", "http://[2606:4700::1111]:8080/"),
        ("http://[::ffff:8.8.8.8]/", "http://8.8.8.8/"),
        ("http://example.com/é?q=ü&r=[1]", "http://example.com/%C3%A9?q=%C3%BC&r=%5B1%5D"),
        ("http://example.com/a%20b%2Fc?x=%26", "http://example.com/a%20b%2Fc?x=%26"),
        ("http://example.com?q=1", "http://example.com/?q=1"),
        ("http://example.com/@user:x", "http://example.com/@user:x"),
    ],
)  # fmt: skip
def test_a_url_is_read_into_one_form(url, read):
    assert read_url(url).url == read


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://example.com/", "Only http and https"),
        ("file:///etc/passwd", "Only http and https"),
        ("gopher://example.com/", "Only http and https"),
        ("javascript:alert(1)", "Only http and https"),
        ("data:text/html,x", "Only http and https"),
        ("example.com/x", "Only http and https"),
        ("//example.com/", "Only http and https"),
        ("", "Only http and https"),
        ("http:example.com", "names no host"),
        ("http:///path", "names no host"),
        ("http://user:secret@example.com/", "Credentials"),
        ("http://example.com@127.0.0.1/", "Credentials"),
        ("http://@example.com/", "Credentials"),
        ("http://example.com\\@127.0.0.1/", "'\\\\' at position 19"),
        ("http:\\\\example.com\\", "cannot stand in a URL"),
        ("http://exa mple.com/", "' ' at position 11"),
        ("http://example.com/\r\nHost: evil", "cannot stand in a URL"),
        ("http://exam\tple.com/", "cannot stand in a URL"),
        ("http://example.com/\x00", "cannot stand in a URL"),
        ("http://example.com:0/", "no port"),
        ("http://example.com:65536/", "no port"),
        ("http://example.com:80:80/", "no port"),
        ("http://example.com:+80/", "no port"),
        ("http://example.com:８０/", "no port"),
        ("http://example.com/\ud800", "This is no URL"),
        ("http://[::1/", "This is no URL"),
        ("http://[::1]x/", "no port"),
        ("http://example.com/" + "a" * 4000, "at most 4000"),
    ],
)  # fmt: skip
def test_what_is_no_plain_web_url_is_refused(url, said):
    message = refusal(url)

    assert said in message


@pytest.mark.parametrize(
    "host",
    [
        "2130706433", "0x7f000001", "0x7f.1", "127.1", "127.0.1", "0177.0.0.1", "127.0.0.01", "1.2.3.4.5", "256.1.1.1",
        "1.2.3.256", "example.0x1", "example.123", "0x", "00000000", "１２７.1", "127。1",
    ],
)  # fmt: skip
def test_odd_ways_to_write_an_ipv4_address_are_refused(host):
    assert "looks like an address" in refusal(f"http://{host}/")


@pytest.mark.parametrize("host", ["１２７.0.0.1", "127.0.0.1.", "①②⑦.0.0.1", "127。0。0。1"])
def test_an_address_in_other_letters_is_seen_as_the_address(host):
    assert why_not(read_host(host).address, allow_private=False) == "this machine"


@pytest.mark.parametrize(
    "host",
    [
        ".", "..", ".com", "a..com", "example.com..", "-a.com", "a-.com", "a" * 64 + ".com", "a.".join(["b"] * 128),
        "exa%6dple.com", "ex!ample.com", "a*b.com", "[1.2.3.4]", "[]", "[fe80::1%25eth0]", "[::g]", "[v1.x]",
        "xn--\u00fc.com", "a\u200db.com",
    ],
)  # fmt: skip
def test_what_is_no_host_name_is_refused(host):
    with pytest.raises(ToolFailed):
        read_url(f"http://{host}/")


def test_the_zone_of_an_address_is_refused_in_words():
    assert "zone of one machine" in refusal("http://[fe80::1%eth0]/")


@given(st.text(max_size=60))
def test_no_text_makes_the_reader_of_urls_crash(text):
    try:
        target = read_url("http://" + text)
    except ToolFailed:
        return
    assert read_url(target.url) == target
    assert target.url.isascii()


# --- redirects ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/b", "https://example.com:8443/b"),
        ("c?d=e", "https://example.com:8443/x/c?d=e"),
        ("//other.example/p", "https://other.example/p"),
        ("https://other.example/a b", "https://other.example/a%20b"),
        ("", "https://example.com:8443/x/y"),
    ],
)  # fmt: skip
def test_a_redirect_is_read_against_the_url_that_it_comes_from(location, leads_to):
    assert redirected(read_url("https://example.com:8443/x/y"), location).url == leads_to


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://example.com/", "from https to http"),
        ("ftp://example.com/", "a URL that is refused. Only http and https"),
        ("https://a@b/", "a URL that is refused. Credentials"),
        ("https://[::1", "redirects to what is no URL"),
    ],
)  # fmt: skip
def test_a_redirect_to_what_is_refused_is_refused(location, said):
    with pytest.raises(ToolFailed, match=r"example\.com redirects") as caught:
        redirected(read_url("https://example.com/"), location)

    assert said in str(caught.value)


def test_a_redirect_from_http_to_https_is_followed():
    assert redirected(read_url("http://example.com/"), "https://example.com/").scheme == "https"


# --- addresses ----------------------------------------------------------------------------------------

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "::1",
    "fc00::1", "fdff::1", "::ffff:10.0.0.1", "::ffff:7f00:1",
]  # fmt: skip
NEVER = [
    "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "100.100.100.200", "::", "fe80::1", "febf::1", "ff02::1", "::7f00:1", "::ffff:169.254.169.254", "2002:7f00:1::",
    "2002:808:808::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "64:ff9b::7f00:1",
    "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "fd00:ec2::254", "fd20:ce::254", "fec0::1",
    "3fff::1", "5f00::1", "4000::1",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1",
    "169.253.255.255", "172.15.255.255", "172.32.0.1", "192.167.255.255", "192.169.0.1", "198.17.0.1", "198.20.0.1",
    "223.255.255.255", "2606:4700::1111", "2001:4860:4860::8888", "2a00:1450::1", "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]  # fmt: skip


@pytest.mark.parametrize("text", PRIVATE)
def test_a_private_address_is_refused_unless_private_ones_are_allowed(text):
    address = read_address(text)

    assert why_not(address, allow_private=False)
    assert why_not(address, allow_private=True) is None


@pytest.mark.parametrize("text", NEVER)
@pytest.mark.parametrize("allow_private", [False, True])
def test_an_address_that_is_no_web_server_is_always_refused(text, allow_private):
    assert why_not(read_address(text), allow_private=allow_private)


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_allowed(text):
    assert why_not(read_address(text), allow_private=False) is None


@given(st.ip_addresses())
def test_nothing_that_python_calls_private_is_allowed(address):
    if not address.is_global or address.is_multicast:
        told = read_address(str(address))
        carried = ip_address(int(address) & 0xFFFFFFFF) if str(address).startswith("64:ff9b::") else None
        assert why_not(told, allow_private=False) or (carried is not None and carried.is_global)
