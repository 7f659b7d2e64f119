"""One conversation goes from provider to provider: each reads what the others have said, done and shown."""

from contextlib import asynccontextmanager

import httpx2
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from par import Agent, Document, Image, Runtime, Text, User, tool
from par.providers.anthropic import Anthropic
from par.providers.ollama import Ollama
from par.providers.openai import OpenAI, profile_of
from par.testing import call, provider_server, say

pytestmark = pytest.mark.anyio

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PICTURE = Image(base64=PIXEL, media_type="image/png")
FILE = Document(base64="JVBERi0xLjQK", media_type="application/pdf", name="a.pdf")
ORDER = ("chat", "responses", "anthropic", "ollama", "mistral")


@tool(effect="read")
async def look(at: str) -> list[str | Image]:
    """Look at something."""
    return [f"a picture of {at}", PICTURE]


@asynccontextmanager
async def models(server):
    """Every provider class, all with one server, which speaks to each in its API and refuses what is wrong in it."""
    async with (
        httpx2.AsyncClient(verify=False) as http,
        AsyncOpenAI(api_key=server.key, base_url=f"{server.base_url}/v1", http_client=http) as openai,
        AsyncAnthropic(api_key=server.key, base_url=server.base_url, http_client=http) as anthropic,
    ):
        yield {
            "chat": OpenAI("gpt-test", openai),
            "responses": OpenAI("gpt-5-mini", openai, api="responses"),
            "anthropic": Anthropic("claude-sonnet-4-5", anthropic),
            "ollama": Ollama("llama-test", client=openai),
            "mistral": OpenAI("mistral-large", openai, profile=profile_of("api.mistral.ai", "mistral-large")),
        }


@pytest.mark.parametrize(("first", "stream"), [(n, n % 2 == 1) for n in range(len(ORDER))], ids=ORDER)
async def test_a_conversation_goes_through_all_providers_in_turn(first, stream):
    turns = [*ORDER[first:], *ORDER[: first + 1]]
    script = [line for name in turns for line in ([say("I look."), call("look", at=name)], say(f"Seen by {name}."))]
    history = ()

    async with provider_server(script) as server, models(server) as known, Runtime() as runtime:
        for name in turns:
            agent = Agent(known[name], tools=[look], instructions="be brief")
            prompt = (*history, User((Text(f"And you, {name}?"), PICTURE, FILE)))
            history = (await answer(runtime, agent, prompt, stream=stream)).messages

    assert server.refusals == []
    assert server.lines_left == 0
    for name in turns:
        assert all(text in str(server.requests[-1].body) for text in (f"And you, {name}?", f"a picture of {name}"))
        assert f"Seen by {name}." in [message.text for message in history if hasattr(message, "text")]
    pictures = [result.blocks for message in history for result in getattr(message, "results", ())]
    assert pictures == [(PICTURE,)] * len(turns)
    assert str(server.requests[-1].body).count(PIXEL) == 2 * len(turns)


async def answer(runtime, agent, prompt, *, stream):
    if not stream:
        return await runtime.run(agent, prompt)
    async with runtime.run_stream(agent, prompt) as running:
        async for _ in running:
            pass
        return running.result
