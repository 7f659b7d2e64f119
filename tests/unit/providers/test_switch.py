"""One conversation goes through all adapters in turn, and no server refuses any of it."""

from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from par import Agent, Assistant, Image, ModelCall, ModelReply, System, Text, ToolResults, ToolSpec, ToolUse, User, tool
from par.messages import Document, Opaque, Reasoning, ToolResult
from par.providers.anthropic import Anthropic
from par.providers.ollama import Ollama
from par.providers.openai import OpenAI
from par.testing import provider_server, refuse, say

pytestmark = pytest.mark.anyio

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
PICTURE = Image(base64=PIXEL, media_type="image/png")
PAPER = Document(base64="JVBERi0xLjQK", media_type="application/pdf", name="paper.pdf")
WEATHER = ToolSpec(
    name="weather",
    description="Tell the weather of a city.",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
APIS = ["chat", "responses", "anthropic", "ollama"]


def openai(server):
    http = httpx2.AsyncClient(verify=False, trust_env=False)
    return AsyncOpenAI(api_key=server.key, base_url=f"{server.base_url}/v1", http_client=http)


@asynccontextmanager
async def model_of(api, server):
    if api == "anthropic":
        http = httpx2.AsyncClient(verify=False, trust_env=False)
        async with AsyncAnthropic(api_key=server.key, base_url=server.base_url, http_client=http) as client:
            yield Anthropic("claude-sonnet-4-5", client=client)
        return
    async with openai(server) as client:
        match api:
            case "ollama":
                yield Ollama("qwen3", client=client)
            case "chat":
                yield OpenAI("gpt-4.1", client=client)
            case _:
                yield OpenAI("gpt-5-mini", client=client, api="responses")


SEALED = {
    "chat": Opaque("server", {"reasoning_details": [{"type": "reasoning.encrypted", "data": "of chat", "index": 0}]}),
    "ollama": Opaque("server", {"annotations": [{"type": "note of ollama"}]}),
    "responses": Opaque(
        "server", {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}}
    ),
    "anthropic": Opaque("server", {"type": "redacted_thinking", "data": "of anthropic"}),
}


def thinking_and_calling(api, number):
    """What each provider can say at most: thoughts, its own block, text, two calls at once."""
    return ModelReply(
        message=Assistant((
            Reasoning(f"thought {number}", f"c2lnbmVk{number}"),
            SEALED[api],
            Text(f"Let me look, says {api}."),
            ToolUse(f"call_{api}_{number}_a", "weather", {"city": "A"}),
            ToolUse(f"call_{api}_{number}_b", "weather", {"city": "B"}),
        )),
        finish="tool_uses",
    )


def results_of(message):
    """A plain result with a picture, and a failed one."""
    first, second = message.tool_uses
    return ToolResults((
        ToolResult(tool_use_id=first.id, name=first.name, content="sun", blocks=(PICTURE,)),
        ToolResult(tool_use_id=second.id, name=second.name, content="no such city", outcome="failed"),
    ))


class Conversation:
    """Grows while it is handed from one provider to the next."""

    def __init__(self, stream):
        self.stream = stream
        self.messages = [System("Be brief."), User((Text("What is this?"), PICTURE, PAPER))]

    async def ask(self, model):
        call = ModelCall(model="m", messages=tuple(self.messages), tools=(WEATHER,), stream=self.stream)
        reply = await model(call)
        self.messages.append(reply.message)
        if reply.message.tool_uses:
            self.messages.append(results_of(reply.message))
        return reply


def lines(api):
    return lambda request: thinking_and_calling(api, request.number)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("start", range(len(APIS)), ids=APIS)
async def test_a_conversation_goes_through_all_providers_in_turn(start, stream):
    conversation = Conversation(stream)
    async with AsyncExitStack() as stack:
        servers, models = {}, {}
        for api in [*APIS[start:], *APIS[:start]]:
            servers[api] = await stack.enter_async_context(provider_server(lines(api)))
            models[api] = await stack.enter_async_context(model_of(api, servers[api]))
        for model in models.values():
            await conversation.ask(model)
        # in the second round each meets its own blocks again, among those of the others
        for api, model in models.items():
            reply = await conversation.ask(model)

            assert servers[api].refusals == []
            assert reply.message.text == f"Let me look, says {api}."
            assert len(reply.message.tool_uses) == 2
            body = str(servers[api].requests[-1].body)
            assert PIXEL in body
            assert body.count("no such city") >= len(APIS)
            assert [f"Let me look, says {other}." in body for other in APIS] == [True] * len(APIS)
            assert ("c2lnbmVk0" in body) is (api in ("anthropic", "responses")), (
                "signed thoughts go back where they are"
            )
            for other in APIS:  # a seal goes back to its own provider and to no other
                seal = SEALED[other].data
                assert (str(seal) in body or str(seal)[1:-1] in body) is (other == api), other


@pytest.mark.parametrize("second", APIS)
@pytest.mark.parametrize("first", APIS)
async def test_the_second_provider_takes_over_between_a_call_and_its_answer(first, second):
    if first == second:
        return  # it would be a server that does not know the seals of the other
    conversation = Conversation(stream=False)
    async with provider_server(lines(first)) as server, model_of(first, server) as model:
        await conversation.ask(model)
    async with provider_server([say("Sun in A.")]) as server, model_of(second, server) as model:
        reply = await conversation.ask(model)

        assert server.refusals == []
        assert reply.message.text == "Sun in A."
        body = str(server.requests[0].body)
        assert "Let me look" in body
        assert "sun" in body
        assert str(SEALED[first].data)[1:-1] not in body, "a seal went to a stranger"


@pytest.mark.parametrize("api", APIS)
async def test_malformed_arguments_and_foreign_ids_of_one_are_taken_by_the_others(api):
    use = ToolUse("toolu|odd id.1", "weather", malformed='{"city": ')
    result = ToolResult(tool_use_id=use.id, name=use.name, content="that was no JSON", outcome="failed")
    messages = (User((Text("Hi"),)), Assistant((use,)), ToolResults((result,)))
    async with provider_server([say("Sorry.")]) as server, model_of(api, server) as model:
        reply = await model(ModelCall(model="m", messages=messages, tools=(WEATHER,)))

        assert server.refusals == []
        assert reply.message.text == "Sorry."


@pytest.mark.parametrize("api", APIS)
async def test_a_refusal_and_an_answer_cut_short_are_taken_by_the_others(api):
    for line in (refuse("No."), say("Once upon a", finish="length")):
        async with provider_server([line]) as server, model_of("responses", server) as model:
            said = (await model(ModelCall(model="m", messages=(User((Text("Hi"),)),)))).message
        messages = (User((Text("Hi"),)), said, User((Text("Go on."),)))
        async with provider_server([say("Well.")]) as server, model_of(api, server) as model:
            await model(ModelCall(model="m", messages=messages))

            assert server.refusals == []
            assert said.text in str(server.requests[0].body)


@tool(effect="read")
async def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sunny in {city}"


@pytest.mark.parametrize("second", APIS)
@pytest.mark.parametrize("first", APIS)
async def test_an_agent_goes_on_with_what_another_said(first, second):
    script = [thinking_and_calling(first, 0), say("Sunny."), say("And tomorrow too.")]
    async with provider_server(script) as server, model_of(first, server) as one, model_of(second, server) as other:
        result = await Agent(one, tools=[weather]).run("How is the weather?")
        prompt = [*result.messages, User((Text("And tomorrow?"),))]
        again = await Agent(other, tools=[weather]).run(prompt)

        assert server.refusals == []
        assert again.output == "And tomorrow too."
