"""Whatever a server of chat completions answers: a reply, or an error of par's; and streams that say what wholes say."""

import json

from hypothesis import given
from hypothesis import strategies as st

from par.codec import dumps
from par.errors import ModelError
from par.messages import Opaque, Reasoning
from par.providers._openai_messages import ChatMessages
from par.providers._openai_profile import Profile
from par.providers._openai_reply import Source, read_completion
from par.providers._openai_stream import ChatStream
from par.providers._sse import SseEvent

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "a", "stop", "{}"])
)
NAMES = st.sampled_from([
    "id", "type", "index", "function", "name", "arguments", "custom", "input", "text", "thinking", "role", "content",
    "refusal", "reasoning", "reasoning_content", "reasoning_details", "tool_calls", "function_call", "audio",
    "transcript", "annotations", "images", "usage", "prompt_tokens", "error", "message", "code", "x",
])  # fmt: skip
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
MESSAGES = st.dictionaries(NAMES, JSON, max_size=6)


def choices(of):
    choice = st.fixed_dictionaries(
        {of: MESSAGES},
        optional={"index": JSON, "finish_reason": SCALARS, "logprobs": JSON, "usage": JSON, "content_filter": JSON},
    )
    return st.fixed_dictionaries(
        {"choices": st.lists(choice, max_size=2)},
        optional={"usage": JSON, "model": JSON, "id": JSON, "x_groq": JSON, "error": JSON, "citations": JSON},
    )


SOURCE = Source(provider="p", tag="p", answer_tool="a")
BACK = ChatMessages(Profile(reasoning="parts"), "p", "p")


@given(choices("message") | JSON.filter(lambda value: isinstance(value, dict)))
def test_any_answer_is_a_reply_or_a_typed_error(body):
    try:
        reply = read_completion(body, SOURCE)
    except ModelError:
        return
    dumps(reply)
    json.dumps(BACK.of([reply.message]))


@given(st.lists(choices("delta") | JSON, max_size=4))
def test_any_stream_is_a_reply_or_a_typed_error(chunks):
    stream = ChatStream(SOURCE)
    try:
        for chunk in [*chunks, {"choices": [{"delta": {}, "finish_reason": "stop"}]}]:
            stream.feed(SseEvent("", json.dumps(chunk).encode()))
        stream.finish()
    except ModelError:
        return
    reply = stream.reply()
    dumps(reply)
    json.dumps(BACK.of([reply.message]))


WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)


@given(st.lists(WORDS, max_size=4), st.lists(WORDS, max_size=4), st.dictionaries(WORDS, WORDS, max_size=3), st.data())
def test_a_stream_says_what_the_whole_says(thoughts, texts, arguments, data):
    call = json.dumps(arguments)
    cut = data.draw(st.integers(0, len(call)))
    deltas = [{"reasoning": thought} for thought in thoughts] + [{"content": text} for text in texts]
    for part in (call[:cut], call[cut:]):
        piece = {"index": 0, "id": "c", "function": {"name": "t", "arguments": part}}
        deltas.append({"tool_calls": [piece]})
    message = {
        "reasoning": "".join(thoughts),
        "content": "".join(texts),
        "tool_calls": [{"id": "c", "function": {"name": "t", "arguments": call}}],
        "annotations": [{"type": "x"}],
    }

    stream = ChatStream(SOURCE)
    for delta in [*deltas, {"annotations": [{"type": "x"}]}]:
        stream.feed(SseEvent("", json.dumps({"model": "m", "id": "1", "choices": [{"delta": delta}]}).encode()))
    stream.feed(
        SseEvent("", b'{"choices": [{"delta": {}, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 3}}')
    )
    stream.finish()

    choice = {"message": message, "finish_reason": "tool_calls"}
    whole = read_completion({"model": "m", "id": "1", "choices": [choice], "usage": {"prompt_tokens": 3}}, SOURCE)
    assert stream.reply() == whole
    assert any(isinstance(block, Opaque) for block in whole.message.content)
    assert "".join(b.text for b in whole.message.content if isinstance(b, Reasoning)) == "".join(thoughts)
