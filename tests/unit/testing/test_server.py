"""The provider on the loopback: its answers, its misbehaviour and what it saw, by a bare HTTP client."""

import json

import anyio
import httpx2
import pytest

from par import Assistant, ModelReply, Text, ToolUse, Usage
from par.errors import AccessDenied, ConnectionFailed, Overloaded, RateLimited, ServerFailed
from par.messages import Opaque, Reasoning
from par.testing import Faulty, SseStyle, call, fail, provider_server, raw_answer, refuse, say

pytestmark = pytest.mark.anyio

USER = {"role": "user", "content": "hi"}
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "anthropic": "/v1/messages"}
BODIES = {
    "chat": {"model": "m", "messages": [USER]},
    "responses": {"model": "m", "input": [USER]},
    "anthropic": {"model": "m", "max_tokens": 9, "messages": [USER]},
}
APIS = list(PATHS)


class Client:
    """Speaks the three APIs without any SDK."""

    def __init__(self, server):
        self.server = server
        self.http = httpx2.AsyncClient(base_url=server.base_url, verify=False, trust_env=False)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.http.aclose()

    def headers(self, api, key=None):
        if api == "anthropic":
            return {"x-api-key": key or self.server.key, "anthropic-version": "2023-06-01"}
        return {"authorization": f"Bearer {key or self.server.key}"}

    async def post(self, api, *, key=None, **more):
        return await self.http.post(PATHS[api], json={**BODIES[api], **more}, headers=self.headers(api, key))

    async def text(self, api, **more):
        async with self.stream(api, **more) as answer:
            return (await answer.aread()).decode()

    def stream(self, api, **more):
        body = {**BODIES[api], "stream": True, **more}
        return self.http.stream("POST", PATHS[api], json=body, headers=self.headers(api))


@pytest.mark.parametrize("api", APIS)
async def test_one_script_serves_all_apis(api):
    async with provider_server([say("Hello.")]) as server, Client(server) as client:
        answer = await client.post(api)

    assert answer.status_code == 200
    assert "Hello." in answer.text
    assert [request.api for request in server.requests] == [api]
    assert server.requests[0].body == BODIES[api]
    assert server.refusals == []


async def test_each_api_has_its_own_form():
    reply = ModelReply(
        message=Assistant((Reasoning("hm", "sig"), Text("Hi"), ToolUse("a", "t", {"x": 1}))),
        finish="tool_uses",
        usage=Usage(input_tokens=10, output_tokens=5, cache_read_tokens=4, cache_write_tokens=1, reasoning_tokens=2),
    )
    async with provider_server([reply] * 3) as server, Client(server) as client:
        chat, responses, anthropic = [(await client.post(api)).json() for api in APIS]

    assert chat["choices"][0]["message"]["reasoning_content"] == "hm"
    assert chat["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "t", "arguments": '{"x":1}'}
    assert chat["choices"][0]["finish_reason"] == "tool_calls"
    assert chat["usage"]["prompt_tokens_details"]["cached_tokens"] == 4
    assert [item["type"] for item in responses["output"]] == ["reasoning", "message", "function_call"]
    assert responses["output"][0]["encrypted_content"] is None, "nobody asked for it"
    assert responses["status"] == "completed"
    assert [block["type"] for block in anthropic["content"]] == ["thinking", "text", "tool_use"]
    assert anthropic["content"][0]["signature"] == "sig"
    assert anthropic["stop_reason"] == "tool_use"
    assert anthropic["usage"]["input_tokens"] == 5, "what is cached is counted beside it"


@pytest.mark.parametrize(
    ("line", "chat", "responses", "anthropic"),
    [
        (say("x", finish="length"), "length", "incomplete", "max_tokens"),
        (say("x", finish="content_filter"), "content_filter", "incomplete", "refusal"),
        (refuse("no"), "stop", "completed", "refusal"),
    ],
    ids=["length", "filter", "refusal"],
)
async def test_how_an_answer_ends(line, chat, responses, anthropic):
    async with provider_server([line] * 3) as server, Client(server) as client:
        answers = [(await client.post(api)).json() for api in APIS]

    assert answers[0]["choices"][0]["finish_reason"] == chat
    assert answers[1]["status"] == responses
    assert answers[2]["stop_reason"] == anthropic


@pytest.mark.parametrize("api", APIS)
async def test_what_is_refused_is_told_in_the_form_of_the_api(api):
    async with provider_server([say("never")]) as server, Client(server) as client:
        answer = await client.post(api, nonsense=1)

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert (answer.json().get("type") == "error") is (api == "anthropic")
    assert len(server.refusals) == 1
    assert "nonsense" in server.refusals[0]
    assert server.lines_left == 1, "a refused request takes no line of the script"


@pytest.mark.parametrize("api", APIS)
async def test_only_its_key_is_taken(api):
    async with provider_server([say("never")], key="sk-right") as server, Client(server) as client:
        answer = await client.post(api, key="sk-wrong")

    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"{", "application/json"), (b"[]", "application/json"), (json.dumps(BODIES["chat"]).encode(), "text/plain")],
    ids=["no JSON", "no object", "no type"],
)
async def test_a_request_that_is_no_json_object_is_refused(content, kind):
    async with provider_server([say("never")]) as server, Client(server) as client:
        headers = {**client.headers("chat"), "content-type": kind}
        answer = await client.http.post(PATHS["chat"], content=content, headers=headers)

    assert answer.status_code == 400


async def test_other_paths_and_methods_are_not_there():
    async with provider_server([say("never")]) as server, Client(server) as client:
        missing = await client.http.post("/v1/other", json={})
        method = await client.http.get(PATHS["chat"], headers=client.headers("chat"))

    assert (missing.status_code, method.status_code) == (404, 405)


async def test_after_its_last_line_every_request_is_refused():
    async with provider_server([say("one")]) as server, Client(server) as client:
        answers = [await client.post("chat") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 400]
    assert "the script has 1 lines" in answers[1].text


async def test_a_script_may_be_a_function_of_the_request():
    async with provider_server(lambda request: say(f"number {request.number}")) as server, Client(server) as client:
        answers = [(await client.post("chat")).json()["choices"][0]["message"]["content"] for _ in range(2)]

    assert answers == ["number 0", "number 1"]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RateLimited(retry_after_s=3), 429),
        (ServerFailed(), 500),
        (AccessDenied(), 403),
        (ServerFailed(status=504), 504),
    ],
    ids=["429", "500", "403", "504"],
)
async def test_an_error_of_par_becomes_the_one_of_the_api(api, error, status):
    async with provider_server([fail(error)]) as server, Client(server) as client:
        answer = await client.post(api)

    assert answer.status_code == status
    assert answer.headers.get("retry-after") == ("3" if status == 429 else None)


async def test_a_full_server_has_the_status_of_its_maker():
    async with provider_server([fail(Overloaded())] * 2) as server, Client(server) as client:
        assert [(await client.post(api)).status_code for api in ("chat", "anthropic")] == [503, 529]


async def test_an_error_that_no_api_tells_of_is_a_mistake_of_the_script():
    with pytest.raises(ExceptionGroup) as caught:
        async with provider_server([fail(KeyError("x"))]) as server, Client(server) as client:
            with anyio.move_on_after(5):
                await client.post("chat")

    assert caught.group_contains(TypeError, match="no API tells of KeyError")


async def test_hanging_up_sends_nothing():
    async with provider_server([fail(ConnectionFailed())]) as server, Client(server) as client:
        with pytest.raises(httpx2.TransportError):
            await client.post("chat")


async def test_an_answer_as_it_stands():
    line = raw_answer("<html>", status=502, content_type="text/html", headers={"x-a": "b"})
    async with provider_server([line]) as server, Client(server) as client:
        answer = await client.post("anthropic")

    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (502, "<html>", "text/html")
    assert answer.headers["x-a"] == "b"


@pytest.mark.parametrize("api", APIS)
async def test_events_end_with_their_last(api):
    async with provider_server([[say("a b"), call("t", x=1)]]) as server, Client(server) as client:
        text = await client.text(api)

    last = {"chat": "data: [DONE]\n\n", "responses": "response.completed", "anthropic": "message_stop"}[api]
    assert last in text.rstrip("\n").rpartition("\n\n")[2] + "\n\n"
    assert server.requests[0].answered


async def test_the_usage_streams_only_where_it_is_asked_for():
    async with provider_server([say("x")] * 2) as server, Client(server) as client:
        texts = []
        for more in ({}, {"stream_options": {"include_usage": True}}):
            texts.append(await client.text("chat", **more))

    assert ["prompt_tokens" in text for text in texts] == [False, True]


@pytest.mark.parametrize(
    ("style", "sign"),
    [
        (SseStyle(newline="\r\n"), "\r\n\r\n"),
        (SseStyle(newline="\r"), "}\r\rdata"),
        (SseStyle(space=False), "data:{"),
        (SseStyle(comments=True), ": keep-alive\n"),
        (SseStyle(lines=True), 'data: "object"'),
        (SseStyle(ids=True), "id: 0\n"),
        (SseStyle(retry=True), "retry: 3000\n"),
        (SseStyle(bom=True), "\ufeffdata"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_style_shows(style, sign):
    async with provider_server([Faulty(say("x"), sse=style)]) as server, Client(server) as client:
        text = await client.text("chat")

    assert sign in text


async def test_the_last_empty_line_can_be_left_out():
    line = Faulty(say("x"), sse=SseStyle(last_blank_line=False))
    async with provider_server([line]) as server, Client(server) as client:
        text = await client.text("chat")

    assert text.endswith("data: [DONE]\n") and not text.endswith("\n\n")


async def test_chunks_cut_characters():
    line = Faulty(say("你好你好"), sse=SseStyle(chunk_bytes=2))
    async with provider_server([line]) as server, Client(server) as client, client.stream("chat") as answer:
        chunks = [chunk async for chunk in answer.aiter_raw()]

    assert {len(chunk) for chunk in chunks} <= {1, 2}
    assert any(chunk[0] & 0xC0 == 0x80 for chunk in chunks)


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize(
    "place", [{"cut_after": 30}, {"cut_in": "event"}, {"cut_in": "character"}, {"cut_in": "last_event"}]
)
async def test_a_cut_stream(place, clean):
    line = Faulty(say("grüße"), clean_cut=clean, **place)
    received = b""
    async with provider_server([line]) as server, Client(server) as client:
        try:
            async with client.stream("chat") as answer:
                async for chunk in answer.aiter_raw():
                    received += chunk
            ended_well = True
        except httpx2.RemoteProtocolError:
            ended_well = False

    assert ended_well is clean
    assert not server.requests[0].answered
    match place:
        case {"cut_after": count}:
            assert len(received) == count
        case {"cut_in": "character"}:
            assert received.endswith(b"\xc3")
        case {"cut_in": "event"}:
            assert not received.endswith(b"\n\n")
        case _:
            assert received.endswith(b"\n\n") and b"[DONE]" not in received


async def test_a_cut_whole_answer():
    async with provider_server([Faulty(say("grüße"), cut_after=10)]) as server, Client(server) as client:
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.post("chat")


@pytest.mark.parametrize("api", APIS)
async def test_an_error_in_the_middle_of_a_stream(api):
    line = Faulty(say("once upon a time"), error=Overloaded("try later"), error_after=3)
    async with provider_server([line]) as server, Client(server) as client, client.stream(api) as answer:
        text = (await answer.aread()).decode()

    assert text.count("data: ") == 4
    assert "try later" in text.rstrip("\n").rpartition("\n\n")[2]


async def test_an_error_that_no_stream_tells_of_is_a_mistake_of_the_script():
    with pytest.raises(ExceptionGroup) as caught:
        async with provider_server([Faulty(say("x"), error=ConnectionFailed())]) as server, Client(server) as client:
            with anyio.move_on_after(5):
                await client.text("chat")

    assert caught.group_contains(TypeError, match="cut_after")


async def test_headers_and_the_content_type_can_be_wrong():
    line = Faulty(say("x"), content_type="text/plain", headers={"x-a": "b"})
    async with provider_server([line]) as server, Client(server) as client:
        answer = await client.post("chat")

    assert (answer.headers["content-type"], answer.headers["x-a"]) == ("text/plain", "b")


async def test_a_stalled_stream_waits_until_the_client_hangs_up():
    async with provider_server([Faulty(say("one two three"), stall_after=2)]) as server, Client(server) as client:
        async with client.stream("chat") as answer:
            chunks = answer.aiter_raw()
            await anext(chunks)
            await anext(chunks)
            assert not server.connections[0].closed.is_set()
            with anyio.CancelScope() as scope:  # the way to leave a stream that will not end
                scope.cancel()
                await anext(chunks)
        with anyio.fail_after(10):
            request = await server.closed()

    assert (request.events_sent, request.answered) == (2, False)
    assert server.connections[0].closed_at_s is not None


async def test_a_server_that_thinks_for_ever_sends_no_headers():
    async with provider_server([Faulty(say("never"), stall_after=0)]) as server, Client(server) as client:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(client.post, "chat")
                request = await server.received()
                group.cancel_scope.cancel()
            await server.closed()

    assert not request.answered


async def test_pauses_are_made(monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr("par.testing._server.delivery.anyio.sleep", sleep)
    async with provider_server([Faulty(say("one two"), delay_s=7, pause_s=3)]) as server, Client(server) as client:
        await client.text("chat")

    assert slept == [7.0, *[3.0] * (server.requests[0].events_sent - 1)]


async def test_connections_are_kept_and_told_apart():
    async with provider_server([say("x")] * 3) as server:
        async with Client(server) as client:
            await client.post("chat")
            await client.post("chat")
        async with Client(server) as client:
            await client.post("chat")

    assert [request.connection.number for request in server.requests] == [0, 0, 1]


@pytest.mark.parametrize("fields", [{"delay_s": -1}, {"stall_after": -1}, {"cut_after": 1, "cut_in": "event"}])
def test_a_fault_that_cannot_be_is_refused(fields):
    with pytest.raises(ValueError, match=r"negative|one place"):
        Faulty(say("x"), **fields)


async def test_a_cut_within_a_character_needs_one():
    with pytest.raises(ExceptionGroup) as caught:
        async with provider_server([Faulty(say("plain"), cut_in="character")]) as server, Client(server) as client:
            with anyio.move_on_after(5):
                await client.text("chat")

    assert caught.group_contains(ValueError, match="several bytes")


async def test_what_the_block_raises_comes_out_as_it_is():
    with pytest.raises(KeyError):
        async with provider_server([]):
            raise KeyError("x")


async def test_blocks_that_only_the_provider_knows_are_sent_as_they_are():
    blocks = {"type": "redacted_thinking", "data": "sealed"}
    reply = ModelReply(message=Assistant((Opaque("anthropic", blocks),)))
    async with provider_server([reply]) as server, Client(server) as client:
        assert (await client.post("anthropic")).json()["content"] == [blocks]
