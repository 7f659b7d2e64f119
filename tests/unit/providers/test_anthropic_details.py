"""What the messages API says beside text, thoughts and calls: none of it is lost, and it goes back as it came."""

import json

import pytest
from unit.providers import wire

from par import Agent, Runtime, errors
from par.calls import ModelCall, Settings
from par.codec import decode, encode
from par.messages import Assistant, Opaque, Reasoning, Text, ToolResult, ToolResults, ToolUse, User
from par.providers._anthropic_request import MessageRequests
from par.providers.anthropic import Anthropic

SEARCH = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"type": "web_search_result", "url": "u"}]}
CONTAINER = {"id": "c1", "expires_at": "2026-12-01T00:00:00Z"}


def message(*content, stop="end_turn", **fields):
    return {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x-1",
        "content": list(content),
        "stop_reason": stop,
        "usage": {"input_tokens": 1, "output_tokens": 2},
        **fields,
    }


def start(**fields):
    return {"type": "message_start", "message": {**message(stop=None), **fields}}


def block(index, **content):
    return {"type": "content_block_start", "index": index, "content_block": content}


def delta(index, kind, **fields):
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def end(stop="end_turn", **fields):
    return {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {}, **fields}


STOP = {"type": "message_stop"}


async def whole(body):
    return await Anthropic("claude-x", wire.serve(json_body=body).anthropic())(wire.hello())


async def stream(*events):
    server, _ = wire.serve_sse(*events)
    return await Anthropic("claude-x", server.anthropic())(wire.hello(stream=True))


def sent_back(reply, *after):
    history = (reply.message, *after)
    return MessageRequests("m", 1).body(ModelCall(model="m", messages=history))


@pytest.mark.anyio
async def test_what_is_said_of_the_whole_answer_is_in_its_details():
    usage = {
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
        "server_tool_use": {"web_search_requests": 5},
        "service_tier": "standard",
    }
    edits = {"applied_edits": [{"type": "clear_tool_uses_20250919", "cleared_tool_uses": 2}]}

    reply = await whole(
        message(
            {"type": "text", "text": "hi"},
            stop="stop_sequence",
            stop_sequence="END",
            stop_details=None,
            usage=usage,
            context_management=edits,
        )
    )

    assert reply.details == {
        "id": "m1",
        "stop_reason": "stop_sequence",
        "stop_sequence": "END",
        "usage": usage,
        "context_management": edits,
    }


@pytest.mark.anyio
async def test_a_stream_says_the_same():
    edits = {"applied_edits": []}

    reply = await stream(
        start(usage={"input_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 3}}),
        block(0, type="text", text="hi"),
        end("refusal", context_management=edits, usage={"server_tool_use": {"web_fetch_requests": 1}}),
        STOP,
    )

    assert reply.details["context_management"] == edits
    assert reply.details["usage"] == {
        "input_tokens": 1,
        "cache_creation": {"ephemeral_5m_input_tokens": 3},
        "server_tool_use": {"web_fetch_requests": 1},
    }
    assert reply.finish == "content_filter"


@pytest.mark.anyio
async def test_events_of_kinds_to_come_are_details():
    new = {"type": "message_rated", "stars": 5}

    reply = await stream(start(), {"type": "ping"}, new, block(0, type="text", text="hi"), end(), STOP)

    assert reply.details["events"] == [new]


@pytest.mark.anyio
async def test_the_servers_tools_stay_in_their_place_and_go_back():
    content = [
        {"type": "thinking", "thinking": "", "signature": "sig"},
        {"type": "redacted_thinking", "data": "xyz"},
        SEARCH,
        FOUND,
        {"type": "text", "text": "found", "citations": [{"type": "web_search_result_location", "cited_text": "f"}]},
        {"type": "mcp_tool_use", "id": "m", "name": "n", "server_name": "s", "input": {}},
        {"type": "mcp_tool_result", "tool_use_id": "m", "is_error": False, "content": []},
        {"type": "tool_use", "id": "t", "name": "own", "input": {"x": 1}, "caller": {"type": "direct"}},
    ]

    reply = await whole(message(*content, stop="tool_use"))

    assert [type(b).__name__ for b in reply.message.content] == [
        *("Reasoning", "Opaque", "Opaque", "Opaque", "Text", "Opaque", "Opaque", "Opaque", "ToolUse", "Opaque"),
    ]
    assert sent_back(reply)["messages"][0]["content"] == content
    assert decode(Assistant, encode(reply.message)) == reply.message


@pytest.mark.parametrize(
    ("text", "value"), [('{"query": "q"}', {"query": "q"}), ('{"que', {"malformed": '{"que'}), ("", {})]
)
@pytest.mark.anyio
async def test_the_input_of_a_servers_tool_streams_into_its_block(text, value):
    pieces = [delta(0, "input_json_delta", partial_json=piece) for piece in (text[:3], text[3:])]

    reply = await stream(start(), block(0, **{**SEARCH, "input": {}}), *pieces, end(), STOP)

    assert reply.message.content == (Opaque("anthropic", {**SEARCH, "input": value}),)


@pytest.mark.anyio
async def test_blocks_that_share_a_number_do_not_overwrite_each_other():
    reply = await stream(
        start(),
        block(0, type="text", text=""),
        delta(0, "text_delta", text="a"),
        block(0, type="tool_use", id="t", name="n", input={}),
        delta(0, "input_json_delta", partial_json='{"x": 1}'),
        end("tool_use"),
        STOP,
    )

    assert reply.message.content == (Text("a"), ToolUse("t", "n", {"x": 1}))


@pytest.mark.anyio
async def test_pieces_of_a_block_that_was_not_announced_are_kept():
    reply = await stream(
        start(), delta(3, "signature_delta", signature="s"), delta(4, "text_delta", text="a"), end(), STOP
    )

    assert reply.message.content == (Reasoning("", "s"), Text("a"))


@pytest.mark.anyio
async def test_what_a_message_begins_with_is_part_of_it():
    reply = await stream(start(content=[{"type": "text", "text": "a"}]), block(0, type="text", text="b"), end(), STOP)

    assert reply.message.text == "ab"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.anyio
async def test_the_container_is_kept_and_named_with_the_results_of_tools(streamed):
    use = {"type": "tool_use", "id": "t", "name": "own", "input": {}}
    if streamed:
        last = {"stop_reason": "tool_use", "container": CONTAINER}
        reply = await stream(start(), block(0, **use), {"type": "message_delta", "delta": last}, STOP)
    else:
        reply = await whole(message(use, stop="tool_use", container=CONTAINER))

    results = ToolResults((ToolResult(tool_use_id="t", name="own", content="r"),))
    assert reply.message.content[-1] == Opaque("anthropic", {"container": CONTAINER})
    assert sent_back(reply, results)["container"] == "c1"


@pytest.mark.anyio
async def test_a_run_goes_on_where_the_api_pauses_and_sends_back_what_was_said():
    answers = [
        message(SEARCH, stop="pause_turn", container=CONTAINER),
        message(FOUND, {"type": "text", "text": "so"}, stop="pause_turn", container=CONTAINER),
        message({"type": "text", "text": " it is"}),
    ]
    bodies = []

    def answer():
        bodies.append(json.loads(server.requests[-1].content))
        return wire.httpx2.Response(200, json=answers[len(bodies) - 1])

    server = wire.Server(answer)
    async with Runtime() as runtime:
        result = await runtime.run(Agent(Anthropic("claude-x", server.anthropic())), "search")

    assert result.output == "so it is"
    assert [len(body["messages"]) for body in bodies] == [1, 2, 2]
    assert bodies[1]["messages"][1] == {"role": "assistant", "content": [SEARCH]}
    assert bodies[2]["messages"][1]["content"] == [SEARCH, FOUND, {"type": "text", "text": "so"}]
    assert [body.get("container") for body in bodies] == [None, "c1", "c1"]


def test_a_conversation_of_another_provider_goes_on_here():
    history = (
        User((Text("q"),)),
        Assistant((
            Reasoning("not signed"),
            Opaque("openai-responses", {"type": "reasoning", "encrypted_content": "e"}),
            ToolUse("functions.own:0", "own", {}, malformed="{x"),
        )),
        ToolResults((ToolResult(tool_use_id="functions.own:0", name="own", content="r"),)),
    )

    sent = MessageRequests("m", 1).body(ModelCall(model="m", messages=history))["messages"]

    (use,), (result,) = sent[1]["content"], sent[2]["content"]
    assert (use["type"], use["input"]) == ("tool_use", {"malformed": "{x"})
    assert use["id"] == result["tool_use_id"] != "functions.own:0"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("overloaded_error", errors.Overloaded),
        ("api_error", errors.ServerFailed),
        ("timeout_error", errors.ServerFailed),
        ("rate_limit_error", errors.RateLimited),
        ("authentication_error", errors.AuthenticationFailed),
        ("permission_error", errors.AccessDenied),
        ("billing_error", errors.AccessDenied),
        ("not_found_error", errors.ModelNotFound),
        ("request_too_large", errors.RequestTooLarge),
        ("invalid_request_error", errors.RequestRejected),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.anyio
async def test_each_kind_of_error_has_its_class(kind, error, streamed):
    body = {"type": "error", "error": {"type": kind, "message": "told"}, "request_id": "r"}

    with pytest.raises(error, match="told") as caught:
        await (stream(start(), body) if streamed else whole(body))

    assert type(caught.value) is error
    assert caught.value.request_id == "r"
    assert caught.value.body


@pytest.mark.anyio
async def test_a_prompt_that_is_too_long_is_told_apart():
    body = {"error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"}}

    with pytest.raises(errors.ContextTooLong):
        await whole(body)


@pytest.mark.anyio
async def test_extra_fields_of_the_request_are_sent_as_they_are():
    server = wire.serve(json_body=message({"type": "text", "text": "hi"}))
    servers = [{"type": "url", "url": "https://x", "name": "x"}]

    await Anthropic("claude-x", server.anthropic())(wire.hello(settings=Settings(extra={"mcp_servers": servers})))

    assert server.body["mcp_servers"] == servers
