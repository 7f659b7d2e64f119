"""A webhook posts an event signed, and says of each failure whether trying again is of use."""

import gc
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from unit.bus.made import envelope
from unit.tools.builtin.test_web_client import CERTIFICATE, KEY
from unit.tools.builtin.web_server import names
from unit.webhooks.receiver import OK, OTHER, SECRET, receiving, status

from par._clock import Clock
from par.bus import Delivery
from par.codec import loads
from par.errors import DeliveryFailed, DeliveryRefused, InvalidSignature, MissingExtra, UsageError
from par.events import ApprovalRequested, Envelope
from par.webhooks import Webhook, WebhookAnswer, WebhookHttpClient

pytestmark = pytest.mark.anyio

AT = datetime(2025, 1, 31, 12, tzinfo=UTC)
CLOCK = Clock(now=lambda: AT)
ASKED = ApprovalRequested(
    approval="01A", call_id="c1", tool="pay", arguments={"to": "Zoë", "half": "\ud800"}, prompt="May it pay?", key="k"
)


def delivery(attempt=1):
    made = envelope(ASKED, id="01EVENT", session="order-42")
    return Delivery(made.event, made, attempt)


def hook(receiver, path="/hook", **how):
    return Webhook(receiver.url(path), **{"secret": SECRET, "clock": CLOCK, **how})


async def failure(webhook, kind=DeliveryFailed):
    with pytest.raises(kind) as caught:
        await webhook(delivery())
    assert type(caught.value) is kind
    return caught.value


# --- what is sent ---------------------------------------------------------------------------------------


async def test_the_envelope_is_posted_as_json_with_its_id_its_kind_and_the_time():
    async with receiving() as receiver:
        await hook(receiver, "/a/b?c=d")(delivery())

    assert receiver.heads[0].startswith("POST /a/b?c=d HTTP/1.1\r\n")
    assert loads(Envelope, receiver.bodies[0].decode()) == delivery().envelope
    sent = [receiver.header(f"Par-{name}") for name in ("Event-Id", "Event", "Timestamp")]
    assert sent == ["01EVENT", "approval_requested", "1738324800"]
    assert receiver.header("Content-Type") == "application/json"


async def test_the_receiver_can_check_who_has_sent_it():
    async with receiving() as receiver:
        await hook(receiver)(delivery())

    assert receiver.check(clock=CLOCK) == AT
    with pytest.raises(InvalidSignature):
        receiver.check(OTHER, clock=CLOCK)


@pytest.mark.parametrize("known", [SECRET, OTHER])
async def test_during_a_change_of_secrets_both_sign(known):
    async with receiving() as receiver:
        await hook(receiver, previous_secret=OTHER)(delivery())

    assert receiver.check(known, clock=CLOCK) == AT


async def test_each_attempt_is_signed_at_its_own_time():
    times = iter([AT, AT + timedelta(seconds=60)])
    async with receiving() as receiver:
        webhook = hook(receiver, clock=Clock(now=lambda: next(times)))
        await webhook(delivery())
        await webhook(delivery(2))

    assert [receiver.header("Par-Timestamp", which) for which in (0, 1)] == ["1738324800", "1738324860"]
    assert receiver.header("Par-Event-Id", 0) == receiver.header("Par-Event-Id", 1)


async def test_over_https_the_certificate_is_checked(tmp_path):
    (tmp_path / "pair.pem").write_text(KEY + CERTIFICATE)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "pair.pem")
    resolve = names(good_test=("127.0.0.1",), bad_test=("127.0.0.1",))
    client = WebhookHttpClient(resolve=resolve, tls=ssl.create_default_context(cadata=CERTIFICATE))
    async with receiving(tls=tls) as receiver:
        await Webhook(receiver.url(host="good.test", scheme="https"), secret=SECRET, client=client)(delivery())
        bad = Webhook(receiver.url(host="bad.test", scheme="https"), secret=SECRET, client=client)
        error = await failure(bad)

    assert len(receiver.bodies) == 1
    assert "The certificate of bad.test is refused" in str(error)


# --- what is answered -----------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["200 OK", "201 Created", "202 Accepted", "204 No Content"])
async def test_an_answer_of_2xx_is_a_delivery(line):
    async with receiving(status(line)) as receiver:
        await hook(receiver)(delivery())

    assert len(receiver.bodies) == 1


@pytest.mark.parametrize("line", ["408 T", "425 E", "429 M", "500 I", "502 B", "503 S", "504 G"])
async def test_what_speaks_of_now_may_be_tried_again(line):
    async with receiving(status(line)) as receiver:
        error = await failure(hook(receiver))

    assert (error.status, error.retry_after_s) == (int(line.split()[0]), None)


@pytest.mark.parametrize("line", ["301 M", "302 F", "304 N", "307 T", "400 B", "401 U", "404 N", "409 C", "410 G"])
async def test_any_other_answer_is_final(line):
    async with receiving(status(line, Location="/other")) as receiver:
        error = await failure(hook(receiver), DeliveryRefused)

    assert error.status == int(line.split()[0])
    assert len(receiver.bodies) == 1, "no redirect is followed"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("Fri, 31 Jan 2025 12:01:00 GMT", 60.0),
        ("Fri, 31 Jan 2025 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
    ],
)
async def test_the_answer_may_say_when_to_try_again(said, seconds):
    async with receiving(status("503 S", Retry_After=said)) as receiver:
        error = await failure(hook(receiver))

    assert error.retry_after_s == seconds


async def test_the_body_of_an_answer_is_not_read():
    async def endless(stream):
        await stream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await stream.send(b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n")

    async with receiving(endless) as receiver:
        await hook(receiver)(delivery())
        await receiver.ended.wait()

    assert receiver.closed == ["by the sender"]


async def test_a_head_without_end_is_given_up():
    async def endless(stream):
        await stream.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await stream.send(b"X-More: " + b"x" * 0xFFFF + b"\r\n")

    async with receiving(endless) as receiver:
        error = await failure(hook(receiver))

    assert "broke the rules of HTTP" in str(error)


# --- no answer ------------------------------------------------------------------------------------------


async def test_a_receiver_that_is_not_there_may_come_back():
    async with receiving() as receiver:
        pass

    assert "cannot be reached" in str(await failure(hook(receiver)))


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 2", b"SSH-2.0-server\r\n\r\n"], ids=["nothing", "a part", "other"])
async def test_a_receiver_that_breaks_off_may_do_better_later(answer):
    async with receiving(answer) as receiver:
        error = await failure(hook(receiver))

    assert error.status is None


async def test_a_receiver_that_does_not_answer_in_time_is_left():
    async with receiving(lambda stream: stream.receive()) as receiver:
        error = await failure(hook(receiver, timeout_s=0.2))
        await receiver.ended.wait()

    assert "it took longer than 0.2 s" in str(error)
    assert receiver.closed == ["by the sender"]


async def test_cancelling_closes_the_connection():
    async with receiving(lambda stream: stream.receive()) as receiver:
        async with anyio.create_task_group() as group:
            group.start_soon(hook(receiver), delivery())
            await receiver.came.wait()
            group.cancel_scope.cancel()
        await receiver.ended.wait()
    gc.collect()  # a connection that nobody has closed complains

    assert receiver.closed == ["by the sender"]


# --- where it goes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "https://10.0.0.1/hook",
        "http://127.0.0.1:8000/hook",
        "http://127.9.9.9/hook",
        "http://[::1]:8000/hook",
        "http://localhost/hook",
        "http://hooks.localhost/hook",
    ],
)
def test_https_is_for_everywhere_and_http_for_this_machine(url):
    assert repr(Webhook(url, secret=SECRET)) == f"Webhook('{url.removesuffix('/hook')}/...')"


@pytest.mark.parametrize("url", ["http://example.com/", "http://10.0.0.1/", "http://localhost.example.com/"])
def test_http_to_another_machine_must_be_allowed_by_name(url):
    with pytest.raises(UsageError, match="needs https"):
        Webhook(url, secret=SECRET)

    assert Webhook(url, secret=SECRET, allow_http=True)


@pytest.mark.parametrize("url", ["", "example.com", "ftp://example.com/", "https://", "https:///x", "https://a b/"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(UsageError):
        Webhook(url, secret=SECRET)


def test_a_password_in_the_url_is_refused_and_not_told():
    with pytest.raises(UsageError, match="no user and password") as caught:
        Webhook("https://ann:pass\uff20word@example.com/", secret=SECRET)

    assert "ann" not in str(caught.value)


async def test_private_addresses_are_reached_unless_the_operator_says_no():
    async with receiving() as receiver:
        await hook(receiver)(delivery())
        error = await failure(hook(receiver, client=WebhookHttpClient(allow_private=False)))

    assert len(receiver.bodies) == 1
    assert "127.0.0.1 is not public" in str(error)


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1"])
async def test_a_name_is_judged_by_its_addresses(address):
    client = WebhookHttpClient(allow_private=False, resolve=names(public_test=("8.8.8.8", address)))

    error = await failure(Webhook("https://public.test/", secret=SECRET, client=client))

    assert f"{address} is not public" in str(error)


async def test_a_service_that_hands_out_credentials_is_never_asked():
    error = await failure(Webhook("http://169.254.169.254/", secret=SECRET, allow_http=True))

    assert "link-local" in str(error)


async def test_the_next_address_is_tried_if_the_first_is_not_there():
    async with receiving() as receiver:
        client = WebhookHttpClient(resolve=names(hooks_localhost=("127.0.0.2", "127.0.0.1")))
        await Webhook(receiver.url(host="hooks.localhost"), secret=SECRET, client=client)(delivery())

    assert receiver.header("Host") == f"hooks.localhost:{receiver.port}"


# --- what it is made of ---------------------------------------------------------------------------------


class Client:
    """Answers as it is told, or raises."""

    def __init__(self, result):
        self.result = result
        self.sent = []

    async def post(self, url, /, *, headers, body):
        await anyio.lowlevel.checkpoint()
        self.sent.append((url, headers, body))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


async def test_any_client_will_do():
    client = Client(WebhookAnswer(status=429, retry_after="3"))

    error = await failure(Webhook("https://example.com/a?b", secret=SECRET, client=client))

    assert error.retry_after_s == 3
    assert client.sent[0][0] == "https://example.com/a?b"


async def test_what_a_client_raises_is_told_by_its_kind_alone():
    client = Client(RuntimeError("https://example.com/the-secret-path"))

    error = await failure(Webhook("https://example.com/the-secret-path", secret=SECRET, client=client))

    assert "RuntimeError" in str(error)
    assert "secret" not in str(error)


async def test_neither_the_secrets_nor_the_path_are_told():
    secrets = [SECRET, OTHER, "the-secret-path"]
    told = []
    for answer in (status("500 S"), status("404 N"), b"", b"nonsense\r\n\r\n"):
        async with receiving(answer) as receiver:
            webhook = hook(receiver, "/the-secret-path", previous_secret=OTHER)
            with pytest.raises(DeliveryFailed) as caught:
                await webhook(delivery())
            told += [str(caught.value), repr(caught.value), repr(webhook), str(webhook), str(vars(caught.value))]

    assert [text for text in told if any(secret in text for secret in secrets)] == []


@pytest.mark.parametrize("seconds", [0, -1, True, float("nan"), float("inf")])
def test_the_time_must_be_seconds_above_zero(seconds):
    with pytest.raises(ValueError, match="timeout_s"):
        Webhook("https://example.com/", secret=SECRET, timeout_s=seconds)


@pytest.mark.parametrize("wrong", [{"secret": "short"}, {"secret": SECRET, "previous_secret": "short"}])
def test_a_short_secret_is_refused_when_the_webhook_is_made(wrong):
    with pytest.raises(ValueError, match="at least 16 bytes"):
        Webhook("https://example.com/", **wrong)


def test_tls_must_check():
    context = ssl.create_default_context()
    context.check_hostname = False

    with pytest.raises(ValueError, match="tls must check"):
        WebhookHttpClient(tls=context)


def test_a_receiver_needs_no_library_for_http():
    script = (
        "import sys; sys.modules['httpcore2'] = None\n"
        "from par.webhooks import Webhook, sign, verify_signature\n"
        "from par.errors import MissingExtra\n"
        "try:\n    Webhook('https://example.com/', secret='x' * 16)\n"
        "except MissingExtra as error:\n    print(error.extra)\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=False)

    assert (found.stdout, found.stderr) == ("web\n", "")
    assert issubclass(MissingExtra, UsageError)


async def test_one_webhook_serves_many_deliveries_at_once():
    async with receiving(OK) as receiver:
        webhook = hook(receiver)
        async with anyio.create_task_group() as group:
            for attempt in range(1, 6):
                group.start_soon(webhook, delivery(attempt))

    assert len(receiver.bodies) == 5
