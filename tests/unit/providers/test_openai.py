"""The OpenAI adapter: answers, streams, errors, cancellation, clients."""

import anyio
import httpx2
import pytest
from unit.providers import wire

from par import errors
from par.deltas import ReasoningDelta, TextDelta, ToolUseDelta
from par.messages import Assistant, Opaque, Reasoning, Text, ToolUse
from par.providers.ollama import Ollama
from par.providers.ollama import from_name as ollama_from_name
from par.providers.openai import OpenAI, from_name, responses_from_name
from par.usage import Usage

pytestmark = pytest.mark.anyio


def completion(message=None, finish="stop", **fields):
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi", **(message or {})}, "finish_reason": finish}
    return {"id": "c", "model": "gpt-x-2", "choices": [choice], **fields}


def chunk(delta=None, finish=None, **fields):
    return {"model": "gpt-x-2", "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **fields}


def piece(index=None, id_=None, name=None, arguments=None):
    call = {} if index is None else {"index": index}
    if id_ is not None:
        call["id"] = id_
    function = {k: v for k, v in (("name", name), ("arguments", arguments)) if v is not None}
    return {**call, "function": function}


def calls(*pieces):
    return chunk({"tool_calls": list(pieces)})


async def whole(message=None, finish="stop", headers=None, **fields):
    server = wire.serve(json_body=completion(message, finish, **fields), headers=headers)
    return await OpenAI("gpt-x", server.openai())(wire.hello())


async def stream(*payloads, done=True):
    server, body = wire.serve_sse(*payloads, *(["[DONE]"] if done else []))
    seen = wire.Seen()
    try:
        reply = await OpenAI("gpt-x", server.openai())(wire.hello(stream=True, emit=seen))
    finally:
        assert body.closed
    assert seen.joined() == wire.shown(reply)
    return reply, seen.deltas


# --- whole answers ------------------------------------------------------------------------------------------


async def test_the_request_goes_to_the_clients_server_with_its_key():
    server = wire.serve(json_body=completion())

    await OpenAI("gpt-x", server.openai("https://gateway.example/api"))(wire.hello())

    request = server.requests[0]
    assert str(request.url) == "https://gateway.example/api/chat/completions"
    assert request.headers["authorization"] == "Bearer sk-testtesttest"
    assert server.body == {"model": "gpt-x", "messages": [{"role": "user", "content": "hello"}]}


async def test_an_answer_carries_text_usage_model_request_id_and_limits():
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }

    reply = await whole(
        usage=usage, headers={"x-request-id": "r1", "x-ratelimit-remaining-requests": "9", "server": "s"}
    )

    assert reply.message == Assistant((Text("hi"),))
    assert reply.finish == "stop"
    assert reply.usage == Usage(
        input_tokens=10,
        output_tokens=5,
        reasoning_tokens=3,
        cache_read_tokens=4,
        cache_write_tokens=2,
        requests=1,
    )
    assert (reply.model, reply.request_id) == ("gpt-x-2", "r1")
    assert reply.headers == {"x-ratelimit-remaining-requests": "9"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"usage": {"prompt_tokens": 1, "completion_tokens": 2}}, Usage(input_tokens=1, output_tokens=2, requests=1)),
        ({"x_groq": {"usage": {"prompt_tokens": 1}}}, Usage(input_tokens=1, requests=1)),
        (
            {"usage": {"prompt_tokens": 9, "prompt_cache_hit_tokens": 4}},
            Usage(input_tokens=9, cache_read_tokens=4, requests=1),
        ),
        (
            {"usage": {"completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 5}}},
            Usage(output_tokens=7, reasoning_tokens=5, requests=1),
        ),
        ({"usage": None}, Usage(requests=1)),
        ({"usage": {"prompt_tokens": "many", "completion_tokens": True}}, Usage(requests=1)),
    ],
)
async def test_usage_is_read_wherever_a_server_puts_it(fields, expected):
    assert (await whole(**fields)).usage == expected


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
async def test_reasoning_of_compatible_servers_comes_before_the_text(field):
    assert (await whole({field: "hm"})).message == Assistant((Reasoning("hm"), Text("hi")))


async def test_a_refusal_is_text_that_the_content_filter_ended():
    reply = await whole({"content": None, "refusal": "I must not."})

    assert reply.message == Assistant((Text("I must not."),))
    assert reply.finish == "content_filter"


async def test_content_in_parts_is_read_as_text_and_reasoning():
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "hi"}]

    assert (await whole({"content": parts})).message == Assistant((Reasoning("hm"), Text("hi")))


async def test_tool_calls_keep_their_ids_and_order():
    reply = await whole(
        {
            "content": None,
            "tool_calls": [
                {"id": "z", "type": "function", "function": {"name": "b", "arguments": '{"x": 1}'}},
                {"id": "a", "type": "function", "function": {"name": "a", "arguments": ""}},
            ],
        },
        "tool_calls",
    )

    assert reply.message == Assistant((ToolUse("z", "b", {"x": 1}), ToolUse("a", "a")))
    assert reply.finish == "tool_uses"


@pytest.mark.parametrize("ids", [[None, None], ["", ""], ["same", "same"]])
async def test_each_call_has_an_id_of_its_own(ids):
    function = {"name": "t", "arguments": "{}"}

    reply = await whole({"tool_calls": [{"id": id_, "function": function} for id_ in ids]})

    made = [use.id for use in reply.message.tool_uses]
    assert len(set(made)) == 2
    assert all(made)
    assert ids[0] in (made[0], None, "")


@pytest.mark.parametrize("text", ['{"city": ', "[1]", '{"a": 1, "a": 2}', "null", '{"x": NaN}'])
async def test_malformed_arguments_spoil_only_their_own_call(text):
    reply = await whole({
        "tool_calls": [
            {"id": "a", "function": {"name": "t", "arguments": text}},
            {"id": "b", "function": {"name": "t", "arguments": '{"x": 1}'}},
        ]
    })

    assert reply.message.tool_uses == (ToolUse("a", "t", {}, malformed=text), ToolUse("b", "t", {"x": 1}))


@pytest.mark.parametrize(
    ("word", "calls_", "finish"),
    [
        ("stop", False, "stop"),
        ("stop", True, "tool_uses"),
        ("tool_calls", True, "tool_uses"),
        ("tool_calls", False, "stop"),
        ("length", False, "length"),
        ("length", True, "length"),
        ("content_filter", False, "content_filter"),
        (None, False, "stop"),
        (None, True, "tool_uses"),
        ("eos", False, "stop"),
    ],
)
async def test_the_finish_reason_is_mapped_and_tool_calls_decide_the_rest(word, calls_, finish):
    message = {"tool_calls": [{"id": "a", "function": {"name": "t", "arguments": "{}"}}]} if calls_ else {}

    assert (await whole(message, word)).finish == finish


async def test_what_par_does_not_know_is_kept_and_sent_back():
    extra = {"google": {"thought_signature": "s"}}
    server = wire.serve(
        json_body=completion({
            "annotations": [{"type": "url_citation"}],
            "audio": None,
            "tool_calls": [{"id": "a", "function": {"name": "t", "arguments": "{}"}, "extra_content": extra}],
        })
    )
    model = OpenAI("gpt-x", server.openai("https://gateway.example/v1"))

    reply = await model(wire.hello())
    await model(wire.hello(messages=(reply.message,)))

    assert reply.message.content[-1] == Opaque(
        "openai@gateway.example",
        {"message": {"annotations": [{"type": "url_citation"}]}, "tool_calls": {"a": {"extra_content": extra}}},
    )
    assert server.body["messages"] == [
        {
            "role": "assistant",
            "content": "hi",
            "annotations": [{"type": "url_citation"}],
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "t", "arguments": "{}"}, "extra_content": extra}
            ],
        }
    ]


async def test_half_a_surrogate_pair_becomes_a_replacement_character():
    server = wire.serve(text='{"choices": [{"message": {"content": "a\\ud83d"}}]}')

    reply = await OpenAI("gpt-x", server.openai())(wire.hello())

    assert reply.message.text == "a\ufffd"


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "",
        "[]",
        '{"choices": []}',
        "{}",
        '{"choices": [{}]}',
        b"\xff\xfe",
        "[" * 100_000,
        '{"x": NaN}',
        '{"x": 1e999}',
        '{"x": ' + "[" * 101 + "]" * 101 + "}",
    ],
)
async def test_an_answer_that_is_no_completion_is_unreadable(text):
    with pytest.raises(errors.UnreadableReply):
        await OpenAI("gpt-x", wire.serve(text=text).openai())(wire.hello())


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": 429, "message": "slow down"}},
        {"choices": [{"finish_reason": "error", "error": {"code": 429, "message": "slow down"}}]},
    ],
)
async def test_an_error_in_an_answer_of_status_200_is_an_error(body):
    with pytest.raises(errors.RateLimited, match="slow down"):
        await OpenAI("gpt-x", wire.serve(json_body=body).openai())(wire.hello())


# --- streams ------------------------------------------------------------------------------------------------


async def test_a_stream_is_shown_piece_by_piece_and_returned_whole():
    reply, deltas = await stream(
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "h"}),
        chunk({"reasoning_content": "m"}),
        chunk({"content": "he"}),
        chunk({"content": "llo"}),
        chunk({}, "stop"),
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
    )

    assert deltas == [ReasoningDelta("h"), ReasoningDelta("m"), TextDelta("he"), TextDelta("llo")]
    assert reply.message == Assistant((Reasoning("hm"), Text("hello")))
    assert reply.usage == Usage(input_tokens=3, output_tokens=4, requests=1)
    assert (reply.finish, reply.model) == ("stop", "gpt-x-2")


async def test_usage_that_comes_in_every_chunk_is_not_added_up():
    reply, _ = await stream(
        chunk({"content": "a"}, usage={"prompt_tokens": 3, "completion_tokens": 1}),
        chunk({"content": "b"}, "stop", usage={"prompt_tokens": 3, "completion_tokens": 2}),
    )

    assert reply.usage == Usage(input_tokens=3, output_tokens=2, requests=1)


async def test_usage_that_comes_early_is_not_lost():
    reply, _ = await stream(
        chunk({"content": "a"}, usage={"prompt_tokens": 3, "completion_tokens": 1}), chunk({}, "stop", usage=None)
    )

    assert reply.usage == Usage(input_tokens=3, output_tokens=1, requests=1)


async def test_streamed_calls_are_put_together_by_index():
    reply, deltas = await stream(
        calls(piece(0, "a", "t", ""), piece(1, "b", "u", "")),
        calls(piece(1, arguments='{"y"'), piece(0, arguments='{"x": ')),
        calls(piece(0, arguments="1}"), piece(1, arguments=": 2}")),
        chunk({}, "tool_calls"),
    )

    assert reply.message.tool_uses == (ToolUse("a", "t", {"x": 1}), ToolUse("b", "u", {"y": 2}))
    assert deltas[0] == ToolUseDelta(id="a", name="t")
    assert reply.finish == "tool_uses"


async def test_calls_are_in_the_order_of_their_index():
    reply, _ = await stream(calls(piece(1, "b", "t", "{}")), calls(piece(0, "a", "t", "{}")), chunk({}, "tool_calls"))

    assert [use.id for use in reply.message.tool_uses] == ["a", "b"]


@pytest.mark.parametrize(
    "payloads",
    [
        pytest.param([calls(piece(None, "a", "t", '{"x": 1}'), piece(None, "b", "t", '{"x": 2}'))], id="no-index"),
        pytest.param([calls(piece(0, "a", "t", '{"x": 1}'), piece(0, "b", "t", '{"x": 2}'))], id="index-always-0"),
        pytest.param(
            [calls(piece(0, "a", "t", '{"x": 1}')), calls(piece(0, "b", "t", '{"x": 2}'))], id="index-0-twice"
        ),
        pytest.param(
            [
                calls(piece(0, "a", "t", '{"x"')),
                calls(piece(0, "a", "t", ": 1}")),
                calls(piece(1, "b", "t", '{"x": 2}')),
            ],
            id="id-and-name-repeated",
        ),
        pytest.param(
            [
                calls(piece(None, "a", "t", '{"x"')),
                calls(piece(None, None, None, ": 1}")),
                calls(piece(None, "b", "t", '{"x": 2}')),
            ],
            id="no-index-and-cut",
        ),
        pytest.param(
            [
                calls(piece(0, None, "t", '{"x"')),
                calls(piece(0, "a", None, ": 1}")),
                calls(piece(1, "b", "t", '{"x": 2}')),
            ],
            id="late-id",
        ),
        pytest.param(
            [calls(piece(0, "a", "t", {"x": 1})), calls(piece(1, "b", "t", {"x": 2}))], id="arguments-as-object"
        ),
    ],
)
async def test_odd_servers_calls_are_told_apart(payloads):
    reply, _ = await stream(*payloads, chunk({}, "tool_calls"))

    assert reply.message.tool_uses == (ToolUse("a", "t", {"x": 1}), ToolUse("b", "t", {"x": 2}))


@pytest.mark.parametrize("index", [None, 0])
async def test_calls_without_any_id_get_different_ones(index):
    reply, _ = await stream(
        calls(piece(index, None, "t", '{"x": 1}'), piece(index, "", "t", '{"x": 2}')), chunk({}, "tool_calls")
    )

    first, second = reply.message.tool_uses
    assert (first.arguments, second.arguments) == ({"x": 1}, {"x": 2})
    assert first.id
    assert second.id
    assert first.id != second.id


async def test_a_streamed_call_with_malformed_arguments_leaves_the_others_alone():
    reply, _ = await stream(
        calls(piece(0, "a", "t", '{"x')), calls(piece(1, "b", "t", '{"x": 2}')), chunk({}, "tool_calls")
    )

    assert reply.message.tool_uses == (ToolUse("a", "t", malformed='{"x'), ToolUse("b", "t", {"x": 2}))


async def test_unknown_fields_of_a_stream_are_joined_and_kept():
    def detail(text):
        return {"type": "reasoning.text", "index": 0, "text": text, "signature": None}

    reply, _ = await stream(
        chunk({"reasoning_details": [detail("a")], "content": "x"}),
        chunk({"reasoning_details": [detail("b"), {"type": "reasoning.encrypted", "index": 1, "data": "e"}]}),
        chunk({"annotations": [{"n": 1}]}),
        chunk({"annotations": [{"n": 2}]}, "stop"),
    )

    assert reply.message.content[-1] == Opaque(
        "openai",
        {
            "message": {
                "reasoning_details": [
                    {"type": "reasoning.text", "index": 0, "text": "ab", "signature": None},
                    {"type": "reasoning.encrypted", "index": 1, "data": "e"},
                ],
                "annotations": [{"n": 1}, {"n": 2}],
            }
        },
    )


async def test_a_streamed_refusal_is_shown_and_filtered():
    reply, deltas = await stream(chunk({"refusal": "No."}), chunk({}, "stop"))

    assert deltas == [TextDelta("No.")]
    assert reply.finish == "content_filter"


async def test_a_server_without_done_is_understood_by_its_finish_reason():
    reply, _ = await stream(chunk({"content": "a"}), chunk({}, "stop"), done=False)

    assert reply.message.text == "a"


@pytest.mark.parametrize("payloads", [[], [chunk({"content": "a"})], [chunk({"role": "assistant"})]])
async def test_a_stream_that_just_ends_is_interrupted(payloads):
    with pytest.raises(errors.StreamInterrupted):
        await stream(*payloads, done=False)


async def test_a_stream_with_nothing_but_its_end_is_interrupted():
    with pytest.raises(errors.StreamInterrupted):
        await stream()


async def test_a_stream_that_ends_within_an_event_is_interrupted():
    server, body = wire.serve_stream(b'data: {"choices": [{"delta": {"content": "a"')

    with pytest.raises(errors.StreamInterrupted, match="within an event"):
        await OpenAI("gpt-x", server.openai())(wire.hello(stream=True))
    assert body.closed


async def test_a_stream_whose_connection_breaks_is_interrupted():
    server, body = wire.serve_stream(b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n', httpx2.ReadError("reset"))
    seen = wire.Seen()

    with pytest.raises(errors.StreamInterrupted, match="reset"):
        await OpenAI("gpt-x", server.openai())(wire.hello(stream=True, emit=seen))
    assert seen.deltas == [TextDelta("a")]
    assert body.closed


async def test_an_event_that_is_no_json_is_unreadable():
    with pytest.raises(errors.UnreadableReply):
        await stream(chunk({"content": "a"}), "{oops")


async def test_an_error_event_ends_the_stream():
    with pytest.raises(errors.ServerFailed, match="broken"):
        await stream(chunk({"content": "a"}), {"error": {"code": 502, "message": "broken"}})


async def test_reading_stops_at_the_end_of_the_stream_though_the_connection_stays_open():
    async def never():
        await anyio.sleep_forever()

    server, body = wire.serve_stream(
        b'data: {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n', never
    )

    with anyio.fail_after(5):
        reply = await OpenAI("gpt-x", server.openai())(wire.hello(stream=True))
    assert reply.message.text == "a"
    assert body.closed


async def test_a_connection_that_breaks_after_the_end_changes_nothing():
    server, _ = wire.serve_stream(
        b'data: {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n',
        httpx2.ReadError("reset"),
    )

    assert (await OpenAI("gpt-x", server.openai())(wire.hello(stream=True))).message.text == "a"


async def test_a_server_that_answers_whole_to_a_stream_request_is_shown_all_the_same():
    message = {"reasoning": "hm", "tool_calls": [{"id": "a", "function": {"name": "t", "arguments": '{"x": 1}'}}]}
    server = wire.serve(json_body=completion(message))
    seen = wire.Seen()

    reply = await OpenAI("gpt-x", server.openai())(wire.hello(stream=True, emit=seen))

    assert seen.joined() == wire.shown(reply)
    assert [type(d) for d in seen.deltas] == [ReasoningDelta, TextDelta, ToolUseDelta]


async def test_a_page_of_html_is_no_stream():
    server = wire.serve(text="<html>sign in</html>", headers={"content-type": "text/html"})

    with pytest.raises(errors.UnreadableReply):
        await OpenAI("gpt-x", server.openai())(wire.hello(stream=True))


async def test_nothing_is_emitted_when_no_stream_was_asked_for():
    seen = wire.Seen()

    await OpenAI("gpt-x", wire.serve(json_body=completion()).openai())(wire.hello(emit=seen))

    assert seen.deltas == []


async def test_each_delta_is_emitted_before_more_is_read():
    event = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'
    server, body = wire.serve_stream(event, event, event, b"data: [DONE]\n\n")
    read = []

    async def emit(delta):
        read.append(body.read)

    await OpenAI("gpt-x", server.openai())(wire.hello(stream=True, emit=emit))

    assert read == [1, 2, 3]


# --- failures and cancellation --------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.RequestRejected),
        (401, errors.AuthenticationFailed),
        (429, errors.RateLimited),
        (500, errors.ServerFailed),
    ],
)
async def test_a_status_becomes_its_error_after_one_request(status, kind, streamed):
    server = wire.serve(
        status, json_body={"error": {"message": "told"}}, headers={"x-request-id": "r", "retry-after": "2"}
    )

    with pytest.raises(kind, match="told") as caught:
        await OpenAI("gpt-x", server.openai())(wire.hello(stream=streamed))

    assert (caught.value.provider, caught.value.status) == ("openai", status)
    assert (caught.value.request_id, caught.value.retry_after_s) == ("r", 2.0)
    assert caught.value.__cause__ is not None
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "failure",
    [httpx2.ConnectError("refused"), httpx2.ReadTimeout("slow"), httpx2.RemoteProtocolError("hung up")],
    ids=lambda e: type(e).__name__,
)
async def test_a_transport_that_fails_is_a_failed_connection(failure):
    def answer():
        raise failure

    server = wire.Server(answer)

    with pytest.raises(errors.ConnectionFailed) as caught:
        await OpenAI("gpt-x", server.openai(max_retries=5))(wire.hello())
    assert str(failure) in str(caught.value)
    assert len(server.requests) == 1


async def test_cancelling_in_mid_stream_passes_and_closes_the_answer():
    reached = anyio.Event()

    async def wait():
        reached.set()
        await anyio.sleep_forever()

    server, body = wire.serve_stream(b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n', wait)
    ended = []

    async def call():
        try:
            await OpenAI("gpt-x", server.openai())(wire.hello(stream=True))
        except BaseException as error:
            ended.append(error)
            raise

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await reached.wait()
        tasks.cancel_scope.cancel()

    assert isinstance(ended[0], anyio.get_cancelled_exc_class())
    assert body.closed


async def test_an_emit_that_fails_passes_and_closes_the_answer():
    server, body = wire.serve_stream(b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n')

    async def emit(delta):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        await OpenAI("gpt-x", server.openai())(wire.hello(stream=True, emit=emit))
    assert body.closed


async def test_the_idle_timeout_of_a_layer_passes_through():
    async def wait():
        await anyio.sleep_forever()

    server, body = wire.serve_stream(b": keep-alive\n\n", wait)

    with anyio.move_on_after(0.02) as scope:
        await OpenAI("gpt-x", server.openai())(wire.hello(stream=True))
    assert scope.cancelled_caught
    assert body.closed


# --- clients ------------------------------------------------------------------------------------------------


async def test_a_missing_key_is_named(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(errors.MissingKey, match="OPENAI_API_KEY"):
        await OpenAI("gpt-x")(wire.hello())


async def test_a_client_is_made_from_the_environment_once_and_closed_by_us(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-fromenvironment")
    model = OpenAI("gpt-x", base_url="http://127.0.0.1:9/v1")
    endpoint = model._model._endpoint

    client = endpoint._client()

    assert endpoint._client() is client
    assert (client.api_key, str(client.base_url), client.max_retries) == (
        "sk-fromenvironment",
        "http://127.0.0.1:9/v1/",
        0,
    )
    await model.aclose()
    assert client.is_closed()
    assert endpoint._client() is not client
    await model.aclose()


def test_each_event_loop_has_a_client_of_its_own(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-fromenvironment")
    model = OpenAI("gpt-x")

    async def client():
        made = model._model._endpoint._client()
        await model.aclose()
        return made

    clients = [anyio.run(client, backend=backend) for backend in ("asyncio", "trio", "asyncio")]

    assert len({id(c) for c in clients}) == 3


async def test_a_client_that_nobody_closed_starts_no_task_when_it_is_collected(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-fromenvironment")
    model = OpenAI("gpt-x")

    client = model._model._endpoint._client()

    assert not hasattr(client._client, "__del__")
    await model.aclose()


async def test_a_client_of_the_callers_is_not_closed():
    server = wire.serve(json_body=completion())
    client = server.openai()
    model = OpenAI("gpt-x", client)

    await model(wire.hello())
    await model.aclose()

    assert not client.is_closed()
    await client.close()


async def test_two_calls_at_once_do_not_mix():
    server = wire.Server(lambda: httpx2.Response(200, json=completion({"content": str(len(server.requests))})))
    model = OpenAI("gpt-x", server.openai())
    said = []

    async def call():
        said.append((await model(wire.hello())).message.text)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(call)

    assert sorted(said, key=int) == [str(n) for n in range(1, 21)]


def test_what_cannot_be_is_refused_when_built():
    client = wire.serve(json_body={}).openai()

    with pytest.raises(errors.UsageError, match="model"):
        OpenAI(" ")
    with pytest.raises(errors.UsageError, match="api"):
        OpenAI("gpt-x", api="assistants")
    with pytest.raises(errors.UsageError, match="base_url"):
        OpenAI("gpt-x", client, base_url="http://x")


def test_names_are_model_strings():
    assert OpenAI("gpt-x").name == "openai:gpt-x"
    assert from_name("ft:gpt-x:me").name == "openai:ft:gpt-x:me"
    assert responses_from_name("gpt-x").name == "openai:gpt-x"
    assert ollama_from_name("llama3.2:1b").name == "ollama:llama3.2:1b"
    assert repr(OpenAI("gpt-x")) == "OpenAI('gpt-x')"
    assert repr(Ollama("llama")) == "Ollama('llama')"


async def test_ollama_speaks_the_same_language_and_is_named_in_errors():
    server = wire.serve(404, json_body={"error": {"message": "model not found, try pulling it first"}})

    with pytest.raises(errors.RequestRejected, match="ollama"):
        await Ollama("llama", client=server.openai("http://localhost:11434/v1"))(wire.hello())
    assert str(server.requests[0].url) == "http://localhost:11434/v1/chat/completions"


async def test_ollama_needs_no_key_and_is_sent_none(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-openai")
    model = Ollama("llama", "http://127.0.0.1:9/v1")

    client = model._chat._endpoint._client()

    assert (client.api_key, str(client.base_url)) == ("ollama", "http://127.0.0.1:9/v1/")
    await model.aclose()
