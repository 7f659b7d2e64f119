"""Streams of the responses API: every event, in any order, cut anywhere."""

import json

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.providers import wire

from par import errors
from par.deltas import ReasoningDelta, StreamRestarted, TextDelta, ToolUseDelta
from par.messages import Opaque, Reasoning, Text, ToolUse
from par.providers._responses_reply import Source, read_response
from par.providers._responses_stream import ResponseStream
from par.providers._sse import SseEvent, SseReader
from par.providers.openai import OpenAI

pytestmark = pytest.mark.anyio


def event(kind, **fields):
    return {"type": f"response.{kind}", **fields}


def text(text_="hi", id_="msg_1", **fields):
    part = {"type": "output_text", "text": text_, "annotations": [], **fields}
    return {"type": "message", "id": id_, "role": "assistant", "status": "completed", "content": [part]}


def thoughts(*summary, **fields):
    parts = [{"type": "summary_text", "text": part} for part in summary]
    return {"type": "reasoning", "id": "rs_1", "summary": parts, **fields}


def call(call_id="call_1", arguments='{"x":1}', id_="fc_1", **fields):
    item = {"type": "function_call", "id": id_, "status": "completed", "name": "t", "arguments": arguments}
    return {**item, **({} if call_id is None else {"call_id": call_id}), **fields}


def ended(*items, kind="completed", **fields):
    body = {"id": "resp_1", "model": "gpt-x-2", "status": kind, "store": False, "output": list(items), **fields}
    return event(kind, response=body)


def added(item, index=0):
    """The event with which an item begins: nothing is in it yet."""
    empty = {"content": [], "summary": [], "arguments": "", "input": "", "status": "in_progress"}
    return event(
        "output_item.added", output_index=index, item={**item, **{k: v for k, v in empty.items() if k in item}}
    )


def done(item, index=0):
    return event("output_item.done", output_index=index, item=item)


def delta(kind, piece, index=0, **fields):
    return event(f"{kind}.delta", output_index=index, delta=piece, **fields)


def streamed(item, index, *pieces):
    """All events of an item whose text comes in pieces."""
    kind = {
        "message": "output_text",
        "reasoning": "reasoning_summary_text",
        "function_call": "function_call_arguments",
        "custom_tool_call": "custom_tool_call_input",
    }[item["type"]]
    return [added(item, index), *(delta(kind, piece, index) for piece in pieces), done(item, index)]


async def stream(*payloads, name="gpt-x"):
    server, body = wire.serve_sse(*payloads)
    seen = wire.Seen()
    try:
        reply = await OpenAI(name, server.openai(), api="responses")(wire.hello(stream=True, emit=seen))
    finally:
        assert body.closed
    assert not any(isinstance(d, StreamRestarted) for d in seen.deltas)
    assert seen.joined() == wire.shown(reply)
    return reply, seen.deltas


def whole(end):
    """The reply that the same response is when it comes whole."""
    return read_response(end["response"], Source(provider="openai", tag="openai-responses"))


# --- what is shown ------------------------------------------------------------------------------------------


async def test_pieces_of_text_are_shown_as_they_come():
    end = ended(text("Hello."))

    reply, deltas = await stream(
        event("created", response={}), event("in_progress"), *streamed(text("Hello."), 0, "Hel", "lo."), end
    )

    assert deltas == [TextDelta("Hel"), TextDelta("lo.")]
    assert reply == whole(end)
    assert reply.message.text == "Hello."


async def test_a_summary_and_open_thoughts_are_reasoning():
    item = thoughts("ab", "c", content=[{"type": "reasoning_text", "text": "d"}])

    reply, deltas = await stream(
        added(item),
        event(
            "reasoning_summary_part.added", output_index=0, summary_index=0, part={"type": "summary_text", "text": ""}
        ),
        delta("reasoning_summary_text", "a", summary_index=0),
        delta("reasoning_summary_text", "b", summary_index=0),
        delta("reasoning_summary_text", "c", summary_index=1),
        delta("reasoning_text", "d", content_index=0),
        done(item),
        ended(item),
    )

    assert deltas == [ReasoningDelta("a"), ReasoningDelta("b"), ReasoningDelta("c"), ReasoningDelta("d")]
    assert reply.message.content[:3] == (Reasoning("ab"), Reasoning("c"), Reasoning("d"))


async def test_a_refusal_is_shown_as_text():
    item = {**text(), "content": [{"type": "refusal", "refusal": "No."}]}

    reply, deltas = await stream(added(item), delta("refusal", "N"), delta("refusal", "o."), done(item), ended(item))

    assert deltas == [TextDelta("N"), TextDelta("o.")]
    assert reply.finish == "content_filter"


async def test_calls_whose_pieces_come_in_turn_are_told_apart():
    first, second = call("a", '{"x":1}'), call("b", '{"y":2}', "fc_2")

    reply, deltas = await stream(
        added(first, 0),
        added(second, 1),
        delta("function_call_arguments", '{"x"', 0),
        delta("function_call_arguments", '{"y"', 1),
        delta("function_call_arguments", ":1}", 0),
        delta("function_call_arguments", ":2}", 1),
        done(second, 1),
        done(first, 0),
        ended(first, second),
    )

    assert reply.message.tool_uses == (ToolUse("a", "t", {"x": 1}), ToolUse("b", "t", {"y": 2}))
    assert [d.id for d in deltas] == ["a", "b", "a", "b", "a", "b"]
    assert reply.finish == "tool_uses"


async def test_the_text_of_a_custom_call_is_shown_as_the_argument_that_it_becomes():
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "sql", "input": 'a "b"\nc'}

    reply, deltas = await stream(*streamed(item, 0, "a ", '"b"\n', "c"), ended(item))

    assert json.loads("".join(d.arguments for d in deltas)) == {"input": 'a "b"\nc'}
    assert reply.message.tool_uses == (ToolUse("c", "sql", {"input": 'a "b"\nc'}),)


@pytest.mark.parametrize("call_id", [None, ""])
async def test_a_call_without_an_id_gets_one_that_its_deltas_have_too(call_id):
    item = call(call_id)

    reply, deltas = await stream(
        *streamed(item, 0, '{"x":1}'), *streamed(call("b"), 1, '{"x":1}'), ended(item, call("b"))
    )

    made, other = [use.id for use in reply.message.tool_uses]
    assert made
    assert other == "b"
    assert {d.id for d in deltas} == {made, "b"}


# --- servers that leave things out --------------------------------------------------------------------------


async def test_a_refusal_that_comes_whole_is_shown():
    item = {**text(), "content": [{"type": "refusal", "refusal": "No."}]}

    _, deltas = await stream(done(item), ended(item))

    assert deltas == [TextDelta("No.")]


async def test_what_was_not_streamed_is_shown_when_it_comes_whole():
    items = thoughts("hm"), text("a"), call()
    shown = [ReasoningDelta("hm"), TextDelta("a"), ToolUseDelta(id="call_1", name="t", arguments='{"x":1}')]

    for events in ([done(item, n) for n, item in enumerate(items)], []):
        reply, deltas = await stream(*events, ended(*items))

        assert [d for d in deltas if not (isinstance(d, ToolUseDelta) and not d.arguments)] == shown
        assert reply == whole(ended(*items))


@pytest.mark.parametrize(
    ("more", "item"),
    [
        (event("output_text.done", output_index=0, content_index=0, text="abc"), text("abc")),
        (event("content_part.done", output_index=0, content_index=0, part=text("abc")["content"][0]), text("abc")),
        (done(text("abc")), text("abc")),
    ],
)
async def test_the_rest_of_a_text_is_shown_when_it_comes_whole(more, item):
    reply, deltas = await stream(added(item), delta("output_text", "a"), more, ended(item))

    assert "".join(d.text for d in deltas) == "abc"
    assert reply.message.text == "abc"


WHOLE_TEXTS = [
    ("output_text", {"text": "ab"}, text("ab"), TextDelta("b")),
    ("refusal", {"refusal": "ab"}, {**text(), "content": [{"type": "refusal", "refusal": "ab"}]}, TextDelta("b")),
    ("reasoning_summary_text", {"text": "ab"}, thoughts("ab"), ReasoningDelta("b")),
    (
        "reasoning_text",
        {"text": "ab"},
        thoughts(content=[{"type": "reasoning_text", "text": "ab"}]),
        ReasoningDelta("b"),
    ),
    (
        "function_call_arguments",
        {"arguments": "ab"},
        call(arguments="ab"),
        ToolUseDelta(id="call_1", name="t", arguments="b"),
    ),
    (
        "custom_tool_call_input",
        {"input": "ab"},
        {"type": "custom_tool_call", "id": "c", "call_id": "call_1", "name": "t", "input": "ab"},
        ToolUseDelta(id="call_1", name="t", arguments="b"),
    ),
]


@pytest.mark.parametrize(("kind", "fields", "item", "rest"), WHOLE_TEXTS, ids=[kind for kind, *_ in WHOLE_TEXTS])
def test_each_kind_of_text_is_completed_by_its_own_event(kind, fields, item, rest):
    stream_ = ResponseStream(Source(provider="openai", tag="openai-responses"))

    for begun in (added(item), delta(kind, "a")):
        stream_.feed(SseEvent("", json.dumps(begun).encode()))

    whole_text = json.dumps(event(f"{kind}.done", output_index=0, **fields)).encode()
    assert list(stream_.feed(SseEvent("", whole_text))) == [rest]


async def test_a_response_that_ends_without_its_output_has_what_was_streamed():
    items = thoughts("hm", encrypted_content="e"), text("a"), {"type": "web_search_call", "id": "ws_1"}, call()

    reply, _ = await stream(*(done(item, n) for n, item in enumerate(items)), ended())

    assert reply == whole(ended(*items))


async def test_items_that_were_only_begun_are_built_from_their_pieces():
    annotation = {"type": "url_citation", "url": "https://x"}
    part = {"type": "output_text", "text": "", "annotations": []}

    reply, _ = await stream(
        added(thoughts("x"), 0),
        delta("reasoning_summary_text", "hm", 0, summary_index=0),
        added(text("x"), 1),
        event("content_part.added", output_index=1, content_index=0, part=part),
        delta("output_text", "a", 1, content_index=0),
        event("output_text.annotation.added", output_index=1, content_index=0, annotation=annotation),
        added(call(), 2),
        delta("function_call_arguments", '{"x":1}', 2),
        ended(),
    )

    blocks = [block for block in reply.message.content if not isinstance(block, Opaque)]
    assert blocks == [Reasoning("hm"), Text("a"), ToolUse("call_1", "t", {"x": 1})]
    assert reply.message.content[3].data["item"]["content"] == [{"type": "output_text", "annotations": [annotation]}]


async def test_pieces_before_their_item_are_not_lost():
    reply, deltas = await stream(delta("function_call_arguments", '{"x"'), *streamed(call(), 0, ":1}"), ended(call()))

    assert reply.message.tool_uses == (ToolUse("call_1", "t", {"x": 1}),)
    assert "".join(d.arguments for d in deltas) == '{"x":1}'


async def test_items_without_a_place_are_told_apart_by_their_ids():
    def bare(events, item):
        return [{**{k: v for k, v in e.items() if k != "output_index"}, "item_id": item["id"]} for e in events]

    first, second = text("ab"), call()

    events = zip(
        bare(streamed(first, 0, "a", "b"), first), bare(streamed(second, 1, '{"x"', ":1}"), second), strict=True
    )

    reply, _ = await stream(*[one for pair in events for one in pair], ended())

    assert reply == whole(ended(first, second))


async def test_the_thoughts_of_the_done_event_are_those_that_are_kept():
    early = thoughts(encrypted_content="early")

    reply, _ = await stream(
        added(early), done({**early, "encrypted_content": "right"}), ended({**early, "encrypted_content": "late"})
    )

    assert reply.message.content[0].data["item"]["encrypted_content"] == "right"


async def test_what_the_end_adds_to_an_item_is_kept_and_so_is_an_item_that_was_not_streamed():
    first, other = text("a"), text("b", "msg_2")

    reply, deltas = await stream(*streamed(first, 0, "a"), ended(other, {**first, "phase": "final_answer"}))

    assert [block.text for block in reply.message.content if isinstance(block, Text)] == ["a", "b"]
    assert reply.message.content[1].data["item"]["phase"] == "final_answer"
    assert deltas == [TextDelta("a"), TextDelta("b")]


async def test_items_whose_ids_differ_or_are_missing_at_the_end_are_matched_by_type_and_place():
    def bare(item):
        return {name: value for name, value in item.items() if name != "id"}

    first, second = thoughts("hm"), text("a")
    streamed_ = [*streamed(first, 0, "hm"), *streamed(second, 1, "a")]
    ends = [
        ([{**first, "id": "rs_9"}, {**second, "id": "msg_9"}], streamed_),
        ([bare(first), bare(second)], streamed_),
        ([bare(second), bare(first)], streamed_),
    ]

    for end, events in ends:
        reply, _ = await stream(*events, ended(*end))

        assert [b for b in reply.message.content if not isinstance(b, Opaque)] in (
            [Reasoning("hm"), Text("a")],
            [Text("a"), Reasoning("hm")],
        )


async def test_a_stream_that_the_whole_response_contradicts_is_shown_anew():
    server, _ = wire.serve_sse(added(text()), delta("output_text", "wrong"), ended(text("right")))
    seen = wire.Seen()

    reply = await OpenAI("gpt-x", server.openai(), api="responses")(wire.hello(stream=True, emit=seen))

    assert reply.message.text == "right"
    assert isinstance(seen.deltas[1], StreamRestarted)
    assert seen.deltas[2:] == [TextDelta("right")]


async def test_unknown_events_change_nothing_and_unknown_items_are_kept():
    item = {"type": "hologram", "id": "h_1", "light": [1, 2]}

    reply, deltas = await stream(
        event("hologram.delta", output_index=0, delta="x"),
        event("image_generation_call.partial_image", output_index=1, partial_image_b64="QUJD"),
        {"type": "keepalive", "sequence_number": 3},
        {"no": "type"},
        done(item, 0),
        *streamed(text("a"), 1, "a"),
        ended(item, text("a")),
    )

    assert reply.message.content[0] == Opaque("openai-responses", item)
    assert deltas == [TextDelta("a")]


@pytest.mark.parametrize(
    "odd",
    [
        event("output_item.added"),
        event("output_item.done", output_index=None, item=[]),
        event("output_item.added", output_index=True, item={"type": 1}),
        event("output_text.delta", delta=None),
        event("output_text.done", output_index="x", text=1),
        event("content_part.added", part=None),
        event("output_text.annotation.added"),
        event("function_call_arguments.delta", output_index=9, delta="{"),
    ],
)
async def test_an_event_of_an_odd_shape_breaks_nothing(odd):
    reply, _ = await stream(odd, *streamed(text("a"), 3, "a"), ended(text("a")))

    assert reply.message.text == "a"


# --- ends ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "finish"), [("max_output_tokens", "length"), ("content_filter", "content_filter"), (None, "length")]
)
async def test_an_incomplete_response_says_why(reason, finish):
    end = ended(text("a"), kind="incomplete", incomplete_details={"reason": reason})

    reply, _ = await stream(*streamed(text("a"), 0, "a"), end)

    assert reply.finish == finish
    assert reply == whole(end)


async def test_a_call_that_the_limit_cut_is_malformed():
    cut = call(arguments='{"x', status="incomplete")

    reply, _ = await stream(added(cut), delta("function_call_arguments", '{"x'), ended(cut, kind="incomplete"))

    assert reply.message.tool_uses == (ToolUse("call_1", "t", {}, malformed='{"x'),)
    assert reply.finish == "length"


SERVER_ERROR = {"code": "server_error", "message": "it broke"}


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (ended(kind="failed", error=SERVER_ERROR), errors.ServerFailed),
        (ended(kind="failed", error={"code": "rate_limit_exceeded", "message": "slow"}), errors.RateLimited),
        (ended(kind="cancelled"), errors.StreamInterrupted),
        ({"type": "error", "code": "server_error", "message": "it broke"}, errors.ServerFailed),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "slow"}, errors.RateLimited),
        ({"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}, errors.RequestRejected),
        ({"error": SERVER_ERROR}, errors.ServerFailed),
        ({"type": "response.error", "error": SERVER_ERROR}, errors.ServerFailed),
        ("{", errors.UnreadableReply),
    ],
)
async def test_an_event_that_the_call_failed_is_its_error(last, kind):
    with pytest.raises(errors.ModelError) as caught:
        await stream(*streamed(text("a"), 0, "a"), last)

    assert type(caught.value) is kind


@pytest.mark.parametrize("events", [[], streamed(text("a"), 0, "a"), [*streamed(text("a"), 0, "a"), "[DONE]"]])
async def test_a_stream_without_its_last_event_is_no_answer(events):
    with pytest.raises(errors.StreamInterrupted):
        await stream(*events)


async def test_nothing_after_the_last_event_is_waited_for():
    text_ = "".join(f"data: {json.dumps(e)}\n\n" for e in [*streamed(text("a"), 0, "a"), ended(text("a"))])
    server, body = wire.serve_stream(text_.encode(), anyio.sleep_forever)

    reply = await OpenAI("gpt-x", server.openai(), api="responses")(wire.hello(stream=True))

    assert reply.message.text == "a"
    assert body.closed


async def test_cancelling_closes_the_stream():
    begun = anyio.Event()

    async def hang():
        begun.set()
        await anyio.sleep_forever()

    server, body = wire.serve_stream(f"data: {json.dumps(added(text()))}\n\n".encode(), hang)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(OpenAI("gpt-x", server.openai(), api="responses"), wire.hello(stream=True))
        await begun.wait()
        tasks.cancel_scope.cancel()

    assert body.closed


# --- cuts ---------------------------------------------------------------------------------------------------

LONG = [
    *streamed(thoughts("hm", "ähm"), 0, "hm"),
    *streamed(text("Grüße 👋"), 1, "Grü", "ße ", "👋"),
    done({"type": "web_search_call", "id": "ws_1", "action": {"query": "ß"}}, 2),
    *streamed(call(arguments='{"x":"ö"}'), 3, '{"x"', ':"ö"}'),
]
LAST = ended(*[e["item"] for e in LONG if e["type"] == "response.output_item.done"])
RAW = "".join(f"event: {e['type']}\ndata: {json.dumps(e, ensure_ascii=False)}\n\n" for e in [*LONG, LAST]).encode()


def read(pieces):
    stream_, reader, deltas = ResponseStream(Source(provider="openai", tag="openai-responses")), SseReader(), []
    for piece in pieces:
        for event_ in reader.feed(piece):
            deltas.extend(stream_.feed(event_))
    deltas.extend(stream_.finish())
    return stream_.reply(), deltas


def test_a_stream_gives_the_reply_of_the_whole_response():
    assert read([RAW])[0] == whole(LAST)


@pytest.mark.parametrize("size", [1, 3, 7, 64])
def test_pieces_of_any_size_give_the_same_reply(size):
    assert read(wire.cut(RAW, size)) == read([RAW])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, len(RAW)), max_size=30))
def test_cuts_anywhere_give_the_same_reply(places):
    assert read(wire.cut_at(RAW, places)) == read([RAW])
