"""Cassettes: what is recorded, what is left out of it, and what is replayed."""

import json
from contextlib import asynccontextmanager, suppress
from itertools import pairwise

import httpx2
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from par import ModelCall, Text, User
from par.errors import ParError
from par.providers.anthropic import Anthropic
from par.providers.openai import OpenAI
from par.testing import (
    CassetteMissing,
    CassetteUnreadable,
    Faulty,
    RequestNotRecorded,
    SseStyle,
    call,
    cassette,
    provider_server,
    raw_answer,
    say,
)

pytestmark = pytest.mark.anyio

KEY = "sk-planted-0123456789abcdefghijklmnop"


def hello(text="hello", **fields):
    return ModelCall(**{"model": "m", "messages": (User((Text(text),)),), **fields})


@asynccontextmanager
async def chat(tape, base_url, key=KEY, **options):
    async with AsyncOpenAI(api_key=key, base_url=base_url, http_client=tape.client(), **options) as client:
        yield OpenAI("gpt-test", client=client)


@asynccontextmanager
async def claude(tape, base_url, key=KEY):
    async with AsyncAnthropic(api_key=key, base_url=base_url, http_client=tape.client()) as client:
        yield Anthropic("claude-sonnet-4-5", client=client)


@asynccontextmanager
async def plain(tape):
    async with tape.client() as client:
        yield client


def transport(*answers):
    """A network that gives these answers, one after the other."""
    rest = iter(answers)
    return httpx2.MockTransport(lambda request: next(rest))


async def record(path, *answers, requests, **options):
    with cassette(path, "record", **options) as tape:
        async with tape.client(transport(*answers)) as client:
            for request in requests:
                await client.request(**request)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("model", [chat, claude])
async def test_what_was_recorded_is_replayed_without_a_server(tmp_path, model, stream):
    said = [say("Grüße"), call("weather", city="Zürich")]
    async with provider_server([said], key=KEY) as server:
        with cassette(tmp_path / "tape.json", "record") as tape:
            async with model(tape, server.base_url) as asked:
                recorded = await asked(hello(stream=stream))

    with cassette(tmp_path / "tape.json") as tape:
        async with model(tape, server.base_url, key="another key") as asked:
            replayed = await asked(hello(stream=stream))

    assert recorded.message.text == "Grüße"
    assert replayed == recorded
    assert tape.unused() == ()


async def test_a_stream_is_replayed_in_the_pieces_in_which_it_came(tmp_path):
    line = Faulty(say("Grüße, 你好"), sse=SseStyle(chunk_bytes=7))
    async with provider_server([line], key=KEY) as server:
        with cassette(tmp_path / "tape.json", "record") as tape:
            async with chat(tape, server.base_url) as asked:
                await asked(hello(stream=True))

    kept = json.loads((tmp_path / "tape.json").read_text())["interactions"][0]["response"]
    raw = "".join(kept["lines"]).encode()
    edges = [0, *kept["cuts"], len(raw)]
    assert max(b - a for a, b in pairwise(edges)) == 7
    assert any(raw[place] & 0xC0 == 0x80 for place in kept["cuts"]), "a cut within a character"
    with cassette(tmp_path / "tape.json") as tape:
        async with chat(tape, server.base_url) as asked:
            assert (await asked(hello(stream=True))).message.text == "Grüße, 你好"


async def test_a_body_is_cut_where_the_caller_says(tmp_path):
    answer = httpx2.Response(200, headers={"content-type": "text/plain"}, content=b"abcdefgh")
    request = {"method": "GET", "url": "https://api.example/x"}
    await record(tmp_path / "tape.json", answer, requests=[request])

    with cassette(tmp_path / "tape.json", cuts=[3, 4, 99]) as tape:
        async with plain(tape) as client, client.stream(**request) as response:
            assert [chunk async for chunk in response.aiter_raw()] == [b"abc", b"d", b"efgh"]


async def test_no_secret_is_in_the_file(tmp_path):
    answer = httpx2.Response(
        401,
        headers={
            "content-type": "application/json",
            "set-cookie": "session=cookie-of-the-server",
            "openai-organization": "acme-organisation",
            "x-request-id": "req_1",
            "x-ratelimit-remaining-requests": "3",
        },
        content=json.dumps({
            "error": f"Incorrect key {KEY} of acme-organisation; org-AbCdEfGh12345678",
            "quoted": "gsk_abcdefghijklmnop123456",
            "api_key": "hunter2hunter2",
            "said": "from the vault: opensesame",
        }).encode(),
    )
    request = {
        "method": "POST",
        "url": f"https://user:pass@api.example/v1/{KEY}?key=AIza-of-the-address&sig=s1&page=2",
        "headers": {
            "authorization": f"Bearer {KEY}",
            "cookie": "cookie-of-the-client",
            "x-api-key": "other-key-in-a-header",
        },
        "json": {"prompt": f"my key is {KEY}", "access_token": "token-in-a-body", "note": "other-key-in-a-header"},
    }

    await record(tmp_path / "tape.json", answer, requests=[request], secrets=["opensesame"])

    text = (tmp_path / "tape.json").read_text()
    for secret in [
        *[KEY, "cookie-of-the-server", "acme-organisation", "org-AbCdEfGh12345678", "gsk_", "hunter2", "opensesame"],
        *["user:pass", "AIza", "s1", "cookie-of-the-client", "other-key-in-a-header", "token-in-a-body"],
    ]:
        assert secret not in text, secret
    for kept in ["page=2", "req_1", "x-ratelimit-remaining-requests", "Incorrect key", "my key is"]:
        assert kept in text, kept


async def test_a_request_with_another_key_finds_what_was_recorded_with_the_first(tmp_path):
    answer = httpx2.Response(200, json={"ok": True})
    request = {"method": "POST", "url": "https://api.example/v1?key=first", "json": {"a": 1, "b": [1, {"c": 2}]}}
    await record(tmp_path / "tape.json", answer, requests=[{**request, "headers": {"x-api-key": "first-key"}}])

    with cassette(tmp_path / "tape.json") as tape:
        async with plain(tape) as client:
            body = {"b": [1, {"c": 2}], "a": 1}  # the order of the fields says nothing
            response = await client.post("https://api.example/v1?key=second", json=body)

    assert response.json() == {"ok": True}


async def test_a_tool_may_have_an_argument_that_is_called_key(tmp_path):
    answer = httpx2.Response(200, json={"input": {"key": "C major", "token": "a word", "signature": "c2ln"}})
    request = {"method": "POST", "url": "https://api.example/v1", "json": {}}
    await record(tmp_path / "tape.json", answer, requests=[request])

    with cassette(tmp_path / "tape.json") as tape:
        async with plain(tape) as client:
            replayed = (await client.request(**request)).json()

    assert replayed["input"] == {"key": "C major", "token": "a word", "signature": "c2ln"}


async def test_equal_requests_are_answered_in_their_order(tmp_path):
    request = {"method": "POST", "url": "https://api.example/v1", "json": {"q": 1}}
    answers = [httpx2.Response(200, text=text) for text in ("one", "two")]
    await record(tmp_path / "tape.json", *answers, requests=[request, request])

    with cassette(tmp_path / "tape.json") as tape:
        async with plain(tape) as client:
            assert [(await client.request(**request)).text for _ in range(2)] == ["one", "two"]
        assert tape.interactions == 2


async def test_a_request_once_too_often_is_missed(tmp_path):
    request = {"method": "POST", "url": "https://api.example/v1", "json": {"q": 1}}
    await record(tmp_path / "tape.json", httpx2.Response(200, text="one"), requests=[request])

    with (
        pytest.raises(RequestNotRecorded, match="recorded once, and made once more"),
        cassette(tmp_path / "tape.json") as tape,
    ):
        async with plain(tape) as client:
            await client.request(**request)
            await client.request(**request)


async def test_a_miss_shows_the_nearest_request_and_the_difference(tmp_path):
    recorded = [
        {"method": "POST", "url": "https://api.example/v1", "json": {"model": "a", "messages": [{"content": text}]}}
        for text in ("far away", "near")
    ]
    recorded[0]["json"]["temperature"] = 1
    await record(tmp_path / "tape.json", *[httpx2.Response(200)] * 2, requests=recorded)

    with pytest.raises(RequestNotRecorded) as caught, cassette(tmp_path / "tape.json") as tape:
        async with plain(tape) as client:
            await client.post("https://api.example/v1", json={"model": "a", "messages": [{"content": "nearer"}]})

    assert caught.value.nearest == "number 1, POST https://api.example/v1"
    assert caught.value.differences == ('body.messages[0].content: recorded "near", asked "nearer"',)
    assert "POST https://api.example/v1 is not on the cassette" in str(caught.value)


async def test_a_miss_that_somebody_swallows_comes_out_at_the_end(tmp_path):
    await record(
        tmp_path / "tape.json", httpx2.Response(200), requests=[{"method": "POST", "url": "https://api.example/v1/x"}]
    )

    with pytest.raises(RequestNotRecorded) as caught, cassette(tmp_path / "tape.json") as tape:
        async with chat(tape, "https://api.example/v1") as asked:
            with suppress(ParError):
                await asked(hello())

    assert tape.missed == (caught.value,)


async def test_a_miss_comes_out_instead_of_the_error_that_it_led_to(tmp_path):
    await record(
        tmp_path / "tape.json", httpx2.Response(200), requests=[{"method": "POST", "url": "https://api.example/v1/x"}]
    )

    with pytest.raises(RequestNotRecorded) as caught, cassette(tmp_path / "tape.json") as tape:
        async with plain(tape) as client:
            with suppress(ParError):
                await client.get("https://api.example/other")
        raise KeyError("the answer")

    assert isinstance(caught.value.__cause__, KeyError)


async def test_what_nobody_asked_for_is_named(tmp_path):
    requests = [{"method": "GET", "url": f"https://api.example/{name}"} for name in ("a", "b")]
    await record(tmp_path / "tape.json", *[httpx2.Response(200)] * 2, requests=requests)

    with cassette(tmp_path / "tape.json") as tape:
        async with plain(tape) as client:
            await client.request(**requests[0])

    assert tape.unused() == ("number 1, GET https://api.example/b",)


async def test_a_crash_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "tape.json"
    request = {"method": "GET", "url": "https://api.example/a"}
    await record(path, httpx2.Response(200, text="old"), requests=[request])
    before = path.read_bytes()

    with pytest.raises(RuntimeError), cassette(path, "record") as tape:
        async with tape.client(transport(httpx2.Response(200, text="new"))) as client:
            await client.request(**request)
        raise RuntimeError

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


async def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "tape.json"

    def full(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr("par.testing._cassette.file.os.fsync", full)
    with pytest.raises(OSError, match="full"):
        await record(
            path, httpx2.Response(200, text="new"), requests=[{"method": "GET", "url": "https://api.example/a"}]
        )

    assert list(tmp_path.iterdir()) == []


async def test_an_answer_that_was_not_read_to_its_end_is_replayed_as_cut(tmp_path):
    line = Faulty(say("one two three"), cut_in="event")
    async with provider_server([line], key=KEY) as server:
        with cassette(tmp_path / "tape.json", "record") as tape:
            async with chat(tape, server.base_url) as asked:
                with pytest.raises(ParError) as recorded:
                    await asked(hello(stream=True))

    with cassette(tmp_path / "tape.json") as tape:
        async with chat(tape, server.base_url) as asked:
            with pytest.raises(ParError) as replayed:
                await asked(hello(stream=True))

    assert type(replayed.value) is type(recorded.value)


async def test_bytes_that_are_no_text_come_back(tmp_path):
    raw = bytes(range(256))
    request = {"method": "POST", "url": "https://api.example/a", "content": raw}
    await record(tmp_path / "tape.json", httpx2.Response(200, content=raw), requests=[request])

    with cassette(tmp_path / "tape.json") as tape:
        async with plain(tape) as client:
            assert (await client.request(**request)).content == raw


async def test_errors_are_recorded_too(tmp_path):
    async with provider_server(
        [raw_answer("<h1>Bad Gateway</h1>", status=502, content_type="text/html")], key=KEY
    ) as s:
        with cassette(tmp_path / "tape.json", "record") as tape:
            async with chat(tape, s.base_url) as asked:
                with pytest.raises(ParError) as recorded:
                    await asked(hello())

    with cassette(tmp_path / "tape.json") as tape:
        async with chat(tape, s.base_url) as asked:
            with pytest.raises(ParError) as replayed:
                await asked(hello())

    assert (type(replayed.value), str(replayed.value)) == (type(recorded.value), str(recorded.value))


async def test_auto_records_what_is_not_there_and_replays_what_is(tmp_path):
    request = {"method": "GET", "url": "https://api.example/a"}
    with cassette(tmp_path / "new" / "tape.json", "auto") as tape:
        assert not tape.replays
        async with tape.client(transport(httpx2.Response(200, text="once"))) as client:
            await client.request(**request)

    with cassette(tmp_path / "new" / "tape.json", "auto") as tape:
        assert tape.replays
        async with plain(tape) as client:
            assert (await client.request(**request)).text == "once"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CassetteMissing, match=r"nothing\.json"), cassette(tmp_path / "nothing.json"):
        pass


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"cassette": 2, "interactions": []}',
        '{"cassette": 1}',
        '{"cassette": 1, "interactions": [1]}',
        '{"cassette": 1, "interactions": [{"request": {}, "response": {}}]}',
        '{"cassette": 1, "interactions": [{"request": {"method": "GET", "url": "x"}, "response": {"status": 200, "base64": "?"}}]}',
    ],
)
def test_a_file_that_is_no_cassette_is_refused(tmp_path, text):
    (tmp_path / "tape.json").write_text(text)

    with pytest.raises(CassetteUnreadable), cassette(tmp_path / "tape.json"):
        pass


def test_another_mode_is_refused(tmp_path):
    with pytest.raises(ValueError, match="mode"), cassette(tmp_path / "tape.json", "play"):
        pass
