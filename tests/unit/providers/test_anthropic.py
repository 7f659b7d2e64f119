"""The Anthropic adapter: answers, streams, errors, cancellation, clients."""

import json

import anyio
import httpx2
import pytest
from unit.providers import wire

from par import errors
from par.deltas import ReasoningDelta, TextDelta, ToolUseDelta
from par.messages import Assistant, Opaque, Reasoning, Text, ToolUse
from par.providers.anthropic import Anthropic, from_name
from par.usage import Usage

pytestmark = pytest.mark.anyio


def message(*content, stop="end_turn", usage=None):
    return {
        "id": "m",
        "type": "message",
        "model": "claude-x-1",
        "content": list(content),
        "stop_reason": stop,
        "usage": usage,
    }


def text(words):
    return {"type": "text", "text": words}


def sse(*events):
    return "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events).encode()


def start(**usage):
    return {"type": "message_start", "message": {"model": "claude-x-1", "content": [], "usage": usage}}


def block(index, **content):
    return {"type": "content_block_start", "index": index, "content_block": content}


def delta(index, kind, **fields):
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def end(stop="end_turn", **usage):
    return {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": usage}


STOP = {"type": "message_stop"}


async def whole(*content, headers=None, **fields):
    server = wire.serve(json_body=message(*content, **fields), headers=headers)
    return await Anthropic("claude-x", server.anthropic())(wire.hello())


async def stream(*events):
    server, body = wire.serve_stream(sse(*events))
    seen = wire.Seen()
    try:
        reply = await Anthropic("claude-x", server.anthropic())(wire.hello(stream=True, emit=seen))
    finally:
        assert body.closed
    assert seen.joined() == wire.shown(reply)
    return reply, seen.deltas


async def test_the_request_goes_to_the_clients_server_with_its_key_and_version():
    server = wire.serve(json_body=message(text("hi")))

    await Anthropic("claude-x", server.anthropic(base_url="https://gateway.example"), max_tokens=5)(wire.hello())

    request = server.requests[0]
    assert str(request.url) == "https://gateway.example/v1/messages"
    assert "sk-ant-testtest" in (request.headers.get("authorization", "") + request.headers.get("x-api-key", ""))
    assert request.headers["anthropic-version"]
    assert server.body["max_tokens"] == 5


async def test_an_answer_carries_blocks_usage_model_request_id_and_limits():
    reply = await whole(
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        text("hi"),
        {"type": "tool_use", "id": "a", "name": "t", "input": {"x": 1}},
        stop="tool_use",
        usage={
            "input_tokens": 10,
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 2,
            "output_tokens": 7,
            "output_tokens_details": {"thinking_tokens": 3},
        },
        headers={"request-id": "r1", "anthropic-ratelimit-requests-remaining": "9"},
    )

    assert reply.message == Assistant((Reasoning("hm", "sig"), Text("hi"), ToolUse("a", "t", {"x": 1})))
    assert reply.finish == "tool_uses"
    assert reply.usage == Usage(
        input_tokens=16,
        output_tokens=7,
        reasoning_tokens=3,
        cache_read_tokens=4,
        cache_write_tokens=2,
        requests=1,
    )
    assert (reply.model, reply.request_id) == ("claude-x-1", "r1")
    assert reply.headers == {"anthropic-ratelimit-requests-remaining": "9"}


async def test_blocks_that_par_does_not_know_are_kept_in_their_place():
    redacted = {"type": "redacted_thinking", "data": "xyz"}

    reply = await whole(redacted, text("hi"))

    assert reply.message == Assistant((Opaque("anthropic", redacted), Text("hi")))


async def test_citations_are_kept_beside_their_text():
    reply = await whole({**text("hi"), "citations": [{"n": 1}]})

    assert reply.message == Assistant((
        Text("hi"),
        Opaque("anthropic", {"fields": {"citations": [{"n": 1}]}, "of": "text"}),
    ))


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "paused"),
        ("compaction", "paused"),
        ("refusal", "content_filter"),
        ("tool_use", "stop"),
        (None, "stop"),
        ("new", "stop"),
    ],
)
async def test_the_stop_reason_is_mapped(word, finish):
    assert (await whole(text("hi"), stop=word)).finish == finish


async def test_calls_without_an_id_get_one():
    function = {"type": "tool_use", "name": "t", "input": {}}

    first, second = (await whole(function, function)).message.tool_uses

    assert first.id
    assert first.id != second.id


@pytest.mark.parametrize("raw", ["hello", "[]", "{}", '{"content": null}'])
async def test_an_answer_that_is_no_message_is_unreadable(raw):
    with pytest.raises(errors.UnreadableReply):
        await Anthropic("claude-x", wire.serve(text=raw).anthropic())(wire.hello())


async def test_an_error_in_an_answer_of_status_200_is_an_error():
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

    with pytest.raises(errors.Overloaded):
        await Anthropic("claude-x", wire.serve(json_body=body).anthropic())(wire.hello())


async def test_a_stream_is_shown_piece_by_piece_and_returned_whole():
    reply, deltas = await stream(
        start(input_tokens=3, output_tokens=1),
        block(0, type="thinking", thinking="", signature=""),
        {"type": "ping"},
        delta(0, "thinking_delta", thinking="h"),
        delta(0, "thinking_delta", thinking="m"),
        delta(0, "signature_delta", signature="s1"),
        delta(0, "signature_delta", signature="s2"),
        {"type": "content_block_stop", "index": 0},
        block(1, type="text", text=""),
        delta(1, "text_delta", text="he"),
        delta(1, "text_delta", text="llo"),
        block(2, type="tool_use", id="a", name="t", input={}),
        delta(2, "input_json_delta", partial_json=""),
        delta(2, "input_json_delta", partial_json='{"x"'),
        delta(2, "input_json_delta", partial_json=": 1}"),
        end("tool_use", output_tokens=9),
        STOP,
    )

    assert deltas == [
        ReasoningDelta("h"),
        ReasoningDelta("m"),
        TextDelta("he"),
        TextDelta("llo"),
        ToolUseDelta(id="a", name="t"),
        ToolUseDelta(id="a", name="t", arguments='{"x"'),
        ToolUseDelta(id="a", name="t", arguments=": 1}"),
    ]
    assert reply.message == Assistant((Reasoning("hm", "s1s2"), Text("hello"), ToolUse("a", "t", {"x": 1})))
    assert reply.usage == Usage(input_tokens=3, output_tokens=9, requests=1)
    assert (reply.finish, reply.model) == ("tool_uses", "claude-x-1")


async def test_a_call_without_arguments_is_no_malformed_call():
    reply, _ = await stream(start(), block(0, type="tool_use", id="a", name="t", input={}), end("tool_use"), STOP)

    assert reply.message.tool_uses == (ToolUse("a", "t"),)


async def test_malformed_arguments_spoil_only_their_own_call():
    reply, _ = await stream(
        start(),
        block(0, type="tool_use", id="a", name="t", input={}),
        delta(0, "input_json_delta", partial_json='{"x'),
        block(1, type="tool_use", id="b", name="t", input={}),
        delta(1, "input_json_delta", partial_json='{"x": 2}'),
        end("tool_use"),
        STOP,
    )

    assert reply.message.tool_uses == (ToolUse("a", "t", malformed='{"x'), ToolUse("b", "t", {"x": 2}))


async def test_blocks_and_deltas_of_kinds_to_come_are_kept():
    reply, deltas = await stream(
        start(),
        block(0, type="holo", form="cube"),
        delta(0, "holo_delta", form="s", size=3),
        block(1, type="redacted_thinking", data="xyz"),
        {"type": "holo_event"},
        end(),
        STOP,
    )

    assert deltas == []
    assert reply.message == Assistant((
        Opaque("anthropic", {"type": "holo", "form": "cubes", "size": 3}),
        Opaque("anthropic", {"type": "redacted_thinking", "data": "xyz"}),
    ))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("overloaded_error", errors.Overloaded),
        ("rate_limit_error", errors.RateLimited),
        ("authentication_error", errors.AuthenticationFailed),
        ("invalid_request_error", errors.RequestRejected),
    ],
)
async def test_an_error_event_ends_the_stream(kind, error):
    with pytest.raises(error, match="told") as caught:
        await stream(start(), {"type": "error", "error": {"type": kind, "message": "told"}, "request_id": "r"})
    assert caught.value.request_id == "r"


@pytest.mark.parametrize(
    "events",
    [[], [start()], [start(), block(0, type="text", text="hi")], [start(), block(0, type="text", text="hi"), end()]],
)
async def test_a_stream_without_its_last_event_is_interrupted(events):
    with pytest.raises(errors.StreamInterrupted):
        await stream(*events)


async def test_reading_stops_at_the_end_of_the_stream_though_the_connection_stays_open():
    async def never():
        await anyio.sleep_forever()

    server, body = wire.serve_stream(sse(start(), block(0, type="text", text="hi"), end(), STOP), never)

    with anyio.fail_after(5):
        assert (await Anthropic("claude-x", server.anthropic())(wire.hello(stream=True))).message.text == "hi"
    assert body.closed


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.RequestRejected),
        (401, errors.AuthenticationFailed),
        (403, errors.AuthenticationFailed),
        (413, errors.RequestRejected),
        (429, errors.RateLimited),
        (500, errors.ServerFailed),
        (529, errors.Overloaded),
    ],
)
async def test_a_status_becomes_its_error_after_one_request(status, kind, streamed):
    body = {"type": "error", "error": {"type": "x", "message": "told"}}
    server = wire.serve(status, json_body=body, headers={"request-id": "r", "retry-after": "2"})

    with pytest.raises(kind, match="told") as caught:
        await Anthropic("claude-x", server.anthropic())(wire.hello(stream=streamed))

    assert (caught.value.provider, caught.value.status) == ("anthropic", status)
    assert (caught.value.request_id, caught.value.retry_after_s) == ("r", 2.0)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "failure", [httpx2.ConnectError("refused"), httpx2.ReadTimeout("slow")], ids=lambda e: type(e).__name__
)
async def test_a_transport_that_fails_is_a_failed_connection(failure):
    def answer():
        raise failure

    server = wire.Server(answer)

    with pytest.raises(errors.ConnectionFailed, match=str(failure)):
        await Anthropic("claude-x", server.anthropic())(wire.hello())
    assert len(server.requests) == 1


async def test_cancelling_in_mid_stream_passes_and_closes_the_answer():
    async def wait():
        await anyio.sleep_forever()

    server, body = wire.serve_stream(sse(start()), wait)

    with anyio.move_on_after(0.02) as scope:
        await Anthropic("claude-x", server.anthropic())(wire.hello(stream=True))
    assert scope.cancelled_caught
    assert body.closed


@pytest.mark.parametrize("configured", [False, True])
async def test_a_missing_key_is_named(monkeypatch, tmp_path, configured):
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE", "ANTHROPIC_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    if configured:  # a folder without the profile that it should have
        monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))

    with pytest.raises(errors.MissingKey, match="ANTHROPIC_API_KEY"):
        await Anthropic("claude-x")(wire.hello())


def test_each_event_loop_has_a_client_of_its_own(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-fromenvironment")
    model = Anthropic("claude-x")

    async def client():
        made = model._endpoint._own.get().client
        assert (made.api_key, made.max_retries) == ("sk-ant-fromenvironment", 0)
        assert not hasattr(made._client, "__del__")  # it would start a task in another loop
        assert model._endpoint._own.get().client is made
        await model.aclose()
        assert made.is_closed()
        return made

    clients = [anyio.run(client, backend=backend) for backend in ("asyncio", "trio", "asyncio")]

    assert len({id(c) for c in clients}) == 3


async def test_a_client_of_the_callers_is_not_closed():
    client = wire.serve(json_body=message(text("hi"))).anthropic()
    model = Anthropic("claude-x", client)

    await model(wire.hello())
    await model.aclose()

    assert not client.is_closed()
    await client.close()


@pytest.mark.parametrize("limit", [0, -1, True])
def test_a_limit_below_one_is_refused(limit):
    with pytest.raises(errors.UsageError, match="max_tokens"):
        Anthropic("claude-x", max_tokens=limit)


def test_an_empty_model_is_refused():
    with pytest.raises(errors.UsageError, match="model"):
        Anthropic("")


def test_names_are_model_strings():
    assert from_name("claude-x").name == "anthropic:claude-x"
    assert repr(Anthropic("claude-x")) == "Anthropic('claude-x')"
