"""Laws of ThinkTagStrip: however a stream is cut, it shows what is returned, and nothing that was thought."""

import re
from itertools import pairwise

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from par._context import RunContext
from par.calls import ModelCall, ModelReply
from par.deltas import ReasoningDelta, TextDelta
from par.messages import Assistant, Reasoning, Text, User
from par.middleware import ThinkTagStrip

pieces = st.sampled_from([
    "<think>", "</think>", "<thinking>", "</thinking>", "<Reasoning>", "</reasoning>", "<", "</", "<th", "ink>", ">", "/",
    "a", " ", "\n", "word", "<b>", "İ", "K", "think", "<<think>",
])  # fmt: skip
texts = st.lists(pieces, max_size=14).map("".join)
cuts = st.lists(st.integers(0, 10_000), max_size=20)
ONE = r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)"


def cut(text, places):
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in pairwise(edges)]


def through(layer, blocks, chunks):
    shown = []

    async def emit(delta):
        shown.append(delta)

    async def model(call):
        for chunk in chunks:
            await call.emit(TextDelta(chunk))
        return ModelReply(message=Assistant(tuple(Text(block) for block in blocks)))

    call = ModelCall(
        model="m", messages=(User((Text("x"),)),), emit=emit, stream=True, ctx=RunContext.detached()
    )  # fmt: skip
    reply = anyio.run(layer.wrap_model, call, model)
    return reply.message, shown


def joined(shown, kind):
    return "".join(delta.text for delta in shown if isinstance(delta, kind))


@settings(max_examples=400, deadline=None)
@given(texts, cuts, cuts, st.booleans())
def test_what_is_streamed_is_what_is_returned(text, places, more, keep):
    message, shown = through(ThinkTagStrip(keep=keep), cut(text, more), cut(text, places))

    assert joined(shown, TextDelta) == message.text
    thoughts = "".join(block.text for block in message.content if isinstance(block, Reasoning))
    assert joined(shown, ReasoningDelta) == thoughts


def without_tags(text):
    return re.sub(r"\s|</?(think|thinking|reasoning)>", "", text, flags=re.IGNORECASE)


@settings(max_examples=400, deadline=None)
@given(texts, cuts)
def test_what_is_left_is_the_text_without_its_blocks(text, places):
    message, _ = through(ThinkTagStrip(), [text], cut(text, places))

    expected = re.sub(ONE, "", text, flags=re.IGNORECASE | re.ASCII | re.DOTALL)
    assert message.text.split() == expected.split()
    assert message.text.rstrip().endswith(expected.strip())


@settings(max_examples=200, deadline=None)
@given(texts, cuts)
def test_kept_thoughts_and_text_are_all_there_was(text, places):
    message, _ = through(ThinkTagStrip(keep=True), [text], cut(text, places))

    # block by block: the ends of two may come to a tag that neither of them is
    said = "".join(without_tags(block.text) for block in message.content)
    assert said == without_tags(text)
