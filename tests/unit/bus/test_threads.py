"""Plain functions as handlers: they run in a thread, one call at a time, and block nobody."""

import threading

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
from unit.bus.made import envelope, envelopes

from par import Agent, Runtime
from par._bus.delivery import _Thread, caller
from par.bus import BusOptions, Delivery, DeliveryPolicy, EventBus
from par.testing import ScriptedModel, say

pytestmark = pytest.mark.anyio

SHORT = DeliveryPolicy(timeout_s=0.3, retries=0)


@pytest.fixture
def held():
    """Something that a thread waits for; set at the end, so that no thread is left."""
    event = threading.Event()
    yield event
    event.set()


async def test_a_plain_function_is_called_in_a_thread_in_order():
    seen = []

    def handler(delivery):
        seen.append((delivery.envelope.seq, threading.current_thread() is threading.main_thread()))

    async with EventBus() as bus:
        bus.subscribe(handler, name="h")
        for event in envelopes(3):
            bus.publish(event)

    assert seen == [(1, False), (2, False), (3, False)]


async def test_what_a_plain_function_raises_is_a_failure():
    def handler(delivery):
        raise KeyError

    async with EventBus() as bus:
        bus.subscribe(handler, name="h", policy=DeliveryPolicy(retries=1, base_s=0.001))
        bus.publish(envelope())
        await bus.drained()
        (found,) = await bus.dead_letters.find()

    assert (found.attempts, found.error.type) == (2, "KeyError")


async def test_an_awaitable_that_a_plain_function_returns_is_awaited():
    done = []

    async def later(delivery):
        done.append(delivery.envelope.seq)

    async with EventBus() as bus:
        bus.subscribe(lambda delivery: later(delivery), name="h")  # noqa: PLW0108 # plain, and returns an awaitable
        bus.publish(envelope())

    assert done == [1]


async def test_an_agent_does_not_wait_for_a_function_that_blocks(held):
    started = []

    def handler(delivery):
        started.append(delivery)
        held.wait(10)

    async with Runtime(bus=BusOptions(drain_s=0.01)) as rt:
        rt.bus.subscribe(handler, name="h")
        result = await rt.run(Agent(ScriptedModel([say("done")])), "go")

    assert result.output == "done"
    assert len(started) == 1
    assert {one.reason for one in await rt.bus.dead_letters.find()} == {"closed"}


async def test_a_function_that_hangs_is_left_alone_and_not_called_beside_itself(held):
    calls, running, most = [], [], []

    def handler(delivery):
        calls.append(delivery.envelope.seq)
        running.append(1)
        most.append(len(running))
        if len(calls) == 1:
            held.wait(10)
        running.pop()

    async with EventBus() as bus:
        bus.subscribe(handler, name="h", policy=SHORT)
        for event in envelopes(2):
            bus.publish(event)
        await bus.drained()
        assert calls == [1], "the second event waits for the thread of the first, in vain"
        held.set()
        bus.publish(envelope(seq=3))
        await bus.drained()
        found = [(one.envelope.seq, one.reason) for one in await bus.dead_letters.find()]

    assert found == [(1, "timed_out"), (2, "timed_out")]
    assert (calls, set(most)) == ([1, 3], {1})


async def test_functions_that_hang_take_no_threads_from_others(held):
    async with EventBus(BusOptions(drain_s=0.01)) as bus:
        for number in range(50):
            bus.subscribe(lambda delivery: held.wait(10), name=f"h{number}", policy=SHORT)
        bus.publish(envelope())
        await bus.drained()

        with anyio.fail_after(5):
            assert await anyio.to_thread.run_sync(lambda: 3) == 3
        assert len(await bus.dead_letters.find()) == 50


async def test_a_call_that_is_cut_before_its_thread_began_holds_up_no_other():
    seen = []
    call = caller(lambda delivery: seen.append(delivery.attempt))

    with anyio.CancelScope() as cut:
        cut.cancel()
        await call(Delivery(envelope().event, envelope(), 1))
    with anyio.fail_after(5):
        await call(Delivery(envelope().event, envelope(), 2))

    assert seen == [2]


async def test_a_thread_that_begins_after_its_call_was_cut_calls_nothing():
    late, early = _Thread(), _Thread()

    late.leave()
    assert early.begin()
    early.leave()

    assert (late.begin(), late.free.is_set()) == (False, True)
    assert not early.free.is_set(), "its function is still running"
    assert early.end(), "so it says itself when it is free"


async def test_a_function_that_ends_after_the_bus_harms_nobody(held):
    ended = threading.Event()

    def handler(delivery):
        held.wait(10)
        ended.set()

    async with EventBus(BusOptions(drain_s=0.01)) as bus:
        bus.subscribe(handler, name="h")
        bus.publish(envelope())

    held.set()
    assert await anyio.to_thread.run_sync(ended.wait, 10)


async def test_a_thread_may_ask_the_event_loop():
    seen = []

    def handler(delivery):
        seen.append(anyio.from_thread.run(answer))

    async def answer():
        await anyio.lowlevel.checkpoint()
        return 3

    async with EventBus() as bus:
        bus.subscribe(handler, name="h")
        bus.publish(envelope())

    assert seen == [3]
