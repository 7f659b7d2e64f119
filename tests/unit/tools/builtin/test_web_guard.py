"""The guard against being sent into private networks: tried for real, at a server that must see nothing."""

import socket

import httpcore2
import pytest
from unit.tools.builtin.web_server import client_of, names, page, serving

from par.errors import ToolFailed
from par.tools.web import WebClient, WebPolicy

pytestmark = pytest.mark.anyio


async def refused(client, url):
    with pytest.raises(ToolFailed) as caught:
        await client.get(url)
    return caught.value


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1.", "localhost", "LOCALHOST.", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
        "[::127.0.0.1]", "0.0.0.0", "[::]", "0", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1%2f",
        "１２７.0.0.1", "127。0。0。1", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::1%25lo]", "example.com@127.0.0.1",
        "127.0.0.1\\@example.com", "127.0.0.1#@example.com", "127.0.0.1?@example.com",
    ],
)  # fmt: skip
async def test_no_way_to_write_this_machine_reaches_it(host):
    async with serving(page()) as server:
        client = WebClient(WebPolicy(ports=(80, server.port), timeout_s=5))
        await refused(client, f"http://{host}:{server.port}/")

    assert server.heads == []
    assert server.ended == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "fe80::1%lo", "::ffff:127.0.0.1", "0.0.0.0"],
)
async def test_a_public_name_with_a_private_address_is_refused(address):
    async with serving(page()) as server:
        resolve = names(evil_test=(address,))
        error = await refused(client_of(server, resolve, allow_private=False), server.url(host="evil.test"))

    assert "The host evil.test is refused: its address" in str(error)
    assert server.ended == []


async def test_one_private_address_among_public_ones_is_enough_to_refuse():
    error = await refused(WebClient(resolve=names(a_test=("8.8.8.8", "1.1.1.1", "10.0.0.1"))), "http://a.test/")

    assert "its address 10.0.0.1 is not public (private)" in str(error)


async def test_a_name_is_looked_up_once_and_the_checked_address_is_the_one_connected_to():
    # the name is unknown to the system, and a second answer of this resolver would lead elsewhere
    resolve = names(public_test=[("127.0.0.1",), ("127.0.0.2",)])
    async with serving(page()) as server:
        assert (await client_of(server, resolve).get(server.url())).text == "hello"

    assert resolve.asked == ["public.test"]


async def test_a_name_that_changes_its_address_before_a_redirect_is_checked_again():
    resolve = names(public_test=[("127.0.0.1",), ("169.254.169.254",)])
    async with serving(page(status="302 Found", Location="/again")) as server:
        error = await refused(client_of(server, resolve), server.url())

    assert "its address 169.254.169.254 is not public (link-local)" in str(error)
    assert resolve.asked == ["public.test", "public.test"]
    assert server.lines == ["GET / HTTP/1.1"]


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://169.254.169.254/latest/meta-data/", "link-local"),
        ("http://[fd00:ec2::254]/", "a service of the cloud host"),
        ("//0.0.0.0/", "unspecified"),
        ("http://127.1/", "looks like an address"),
        ("http://user@public.test/", "Credentials"),
        ("http://public.test:22/", "port 22 is not among"),
        ("file:///etc/passwd", "Only http and https"),
        ("http://denied.test/", "it is denied here"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 Same", "308 Same"])
async def test_a_redirect_is_checked_as_the_first_url_was(location, said, status):
    async with serving(page(status=status, Location=location)) as server:
        client = client_of(server, ports=(80, server.port), deny_hosts=("denied.test",))
        error = await refused(client, server.url())

    assert said in str(error)
    assert len(server.heads) == 1


@pytest.fixture
def sent(monkeypatch):
    """Catch what would go to the network; each request is answered with a redirect to the address in the list."""
    requests, locations = [], []

    async def answer(self, request):
        requests.append(request)
        location = locations[len(requests) - 1]
        return httpcore2.Response(302, headers=[("Location", location)], content=Nothing())

    monkeypatch.setattr(httpcore2.AsyncConnectionPool, "handle_async_request", answer)
    return requests, locations


class Nothing:
    async def __aiter__(self):
        return
        yield

    async def aclose(self):
        pass


@pytest.mark.parametrize("inner", ["http://intern.test/", "https://10.0.0.5/", "http://localhost:8080/"])
async def test_a_redirect_from_a_public_host_to_a_private_one_is_refused(sent, inner):
    requests, locations = sent
    locations.append(inner)
    client = WebClient(
        resolve=names(public_test=("93.184.216.34",), intern_test=("10.0.0.1",), localhost=("127.0.0.1",))
    )

    error = await refused(client, "http://public.test/")

    assert "is not public" in str(error)
    assert [request.url.host for request in requests] == [b"93.184.216.34"]


async def test_a_request_carries_the_address_to_the_network_and_the_name_to_the_server(sent):
    requests, locations = sent
    locations.append("gopher://x/")
    client = WebClient(resolve=names(public_test=("2606:4700::1111",)))

    await refused(client, "https://public.test/a")

    assert bytes(requests[0].url) == b"https://2606:4700::1111/a" or requests[0].url.host == b"2606:4700::1111"
    assert (b"Host", b"public.test") in requests[0].headers
    assert requests[0].extensions["sni_hostname"] == "public.test"


async def test_public_addresses_are_asked_at_most_three_times(sent, monkeypatch):
    tried = []

    async def fail(self, request):
        tried.append(request.url.host.decode())
        raise httpcore2.ConnectError

    monkeypatch.setattr(httpcore2.AsyncConnectionPool, "handle_async_request", fail)
    many = tuple(f"8.8.8.{number}" for number in (1, 1, 2, 3, 4, 5))

    await refused(WebClient(resolve=names(a_test=many)), "http://a.test/")

    assert tried == ["8.8.8.1", "8.8.8.2", "8.8.8.3"]


# --- names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "said", "retryable"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), "is not known", False),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "could not be looked up now", True),
        (OSError("x"), "could not be looked up now", True),
        (ValueError("x"), "has an address that cannot be read", False),
    ],
    ids=["unknown", "again", "network", "unreadable"],
)
async def test_a_name_that_cannot_be_looked_up_is_told_apart(failure, said, retryable):
    async def fail(name, port):
        raise failure

    error = await refused(WebClient(resolve=fail), "http://a.test/")

    assert f"The host a.test {said}" in str(error)
    assert error.retryable is retryable


async def test_a_name_without_an_address_is_refused():
    assert "has no address" in str(await refused(WebClient(resolve=names(a_test=())), "http://a.test/"))


async def test_the_resolver_is_given_the_name_in_one_form():
    resolve = names(**{"xn--bcher-kva_test": ()})

    await refused(WebClient(resolve=resolve), "http://BÜCHER.test./")

    assert resolve.asked == ["xn--bcher-kva.test"]
