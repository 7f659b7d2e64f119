"""Recorded messages are read without loss, however the network cuts them, and go back as they came."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.providers import wire
from unit.providers.replay.messages import whole_of

from par import errors
from par.calls import ModelCall
from par.messages import Opaque
from par.providers._anthropic_reply import Source, read_message
from par.providers._anthropic_request import MessageRequests
from par.providers._anthropic_stream import MessageStream
from par.providers._sse import SseReader
from par.providers.anthropic import Anthropic

pytestmark = pytest.mark.anyio

WHOLE = wire.interactions("anthropic-messages", streamed=False)
STREAMED = wire.interactions("anthropic-messages", streamed=True)
FINISH = {"end_turn": "stop", "tool_use": "tool_uses"}


def message_of(raw):
    return whole_of([json.loads(data) for data in wire.events_of(raw)])


def assert_same(reply, message):
    """Compare a reply with the recorded message."""
    content = message["content"]
    usage = message["usage"]
    assert reply.message.text == "".join(b["text"] for b in content if b["type"] == "text")
    assert [(u.id, u.name, u.arguments, u.malformed) for u in reply.message.tool_uses] == [
        (b["id"], b["name"], b["input"], None) for b in content if b["type"] == "tool_use"
    ]
    assert [b.data for b in reply.message.content if isinstance(b, Opaque) and "type" in b.data] == [
        b for b in content if b["type"] not in ("text", "thinking", "tool_use")
    ]
    assert reply.finish == FINISH[message["stop_reason"]]
    assert reply.model == message["model"]
    assert reply.usage.output_tokens == usage["output_tokens"]
    assert reply.usage.input_tokens == sum(
        usage[name] for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    assert reply.usage.cache_read_tokens == usage["cache_read_input_tokens"]
    assert reply.usage.cache_write_tokens == usage["cache_creation_input_tokens"]


def sent_back(reply):
    requests = MessageRequests("m", 100)
    return requests.body(ModelCall(model="m", messages=(reply.message,)))["messages"][0]["content"]


def without_nothing(blocks):
    """Leave out what says nothing: null fields, empty lists, and blank text, which the API refuses."""
    kept = [b for b in blocks if b["type"] != "text" or b["text"].strip()]
    return [
        b if b["type"] not in ("text", "thinking", "tool_use") else {k: v for k, v in b.items() if v not in (None, [])}
        for b in kept
    ]


def read_stream(pieces):
    stream, reader, deltas = MessageStream(Source()), SseReader(), []
    for piece in pieces:
        for event in reader.feed(piece):
            deltas.extend(stream.feed(event))
    deltas.extend(stream.finish())
    return stream.reply(), deltas


@pytest.mark.parametrize("recorded", WHOLE)
async def test_a_recorded_message_is_read_without_loss(recorded):
    body = recorded["response"]["json"]

    reply = await Anthropic("m", wire.serve(json_body=body).anthropic())(wire.hello())

    assert_same(reply, body)


@pytest.mark.parametrize("recorded", WHOLE)
def test_a_recorded_message_goes_back_as_it_came(recorded):
    body = recorded["response"]["json"]

    assert sent_back(read_message(body, Source())) == without_nothing(body["content"])


@pytest.mark.parametrize("recorded", STREAMED)
async def test_a_recorded_stream_is_read_without_loss(recorded):
    raw = recorded["response"]["text"].encode()
    server, body = wire.serve_stream(*wire.cut(raw, 1000))
    seen = wire.Seen()

    reply = await Anthropic("m", server.anthropic())(wire.hello(stream=True, emit=seen))

    assert_same(reply, message_of(raw))
    assert seen.joined() == wire.shown(reply)
    assert body.closed


@pytest.mark.parametrize("recorded", STREAMED)
def test_a_recorded_stream_goes_back_as_it_would_have_come_whole(recorded):
    raw = recorded["response"]["text"].encode()

    assert sent_back(read_stream([raw])[0]) == without_nothing(message_of(raw)["content"])


@pytest.mark.parametrize("size", [1, 3, 7, 13, 64, 1021])
@pytest.mark.parametrize("recorded", STREAMED)
def test_pieces_of_any_size_give_the_same_reply(recorded, size):
    raw = recorded["response"]["text"].encode()

    assert read_stream(wire.cut(raw, size)) == read_stream([raw])


@pytest.mark.parametrize("recorded", STREAMED)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_cuts_anywhere_give_the_same_reply(recorded, data):
    raw = recorded["response"]["text"].encode()
    places = data.draw(st.lists(st.integers(0, len(raw)), max_size=30))

    assert read_stream(wire.cut_at(raw, places)) == read_stream([raw])


@pytest.mark.parametrize("recorded", STREAMED)
async def test_a_recorded_stream_without_its_last_event_is_an_error(recorded):
    raw = recorded["response"]["text"].encode()
    server, body = wire.serve_stream(raw[: raw.index(b"event: message_stop")])

    with pytest.raises(errors.StreamInterrupted):
        await Anthropic("m", server.anthropic())(wire.hello(stream=True))
    assert body.closed
