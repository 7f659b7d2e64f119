"""Every recorded conversation of the messages API: what we send, what we read, and what goes back.

The request of each is read into par's values by what those values can say; what they cannot is ``Settings.extra``, an
``Opaque`` block, or an entry of ``Settings.provider_tools``. Then our adapter sends it to a server that answers as the
recorded one did.
"""

import pytest
from unit.providers import wire
from unit.providers.replay import kept, normalise, rows
from unit.providers.replay.messages import whole_of

from par import errors
from par.calls import ModelCall, OutputSpec, Settings, ToolNames, ToolSpec
from par.deltas import TextDelta
from par.messages import (
    Assistant,
    Document,
    Image,
    Opaque,
    Reasoning,
    System,
    Text,
    ToolResult,
    ToolResults,
    ToolUse,
    User,
)
from par.providers._anthropic_request import MessageRequests
from par.providers.anthropic import Anthropic

API = "anthropic-messages"
EVERY = rows.parameters(API)
ANSWERED = rows.parameters(API, lambda row: row.status == 200)
FAILED = rows.parameters(API, lambda row: row.status != 200)


def goes_on(row):
    """Whether the next request has the answer in its history."""
    if row.status != 200 or row.following is None:
        return False
    asked = row.request["messages"]
    later = row.following["messages"]
    return later[: len(asked)] == asked and later[len(asked) :][:1] != []


FOLLOWED = rows.parameters(API, goes_on)

NOT_KEPT = {
    ".type": "that a message is a message",
    ".role": "that a message is the assistant's",
    ".content[].type": "the kind of a block that par has a class for: it is the class",
}
"""Values of an answer that a reply does not keep, and what they say."""

# --- from the wire to par's values ------------------------------------------------------------------------------

_BLOCK_FIELDS = {
    "text": {"type", "text"},
    "thinking": {"type", "thinking", "signature"},
    "tool_use": {"type", "id", "name", "input"},
}
_RESULT_FIELDS = {"type", "tool_use_id", "content", "is_error"}
_SETTINGS = {
    "max_tokens",
    "messages",
    "model",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
}


def opaque(data):
    return Opaque("anthropic", data)


def user_block(block):
    match block:
        case {"type": "text", "text": text, **more} if not more:
            return Text(text)
        case {"type": "image", "source": {"type": "url", "url": url}, **more} if not more:
            return Image(url=url)
        case {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}, **more} if not more:
            return Image(base64=data, media_type=kind)
        case {"type": "document", "source": {"type": "url", "url": url}, **more} if not more:
            return Document(url=url)
        case {"type": "document", "source": {"type": "base64", "media_type": kind, "data": data}, **more} if not more:
            return Document(base64=data, media_type=kind)
        case {"type": "document", "source": {"type": "file", "file_id": file_id}, **more} if not more:
            return Document(file_id=file_id)
        case _:
            return opaque(block)


def assistant_blocks(block):
    fields = _BLOCK_FIELDS.get(block["type"])
    match block:
        case _ if fields is None:
            yield opaque(block)
            return
        case {"type": "text"}:
            yield Text(block["text"])
        case {"type": "thinking"}:
            yield Reasoning(block["thinking"], block.get("signature"))
        case {"type": "tool_use"}:
            yield ToolUse(block["id"], block["name"], block["input"])
    more = {key: value for key, value in block.items() if key not in fields}
    if more:
        yield opaque({"fields": more, "of": block["type"]})


def tool_result(block, names):
    content = block.get("content", "")
    text, shown = content, ()
    if isinstance(content, list):
        first, *others = content or [{}]
        plain = first.get("type") == "text" and set(first) == {"type", "text"}
        text = first["text"] if plain else ""
        blocks = others if plain else content
        shown = tuple(opaque(b) if b.get("type") == "text" else user_block(b) for b in blocks)
    more = {key: value for key, value in block.items() if key not in _RESULT_FIELDS}
    return ToolResult(
        tool_use_id=block["tool_use_id"],
        name=names.get(block["tool_use_id"], ""),
        content=text,
        outcome="failed" if block.get("is_error") else "done",
        blocks=(*shown, opaque({"result": more})) if more else shown,
    )


def blocks_of(content):
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def messages_of(request):
    for block in blocks_of(request.get("system") or []):
        if set(block) == {"type", "text"}:
            yield System(block["text"])
    names = {}
    for message in request["messages"]:
        content = blocks_of(message["content"])
        names |= {b["id"]: b["name"] for b in content if b["type"] == "tool_use"}
        if message["role"] == "assistant":
            yield Assistant(tuple(part for block in content for part in assistant_blocks(block)))
        elif message["role"] != "user":
            yield User((opaque(message),))
        else:
            results = [b for b in content if b["type"] == "tool_result"]
            if results:
                yield ToolResults(tuple(tool_result(b, names) for b in results))
            others = [b for b in content if b["type"] != "tool_result"]
            if others:
                yield User(tuple(map(user_block, others)))


def call_of(request):
    """Return the neutral call that says what the recorded request says."""
    specs, provided, extra = [], [], {k: v for k, v in request.items() if k not in _SETTINGS}
    for tool in request.get("tools", []):
        if "input_schema" not in tool:
            provided.append(opaque(tool))
            continue
        specs.append(
            ToolSpec(
                name=tool["name"],
                description=tool.get("description", ""),
                parameters=tool["input_schema"],
                strict=tool.get("strict"),
            )
        )
        more = {k: v for k, v in tool.items() if k not in ("name", "description", "input_schema", "strict")}
        if more:
            provided.append(opaque({"name": tool["name"], **more}))
    if any(set(block) != {"type", "text"} for block in blocks_of(request.get("system") or [])):
        extra["system"] = request["system"]
    choice = request.get("tool_choice", {"type": "auto"})
    config = dict(extra.get("output_config", {}))
    output = config.pop("format", None)
    if "output_config" in extra:
        extra["output_config"] = config
        if not config:
            del extra["output_config"]
    return ModelCall(
        model=request["model"],
        messages=tuple(messages_of(request)),
        tools=tuple(specs),
        output=None if output is None else OutputSpec(name="Output", schema=output["schema"]),
        stream=bool(request.get("stream")),
        settings=Settings(
            max_tokens=request["max_tokens"],
            temperature=request.get("temperature"),
            top_p=request.get("top_p"),
            stop=tuple(request.get("stop_sequences", ())),
            tool_choice={"any": "required", "tool": ToolNames(choice.get("name", "?"))}.get(
                choice["type"], choice["type"]
            ),
            parallel_tool_uses=not choice.get("disable_parallel_tool_use", False),
            provider_tools=tuple(provided),
            extra=extra,
        ),
    )


# --- what may differ --------------------------------------------------------------------------------------------


def content_is_blocks(body):
    """Text alone, as the content of a message or a result or as instructions, is one block of text; none is none."""

    def change(value):
        for key in ("content", "system"):
            if isinstance(value.get(key), str):
                value = {**value, key: blocks_of(value[key]) if value[key] else []}
        return value

    return normalise.walked(body, change)


def the_model_may_choose_by_default(body):
    """``"tool_choice": {"type": "auto"}`` is what its absence means."""
    return {key: value for key, value in body.items() if not (key == "tool_choice" and value == {"type": "auto"})}


def tools_follow_in_any_order(body):
    """The tools are a set: names tell them apart. Ours come before the provider's."""
    if "tools" not in body:
        return body
    return {**body, "tools": sorted(body["tools"], key=lambda tool: tool["name"])}


def results_are_no_errors_by_default(body):
    """``"is_error": false`` is what its absence means."""

    def change(value):
        if value.get("type") == "tool_result" and value.get("is_error") is False:
            return {key: item for key, item in value.items() if key != "is_error"}
        return value

    return normalise.walked(body, change)


SEEN = (
    normalise.not_streaming_is_the_default,
    content_is_blocks,
    the_model_may_choose_by_default,
    tools_follow_in_any_order,
)
"""Each of these there is in the recordings."""

RULES = (normalise.null_is_absent, normalise.not_strict_is_the_default, results_are_no_errors_by_default, *SEEN)


async def send(row, server, **fields):
    call = call_of(row.request)
    seen = wire.Seen()
    fields = {"model": call.model, "messages": call.messages, "tools": call.tools, "output": call.output, **fields}
    model = Anthropic(row.request["model"], server.anthropic())
    reply = await model(ModelCall(**fields, settings=call.settings, stream=call.stream, emit=seen))
    return reply, seen


# --- the tests --------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("row", EVERY)
async def test_our_request_says_what_was_recorded(row):
    server = row.server()

    try:
        await send(row, server)
    except errors.ModelError:
        assert row.status != 200

    assert normalise.differences(server.body, row.request, RULES) == []


@pytest.mark.anyio
@pytest.mark.parametrize("row", ANSWERED)
async def test_the_answer_is_read_without_loss(row):
    reply, seen = await send(row, row.server())

    message = whole_of(row.events()) if row.streamed else row.json
    assert kept.lost(message, reply, NOT_KEPT) == []
    assert reply.details["usage"] == {key: value for key, value in message["usage"].items() if value is not None}
    if row.streamed:
        assert seen.joined() == wire.shown(reply)
        assert any(isinstance(delta, TextDelta) for delta in seen.deltas)


@pytest.mark.anyio
@pytest.mark.parametrize("row", rows.parameters(API, lambda row: row.streamed))
@pytest.mark.parametrize("seed", rows.SEEDS)
async def test_a_stream_that_is_cut_anywhere_gives_the_same_reply(row, seed):
    whole, _ = await send(row, row.server())
    pieces, seen = await send(row, row.server(seed))

    assert pieces == whole
    assert seen.joined() == wire.shown(whole)


@pytest.mark.anyio
@pytest.mark.parametrize("row", FAILED)
async def test_a_refusal_is_a_typed_error(row):
    with pytest.raises(errors.RequestRejected) as caught:
        await send(row, row.server())

    assert caught.value.status == row.status
    assert caught.value.body == row.json
    assert row.json["error"]["message"] in str(caught.value)
    assert caught.value.request_id == row.json["request_id"]


# --- what goes back ---------------------------------------------------------------------------------------------


def direct_callers_are_the_default(message):
    """The recorded client leaves ``caller`` out of calls that it sends back; we send back what came."""

    def change(value):
        if value.get("caller") == {"type": "direct"}:
            return {key: item for key, item in value.items() if key != "caller"}
        return value

    return normalise.walked(message, change)


def citations_are_off_by_default(message):
    """The recorded client writes ``"citations": null`` into documents that it sends back; we send back what came."""
    return normalise.null_is_absent(message)


BACK = (direct_callers_are_the_default, citations_are_off_by_default)


@pytest.mark.anyio
@pytest.mark.parametrize("row", FOLLOWED)
async def test_the_reply_goes_back_as_the_recorded_client_sent_it_back(row):
    reply, _ = await send(row, row.server())
    history = (*call_of(row.request).messages, reply.message)
    place = len(row.request["messages"])

    sent = MessageRequests("m", 1).body(ModelCall(model="m", messages=history))["messages"]

    recorded = row.following["messages"][place]
    assert normalise.differences(sent[-1], recorded, BACK) == []


@pytest.mark.parametrize("rule", SEEN, ids=lambda rule: rule.__name__)
def test_what_may_differ_does_differ(rule):
    """Without each of the rules there would be a difference."""
    found = rows.rows(API)
    if not found:
        pytest.skip("the recordings are not at hand")
    others = tuple(other for other in RULES if other is not rule)

    bodies = [(MessageRequests(row.request["model"], 1).body(call_of(row.request)), row.request) for row in found]

    assert any(normalise.differences(ours, recorded, others) for ours, recorded in bodies)
