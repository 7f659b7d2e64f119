"""Laws of the responses API's answers: whole or streamed they say the same, they go back as they came, none breaks us."""

import json

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.providers import wire

from par.calls import ModelCall
from par.errors import ModelError
from par.messages import User
from par.providers._openai_profile import Profile
from par.providers._responses_reply import Source, read_response
from par.providers._responses_request import ResponseRequests
from par.providers._responses_stream import ResponseStream
from par.providers._sse import SseEvent

SOURCE = Source(provider="openai", tag="openai-responses", new_id=lambda: "made")
PROFILE = Profile(verbatim_arguments=True)

# "no surrogates": they have no UTF-8
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def _parts(kind, field):
    return st.builds(lambda text: {"type": kind, field: text}, TEXT)


def _item(kind, **fields):
    return st.fixed_dictionaries({"type": st.just(kind), **fields}, optional={"status": st.just("completed")})


SPOKEN = st.lists(_parts("output_text", "text") | _parts("refusal", "refusal"), max_size=3)
THOUGHTS = {
    "summary": st.lists(_parts("summary_text", "text"), max_size=3),
    "encrypted_content": st.just("secret"),
}
ARGUMENTS = st.dictionaries(TEXT, st.integers() | TEXT, max_size=3).map(
    lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
)
ITEMS = st.lists(
    _item("message", role=st.just("assistant"), content=SPOKEN)
    | _item("reasoning", **THOUGHTS)
    | _item("function_call", name=st.just("t"), arguments=ARGUMENTS)
    | _item("custom_tool_call", name=st.just("t"), input=TEXT)
    | _item("web_search_call", action=JSON),
    max_size=4,
).map(lambda items: [{**item, "id": f"id_{n}", **_call_id(item, n)} for n, item in enumerate(items)])


def _call_id(item, number):
    return {"call_id": f"call_{number}"} if item["type"].endswith("l_call") or item["type"] == "function_call" else {}


def _end(items):
    return {"id": "resp_1", "status": "completed", "output": items}


DELTAS = {
    "output_text": ("output_text", "content"),
    "refusal": ("refusal", "content"),
    "summary_text": ("reasoning_summary_text", "summary"),
}


@st.composite
def streams(draw, items):
    """The events of these items: their texts cut, the items in turn, some things left out."""
    lines = [draw(_events_of(item, index)) for index, item in enumerate(items)]
    events = []
    while any(lines):
        line = draw(st.sampled_from([line for line in lines if line]))
        events.append(line.pop(0))
    done = [event for event in events if event["type"] == "response.output_item.done"]
    left_out = len(done) == len(items) and draw(st.booleans())
    return [*events, {"type": "response.completed", "response": _end([] if left_out else items)}]


@st.composite
def _events_of(draw, item, index):
    empty = {
        name: [] if name in ("content", "summary") else "" for name in ("content", "summary", "arguments", "input")
    }
    begun = {**item, **{name: value for name, value in empty.items() if name in item}}
    events = [{"type": "response.output_item.added", "output_index": index, "item": begun}]
    for kind, number, text in _texts(item):
        for piece in wire.cut_at(text, draw(st.lists(st.integers(0, 8), max_size=2))):
            events.append({
                "type": f"response.{kind}.delta",
                "output_index": index,
                "summary_index" if "summary" in kind else "content_index": number,
                "delta": piece,
            })
    if draw(st.booleans()):
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    return events


def _texts(item):
    for name in ("summary", "content"):
        for number, part in enumerate(item.get(name, [])):
            yield DELTAS[part["type"]][0], number, part.get("text", part.get("refusal"))
    if "arguments" in item:
        yield "function_call_arguments", 0, item["arguments"]
    if "input" in item:
        yield "custom_tool_call_input", 0, item["input"]


def _read(events):
    stream, seen = ResponseStream(SOURCE), wire.Seen()
    for event in events:
        seen.deltas.extend(stream.feed(SseEvent("", json.dumps(event).encode())))
    seen.deltas.extend(stream.finish())
    return stream.reply(), seen


@settings(max_examples=50)
@given(data=st.data(), items=ITEMS)
def test_a_streamed_response_is_the_whole_one_and_is_what_was_shown(data, items):
    events = data.draw(streams(items))

    reply, seen = _read(events)

    assert reply == attrs.evolve(read_response(_end(items), SOURCE), details=reply.details)
    assert _restarted(seen) or _sorted(seen.joined()) == _sorted(wire.shown(reply))


def _sorted(said):
    """What was said, with the calls in any order: their deltas are told apart by their ids."""
    return {**said, "uses": sorted(said["uses"], key=str)}


def _restarted(seen):
    return any(type(delta).__name__ == "StreamRestarted" for delta in seen.deltas)


@settings(max_examples=50)
@given(items=ITEMS)
def test_a_response_goes_back_item_by_item(items):
    reply = read_response(_end(items), SOURCE)

    body = ResponseRequests("m", tag=SOURCE.tag, profile=PROFILE).body(ModelCall(model="m", messages=(reply.message,)))

    while items and items[-1]["type"] == "reasoning":
        items.pop()
    assert body["input"] == items


ODD_ITEMS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["message", "reasoning", "function_call", "custom_tool_call", "x"])},
        optional={
            name: JSON | st.lists(st.fixed_dictionaries({"type": st.sampled_from(["output_text", "summary_text"])}))
            for name in ("id", "role", "content", "summary", "arguments", "input", "name", "call_id", "status")
        },
    )
    | JSON,
    max_size=4,
)


@settings(max_examples=50)
@given(
    body=st.fixed_dictionaries({"output": ODD_ITEMS | JSON}, optional=dict.fromkeys(("error", "usage", "status"), JSON))
)
def test_no_answer_breaks_us(body):
    try:
        reply = read_response(body, SOURCE)
    except ModelError:
        return
    requests = ResponseRequests("m", tag=SOURCE.tag, profile=PROFILE)
    requests.body(ModelCall(model="m", messages=(reply.message, User(()))))


@settings(max_examples=50)
@given(
    events=st.lists(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from([
                    "response.output_item.added",
                    "response.output_item.done",
                    "response.output_text.delta",
                    "response.output_text.done",
                    "response.content_part.added",
                    "response.content_part.done",
                    "response.function_call_arguments.delta",
                    "response.function_call_arguments.done",
                    "response.custom_tool_call_input.delta",
                    "response.reasoning_summary_text.delta",
                    "response.output_text.annotation.added",
                ])
            },
            optional={
                "output_index": st.integers(0, 2) | JSON,
                "content_index": st.integers(0, 2) | JSON,
                "item_id": TEXT | JSON,
                "delta": TEXT | JSON,
                "text": TEXT | JSON,
                "arguments": TEXT | JSON,
                "part": JSON,
                "annotation": JSON,
                "item": ODD_ITEMS.map(lambda items: items[0] if items else None),
            },
        ),
        max_size=8,
    ),
    output=ODD_ITEMS,
)
def test_no_stream_breaks_us_and_what_is_shown_is_what_is_returned(events, output):
    last = {"type": "response.completed", "response": {"output": output}}

    reply, seen = _read([*events, last])

    if not _restarted(seen):
        assert seen.joined()["text"] == reply.message.text
