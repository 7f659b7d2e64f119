"""Every provider class passes the provider contract, on every event loop."""

from contextlib import asynccontextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import httpx2
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from par.providers.anthropic import Anthropic
from par.providers.ollama import Ollama
from par.providers.openai import OpenAI
from par.testing.contract import ALL_SCENARIOS, Subject

pytestmark = pytest.mark.anyio


def http():
    # without the certificates that no request to the loopback needs: loading them takes longer than a scenario
    return httpx2.AsyncClient(verify=False)


@asynccontextmanager
async def openai_chat(server):
    async with AsyncOpenAI(api_key=server.key, base_url=f"{server.base_url}/v1", http_client=http()) as client:
        yield OpenAI("gpt-test", client=client)


@asynccontextmanager
async def openai_responses(server):
    async with AsyncOpenAI(api_key=server.key, base_url=f"{server.base_url}/v1", http_client=http()) as client:
        yield OpenAI("gpt-5-mini", client=client, api="responses")


@asynccontextmanager
async def anthropic(server):
    async with AsyncAnthropic(api_key=server.key, base_url=server.base_url, http_client=http()) as client:
        yield Anthropic("claude-sonnet-4-5", client=client)


@asynccontextmanager
async def ollama(server):
    async with AsyncOpenAI(api_key=server.key, base_url=f"{server.base_url}/v1", http_client=http()) as client:
        yield Ollama("llama-test", client=client)


@asynccontextmanager
async def compatible(server):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", server.key)
        model = OpenAI("some-model", base_url=f"{server.base_url}/v1")
        try:
            yield model
        finally:
            await model.aclose()


def load_example(name):
    path = Path(__file__).parents[2] / "docs" / "examples" / f"{name}.py"
    spec = spec_from_file_location(name, path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SUBJECTS = {
    "openai-chat": Subject(api="chat", open=openai_chat),
    "openai-responses": Subject(api="responses", open=openai_responses),
    "anthropic": Subject(api="anthropic", open=anthropic),
    "own": Subject(
        api="chat",
        open=load_example("own_provider").own_model,
        lacks=["documents", "document_urls", "images", "opaque", "reasoning", "result_images", "streaming"],
    ),
    "ollama": Subject(api="chat", open=ollama),
}


@pytest.mark.parametrize("scenario", ALL_SCENARIOS, ids=str)
@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
async def test_the_provider_does_what_the_contract_says(subject, scenario):
    await scenario(subject)


# the same class as "openai-chat", with a client of its own, which costs more to make than a scenario to play
BY_ADDRESS = [
    scenario
    for scenario in ALL_SCENARIOS
    if scenario.name
    in {
        "a_plain_answer",
        "a_streamed_answer_comes_in_pieces",
        "calls_at_once",
        "malformed_arguments_spoil_only_their_call",
        "a_rate_limit",
        "a_server_that_is_not_there",
        "cancelling_a_stream_hangs_up",
        "what_par_does_not_know_is_kept",
    }
]


@pytest.mark.parametrize("scenario", BY_ADDRESS, ids=str)
async def test_a_compatible_server_by_its_address_does_too(scenario):
    await scenario(Subject(api="chat", open=compatible))
