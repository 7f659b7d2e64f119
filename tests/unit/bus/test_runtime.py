"""The bus of a runtime: what its runs tell reaches subscribers, after the store has it, and costs the runs nothing."""

import subprocess
import sys

import anyio
import pytest
from support.memory_store import MemoryStore
from support.ticks import other_tasks
from test_events import DECLARED, OF_DURABLE_SESSIONS, OF_STORES, eventful
from unit.bus.made import Handler, envelope, hang

from par import Agent, RunContext, Runtime, StoreError, UsageError, tool
from par._engine.run import Run
from par.bus import BusOptions, Delivery, DeliveryPolicy, EventBus, MemoryDeadLetters
from par.events import ModelCallStarted, RunEnded, RunStarted, ToolCallEnded, ToolProgress
from par.persistence import AUDIT_SESSION, open_sqlite
from par.testing import ScriptedModel, call, say

pytestmark = pytest.mark.anyio


@tool(effect="read")
async def look(ctx: RunContext, x: int) -> int:
    """Look."""
    await ctx.progress("looking")
    return x


def looking(calls=2):
    return Agent(ScriptedModel([[call("look", x=n) for n in range(calls)], say("done")]), tools=[look])


class Collected:
    """A handler that keeps the envelopes."""

    def __init__(self):
        self.envelopes = []

    async def __call__(self, delivery: Delivery):
        self.envelopes.append(delivery.envelope)


@pytest.mark.parametrize("store", [None, MemoryStore], ids=["no-store", "store"])
async def test_a_subscriber_gets_all_that_a_session_tells_in_the_order_of_its_numbers(store):
    collected = Collected()
    kept = store and store()

    async with Runtime(store=kept, bus=BusOptions()) as rt:
        rt.bus.subscribe(collected, name="c")
        agent = Agent(ScriptedModel([[call("look", x=1), call("look", x=2)], say("a"), say("b")]), tools=[look])
        await rt.run(agent, "go", session="s")
        await rt.run(agent, "again", session="s")

    assert [one.seq for one in collected.envelopes] == list(range(1, len(collected.envelopes) + 1))
    assert {one.session for one in collected.envelopes} == {"s"}
    assert [type(one.event) for one in collected.envelopes if isinstance(one.event, RunStarted | RunEnded)] == [
        RunStarted, RunEnded, RunStarted, RunEnded,
    ]  # fmt: skip
    if kept is not None:
        assert collected.envelopes == kept.envelopes


async def test_every_event_that_runs_tell_passes_through_the_bus(tmp_path):
    collected = Collected()

    async with Runtime(bus=BusOptions()) as rt:
        rt.bus.subscribe(collected, name="c")
        await rt.run(eventful(tmp_path), "Write to jane.doe@example.com")

    assert {type(one.event) for one in collected.envelopes} == DECLARED - OF_STORES - OF_DURABLE_SESSIONS


async def test_events_that_a_store_tells_of_itself_pass_through_the_bus(tmp_path):
    collected = Collected()

    async with open_sqlite(tmp_path / "audit.db") as store, EventBus() as bus:
        bus.subscribe(collected, *OF_STORES, name="c")
        for _ in range(2):
            await store.post("s", [ToolProgress(call_id="c", name="n", message="m")])
        await store.redact("s", seqs=[2], reason="asked for", by="ann")
        removed = (await store.events("s"))[0].at
        await store.expire(before=removed.replace(year=removed.year + 1), session="s")
        await store.post("s", [ToolProgress(call_id="c", name="n", message="m")])
        await store.redact("s", seqs=[3], reason="asked for", by="ann")
        for session in ("s", AUDIT_SESSION):
            async for one in store.events(session):
                bus.publish(one)

    assert {type(one.event) for one in collected.envelopes} == OF_STORES


async def test_an_event_is_published_after_the_store_has_it():
    class Held(MemoryStore):
        def __init__(self):
            super().__init__()
            self.reached, self.release = anyio.Event(), anyio.Event()

        async def append(self, envelopes, /):
            if any(isinstance(one.event, ToolCallEnded) for one in envelopes):
                self.reached.set()
                await self.release.wait()
            await super().append(envelopes)

    store, seen = Held(), []

    async def read(events):
        async for delivery in events:
            seen.append(delivery.envelope)

    async with anyio.create_task_group() as group, Runtime(store=store) as rt, rt.bus.stream() as events:
        group.start_soon(read, events)
        group.start_soon(rt.run, looking(1), "go")
        await store.reached.wait()
        await anyio.wait_all_tasks_blocked()
        assert seen == store.envelopes
        assert not any(isinstance(one.event, ToolCallEnded) for one in seen)
        store.release.set()
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()

    assert seen == store.envelopes
    assert isinstance(seen[-1].event, RunEnded)


@pytest.mark.parametrize("n", [1, 3, 5])
async def test_what_a_store_refuses_is_not_published(n):
    store, collected = MemoryStore(fail_after=n), Collected()

    async with Runtime(store=store, bus=BusOptions()) as rt:
        rt.bus.subscribe(collected, name="c")
        with pytest.raises(StoreError):
            await rt.run(looking(), "go")

    assert collected.envelopes == store.envelopes


@pytest.mark.parametrize("late", [False, True], ids=["before-it-is-written", "after-it-was-written"])
async def test_an_append_that_is_cancelled_is_published_once(late):
    class Interruptible(MemoryStore):
        hold = True

        async def append(self, envelopes, /):
            if late:
                await super().append(envelopes)
            if self.hold and isinstance(envelopes[-1].event, ToolCallEnded):
                self.hold = False
                await anyio.sleep_forever()
            if not late:
                await super().append(envelopes)

    store, collected = Interruptible(), Collected()
    async with Runtime(store=store, bus=BusOptions()) as rt:
        rt.bus.subscribe(collected, name="c")
        await rt.run(looking(), "go", session="s", timeout_s=0.1)
        await rt.run(Agent(ScriptedModel([say("x")])), "again", session="s")

    assert collected.envelopes == store.envelopes


# --- what it costs ----------------------------------------------------------------------------------------------


@tool(effect="read")
async def chatter(ctx: RunContext, times: int) -> bool:
    """Tell much, and tell whether anybody listens."""
    for number in range(times):
        await ctx.progress(str(number))
    return Run.of(ctx).listening


def chattering(times):
    return Agent(ScriptedModel([call("chatter", times=times), say("done")]), tools=[chatter])


async def listened(rt):
    result = await rt.run(chattering(1), "go")
    return result.messages[2].results[0].content


async def test_without_a_store_nobody_listens_until_somebody_subscribes():
    async with Runtime(bus=BusOptions()) as rt:
        assert await listened(rt) == "false"
        subscription = rt.bus.subscribe(Collected(), ModelCallStarted, name="c")
        assert await listened(rt) == "true"
        subscription.close()
        assert await listened(rt) == "false"


async def test_a_runtime_without_subscribers_has_no_tasks():
    before = other_tasks()

    async with Runtime(store=MemoryStore(), bus=BusOptions()) as rt:
        await rt.run(looking(), "go")
        assert rt.bus.wanted is False
        assert other_tasks() == before


async def test_subscribers_before_the_block_are_enough_to_have_tasks_for_them():
    collected = Collected()
    rt = Runtime()
    rt.bus.subscribe(collected, RunEnded, name="c")

    async with rt:
        rt.bus.subscribe(collected, RunStarted, name="another")
        await rt.run(looking(), "go")

    assert len(collected.envelopes) == 2


async def test_a_runtime_that_expects_no_subscribers_refuses_them_and_takes_streams():
    async with Runtime() as rt, rt.bus.stream(RunEnded) as events:
        with pytest.raises(UsageError, match=r"Runtime\(bus=BusOptions\(\)\)"):
            rt.bus.subscribe(Collected(), name="c")
        await rt.run(looking(), "go")

        assert (await anext(events)).event.stop_reason == "finished"


def test_the_bus_loads_no_codec():
    script = "import par.bus, sys; print([name for name in sys.modules if name in ('cattrs', 'par.codec', 'asyncio')])"

    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=True)

    assert found.stdout.strip() == "[]"


async def all_of(letters):
    found = []
    while page := await letters.find(after=found[-1].id if found else None, limit=1000):
        found += page
    return found


async def told_beside(subscribe):
    """Let a run tell 10,000 things; return how many it told, how long it took, and what the subscribers left waiting."""
    told = 0

    @tool(effect="read")
    async def chatter(ctx: RunContext, times: int) -> str:
        """Tell much."""
        nonlocal told
        for number in range(times):
            await ctx.progress(str(number))
            told += 1
        return "told"

    agent = Agent(ScriptedModel([call("chatter", times=10_000), say("done")]), tools=[chatter])
    async with Runtime(bus=BusOptions(drain_s=0.01, pending_letters=20_000)) as rt:
        subscriptions = subscribe(rt.bus)
        before = anyio.current_time()
        await rt.run(agent, "go")
        took = anyio.current_time() - before
        waiting = [one.waiting for one in subscriptions]
    return told, took, waiting


class TestInVirtualTime:
    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request):
        from par.testing import virtual_time

        return virtual_time(request.param)

    async def test_ten_thousand_events_for_a_slow_subscriber_take_no_time_of_the_run(self):
        async def slow(delivery):
            await anyio.sleep(1)

        def subscribe(bus):
            roomy, tight = DeliveryPolicy(queue=20_000), DeliveryPolicy(queue=10)
            return [
                bus.subscribe(slow, name="roomy", policy=roomy),
                bus.subscribe(slow, name="tight", policy=tight),
                bus.subscribe(Handler(hang), name="hanging", policy=DeliveryPolicy(queue=10, when_full="drop_oldest")),
            ]

        told, took, waiting = await told_beside(subscribe)

        assert (told, took) == (10_000, 0)
        assert waiting[0] > 9_990
        assert waiting[1:] == [10, 10]

    async def test_every_one_of_ten_thousand_events_is_delivered_or_kept(self):
        collected, letters = Handler(KeyError(), hang, KeyError()), MemoryDeadLetters(limit=20_000)

        async with EventBus(BusOptions(dead_letters=letters, drain_s=1, pending_letters=20_000)) as bus:
            bus.subscribe(collected, name="c", policy=DeliveryPolicy(queue=5_000, retries=0))
            for seq in range(1, 10_001):
                bus.publish(envelope(seq=seq))
            await bus.drained()
            buried = [one.envelope.seq for one in await all_of(letters)]

        assert sorted([*collected.done, *buried]) == list(range(1, 10_001))
        assert collected.done == sorted(collected.done)


# --- the end ----------------------------------------------------------------------------------------------------


async def test_a_runtime_that_is_cancelled_brings_the_ends_of_its_runs_to_subscribers():
    collected, started = Collected(), anyio.Event()

    @tool(effect="read")
    async def forever() -> None:
        """Never end."""
        started.set()
        await anyio.sleep_forever()

    agent = Agent(ScriptedModel([call("forever"), say("x")]), tools=[forever])
    with anyio.CancelScope() as outer:
        async with Runtime(bus=BusOptions()) as rt, anyio.create_task_group() as group:
            rt.bus.subscribe(collected, name="c")
            group.start_soon(rt.run, agent, "go")
            await started.wait()
            outer.cancel()

    assert outer.cancelled_caught
    assert isinstance(collected.envelopes[-1].event, RunEnded)
    assert collected.envelopes[-1].event.stop_reason == "cancelled"
    assert await rt.bus.dead_letters.find() == ()


async def test_a_second_cancellation_does_not_cut_what_the_first_one_left_to_deliver(anyio_backend_name):
    if anyio_backend_name == "trio":
        pytest.skip("trio has no cancellation but scopes")
    import asyncio

    reached, release, done = anyio.Event(), anyio.Event(), []

    async def handler(delivery):
        reached.set()
        await release.wait()
        done.append(delivery.envelope.seq)

    async def serve():
        async with Runtime(bus=BusOptions()) as rt:
            rt.bus.subscribe(handler, name="h")
            for seq in (1, 2, 3):
                rt.bus.publish(envelope(seq=seq))
            await anyio.sleep_forever()

    task = asyncio.create_task(serve())
    await reached.wait()
    for _ in range(2):
        task.cancel()
        await anyio.wait_all_tasks_blocked()
    release.set()
    await asyncio.wait([task])

    assert task.cancelled()
    assert done == [1, 2, 3]


async def test_what_a_closed_runtime_did_not_deliver_is_kept():
    async with Runtime(bus=BusOptions(drain_s=0.01)) as rt:
        rt.bus.subscribe(Handler(hang), RunStarted, RunEnded, name="c")
        await rt.run(looking(), "go", session="s")

    kept = [(type(one.envelope.event), one.reason) for one in await rt.bus.dead_letters.find()]
    assert kept == [(RunStarted, "closed"), (RunEnded, "closed")]


async def test_dead_letters_go_where_the_runtimes_store_keeps_them():
    class Keeping(MemoryStore):
        def __init__(self):
            super().__init__()
            self.letters = MemoryDeadLetters()

        def dead_letters(self):
            return self.letters

    store, other = Keeping(), MemoryDeadLetters()
    async with Runtime(store=store) as rt:
        assert rt.bus.dead_letters is store.letters
    async with Runtime(store=store, bus=BusOptions(dead_letters=other)) as rt:
        assert rt.bus.dead_letters is other


async def test_the_error_of_the_block_stays_what_it_is():
    with pytest.raises(KeyError):
        async with Runtime(bus=BusOptions()) as rt:
            rt.bus.subscribe(Collected(), name="c")
            await rt.run(looking(), "go")
            raise KeyError


async def test_a_handler_may_run_an_agent_of_the_same_runtime():
    outputs = []

    async with Runtime(bus=BusOptions()) as rt:

        async def summarise(delivery: Delivery[RunEnded]) -> None:
            if delivery.envelope.session == "first":
                outputs.append(
                    (await rt.run(Agent(ScriptedModel([say("summary")])), "sum up", session="second")).output
                )

        rt.bus.subscribe(summarise, RunEnded)
        await rt.run(looking(), "go", session="first")
        await rt.bus.drained()

    assert outputs == ["summary"]
