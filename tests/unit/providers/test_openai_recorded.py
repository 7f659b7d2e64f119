"""Recorded chat completions are read without loss, however the network cuts them."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.providers import wire

from par import errors
from par.calls import ModelCall
from par.providers._openai_profile import Profile
from par.providers._openai_reply import Source, read_completion
from par.providers._openai_request import ChatRequests
from par.providers._openai_stream import ChatStream
from par.providers._sse import SseReader
from par.providers.openai import OpenAI

pytestmark = pytest.mark.anyio

WHOLE = wire.interactions("openai-chat", streamed=False)
STREAMED = wire.interactions("openai-chat", streamed=True)
COMPLETIONS = [p for p in WHOLE if p.values[0] is None or "json" in p.values[0]["response"]]
REFUSED = [
    pytest.param(i, id=f"{c['name']}-{n}")
    for c in wire.conversations("openai-chat")
    for n, i in enumerate(c["interactions"])
    if i["response"]["status"] != 200
]
FINISH = {"stop": "stop", "tool_calls": "tool_uses", "length": "length", "content_filter": "content_filter"}


def said_whole(body):
    """What a body says, read by the test's own few lines."""
    message = body["choices"][0]["message"]
    return {
        "text": (message.get("content") or "") + (message.get("refusal") or ""),
        "reasoning": message.get("reasoning_content") or message.get("reasoning") or "",
        "uses": [
            (c["function"]["name"], json.loads(c["function"]["arguments"])) for c in message.get("tool_calls") or []
        ],
    }


def said_streamed(raw):
    """The same of a stream without tool calls."""
    said = {"text": "", "reasoning": "", "uses": []}
    for data in wire.events_of(raw):
        if data != "[DONE]":
            for choice in json.loads(data)["choices"]:
                delta = choice["delta"]
                assert not delta.get("tool_calls")
                said["text"] += delta.get("content") or ""
                said["reasoning"] += delta.get("reasoning_content") or delta.get("reasoning") or ""
    return said


def assert_usage(usage, recorded):
    details, output = recorded.get("prompt_tokens_details") or {}, recorded.get("completion_tokens_details") or {}
    assert usage.input_tokens == recorded["prompt_tokens"]
    assert usage.output_tokens == recorded["completion_tokens"]
    assert usage.cache_read_tokens == details.get("cached_tokens", recorded.get("num_cached_tokens", 0))
    assert usage.reasoning_tokens == output.get("reasoning_tokens", 0)


def read_stream(pieces):
    numbers = iter(range(100))
    stream, reader, deltas = (
        ChatStream(Source(provider="p", tag="p", new_id=lambda: f"id{next(numbers)}")),
        SseReader(),
        [],
    )
    for piece in pieces:
        for event in reader.feed(piece):
            deltas.extend(stream.feed(event))
    deltas.extend(stream.finish())
    return stream.reply(), deltas


@pytest.mark.parametrize("recorded", WHOLE)
async def test_a_recorded_answer_is_read_without_loss(recorded):
    response = recorded["response"]
    server = wire.serve(json_body=response.get("json"), text=response.get("text"), headers=dict(response["headers"]))
    model = OpenAI("m", server.openai())

    if "text" in response:  # a recording of a server that answers with plain text
        with pytest.raises(errors.UnreadableReply):
            await model(wire.hello())
        return
    reply = await model(wire.hello())

    body = response["json"]
    message = body["choices"][0]["message"]
    assert wire.shown(reply) == said_whole(body)
    for use, call in zip(reply.message.tool_uses, message.get("tool_calls") or [], strict=True):
        assert use.id == call["id"] or not call["id"]
        assert use.id
    assert reply.finish == FINISH[body["choices"][0]["finish_reason"]]
    assert reply.model == body["model"]
    assert_usage(reply.usage, body["usage"])


@pytest.mark.parametrize("recorded", COMPLETIONS)
def test_what_a_recorded_answer_holds_goes_back_to_the_same_server(recorded):
    message = recorded["response"]["json"]["choices"][0]["message"]
    reply = read_completion(recorded["response"]["json"], Source(provider="openai", tag="openai"))

    back = ChatRequests("m", tag="openai", profile=Profile()).body(ModelCall(model="m", messages=(reply.message,)))

    sent = back["messages"][0]
    not_sent = {"reasoning", "reasoning_content", "refusal", "tool_calls"}
    for name, value in message.items():
        if value not in (None, "", [], {}) and name not in not_sent:
            assert sent[name] == value
    for theirs, ours in zip(message.get("tool_calls") or [], sent.get("tool_calls", []), strict=True):
        assert json.loads(ours["function"]["arguments"]) == json.loads(theirs["function"]["arguments"])
        assert ours["function"]["name"] == theirs["function"]["name"]
        assert ours["id"] == theirs["id"] or not theirs["id"]


@pytest.mark.parametrize("recorded", STREAMED)
async def test_a_recorded_stream_is_read_without_loss(recorded):
    raw = recorded["response"]["text"].encode()
    server, body = wire.serve_stream(*wire.cut(raw, 1000))
    seen = wire.Seen()

    reply = await OpenAI("m", server.openai())(wire.hello(stream=True, emit=seen))

    assert wire.shown(reply) == said_streamed(raw)
    assert seen.joined() == wire.shown(reply)
    assert body.closed
    recorded_usage = [json.loads(d).get("usage") for d in wire.events_of(raw) if d != "[DONE]"]
    usages = [usage for usage in recorded_usage if usage]
    if usages:
        assert_usage(reply.usage, usages[-1])


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
async def test_a_recorded_stream_that_is_cut_short_is_an_error(recorded):
    raw = recorded["response"]["text"].encode()
    server, body = wire.serve_stream(raw[: len(raw) // 2])

    with pytest.raises(errors.StreamInterrupted):
        await OpenAI("m", server.openai())(wire.hello(stream=True))
    assert body.closed


@pytest.mark.skipif(not REFUSED, reason="no recorded error is at hand")
@pytest.mark.parametrize("recorded", REFUSED)
async def test_a_recorded_error_is_of_the_class_of_its_status(recorded):
    response = recorded["response"]
    server = wire.serve(response["status"], json_body=response["json"], headers=dict(response["headers"]))
    kind = {400: errors.RequestRejected, 404: errors.RequestRejected, 429: errors.RateLimited}[response["status"]]

    with pytest.raises(kind) as caught:
        await OpenAI("m", server.openai())(wire.hello())
    assert response["json"]["error"]["message"] in str(caught.value)
    assert len(server.requests) == 1
