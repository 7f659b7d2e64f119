"""Answers of chat completions in every shape that servers have found for them: nothing of them is lost."""

import httpx2
import pytest
from openai import AsyncAzureOpenAI
from unit.providers import wire

from par import errors
from par.deltas import TextDelta
from par.messages import Assistant, Opaque, Reasoning, Text, ToolUse
from par.providers.openai import OpenAI
from par.usage import Usage

pytestmark = pytest.mark.anyio


def said(message=None, finish="stop", **choice):
    return {"choices": [{"message": {"content": "hi", **(message or {})}, "finish_reason": finish, **choice}]}


async def whole(body):
    return await OpenAI("gpt-x", wire.serve(json_body=body).openai())(wire.hello())


async def stream(*chunks):
    server, _ = wire.serve_sse(*chunks, "[DONE]")
    seen = wire.Seen()
    reply = await OpenAI("gpt-x", server.openai())(wire.hello(stream=True, emit=seen))
    assert seen.joined() == wire.shown(reply)
    return reply


def chunk(delta=None, finish=None, index=0, **choice):
    return {"choices": [{"index": index, "delta": delta or {}, "finish_reason": finish, **choice}]}


def extras(reply):
    (block,) = [block for block in reply.message.content if isinstance(block, Opaque)]
    return block.data["message"]


# --- what is said about the answer ----------------------------------------------------------------------------


FACTS = {
    "id": "c1",
    "created": 5,
    "service_tier": "flex",
    "system_fingerprint": "fp",
    "provider": "Google",
    "citations": ["https://a", "https://b"],
    "moderation": {"input": {"flagged": False}},
    "usage": {"prompt_tokens": 1, "cost": 0.5},
}


async def test_what_is_said_about_an_answer_is_in_its_details():
    choice = {"logprobs": {"content": [{"token": "hi"}]}, "native_finish_reason": "STOP", "seed": 3}

    reply = await whole({**said(**choice), **FACTS, "model": "m", "object": "chat.completion", "x_groq": None})

    assert reply.details == {**FACTS, **choice}


async def test_what_is_said_about_a_streamed_answer_is_in_its_details():
    reply = await stream(
        {
            **chunk({"content": "h"}, logprobs={"content": [{"token": "h"}]}),
            "id": "c1",
            "created": 5,
            "obfuscation": "x",
            "model": "m",
        },
        {**chunk({"content": "i"}, logprobs={"content": [{"token": "i"}]}), "citations": ["https://a"], "searched": 1},
        {**chunk(finish="stop", native_finish_reason="STOP"), "service_tier": "flex", "citations": ["https://a", "b"]},
        {"choices": [], "usage": {"prompt_tokens": 1, "cost": 0.5}},
        {"choices": [], "moderation": {"input": {"flagged": False}}},
    )

    assert reply.details == {
        "id": "c1",
        "created": 5,
        "service_tier": "flex",
        "citations": ["https://a", "b"],
        "searched": 1,
        "moderation": {"input": {"flagged": False}},
        "usage": {"prompt_tokens": 1, "cost": 0.5},
        "logprobs": {"content": [{"token": "h"}, {"token": "i"}]},
        "native_finish_reason": "STOP",
    }


async def test_further_choices_are_in_the_details():
    other = {"index": 1, "message": {"content": "ho"}}
    body = said()

    reply = await whole({"choices": [*body["choices"], other]})

    assert (reply.message.text, reply.details["choices"]) == ("hi", [other])


async def test_further_choices_of_a_stream_do_not_mix_with_the_first():
    reply = await stream(
        chunk({"content": "h"}),
        chunk({"content": "x"}, index=1),
        {"choices": [{"index": 1, "delta": {"content": "y"}}, {"index": 0, "delta": {"content": "i"}}]},
        chunk(finish="length", index=1),
        chunk(finish="stop"),
    )

    assert (reply.message.text, reply.finish) == ("hi", "stop")
    assert reply.details["choices"] == [{"index": 1, "delta": {"content": "xy"}, "finish_reason": "length"}]


@pytest.mark.parametrize(
    ("word", "finish", "kept"),
    [
        ("stop", "stop", None),
        ("MAX_TOKENS", "length", "MAX_TOKENS"),
        ("model_length", "length", "model_length"),
        ("SAFETY", "content_filter", "SAFETY"),
        ("tool_calls", "stop", "tool_calls"),
        ("eos", "stop", "eos"),
    ],
)
async def test_a_word_for_the_end_that_is_not_pars_own_is_kept(word, finish, kept):
    reply = await whole(said(finish=word))

    assert (reply.finish, reply.details.get("finish_reason")) == (finish, kept)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 9, "output_tokens": 4}, Usage(input_tokens=9, output_tokens=4, requests=1)),
        ({"prompt_tokens": 9, "cached_tokens": 4}, Usage(input_tokens=9, cache_read_tokens=4, requests=1)),
        ({"prompt_tokens": 9, "num_cached_tokens": 4}, Usage(input_tokens=9, cache_read_tokens=4, requests=1)),
        (
            {"prompt_tokens": 9, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3},
            Usage(input_tokens=9, cache_read_tokens=4, cache_write_tokens=3, requests=1),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 8,
                "total_tokens": 22,
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(input_tokens=9, output_tokens=13, reasoning_tokens=5, requests=1),
        ),
        (
            {"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17, "reasoning_tokens": 5},
            Usage(input_tokens=9, output_tokens=8, reasoning_tokens=5, requests=1),
        ),
    ],
    ids=["other names", "moonshot", "mistral", "through anthropic", "reasoning beside", "reasoning within"],
)
async def test_usage_is_read_by_each_of_its_names(usage, expected):
    reply = await whole({**said(), "usage": usage})

    assert (reply.usage, reply.details["usage"]) == (expected, usage)


@pytest.mark.parametrize("of", ["choice", "message"])
async def test_usage_is_found_within_the_choice(of):
    usage = {"prompt_tokens": 9}
    body = said(**({"usage": usage} if of == "choice" else {"message": {"usage": usage}}))

    assert (await whole(body)).usage == Usage(input_tokens=9, requests=1)


# --- what is in the message -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        {"reasoning": {"steps": [1]}},
        {"refusal": {"why": "x"}},
        {"tool_calls": {"id": "a"}},
        {"tool_calls": ["a"]},
        {"images": [{"image_url": {"url": "data:image/png;base64,QUJD"}}]},
        {"annotations": [{"type": "url_citation"}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]},
        {"provider_specific_fields": {"citations": []}},
    ],
    ids=lambda message: next(iter(message)),
)
async def test_what_par_has_no_place_for_is_kept_in_any_shape(message):
    reply = await whole(said(message))

    assert reply.message.text == "hi"
    assert extras(reply) == message


async def test_content_that_is_neither_text_nor_parts_is_kept():
    assert extras(await whole(said({"content": {"n": 1}}))) == {"content": {"n": 1}}


async def test_two_kinds_of_reasoning_that_differ_are_both_kept():
    reply = await whole(said({"reasoning": "a", "reasoning_content": "b"}))

    assert reply.message.content[0] == Reasoning("b")
    assert extras(reply) == {"reasoning": "a"}


async def test_parts_with_more_than_their_text_are_kept():
    cited = {"type": "text", "text": "b", "citations": [1]}
    picture = {"type": "image_url", "image_url": {"url": "u"}}

    reply = await whole(said({"content": ["a", cited, picture]}))

    assert reply.message.text == "ab"
    assert extras(reply) == {"content_parts": [cited, picture]}


async def test_the_words_of_a_spoken_answer_are_its_text():
    sound = {"id": "x", "data": "QUJD", "transcript": "hello"}

    reply = await whole(said({"content": None, "audio": sound}))

    assert reply.message == Assistant((Text("hello"), Opaque("openai", {"message": {"audio": sound}})))


async def test_a_spoken_answer_that_is_streamed_is_put_together():
    server, _ = wire.serve_sse(
        chunk({"audio": {"id": "x", "transcript": "hel"}}),
        chunk({"audio": {"transcript": "lo"}}),
        chunk({"audio": {"data": "QUJD"}}),
        chunk({"audio": {"data": "REVG", "expires_at": 5}}, "stop"),
        "[DONE]",
    )

    reply = await OpenAI("gpt-x", server.openai())(wire.hello(stream=True))

    assert reply.message.text == "hello"
    assert extras(reply)["audio"] == {"id": "x", "transcript": "hello", "data": "QUJDREVG", "expires_at": 5}


async def test_a_call_in_the_form_of_old_is_a_call():
    call = {"name": "t", "arguments": '{"x": 1}'}

    reply = await whole(said({"content": None, "function_call": call}, "function_call"))
    streamed = await stream(chunk({"function_call": {"name": "t", "arguments": '{"x"'}}),
                            chunk({"function_call": {"arguments": ": 1}"}}), chunk(finish="function_call"))  # fmt: skip

    for answer in (reply, streamed):
        (use,) = answer.message.tool_uses
        assert (use.name, use.arguments, answer.finish) == ("t", {"x": 1}, "tool_uses")
        assert use.id


async def test_a_call_of_free_text_is_a_call_with_that_text():
    custom = {"id": "a", "type": "custom", "custom": {"name": "run", "input": "ls -l"}}

    reply = await whole(said({"content": None, "tool_calls": [custom]}, "tool_calls"))

    assert reply.message.tool_uses == (ToolUse("a", "run", malformed="ls -l"),)
    assert reply.message.content[-1].data == {"tool_calls": {"a": {"type": "custom", "custom": custom["custom"]}}}


@pytest.mark.parametrize("streamed", [False, True])
async def test_fields_of_a_function_that_par_does_not_know_are_kept(streamed):
    call = {"index": 0, "id": "a", "function": {"name": "t", "arguments": "{}", "thoughts": "x", "none": None}}
    last = chunk(finish="tool_calls")

    reply = await (stream(chunk({"tool_calls": [call]}), last) if streamed else whole(said({"tool_calls": [call]})))

    assert reply.message.content[-1] == Opaque("openai", {"tool_calls": {"a": {"function": {"thoughts": "x"}}}})


async def test_a_stream_that_holds_a_whole_message_is_read():
    reply = await stream({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]})

    assert reply.message.text == "hi"


async def test_a_whole_message_after_its_pieces_is_not_said_twice():
    reply = await stream(chunk({"content": "hi"}), chunk({}, "stop", message={"content": "hi"}))

    assert reply.message.text == "hi"


# --- failures that look like answers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": "quota"}, errors.ServerFailed),
        ({"object": "error", "message": "too long", "code": 400}, errors.RequestRejected),
        ({"detail": "not found"}, errors.ServerFailed),
        ({"choices": [], "error": {"code": 502, "message": "m"}}, errors.ServerFailed),
        ({"error": {"code": "content_filter", "message": "m"}}, errors.ContentFiltered),
        (said(finish="error"), errors.ServerFailed),
        (said(error={"code": 429, "message": "m"}), errors.RateLimited),
    ],
    ids=["text", "object", "detail", "no choices", "filter", "finish", "choice"],
)
async def test_a_failure_of_status_200_is_an_error(body, kind):
    with pytest.raises(kind):
        await whole(body)


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (chunk(finish="error"), errors.ServerFailed),
        (chunk({"content": "i"}, error={"code": 429, "message": "m"}), errors.RateLimited),
        ({"error": {"code": 503, "message": "m"}}, errors.Overloaded),
        ({"object": "error", "message": "m"}, errors.ServerFailed),
    ],
    ids=["finish", "choice", "chunk", "object"],
)
async def test_a_stream_that_says_that_it_failed_is_an_error(last, kind):
    with pytest.raises(kind):
        await stream(chunk({"content": "h"}), last)


# --- servers --------------------------------------------------------------------------------------------------


async def test_azure_is_spoken_to_by_its_own_client():
    server = wire.serve(json_body=said())
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(server))
    client = AsyncAzureOpenAI(
        azure_endpoint="https://me.openai.azure.com", api_key="k", api_version="2025-04-01", http_client=http
    )

    reply = await OpenAI("gpt-5-mini", client)(wire.hello())

    request = server.requests[0]
    assert str(request.url) == (
        "https://me.openai.azure.com/openai/deployments/gpt-5-mini/chat/completions?api-version=2025-04-01"
    )
    assert request.headers["api-key"] == "k"
    assert server.body == {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hello"}]}
    assert reply.message.text == "hi"


async def test_azures_filter_is_a_refusal_of_content():
    error = {"code": "content_filter", "message": "The prompt was filtered", "innererror": {"code": "Jailbreak"}}
    server = wire.serve(400, json_body={"error": error})

    with pytest.raises(errors.ContentFiltered) as caught:
        await OpenAI("gpt-x", server.openai())(wire.hello())

    assert caught.value.body == {"error": error}


async def test_a_provider_of_another_name_is_called_so_everywhere():
    server = wire.serve(json_body=said({"x": 1}))
    model = OpenAI("a/b", server.openai("https://openrouter.ai/api/v1"), provider="openrouter")

    reply = await model(wire.hello())

    assert model.name == "openrouter:a/b"
    assert reply.message.content[-1] == Opaque("openrouter", {"message": {"x": 1}})
    with pytest.raises(errors.UnreadableReply, match="openrouter"):
        await OpenAI("a/b", wire.serve(text="x").openai(), provider="openrouter")(wire.hello())


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"provider": " "}, "provider must not be empty"),
        ({"api": "completions"}, 'api is "chat" or "responses"'),
        ({"base_url": "u", "client": object()}, "belong to the client"),
        ({"api_key": "k", "client": object()}, "belong to the client"),
    ],
)
def test_a_model_that_cannot_be_is_refused(fields, why):
    with pytest.raises(errors.UsageError, match=why):
        OpenAI("m", **fields)


async def test_a_key_of_ones_own_is_sent_to_the_address_of_ones_own(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    sent = []

    async def handle(self, request):
        sent.append(request)
        return httpx2.Response(200, json=said())

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", handle)
    model = OpenAI("m", base_url="https://gateway.example/v1", api_key="sk-of-mine")

    await model(wire.hello())
    await model.aclose()

    assert (sent[0].headers["authorization"], sent[0].url.host) == ("Bearer sk-of-mine", "gateway.example")


async def test_a_stream_shows_what_it_was_told_by_a_server_that_cannot_stream():
    server = wire.serve(json_body=said())
    seen = wire.Seen()

    await OpenAI("gpt-x", server.openai())(wire.hello(stream=True, emit=seen))

    assert seen.deltas == [TextDelta("hi")]
