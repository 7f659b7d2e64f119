"""The short way to a server: the same requests as the SDK's, and only where that is certain."""

import anyio
import httpx2
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncAzureOpenAI, AsyncOpenAI
from unit.providers import wire

from par.errors import ConnectionFailed, RateLimited, StreamInterrupted
from par.providers import _anthropic_client, _openai_client
from par.providers._direct import Direct

pytestmark = pytest.mark.anyio

BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def sent(monkeypatch):
    """Counts what goes the short way."""
    count = []
    send = Direct.send

    async def counting(self, request, *, stream):
        count.append(request)
        return await send(self, request, stream=stream)

    monkeypatch.setattr(Direct, "send", counting)
    return count


def http_of(server, **options):
    return httpx2.AsyncClient(transport=httpx2.MockTransport(server), **options)


def openai(server, **options):
    options = {"api_key": "sk-testtesttest", "base_url": "https://a.example/v1", **options}
    return AsyncOpenAI(http_client=options.pop("http_client", None) or http_of(server), **options)


def anthropic(server, **options):
    options = {"api_key": "sk-ant-testtest", "base_url": "https://a.example", **options}
    return AsyncAnthropic(http_client=options.pop("http_client", None) or http_of(server), **options)


def endpoint(client):
    if isinstance(client, AsyncOpenAI):
        return _openai_client.Endpoint("openai", client, lambda: client)
    return _anthropic_client.Endpoint(client)


async def twice(client, *, stream=False):
    there = endpoint(client)
    answers = []
    for _ in range(2):
        answers.append(await there.post("/x", BODY, stream=stream))
    return answers


def told(request):
    """All of a request; how often the SDK was used is not in it."""
    return (request.method, request.url, request.content, sorted(request.headers.raw), request.extensions["timeout"])


@pytest.mark.parametrize("make", [openai, anthropic])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"default_headers": {"x-team": "a", "User-Agent": "mine"}},
        {"default_query": {"api-version": "2025-01-01"}},
        {"timeout": 3.0},
        {"timeout": httpx2.Timeout(1.0, read=2.0)},
    ],
    ids=["plain", "headers", "query", "seconds", "timeouts"],
)
async def test_the_second_request_is_the_same_and_goes_the_short_way(make, options, sent):
    server = wire.serve(json_body={})

    await twice(make(server, **options))

    first, second = server.requests
    assert sent == [second]
    assert told(first) == told(second)


@pytest.mark.parametrize("make", [openai, anthropic])
async def test_headers_and_parameters_of_the_http_client_stay(make, sent):
    server = wire.serve(json_body={})
    http = http_of(server, headers={"x-gateway": "g"}, params={"k": "v"})

    await twice(make(server, http_client=http))

    assert len(sent) == 1
    assert server.requests[1].headers["x-gateway"] == "g"
    assert server.requests[1].url.params["k"] == "v"


def other_key(client):
    client.api_key = "sk-other"


def other_address(client):
    client.base_url = "https://b.example/v1"


def other_timeout(client):
    client.timeout = 7.0


def other_http_header(client):
    client._client.headers["x-late"] = "1"


@pytest.mark.parametrize("make", [openai, anthropic])
@pytest.mark.parametrize("change", [other_key, other_address, other_timeout, other_http_header])
async def test_a_change_of_the_client_reaches_the_next_request(make, change, sent):
    server = wire.serve(json_body={})
    client = make(server)
    there = endpoint(client)
    await there.post("/x", BODY, stream=False)

    change(client)
    await there.post("/x", BODY, stream=False)
    await there.post("/x", BODY, stream=False)

    first, second, third = server.requests
    assert told(first) != told(second)
    assert told(second) == told(third)
    assert sent == [third]


@pytest.mark.parametrize("make", [openai, anthropic])
async def test_each_path_is_learnt_for_itself(make, sent):
    server = wire.serve(json_body={})
    there = endpoint(make(server))

    for path in ("/x", "/y", "/x", "/y"):
        await there.post(path, BODY, stream=False)

    assert [request.url.path.rpartition("/")[2] for request in server.requests] == ["x", "y", "x", "y"]
    assert len(sent) == 2


async def test_a_key_that_is_asked_for_each_time_is_asked_for_each_time(sent):
    keys = iter(["sk-1", "sk-2", "sk-3"])

    async def key():
        return next(keys)

    server = wire.serve(json_body={})
    client = openai(server, api_key=key)
    await twice(client)
    await endpoint(client).post("/x", BODY, stream=False)

    assert [r.headers["authorization"] for r in server.requests] == ["Bearer sk-1", "Bearer sk-2", "Bearer sk-3"]
    assert not sent


async def test_azure_finds_the_model_in_the_body(sent):
    server = wire.serve(json_body={})
    client = AsyncAzureOpenAI(
        api_key="k", api_version="1", azure_endpoint="https://a.example", http_client=http_of(server)
    )
    there = endpoint(client)

    for _ in range(2):
        await there.post("/chat/completions", BODY, stream=False)

    assert [r.url.path for r in server.requests] == ["/openai/deployments/m/chat/completions"] * 2
    assert not sent


async def test_a_hook_that_writes_headers_sees_the_sdks_requests(sent):
    numbers = iter(range(9))

    async def number(request):
        request.headers["x-number"] = str(next(numbers))

    server = wire.serve(json_body={})
    await twice(openai(server, http_client=http_of(server, event_hooks={"request": [number]})))

    assert [r.headers["x-number"] for r in server.requests] == ["0", "1"]
    assert not sent


async def test_a_hook_that_only_looks_sees_the_short_way_too(sent):
    seen = []

    async def look(request):
        seen.append(request)

    server = wire.serve(json_body={})
    await twice(openai(server, http_client=http_of(server, event_hooks={"request": [look]})))

    assert seen == server.requests
    assert len(sent) == 1


async def test_middleware_of_the_sdk_sees_each_request(sent):
    seen = []

    async def middleware(request, call_next):
        seen.append(request)
        return await call_next(request)

    server = wire.serve(json_body={})
    await twice(anthropic(server, middleware=[middleware]))

    assert len(seen) == 2
    assert not sent


async def test_cookies_go_back_to_the_server(sent):
    server = wire.serve(json_body={}, headers={"set-cookie": "affinity=7; Path=/"})

    await twice(openai(server))

    assert server.requests[1].headers["cookie"] == "affinity=7"
    assert len(sent) == 1


async def test_a_redirect_is_followed_each_time(sent):
    def server(request):
        requests.append(request)
        if request.url.host == "a.example":
            return httpx2.Response(307, headers={"location": "https://c.example/v1/x"})
        return httpx2.Response(200, json={})

    requests = []
    await twice(openai(server, http_client=http_of(server, follow_redirects=True)))

    assert [r.url.host for r in requests] == ["a.example", "c.example"] * 2


@pytest.mark.parametrize("make", [openai, anthropic])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_on_the_short_way_is_the_same_error(make, stream, sent):
    answers = iter([httpx2.Response(200, json={}), httpx2.Response(429, json={"error": {"message": "slow"}})])
    there = endpoint(make(lambda request: next(answers)))
    await there.post("/x", BODY, stream=False)

    with pytest.raises(RateLimited, match="slow"):
        await there.post("/x", BODY, stream=stream)

    assert len(sent) == 1


@pytest.mark.parametrize("make", [openai, anthropic])
async def test_no_answer_on_the_short_way_is_a_failed_connection(make, sent):
    def server(request):
        if sent:
            raise httpx2.ConnectTimeout("too far")
        return httpx2.Response(200, json={})

    there = endpoint(make(server))
    await there.post("/x", BODY, stream=False)

    with pytest.raises(ConnectionFailed, match="ConnectTimeout: too far"):
        await there.post("/x", BODY, stream=False)


async def test_a_refusal_that_breaks_off_is_an_interrupted_stream_and_closed(sent):
    body = wire.Body([b'{"err', httpx2.ReadError("reset")])
    answers = iter([httpx2.Response(200, json={}), httpx2.Response(500, stream=body)])
    there = endpoint(openai(lambda request: next(answers)))
    await there.post("/x", BODY, stream=False)

    with pytest.raises(StreamInterrupted, match="reset"):
        await there.post("/x", BODY, stream=True)

    assert body.closed


async def test_a_cancelled_refusal_is_closed(sent):
    body = wire.Body([b'{"err', anyio.sleep_forever])
    answers = iter([httpx2.Response(200, json={}), httpx2.Response(500, stream=body)])
    there = endpoint(openai(lambda request: next(answers)))
    await there.post("/x", BODY, stream=False)

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: there.post("/x", BODY, stream=True))
            await anyio.wait_all_tasks_blocked()
            scope.cancel()

    assert body.closed


async def test_no_key_stands_in_what_it_prints(sent):
    client = openai(wire.serve(json_body={}))
    there = endpoint(client)
    await there.post("/x", BODY, stream=False)

    assert "sk-testtesttest" not in repr(there._given.direct._forms)
