"""What an event costs whoever tells it, by the number of subscribers: ``python -m benchmarks.bus``.

``publish`` is timed alone, with queues that take everything; the runs are timed with their subscribers at work, on one
event loop, so the subscribers' own work is in them. Each ratio is the median of interleaved rounds.
"""

import time
from statistics import median

import anyio

from benchmarks.measure import interleaved, ratio
from par import Agent, RunContext, Runtime, tool
from par._ids import new_ulid
from par.bus import BusOptions, Delivery, DeliveryPolicy, EventBus, MemoryDeadLetters
from par.events import Envelope, RunEnded, ToolProgress
from par.testing import ScriptedModel, call, say

EVENTS = 2000
ROUNDS = 9
SUBSCRIBERS = (0, 1, 10)


def envelopes(count: int) -> list[Envelope]:
    clock = Runtime()._host._clock
    event = ToolProgress(call_id="c", name="n", message="half way", fraction=0.5)
    return [
        Envelope(id=new_ulid(), session="s", run="r", step=1, parent=None, at=clock.now(), seq=seq, event=event)
        for seq in range(1, count + 1)
    ]


async def ignore(delivery: Delivery) -> None:
    pass


async def published(subscribers: int, *, other: bool = False) -> float:
    """Return the microseconds of one publish, before any subscriber gets its turn."""
    events = envelopes(EVENTS)
    roomy = DeliveryPolicy(queue=EVENTS)
    async with EventBus() as bus:
        for number in range(subscribers):
            bus.subscribe(ignore, RunEnded if other else ToolProgress, name=str(number), policy=roomy)
        publish = bus.publish
        started = time.perf_counter()
        for event in events:
            publish(event)
        return (time.perf_counter() - started) / EVENTS * 1e6


async def buried() -> float:
    """Return the microseconds of one publish that finds the queue full."""
    events = envelopes(EVENTS)
    options = BusOptions(dead_letters=MemoryDeadLetters(EVENTS), pending_letters=EVENTS, drain_s=0.001)
    async with EventBus(options) as bus:
        bus.subscribe(ignore, name="full", policy=DeliveryPolicy(queue=1))
        started = time.perf_counter()
        for event in events:
            bus.publish(event)
        return (time.perf_counter() - started) / EVENTS * 1e6


@tool(effect="read")
async def chatter(ctx: RunContext, times: int) -> str:
    """Tell much."""
    for _ in range(times):
        await ctx.progress("half way", 0.5)
    return "told"


def run_with(subscribers: int, *, drained: bool):
    """Return a run of 500 events, timed alone or until every subscriber has them."""

    async def run() -> None:
        agent = Agent(ScriptedModel([call("chatter", times=500), say("done")]), tools=[chatter])
        async with Runtime(bus=BusOptions()) as rt:
            for number in range(subscribers):
                rt.bus.subscribe(ignore, name=str(number))
            await rt.run(agent, "go")
            if drained:
                await rt.bus.drained()

    return run


async def enter() -> None:
    for _ in range(200):
        async with Runtime():
            pass


async def enter_with_bus() -> None:
    for _ in range(200):
        async with Runtime(bus=BusOptions()):
            pass


async def main() -> None:
    print(f"publish, {EVENTS} events, median of {ROUNDS} rounds")
    for subscribers in SUBSCRIBERS:
        took = median([await published(subscribers) for _ in range(ROUNDS)])
        print(f"  {subscribers:3} subscribers        {took:7.2f} µs/event")
    took = median([await published(10, other=True) for _ in range(ROUNDS)])
    print(f"   10 of another kind    {took:7.2f} µs/event")
    took = median([await buried() for _ in range(ROUNDS)])
    print(f"    1 that is full       {took:7.2f} µs/event (becomes a dead letter)")

    times = await interleaved({str(n): run_with(n, drained=True) for n in SUBSCRIBERS}, ROUNDS)
    print("a run of 500 progress messages, until all subscribers have them (handlers that do nothing)")
    for name in times:
        took = median(times[name]) * 1e6 / 500
        print(f"  {name:>3} subscribers        {took:7.2f} µs/event   {ratio(times, name, '0'):5.2f} x")
    times = await interleaved({"without": enter, "with": enter_with_bus}, ROUNDS)
    for name in times:
        print(f"an empty Runtime {name:7} tasks for subscribers {median(times[name]) / 200 * 1e6:7.2f} µs")


if __name__ == "__main__":
    for backend in ("asyncio", "trio"):
        print(f"\n{backend}")
        anyio.run(main, backend=backend)
