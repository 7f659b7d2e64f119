"""The responses API: whole answers, errors, clients, and changes of provider."""

import httpx2
import pytest
from openai import AsyncAzureOpenAI
from unit.providers import wire

from par import errors
from par.calls import ModelCall, Settings, ToolSpec
from par.events import SettingDropped
from par.messages import Assistant, Image, Opaque, Reasoning, Text, ToolResult, ToolResults, ToolUse, User
from par.providers._openai_profile import Profile
from par.providers.anthropic import Anthropic
from par.providers.openai import OpenAI
from par.usage import Usage

pytestmark = pytest.mark.anyio

TAG = "openai-responses"


def text(text="hi", **fields):
    part = {"type": "output_text", "text": text, "annotations": [], **fields}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def call(call_id="call_1", name="t", arguments='{"x": 1}', **fields):
    item = {"type": "function_call", "id": "fc_1", "status": "completed", "name": name, "arguments": arguments}
    return {**item, **({} if call_id is None else {"call_id": call_id}), **fields}


def response(*items, **fields):
    body = {"id": "resp_1", "object": "response", "model": "gpt-x-2", "status": "completed", "store": False}
    return {**body, "error": None, "output": list(items) or [text()], **fields}


def model(server, name="gpt-x", **options):
    return OpenAI(name, server.openai(), api="responses", **options)


async def whole(*items, headers=None, **fields):
    server = wire.serve(json_body=response(*items, **fields), headers=headers)
    return await model(server)(wire.hello())


def blocks(reply):
    """The blocks but for what only the API reads."""
    return [block for block in reply.message.content if not isinstance(block, Opaque)]


# --- answers ------------------------------------------------------------------------------------------------


async def test_the_request_goes_to_the_clients_server_with_its_key():
    server = wire.serve(json_body=response())

    await OpenAI("gpt-x", server.openai("https://gateway.example/api"), api="responses")(wire.hello())

    request = server.requests[0]
    assert str(request.url) == "https://gateway.example/api/responses"
    assert request.headers["authorization"] == "Bearer sk-testtesttest"
    assert server.body["input"] == [{"role": "user", "content": "hello"}]


async def test_an_answer_carries_text_usage_model_request_id_limits_and_details():
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 15,
        "cost": 0.5,
    }
    headers = {"x-request-id": "r1", "x-ratelimit-remaining-requests": "9", "server": "s"}

    reply = await whole(text(logprobs=[{"token": "hi"}]), usage=usage, headers=headers, service_tier="flex", tools=[{}])

    assert blocks(reply) == [Text("hi")]
    assert reply.finish == "stop"
    assert reply.usage == Usage(
        input_tokens=10, output_tokens=5, reasoning_tokens=3, cache_read_tokens=4, cache_write_tokens=2, requests=1
    )
    assert (reply.model, reply.request_id) == ("gpt-x-2", "r1")
    assert reply.headers == {"x-ratelimit-remaining-requests": "9"}
    assert reply.details == {
        "id": "resp_1",
        "status": "completed",
        "store": False,
        "service_tier": "flex",
        "usage": usage,
        "logprobs": [{"token": "hi"}],
    }


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage(requests=1)),
        ({"input_tokens": "many", "output_tokens": True}, Usage(requests=1)),
        (
            {"output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 5}},
            Usage(output_tokens=7, reasoning_tokens=5, requests=1),
        ),
    ],
)
async def test_odd_usage_is_read_as_far_as_it_goes(usage, expected):
    assert (await whole(usage=usage)).usage == expected


async def test_thoughts_texts_and_calls_keep_their_order():
    thoughts = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}

    reply = await whole(thoughts, text("a"), call(), text("b"), call("call_2", arguments=""))

    assert blocks(reply) == [
        Reasoning("hm"),
        Text("a"),
        ToolUse("call_1", "t", {"x": 1}),
        Text("b"),
        ToolUse("call_2", "t"),
    ]
    assert reply.finish == "tool_uses"


@pytest.mark.parametrize(("first", "second"), [(None, None), ("", ""), ("same", "same")])
async def test_each_call_has_an_id_of_its_own(first, second):
    reply = await whole(call(first), call(second))

    made = [use.id for use in reply.message.tool_uses]
    assert len(set(made)) == 2
    assert all(made)
    assert not first or made[0] == first


@pytest.mark.parametrize("arguments", ['{"city": ', "[1]", '{"a": 1, "a": 2}', "null", '{"x": NaN}'])
async def test_malformed_arguments_spoil_only_their_own_call(arguments):
    reply = await whole(call("a", arguments=arguments), call("b"))

    assert reply.message.tool_uses == (ToolUse("a", "t", {}, malformed=arguments), ToolUse("b", "t", {"x": 1}))


async def test_arguments_that_are_an_object_are_taken_as_they_are():
    assert (await whole(call(arguments={"x": 1}))).message.tool_uses == (ToolUse("call_1", "t", {"x": 1}),)


async def test_a_refusal_is_text_that_the_content_filter_ended():
    reply = await whole({**text(), "content": [{"type": "refusal", "refusal": "No."}]})

    assert blocks(reply) == [Text("No.")]
    assert reply.finish == "content_filter"


@pytest.mark.parametrize(
    ("reason", "items", "finish"),
    [
        ("max_output_tokens", [text()], "length"),
        ("max_output_tokens", [call(arguments='{"x"')], "length"),
        ("content_filter", [text()], "content_filter"),
        (None, [text()], "length"),
    ],
)
async def test_an_incomplete_answer_says_why(reason, items, finish):
    details = None if reason is None else {"reason": reason}

    reply = await whole(*items, status="incomplete", incomplete_details=details)

    assert reply.finish == finish
    assert reply.details["status"] == "incomplete"


async def test_what_par_does_not_know_is_kept_in_its_place_and_sent_back():
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "x"}}
    server = wire.serve(json_body=response(text("a"), search, text("b", annotations=[{"type": "url_citation"}])))

    reply = await model(server)(wire.hello())
    await model(server)(wire.hello(messages=(reply.message,)))

    assert reply.message.content[2] == Opaque(TAG, search)
    assert server.body["input"] == [text("a"), search, text("b", annotations=[{"type": "url_citation"}])]


async def test_what_the_output_holds_of_the_user_is_not_what_the_model_said():
    user = {**text("question"), "role": "user"}

    reply = await whole(user, {"type": "compaction", "id": "cmp_1", "encrypted_content": "e"})

    assert reply.message.text == ""
    assert reply.message.content[0] == Opaque(TAG, user)


async def test_the_id_of_an_answer_that_the_api_keeps_can_be_named_in_the_next_request():
    server = wire.serve(json_body=response(store=True))
    reply = await model(server)(wire.hello())
    more = User((Text("more"),))

    extra = {"previous_response_id": reply.details["id"]}
    await model(server)(wire.hello(messages=(reply.message, more), settings=Settings(extra=extra)))

    assert server.body["previous_response_id"] == "resp_1"
    assert server.body["input"] == [{"role": "user", "content": "more"}]


async def test_half_a_surrogate_pair_becomes_a_replacement_character():
    raw = '{"output": [{"type": "message", "content": [{"type": "output_text", "text": "a\\ud83d"}]}]}'

    reply = await model(wire.serve(text=raw))(wire.hello())

    assert reply.message.text == "a\ufffd"


@pytest.mark.parametrize(
    "body",
    [
        {"output": [None, 1, [], "x", {}, {"type": None}, {"type": "message"}, {"type": "function_call"}]},
        {"output": [{"type": "message", "content": [None, 1, {}, {"type": "output_text"}, {"text": 1}]}]},
        {"output": [{"type": "reasoning", "summary": None, "content": {}}, {"type": "reasoning"}]},
        {"output": [{"type": "custom_tool_call", "input": None}], "usage": [], "error": {}, "incomplete_details": []},
        {"output": [{"type": "message", "role": "user", "content": "x"}], "id": 1, "model": None, "status": 7},
    ],
)
async def test_an_answer_of_any_shape_is_read_and_goes_back(body):
    server = wire.serve(json_body=body)

    reply = await model(server)(wire.hello())
    again = await model(server)(wire.hello(messages=(reply.message, User((Text("x"),)))))

    assert again.finish == reply.finish


# --- errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", ["hello", "", "[]", "{}", '{"output": null}', b"\xff", "[" * 100_000, '{"x": NaN}'])
async def test_an_answer_that_is_no_response_is_unreadable(raw):
    with pytest.raises(errors.UnreadableReply):
        await model(wire.serve(text=raw))(wire.hello())


@pytest.mark.parametrize("status", ["queued", "in_progress"])
async def test_a_response_that_is_not_there_yet_is_an_error_that_says_what_to_do(status):
    with pytest.raises(errors.UnreadableReply, match=f"resp_1 is {status}.*background"):
        await whole(status=status)


async def test_a_cancelled_response_is_no_answer():
    with pytest.raises(errors.StreamInterrupted, match="cancelled"):
        await whole(status="cancelled")


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"error": {"code": "rate_limit_exceeded", "message": "slow"}}, errors.RateLimited),
        ({"error": {"code": "server_error", "message": "x"}, "status": "failed"}, errors.ServerFailed),
        ({"error": {"code": "invalid_prompt", "message": "x"}, "status": "failed"}, errors.ContentFiltered),
        ({"error": {"code": "invalid_image", "message": "x"}, "status": "failed"}, errors.RequestRejected),
        ({"status": "failed"}, errors.ServerFailed),
    ],
)
async def test_a_failed_response_is_the_error_that_it_names(fields, kind):
    with pytest.raises(errors.ModelError) as caught:
        await whole(headers={"x-request-id": "r1"}, **fields)

    assert type(caught.value) is kind
    assert caught.value.request_id == "r1"


async def test_a_refused_request_is_the_error_of_its_status():
    server = wire.serve(429, json_body={"error": {"message": "slow", "code": None}}, headers={"retry-after": "7"})

    with pytest.raises(errors.RateLimited) as caught:
        await model(server)(wire.hello())

    assert caught.value.retry_after_s == 7.0
    assert len(server.requests) == 1


# --- streams that are none, clients -------------------------------------------------------------------------


async def test_an_answer_that_comes_whole_is_shown_all_the_same():
    server, seen = wire.serve(json_body=response(text("a"), call())), wire.Seen()

    reply = await model(server)(wire.hello(stream=True, emit=seen))

    assert server.body["stream"] is True
    assert seen.joined() == wire.shown(reply)
    assert reply.message.text == "a"


async def test_azure_is_spoken_to_through_its_own_client():
    server = wire.serve(json_body=response())
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(server))
    client = AsyncAzureOpenAI(
        api_key="azure-key",
        api_version="2025-04-01-preview",
        azure_endpoint="https://x.openai.azure.com",
        http_client=http,
    )

    reply = await OpenAI("my-deployment", client, api="responses")(wire.hello())

    request = server.requests[0]
    assert request.url.path == "/openai/responses"
    assert request.url.params["api-version"] == "2025-04-01-preview"
    assert request.headers["api-key"] == "azure-key"
    assert server.body["model"] == "my-deployment"
    assert reply.message.content[-1].provider == f"{TAG}@x.openai.azure.com"


async def test_a_server_of_another_name_has_its_own_tag():
    server = wire.serve(json_body=response())

    reply = await model(server, provider="gateway")(wire.hello())

    assert model(server, provider="gateway").name == "gateway:gpt-x"
    assert reply.message.content[-1].provider == "gateway-responses"


async def test_dropped_settings_are_told():
    told = []

    async def emit(event):  # noqa: ASYNC124 # an emit is async
        told.append(event)

    server = wire.serve(json_body=response())
    call_ = wire.hello(settings=Settings(temperature=1.0))
    ctx = call_.ctx.with_emit(emit)

    await model(server, profile=Profile(drops={"temperature"}))(
        ModelCall(model="m", messages=call_.messages, settings=call_.settings, ctx=ctx)
    )

    assert [(type(event), event.provider, event.setting) for event in told] == [
        (SettingDropped, "openai", "temperature")
    ]
    assert "temperature" not in server.body


# --- changes of provider ------------------------------------------------------------------------------------

CHAT = {
    "choices": [
        {
            "message": {
                "content": "chat",
                "reasoning": "hm",
                "annotations": [{"type": "url_citation"}],
                "tool_calls": [{"id": "call_c", "function": {"name": "t", "arguments": "{}"}}],
            },
            "finish_reason": "tool_calls",
        }
    ]
}
CLAUDE = {
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "signed"},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "text", "text": "claude"},
        {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {}},
    ],
    "stop_reason": "tool_use",
}
OURS = response(
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "e"},
    {"type": "web_search_call", "id": "ws_1"},
    text("ours"),
    call("call_r"),
    store=True,
)


async def test_a_conversation_goes_through_all_apis_in_turn():
    claude, chat, ours = wire.serve(json_body=CLAUDE), wire.serve(json_body=CHAT), wire.serve(json_body=OURS)
    models = [Anthropic("claude-x", claude.anthropic()), OpenAI("gpt-x", chat.openai()), model(ours, "gpt-5")]
    tools = (ToolSpec(name="t", description="", parameters={"type": "object"}),)
    history = [User((Text("see"), Image(base64="QUJD", media_type="image/png")))]

    for one in [*models, *models]:
        reply = await one(ModelCall(model="m", messages=tuple(history), tools=tools))
        use = reply.message.tool_uses[0]
        history += [reply.message, ToolResults((ToolResult(tool_use_id=use.id, name="t", content="done"),))]

    said = ["claude", "chat", "ours", "claude", "chat"]
    assert [message.text for message in history if isinstance(message, Assistant)] == [*said, "ours"]
    assert ours.body["input"] == [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "data:image/png;base64,QUJD"},
            ],
        },
        *_foreign("claude", "toolu_1"),
        *_foreign("chat", "call_c"),
        *OURS["output"][:3],
        {**OURS["output"][3], "arguments": '{"x":1}'},
        {"type": "function_call_output", "call_id": "call_r", "output": "done"},
        *_foreign("claude", "toolu_1"),
        *_foreign("chat", "call_c"),
    ]
    assert "rs_1" not in chat.requests[-1].content.decode()
    assert "rs_1" not in claude.requests[-1].content.decode()


def _foreign(text_, id_):
    return [
        {"role": "assistant", "content": text_},
        {"type": "function_call", "call_id": id_, "name": "t", "arguments": "{}"},
        {"type": "function_call_output", "call_id": id_, "output": "done"},
    ]
