"""The SDK's clients for other clouds, and what clients add to each request."""

import json
from base64 import b64encode
from binascii import crc32

import httpx2
import pytest
from anthropic import AsyncAnthropicBedrock, AsyncAnthropicFoundry, AsyncAnthropicVertex
from hypothesis import given
from hypothesis import strategies as st
from unit.providers import wire

from par import errors
from par.calls import Settings
from par.messages import Text
from par.providers._aws_events import AwsFrames
from par.providers.anthropic import Anthropic

ANSWER = {"type": "message", "model": "claude-x-1", "content": [{"type": "text", "text": "hi"}], "usage": {}}
EVENTS = [
    {"type": "message_start", "message": {**ANSWER, "content": []}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "h"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ü"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]


def http(server):
    return httpx2.AsyncClient(transport=httpx2.MockTransport(server))


def bedrock(server):
    return AsyncAnthropicBedrock(api_key="key", aws_region="eu-west-1", http_client=http(server))


def vertex(server):
    return AsyncAnthropicVertex(region="eu", project_id="p", access_token="token", http_client=http(server))


def frame(payload, **headers):
    """One frame of Amazon's event stream."""
    named = b"".join(
        bytes([len(name)]) + name + b"\x07" + len(value).to_bytes(2, "big") + value
        for name, value in ((f":{n.replace('_', '-')}".encode(), v.encode()) for n, v in headers.items())
    )
    size = 12 + len(named) + len(payload) + 4
    prelude = size.to_bytes(4, "big") + len(named).to_bytes(4, "big")
    body = prelude + crc32(prelude).to_bytes(4, "big") + named + payload
    return body + crc32(body).to_bytes(4, "big")


def empty(size):
    """The beginning of a frame that says of itself to be so long."""
    prelude = size.to_bytes(4, "big") + bytes(4)
    return prelude + crc32(prelude).to_bytes(4, "big") + bytes(20)


def chunk(event):
    data = {"bytes": b64encode(json.dumps(event).encode()).decode(), "p": "abcd"}
    return frame(json.dumps(data).encode(), event_type="chunk", content_type="application/json", message_type="event")


def exception(kind, **fields):
    return frame(json.dumps(fields).encode(), exception_type=kind, message_type="exception")


AWS = {"headers": {"x-amzn-requestid": "r1"}, "kind": "application/vnd.amazon.eventstream"}


@pytest.mark.anyio
async def test_bedrock_has_the_model_in_the_address_and_its_version_in_the_body():
    server = wire.serve(json_body=ANSWER, headers={"x-amzn-requestid": "r1"})
    model = Anthropic("eu.anthropic.claude-sonnet-4-5-v1:0", bedrock(server))

    reply = await model(wire.hello(settings=Settings(extra={"betas": ["one"]})))

    request = server.requests[0]
    assert request.url.host == "bedrock-runtime.eu-west-1.amazonaws.com"
    assert request.url.path.endswith("/model/eu.anthropic.claude-sonnet-4-5-v1:0/invoke")
    assert request.headers["authorization"] == "Bearer key"
    assert {"model", "stream"}.isdisjoint(server.body)
    assert server.body["anthropic_version"]
    assert server.body["anthropic_beta"] == ["one"]
    assert server.body["messages"][0]["content"][0]["text"] == "hello"
    assert (reply.message.content, reply.request_id) == ((Text("hi"),), "r1")


@pytest.mark.anyio
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_bedrock_streams_in_frames_of_its_own(size):
    raw = b"".join(chunk(event) for event in EVENTS)
    server, body = wire.serve_stream(*wire.cut(raw, size), **AWS)
    seen = wire.Seen()

    reply = await Anthropic("m", bedrock(server))(wire.hello(stream=True, emit=seen))

    assert server.requests[0].url.path.endswith("/invoke-with-response-stream")
    assert (reply.message.text, reply.finish, reply.usage.output_tokens) == ("hü", "stop", 2)
    assert len(seen.deltas) == 2
    assert body.closed


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("throttlingException", errors.RateLimited),
        ("serviceUnavailableException", errors.Overloaded),
        ("internalServerException", errors.ServerFailed),
        ("modelStreamErrorException", errors.ServerFailed),
        ("validationException", errors.RequestRejected),
    ],
)
async def test_bedrocks_errors_in_mid_stream_are_errors(kind, error):
    server, body = wire.serve_stream(chunk(EVENTS[0]) + exception(kind, message="told"), **AWS)

    with pytest.raises(error, match="told"):
        await Anthropic("m", bedrock(server))(wire.hello(stream=True))
    assert body.closed


@pytest.mark.anyio
@pytest.mark.parametrize(
    "raw",
    [
        chunk(EVENTS[0])[:-1],
        chunk(EVENTS[0]) + chunk(EVENTS[1]),
        b"event: message_start\n\n",
        chunk(EVENTS[0])[:-1] + b"\0",
        b"\0" * 64,
    ],
    ids=["cut", "no-end", "no-frames", "damaged", "zeros"],
)
async def test_a_stream_of_frames_that_breaks_is_interrupted(raw):
    server, body = wire.serve_stream(raw, **AWS)

    with pytest.raises(errors.StreamInterrupted):
        await Anthropic("m", bedrock(server))(wire.hello(stream=True))
    assert body.closed


@pytest.mark.parametrize(
    "raw",
    [chunk(EVENTS[0])[:-1] + b"\0", chunk(EVENTS[0])[:9] + b"\0" * 40, empty(0), empty(15), empty(2**31)],
    ids=["damaged", "damaged-length", "no-length", "too-short", "too-long"],
)
def test_a_damaged_frame_is_told(raw):
    with pytest.raises(errors.UnreadableReply, match="damaged"):
        AwsFrames("anthropic").feed(raw)


def test_headers_of_all_types_are_passed_over():
    named = b"\x01a\x00" + b"\x01b\x04" + bytes(4) + b"\x01c\x09" + bytes(16) + b"\x01d\x06\x00\x02xy"
    named += b"\x0d:message-type\x07\x00\x05event" + b"\x0b:event-type\x07\x00\x05chunk"
    payload = json.dumps({"bytes": b64encode(b"{}").decode()}).encode()
    prelude = (16 + len(named) + len(payload)).to_bytes(4, "big") + len(named).to_bytes(4, "big")
    body = prelude + crc32(prelude).to_bytes(4, "big") + named + payload

    assert AwsFrames("anthropic").feed(body + crc32(body).to_bytes(4, "big")) == b"data: {}\n\n"


def test_frames_that_are_no_part_of_the_answer_are_passed_over():
    assert AwsFrames("anthropic").feed(frame(b"{}", event_type="metadata", message_type="event")) == b""


@given(st.data())
def test_cuts_anywhere_give_the_same_events(data):
    raw = b"".join(chunk(event) for event in EVENTS)
    places = data.draw(st.lists(st.integers(0, len(raw)), max_size=20))
    frames = AwsFrames("anthropic")

    assert b"".join(map(frames.feed, wire.cut_at(raw, places))) == AwsFrames("anthropic").feed(raw)


@pytest.mark.anyio
@pytest.mark.parametrize("streamed", [False, True])
async def test_vertex_has_the_project_and_the_model_in_the_address(streamed):
    server = wire.serve_sse(*EVENTS)[0] if streamed else wire.serve(json_body=ANSWER)

    reply = await Anthropic("claude-sonnet-4-5@20250929", vertex(server))(wire.hello(stream=streamed))

    path = server.requests[0].url.path
    method = "streamRawPredict" if streamed else "rawPredict"
    assert path == f"/v1/projects/p/locations/eu/publishers/anthropic/models/claude-sonnet-4-5@20250929:{method}"
    assert server.requests[0].headers["authorization"] == "Bearer token"
    assert "model" not in server.body
    assert server.body["anthropic_version"]
    assert reply.message.text in ("hi", "hü")


@pytest.mark.anyio
async def test_a_gateways_client_is_an_anthropic_client():
    server = wire.serve(json_body=ANSWER)
    client = AsyncAnthropicFoundry(api_key="key", resource="r", http_client=http(server))

    await Anthropic("claude-x", client)(wire.hello())

    assert str(server.requests[0].url) == "https://r.services.ai.azure.com/anthropic/v1/messages"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("own", "asked", "header"),
    [
        ({}, ["a", "b"], "a,b"),
        ({"anthropic-beta": "x, a"}, ["a", "b"], "x,a,b"),
        ({"anthropic-beta": "x"}, [], "x"),
    ],
)
async def test_betas_are_a_header(own, asked, header):
    server = wire.serve(json_body=ANSWER)
    model = Anthropic("claude-x", server.anthropic(default_headers=own))

    await model(wire.hello())
    await model(wire.hello(settings=Settings(extra={"betas": asked})))

    assert server.requests[1].headers["anthropic-beta"] == header
    assert server.requests[0].headers.get("anthropic-beta") == own.get("anthropic-beta")
    assert "betas" not in server.body
