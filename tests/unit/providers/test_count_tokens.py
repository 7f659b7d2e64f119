"""Counting by the provider's own endpoint: what is counted is what would be sent."""

import attrs
import pytest
from anthropic import AsyncAnthropicVertex
from unit.providers import wire

from par.calls import ModelCall, OutputSpec, Settings, ToolSpec
from par.errors import RateLimited, UnreadableReply, UsageError
from par.messages import Assistant, System, Text, ToolResult, ToolResults, ToolUse, User
from par.middleware import estimate_tokens
from par.providers.anthropic import Anthropic
from par.providers.openai import OpenAI

pytestmark = pytest.mark.anyio

SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False}
CALL = ModelCall(
    model="m",
    messages=(
        System("Be brief."),
        User((Text("hello"),)),
        Assistant((Text("wait"), ToolUse("c1", "look", {"x": 1}))),
        ToolResults((ToolResult(tool_use_id="c1", name="look", content="seen"),)),
    ),
    tools=(ToolSpec(name="look", description="Look.", parameters=SCHEMA),),
    settings=Settings(max_tokens=50, tool_choice="required", extra={"metadata": {"user_id": "u"}}),
    output=OutputSpec(name="answer", schema=SCHEMA),
    stream=True,
)
SENT_BUT_NOT_COUNTED = {
    "anthropic": {"max_tokens", "metadata", "stream"},
    "openai": {"max_output_tokens", "metadata", "stream", "store", "include"},
}


def adapter(api, server):
    if api == "anthropic":
        return Anthropic("claude-x", server.anthropic())
    return OpenAI("gpt-x", server.openai(), api="responses")


@pytest.mark.parametrize(
    ("api", "path"), [("anthropic", "/v1/messages/count_tokens"), ("openai", "/v1/responses/input_tokens")]
)
async def test_the_endpoint_counts_what_would_be_sent(api, path):
    server = wire.serve(json_body={"input_tokens": 321})
    model = adapter(api, server)

    tokens = await model.count_tokens(CALL)

    counted = server.body
    assert tokens == 321
    assert server.requests[0].url.path == path
    with pytest.raises(UnreadableReply):  # it is no answer to a call
        await model(attrs.evolve(CALL, stream=False))
    sent = {**server.body, "stream": True}
    assert set(sent) - set(counted) <= SENT_BUT_NOT_COUNTED[api]
    assert counted == {name: value for name, value in sent.items() if name in counted}
    assert {"model", "tools", "tool_choice"} <= set(counted)
    assert not SENT_BUT_NOT_COUNTED[api] & set(counted)


@pytest.mark.parametrize("api", ["anthropic", "openai"])
@pytest.mark.parametrize("body", [{}, {"input_tokens": "many"}, {"input_tokens": 0}])
async def test_an_answer_without_a_number_is_unreadable(api, body):
    with pytest.raises(UnreadableReply, match="input_tokens"):
        await adapter(api, wire.serve(json_body=body)).count_tokens(CALL)


@pytest.mark.parametrize("api", ["anthropic", "openai"])
async def test_a_refusal_is_the_error_that_fits(api):
    server = wire.serve(429, json_body={"error": {"message": "slow"}}, headers={"retry-after": "3"})

    with pytest.raises(RateLimited) as caught:
        await adapter(api, server).count_tokens(CALL)

    assert caught.value.retry_after_s == 3


async def test_betas_go_along():
    server = wire.serve(json_body={"input_tokens": 1})
    call = attrs.evolve(CALL, settings=Settings(extra={"betas": ["b-1"]}))

    await adapter("anthropic", server).count_tokens(call)

    assert server.requests[0].headers["anthropic-beta"] == "b-1"


async def test_chat_completions_cannot_count_and_say_what_can():
    with pytest.raises(UsageError, match="estimate_tokens"):
        await OpenAI("gpt-x", wire.serve(json_body={}).openai()).count_tokens(CALL)


async def test_another_cloud_counts_at_its_own_address():
    server = wire.serve(json_body={"input_tokens": 5})
    client = AsyncAnthropicVertex(region="europe-west1", project_id="p", access_token="t", http_client=server._http())

    assert await Anthropic("claude-x", client).count_tokens(CALL) == 5
    assert server.requests[0].url.path.endswith("/count-tokens:rawPredict")


def test_the_estimate_takes_four_characters_for_a_token():
    call = ModelCall(model="m", messages=(System("a" * 40), User((Text("b" * 360),))))

    assert estimate_tokens(call) == 100
    assert estimate_tokens(attrs.evolve(call, tools=CALL.tools)) > 100
