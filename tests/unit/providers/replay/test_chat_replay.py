"""Recorded chat completions replay: the same request from neutral values, the same reply however it is cut."""

import json

import attrs
import pytest
from unit.providers import wire
from unit.providers.replay.chat_import import call_of, profile_for
from unit.providers.replay.kept import lost
from unit.providers.replay.normalise import CHAT, differences
from unit.providers.replay.rows import SEEDS, parameters

from par import errors
from par.codec import encode
from par.providers.openai import OpenAI, profile_of

pytestmark = pytest.mark.anyio

API = "openai-chat"

DIFFERENT_REQUEST: dict[str, str] = {}
"""Recorded requests that par cannot make, by row, with the reason: there are none."""

DIFFERENT_ECHO = {
    "test_openai__test_compatible_api_with_tool_calls_without_id-0": "the recorded program left out extra_content, the "
    "signature of the model's thoughts, which Google asks to be sent back",
}
"""Assistant messages that par sends back in another form than the recorded program did, with the reason."""

NO_COMPLETION = {
    "test_openai__test_text_response-0": "a server that answers every request with a line of plain text",
}
"""Recorded answers of status 200 that are no chat completions, with the reason; they are ``UnreadableReply``."""

NOT_KEPT = {
    ".object": "always chat.completion, or chat.completion.chunk",
    ".obfuscation": "padding that hides the length of pieces",
    ".choices[].index": "the place of the choice",
    ".choices[].message.role": "always assistant",
    ".choices[].delta.role": "always assistant",
    ".choices[].message.tool_calls[].type": "always function, where it is not kept",
    ".choices[].delta.tool_calls[].type": "always function, where it is not kept",
    ".choices[].message.tool_calls[].index": "the place of the call",
    ".choices[].delta.tool_calls[].index": "the place of the call",
    ".choices[].finish_reason": "the reply's finish says it, or details where it has no word for it",
}
NOT_KEPT_PATHS = {*NOT_KEPT, *(f"[]{path}" for path in NOT_KEPT)}

FAILURES = {400: errors.RequestRejected, 404: errors.ModelNotFound, 429: errors.RateLimited}


def model_of(row, server):
    profile = profile_for(row.request, profile_of(row.host, row.request["model"]))
    client = server.openai(row.url.removesuffix("/chat/completions"))
    return OpenAI(row.request["model"], client, profile=profile), profile


def tag_of(row):
    return "openai" if row.host == "api.openai.com" else f"openai@{row.host}"


async def answered(row, seed=None, **fields):
    server = row.server(seed)
    model, profile = model_of(row, server)
    reply = await model(attrs.evolve(call_of(row.request, profile, tag_of(row)), **fields))
    return reply, server


def is_good(row):
    return row.status == 200 and row.id not in NO_COMPLETION


def is_echoed(row):
    return is_good(row) and row.following is not None and echo(row) is not None


def echo(row):
    """Return the assistant message that the recorded program sent back for the answer of this row."""
    at = len(row.request["messages"])
    sent = row.following["messages"]
    if len(sent) <= at or sent[:at] != row.request["messages"] or sent[at]["role"] != "assistant":
        return None
    return sent[at]


@pytest.mark.parametrize("row", parameters(API, except_=DIFFERENT_REQUEST))
async def test_the_request_is_the_recorded_one(row):
    server = row.server()
    model, profile = model_of(row, server)

    try:
        await model(call_of(row.request, profile, tag_of(row)))
    except errors.ModelError:
        assert row.status != 200 or row.id in NO_COMPLETION

    assert str(server.requests[0].url) == row.url
    assert differences(server.body, row.request, CHAT) == []


@pytest.mark.parametrize("row", parameters(API, is_good))
async def test_of_the_answer_nothing_is_lost(row):
    reply, _ = await answered(row)

    assert lost(row.events() if row.streamed else row.json, reply, NOT_KEPT_PATHS) == []


CUT = [
    pytest.param(*row.values, seed, marks=row.marks, id=f"{row.id}-{seed}")
    for row in parameters(API, is_good)
    # a whole answer is put together by the HTTP client: one seed shows that the cuts are nothing to us
    for seed in (SEEDS if row.values[0] is None or row.values[0].streamed else SEEDS[:1])
]


@pytest.mark.parametrize(("row", "seed"), CUT)
async def test_an_answer_cut_anywhere_is_the_same(row, seed):
    seen = wire.Seen()
    whole, _ = await answered(row)

    pieces, _ = await answered(row, seed, emit=seen)

    assert without_made_ids(pieces) == without_made_ids(whole)
    if row.streamed:
        assert seen.joined() == wire.shown(whole)


def without_made_ids(reply):
    text = json.dumps(encode(reply))
    for number, use in enumerate(reply.message.tool_uses):
        text = text.replace(use.id, f"made-{number}") if use.id.startswith("call_01") else text
    return text


@pytest.mark.parametrize("row", parameters(API, lambda row: row.streamed and is_good(row)))
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
async def test_a_stream_that_ends_early_is_no_answer(row, part):
    raw = row.raw[: int(len(row.raw) * part)]
    server, body = wire.serve_stream(raw)
    model, profile = model_of(row, server)

    with pytest.raises(errors.StreamInterrupted):
        await model(call_of(row.request, profile, tag_of(row)))
    assert body.closed


@pytest.mark.parametrize("row", parameters(API, is_echoed, except_=DIFFERENT_ECHO))
async def test_the_answer_goes_back_as_it_did(row):
    reply, server = await answered(row)
    model, profile = model_of(row, server)
    call = call_of(row.request, profile, tag_of(row))

    await model(attrs.evolve(call, messages=(*call.messages, reply.message)))

    ours = with_numbered_ids({"messages": [server.body["messages"][-1]]})
    assert differences(ours, with_numbered_ids({"messages": [echo(row)]}), CHAT) == []


def with_numbered_ids(body):
    """Number the ids that were made because the server sent none."""
    for message in body["messages"]:
        for number, call in enumerate(message.get("tool_calls") or []):
            if call["id"].startswith(("call_01", "pyd_ai_")):
                call["id"] = f"made-{number}"
    return body


@pytest.mark.parametrize("row", parameters(API, lambda row: row.status != 200))
async def test_an_error_is_the_right_one_with_its_body(row):
    with pytest.raises(FAILURES[row.status]) as caught:
        await answered(row)

    assert caught.value.body == row.json
    assert caught.value.status == row.status
    assert row.json["error"]["message"] in str(caught.value)


@pytest.mark.parametrize("row", parameters(API, lambda row: row.id in NO_COMPLETION))
async def test_an_answer_that_is_no_completion_is_unreadable(row):
    with pytest.raises(errors.UnreadableReply):
        await answered(row)
