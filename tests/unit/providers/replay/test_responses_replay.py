"""Every recorded conversation of the responses API, sent and read again."""

import pytest
from unit.providers import wire
from unit.providers.replay import kept
from unit.providers.replay.normalise import differences
from unit.providers.replay.responses_import import API, call_of, tag_of
from unit.providers.replay.responses_rules import RESPONSES
from unit.providers.replay.rows import SEEDS, parameters, rows

from par import errors
from par.calls import ModelCall
from par.providers._openai_profile import Profile
from par.providers._responses_reply import Source, read_response
from par.providers._responses_request import ResponseRequests
from par.providers.openai import OpenAI

pytestmark = pytest.mark.anyio

NOT_KEPT = {
    "instructions": "the request's own",
    "object": "always 'response'",
    "output_text": "a copy of the texts",
    "tools": "the request's own",
}
"""The fields of a response that a reply does not hold."""

NOT_ANSWERED = {
    "/responses/compact": "par has no call that compacts: a layer does, or the API itself when extra has "
    "context_management; its answers are read, and sent back, all the same",
    "/responses/input_tokens": "its answer is a number of tokens, not a reply: see the tests of token counting",
}
"""The addresses that models are not asked at."""


def _responses(row):
    return row.url.endswith("/responses")


def _answered(row):
    return _responses(row) and row.status == 200


def _refused(row):
    return _responses(row) and row.status != 200


def model_of(row, server):
    """Our model at the recorded address."""
    return OpenAI(row.request["model"], server.openai(row.url.removesuffix("/responses")), api="responses")


async def answer(row, seed=None):
    """Send the request again, to a server that answers as recorded; return the reply, the server, what was shown."""
    server, seen = row.server(seed), wire.Seen()
    call = call_of(row.request, tag_of(row.url))
    reply = await model_of(row, server)(ModelCall(**{**_fields(call), "emit": seen}))
    return reply, server, seen


def _fields(call):
    return {name: getattr(call, name) for name in ("model", "messages", "tools", "settings", "output", "stream")}


def recorded_body(row):
    """The response of a row; of a stream the items as they came one by one, which is how they are to be sent back."""
    if not row.streamed:
        return row.json
    events = row.events()
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    order = [event["output_index"] for event in events if event["type"] == "response.output_item.done"]
    return {**events[-1]["response"], "output": [items[order.index(n)] for n in range(len(items))]}


def test_every_recorded_request_is_of_an_address_that_this_file_speaks_of():
    for row in rows(API):
        assert _responses(row) or any(row.url.endswith(path) for path in NOT_ANSWERED)


@pytest.mark.parametrize("row", parameters(API, _answered))
async def test_the_request_is_the_recorded_one(row):
    _, server, _ = await answer(row)

    assert str(server.requests[0].url) == row.url
    assert differences(server.body, row.request, RESPONSES) == []


@pytest.mark.parametrize("row", parameters(API, _answered))
async def test_the_answer_is_read_without_loss(row):
    reply, _, _ = await answer(row)

    body = {name: value for name, value in recorded_body(row).items() if name not in NOT_KEPT}
    assert kept.lost(body, reply) == []
    assert reply.finish == ("tool_uses" if reply.message.tool_uses else "stop")


def _streamed(row):
    return _answered(row) and row.streamed


@pytest.mark.parametrize("row", parameters(API, _streamed))
async def test_a_stream_is_the_same_however_it_is_cut(row):
    reply, _, _ = await answer(row)

    for seed in SEEDS:
        again, _, seen = await answer(row, seed)
        assert again == reply
        assert seen.joined() == wire.shown(reply)


@pytest.mark.parametrize("row", parameters(API, lambda row: _answered(row) and not row.streamed))
async def test_a_whole_answer_is_the_same_however_it_is_cut(row):
    assert (await answer(row, SEEDS[0]))[0] == (await answer(row))[0]


@pytest.mark.parametrize("row", parameters(API, _streamed))
async def test_a_stream_that_is_cut_short_is_an_error(row):
    text = row.text[: row.text.rindex("event: response.completed")] if "event:" in row.text else row.text[:-4000]
    server, body = wire.serve_stream(text.encode())

    with pytest.raises(errors.StreamInterrupted):
        await model_of(row, server)(wire.hello(stream=True))
    assert body.closed


OTHER_HISTORIES = {
    "test_openai_responses__test_openai_responses_thinking_with_modified_history-0": "the answer was rewritten",
    "test_openai_responses__test_openai_responses_phase_streamed_on_part_start-0": "its quotes were straightened",
}
"""Rows whose answer the recorded client did not send back as it was, and why."""


def _followed(row):
    if not _answered(row) or not row.following or row.following.get("previous_response_id"):
        return False
    return len(row.following["input"]) > len(row.request["input"])


@pytest.mark.parametrize("row", parameters(API, _followed, OTHER_HISTORIES))
async def test_the_answer_goes_back_as_the_recorded_client_sent_it(row):
    reply, _, _ = await answer(row)
    requests = ResponseRequests(row.request["model"], tag=tag_of(row.url), profile=Profile())

    ours = requests.body(ModelCall(model="m", messages=(reply.message,)))["input"]

    start = len(row.request["input"])
    theirs = [item for item in row.following["input"][start:] if item != {"role": "assistant", "content": ""}]
    assert [
        differences(_left_out(their, our), their, RESPONSES[:3]) for our, their in zip(ours, theirs, strict=False)
    ] == [[] for _ in ours]
    assert [item.get("role", item.get("type")) for item in theirs[len(ours) :]][:1] in _NEXT


_NEXT = ([], ["user"], ["function_call_output"])


def _left_out(their, our):
    """What our item has, where theirs has something: older versions of the recorded client sent less back."""
    if their.get("role") == "assistant" and isinstance(their["content"], str):
        return {"role": "assistant", "content": "".join(part["text"] for part in our["content"])}
    return {
        key: _left_out(value, our[key]) if isinstance(value, dict) else our.get(key)
        for key, value in their.items()
        if value is not None
    }


@pytest.mark.parametrize("row", parameters(API, _refused))
async def test_a_recorded_error_is_of_the_class_of_its_status(row):
    with pytest.raises(errors.RequestRejected) as caught:
        await answer(row)

    assert row.json["error"]["message"] in str(caught.value)
    assert caught.value.status == row.status
    assert caught.value.body == row.json


@pytest.mark.parametrize("row", parameters(API, lambda row: row.url.endswith("/compact")))
def test_a_compacted_conversation_is_kept_and_sent_back_as_it_is(row):
    reply = read_response(row.json, Source(provider="openai", tag=API))

    requests = ResponseRequests("m", tag=API, profile=Profile())
    body = {name: value for name, value in row.json.items() if name not in NOT_KEPT}
    assert kept.lost(body, reply) == []
    assert requests.body(ModelCall(model="m", messages=(reply.message,)))["input"] == row.json["output"]


PDF = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}
ASKED = {"role": "user", "content": "x"}
SHAPES = {
    "an input that is text": {"input": "hi", "temperature": None, "top_p": 0.5},
    "tools of the provider": {
        "input": [ASKED],
        "tools": [
            {"type": "mcp", "server_label": "a", "server_url": "u"},
            {"type": "code_interpreter", "container": {}},
        ],
        "tool_choice": {"type": "mcp", "server_label": "a", "name": "b"},
        "include": ["code_interpreter_call.outputs"],
    },
    "a format with more to it": {
        "input": [ASKED],
        "text": {"format": {"type": "json_schema", "name": "a", "schema": {}, "strict": True, "description": "d"}},
    },
    "a developer's message": {"input": [ASKED, {"role": "developer", "content": "be kind"}, ASKED]},
    "media": {
        "input": [
            {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,QUJD"}, PDF]},
            {
                "role": "user",
                "content": [{"type": "input_image", "file_id": "f"}, {"type": "input_file", "file_id": "f"}],
            },
        ]
    },
    "items of the provider": {
        "input": [
            ASKED,
            {"type": "code_interpreter_call", "id": "ci", "code": "1", "container_id": "c", "outputs": None},
            {"type": "image_generation_call", "id": "ig", "result": "QUJD", "status": "completed"},
            {"type": "item_reference", "id": "a"},
            {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
            ASKED,
        ]
    },
    "a result that shows": {
        "input": [
            ASKED,
            {"type": "function_call", "call_id": "c", "name": "t", "arguments": "{}"},
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [
                    {"type": "input_text", "text": "see"},
                    {"type": "input_image", "image_url": "https://x"},
                    PDF,
                ],
            },
        ]
    },
    "a custom tool": {
        "input": [
            ASKED,
            {"type": "custom_tool_call", "call_id": "c", "name": "t", "input": "a b"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "z"},
        ],
        "tools": [{"type": "custom", "name": "t"}],
    },
    "extras": {"input": [ASKED], "max_output_tokens": 5, "metadata": {"a": "b"}, "truncation": "auto", "user": "u"},
}
"""Requests that the API takes, and that are not among the recorded ones."""


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_a_request_of_another_shape_comes_through_too(shape):
    body = {"model": "gpt-4.1", **shape}

    ours = ResponseRequests("gpt-4.1", tag=API, profile=Profile()).body(call_of(body, API))

    if isinstance(shape["input"], str):
        body["input"] = [{"role": "user", "content": shape["input"]}]
    assert differences(ours, body, RESPONSES) == []
