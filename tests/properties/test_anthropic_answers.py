"""Whatever a server of the messages API says, it is a reply or one of par's errors, and goes back as a request."""

import json

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from par.calls import ModelCall, PromptCache, Settings
from par.codec import decode, encode
from par.errors import ModelError
from par.messages import Assistant, Opaque, Text, ToolResult, ToolResults, User
from par.providers._anthropic_reply import Source, read_message
from par.providers._anthropic_request import MessageRequests
from par.providers._anthropic_stream import MessageStream
from par.providers._sse import SseEvent
from par.providers._wired import encode_body

WORDS = (
    *("type", "text", "thinking", "signature", "tool_use", "server_tool_use", "id", "name", "input", "index", "delta"),
    *("usage", "content", "citations", "message", "container", "role", "fields", "of", "result", "cache_control"),
    *(
        "text_delta",
        "thinking_delta",
        "signature_delta",
        "input_json_delta",
        "citations_delta",
        "partial_json",
        "system",
    ),
    *("content_block", "content_block_start", "content_block_delta", "message_start", "message_delta", "stop_reason"),
    *("pause_turn", "refusal", "redacted_thinking", "data", "user", "assistant"),
)
SCALARS = st.none() | st.booleans() | st.integers(-2, 9) | st.just(0.5) | st.sampled_from(WORDS) | st.just('{"x": 1}')
FLAT = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.sampled_from(WORDS), SCALARS, max_size=3)
JSON = FLAT | st.lists(FLAT, max_size=2) | st.dictionaries(st.sampled_from(WORDS), FLAT, max_size=2)
OBJECTS = st.dictionaries(st.sampled_from(WORDS), JSON, max_size=4)
KINDS = st.sampled_from(["text", "thinking", "tool_use", "server_tool_use", "new", "redacted_thinking"])
BLOCKS = st.builds(lambda kind, more: {**more, "type": kind}, KINDS, OBJECTS)
DELTAS = st.sampled_from([
    *("text_delta", "thinking_delta", "signature_delta", "input_json_delta", "citations_delta", "new_delta"),
])
EVENTS = (
    st.builds(lambda n, b: {"type": "content_block_start", "index": n, "content_block": b}, st.integers(0, 3), BLOCKS)
    | st.builds(
        lambda n, kind, more: {"type": "content_block_delta", "index": n, "delta": {**more, "type": kind}},
        st.integers(0, 3),
        DELTAS,
        OBJECTS,
    )
    | st.builds(lambda more: {**more, "type": "message_delta"}, OBJECTS)
    | st.builds(lambda more: {"type": "message_start", "message": more}, OBJECTS)
    | OBJECTS
)


def goes_back(reply):
    """Send it back, and store it."""
    assert decode(Assistant, encode(reply.message)) == reply.message
    history = (User((Text("q"),)), reply.message, ToolResults((ToolResult(tool_use_id="a", name="", content=""),)))
    call = ModelCall(model="m", messages=history, settings=Settings(prompt_cache=PromptCache()))
    body = MessageRequests("claude-opus-4-8", 1).body(call)
    assert json.loads(encode_body(body)) == json.loads(json.dumps(body))


@given(message=st.builds(lambda more, blocks: {**more, "content": blocks}, OBJECTS, st.lists(BLOCKS, max_size=5)))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_any_message_is_a_reply_or_an_error_and_goes_back(message):
    try:
        reply = read_message(message, Source())
    except ModelError:
        return
    goes_back(reply)


@given(events=st.lists(EVENTS, max_size=10))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_any_stream_is_a_reply_or_an_error_and_goes_back(events):
    stream = MessageStream(Source())
    try:
        for event in [*events, {"type": "message_stop"}]:
            stream.feed(SseEvent("", json.dumps(event).encode()))
        stream.finish()
    except ModelError:
        return
    goes_back(stream.reply())


@example(blocks=[{"type": []}], shown=[])
@given(blocks=st.lists(OBJECTS, max_size=4), shown=st.lists(OBJECTS, max_size=3))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_any_opaque_block_can_be_sent(blocks, shown):
    opaque = tuple(Opaque("anthropic", block) for block in blocks)
    result = ToolResult(tool_use_id="a", name="t", content="r", blocks=tuple(Opaque("anthropic", b) for b in shown))
    history = (User((Text("q"), *opaque)), Assistant(opaque), ToolResults((result,)))
    tools = tuple(Opaque("anthropic", block) for block in blocks)
    call = ModelCall(
        model="m",
        messages=history,
        settings=Settings(prompt_cache=PromptCache(ttl="5m"), provider_tools=tools),
    )

    encode_body(MessageRequests("m", 1).body(call))
