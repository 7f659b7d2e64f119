"""W2 and W3: a step over HTTP and a streamed token, beside a loop with httpx and the SDK's own ``create()``.

Processor time is compared, because the server runs on the same machine; the time to the first token is on the clock.
"""

import sys
import time
from contextlib import asynccontextmanager
from statistics import median
from subprocess import PIPE

import anyio
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from benchmarks.http_loops import Loop, Sdk
from benchmarks.measure import interleaved, ratio
from par import Agent, TextDelta, tool
from par.providers.anthropic import Anthropic
from par.providers.openai import OpenAI

APIS = ("chat", "responses", "anthropic")


async def t0(x: int) -> str:
    """A trivial tool."""
    return "ok"


class Par:
    """An agent on one of the adapters."""

    def __init__(self, api: str, base_url: str, function) -> None:
        self.api = api
        self.tools = [tool(function)]
        self.agents = {}
        if api == "anthropic":
            self.client = AsyncAnthropic(api_key="x", base_url=base_url, max_retries=0)
        else:
            self.client = AsyncOpenAI(api_key="x", base_url=f"{base_url}/v1", max_retries=0)

    def agent(self, model: str):
        if model not in self.agents:
            if self.api == "anthropic":
                adapter = Anthropic(model, client=self.client)
            else:
                adapter = OpenAI(model, client=self.client, api=self.api)
            self.agents[model] = Agent(adapter, tools=self.tools, max_steps=1000)
        return self.agents[model]

    async def run(self, model: str) -> str:
        return (await self.agent(model).run("hi")).output

    async def stream(self, model: str, on_text) -> None:
        async with self.agent(model).run_stream("hi") as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    on_text(event.text)

    async def aclose(self) -> None:
        await self.client.close()


@asynccontextmanager
async def contenders(api: str, base_url: str):
    """The loop, the SDK and par, each with a client of its own."""
    there = {"loop": Loop(api, base_url, t0), "sdk": Sdk(api, base_url, t0), "par": Par(api, base_url, t0)}
    try:
        yield there
    finally:
        for one in there.values():
            await one.aclose()


def runs(agent, model: str, times: int):
    async def run() -> None:
        for _ in range(times):
            if await agent.run(model) != "done":
                raise RuntimeError("wrong answer")

    return run


def streams(agent, model: str, tokens: int, firsts: list[float] | None = None):
    async def run() -> None:
        seen: list[float] = []
        length = 0

        def on_text(text: str) -> None:
            nonlocal length
            if not seen:
                seen.append(time.perf_counter())
            length += len(text)

        started = time.perf_counter()
        await agent.stream(model, on_text)
        if length != 4 * tokens:
            raise RuntimeError(f"{length} characters of {4 * tokens}")
        if firsts is not None:
            firsts.append(seen[0] - started)

    return run


async def steps_over_http(base_url: str, rounds: int) -> None:
    """W2."""
    print("\nW2  one request of a run over HTTP, processor time (goal: par at most 1.30 x loop, flat in the history)")
    for api in APIS:
        async with contenders(api, base_url) as there:
            for steps, repeat in ((1, 20), (10, 4), (50, 1)):
                runners = {name: runs(one, f"fake-k{steps}-n0", repeat) for name, one in there.items()}
                times = await interleaved(runners, rounds, clock=time.process_time)
                unit = repeat * (steps + 1) / 1e6
                took = {name: median(times[name]) / unit for name in runners}
                print(
                    f"  {api:10} {steps:3} steps   loop {took['loop']:7.0f} µs   sdk {took['sdk']:7.0f} µs"
                    f"  {ratio(times, 'sdk', 'loop'):5.2f} x   par {took['par']:7.0f} µs  {ratio(times, 'par', 'loop'):5.2f} x loop"
                )


async def tokens_over_http(base_url: str, rounds: int) -> None:
    """W3."""
    print("\nW3  one streamed token, processor time (goal: 2.00 x loop); time to the first token (goal: 1.10 x loop)")
    tokens = 2000
    for api in APIS:
        async with contenders(api, base_url) as there:
            many = {name: streams(one, f"fake-k0-n{tokens}", tokens) for name, one in there.items()}
            times = await interleaved(many, rounds, clock=time.process_time)
            firsts: dict[str, list[float]] = {name: [] for name in there}
            few = {name: streams(one, "fake-k0-n1", 1, firsts[name]) for name, one in there.items()}
            await interleaved(few, rounds * 10)
            took = {name: median(times[name]) / tokens * 1e6 for name in there}
            for name in there:
                first = median(firsts[name])
                print(
                    f"  {api:10} {name:5} {took[name]:6.1f} µs/token  {ratio(times, name, 'loop'):5.2f} x loop   "
                    f"first token {first * 1e3:6.2f} ms  {ratio(firsts, name, 'loop'):5.2f} x loop"
                )


async def over_http(rounds: int) -> None:
    """W2 and W3, against a server in a process of its own."""
    async with await anyio.open_process([sys.executable, "-m", "benchmarks.http_server"], stdout=PIPE) as server:
        try:
            port = int(await server.stdout.receive())
            await steps_over_http(f"http://127.0.0.1:{port}", rounds)
            await tokens_over_http(f"http://127.0.0.1:{port}", rounds)
        finally:
            server.terminate()


if __name__ == "__main__":
    anyio.run(over_http, 12)
