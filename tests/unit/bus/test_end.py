"""How subscriptions and buses end: what is queued is delivered or kept, and nothing is left behind."""

import logging

import anyio
import pytest
from support.ticks import other_tasks
from unit.bus.made import Handler, envelope, envelopes, hang, letter
from unit.middleware.driving import virtual_time as anyio_backend  # noqa: F401

from par.bus import BusOptions, DeliveryPolicy, EventBus, MemoryDeadLetters
from par.errors import StoreError, StoreUnavailable, UsageError

pytestmark = pytest.mark.anyio

PATIENT = DeliveryPolicy(timeout_s=1000)


def publish(bus, events):
    for event in events:
        bus.publish(event)


async def kept(letters):
    return [(one.envelope.seq, one.reason, one.attempts) for one in await letters.find(limit=1000)]


def slowly(seconds):
    async def step():
        await anyio.sleep(seconds)

    return step


# --- the bus ----------------------------------------------------------------------------------------------------


async def test_leaving_the_block_delivers_what_is_queued():
    handler = Handler(*[slowly(0.1)] * 9)
    before = other_tasks()

    async with EventBus() as bus:
        bus.subscribe(handler, name="h")
        publish(bus, envelopes(9))

    assert handler.done == list(range(1, 10))
    assert await kept(bus.dead_letters) == []
    assert other_tasks() == before


@pytest.mark.parametrize(("drain_s", "delivered"), [(2.5, 2), (4.5, 4)])
async def test_what_takes_longer_than_the_time_to_drain_becomes_dead_letters(drain_s, delivered):
    handler = Handler(*[slowly(1)] * 6)

    async with EventBus(BusOptions(drain_s=drain_s)) as bus:
        bus.subscribe(handler, name="h")
        publish(bus, envelopes(6))
        before = anyio.current_time()

    assert anyio.current_time() - before == pytest.approx(drain_s)
    assert handler.done == list(range(1, delivered + 1))
    assert await kept(bus.dead_letters) == [
        (delivered + 1, "closed", 1),
        *((seq, "closed", 0) for seq in range(delivered + 2, 7)),
    ]


async def test_a_bus_that_is_cancelled_delivers_what_is_queued_all_the_same():
    handler = Handler(*[slowly(1)] * 3)

    with anyio.CancelScope() as outer:
        async with EventBus() as bus:
            bus.subscribe(handler, name="h")
            publish(bus, envelopes(3))
            outer.cancel()
            await anyio.sleep(1)

    assert outer.cancelled_caught
    assert handler.done == [1, 2, 3]


async def test_a_bus_that_is_cancelled_is_bounded_by_the_time_to_drain():
    with anyio.CancelScope() as outer:
        async with EventBus(BusOptions(drain_s=2)) as bus:
            bus.subscribe(Handler(hang), name="h", policy=PATIENT)
            publish(bus, envelopes(2))
            before = anyio.current_time()
            outer.cancel()
            await anyio.sleep(1)

    assert anyio.current_time() - before == pytest.approx(2)
    assert await kept(bus.dead_letters) == [(1, "closed", 1), (2, "closed", 0)]


async def test_the_error_of_the_block_is_the_error_that_is_raised():
    with pytest.raises(KeyError):
        async with EventBus() as bus:
            bus.subscribe(Handler(), name="h")
            raise KeyError


async def test_a_pause_between_retries_is_cut_at_the_end_and_its_event_kept_with_the_last_error():
    handler = Handler(KeyError())

    async with EventBus(BusOptions(drain_s=1)) as bus:
        bus.subscribe(handler, name="h", policy=DeliveryPolicy(base_s=100, max_delay_s=100, jitter=False))
        bus.publish(envelope())
        await handler.called.wait()

    (found,) = await bus.dead_letters.find()
    assert (found.reason, found.attempts, found.error.type) == ("closed", 1, "KeyError")


async def test_after_the_end_nobody_subscribes_and_what_is_published_is_told_in_the_log(caplog):
    async with EventBus() as bus:
        bus.subscribe(Handler(), name="h")

    with pytest.raises(UsageError, match="closed"):
        bus.subscribe(Handler(), name="other")
    with pytest.raises(UsageError, match="closed"):
        async with bus.stream():
            pass
    bus.publish(envelope())
    assert bus.lost == 1
    assert "did not reach 'h'" in caplog.text


# --- subscriptions ----------------------------------------------------------------------------------------------


async def test_a_closed_subscription_gets_what_is_queued_and_nothing_more():
    handler = Handler(slowly(1))

    async with EventBus() as bus:
        subscription = bus.subscribe(handler, name="h")
        publish(bus, envelopes(3))
        subscription.close()
        bus.publish(envelope(seq=4))
        await bus.drained()

        assert subscription.ended
    assert handler.done == [1, 2, 3]
    assert await kept(bus.dead_letters) == []


async def test_a_subscription_that_is_cancelled_while_it_delivers_leaves_dead_letters():
    handler = Handler(hang)

    async with EventBus() as bus:
        subscription = bus.subscribe(handler, name="h", policy=PATIENT)
        publish(bus, envelopes(3))
        await handler.called.wait()
        before = anyio.current_time()
        subscription.cancel()
        bus.publish(envelope(seq=4))
        await bus.drained()

        assert subscription.ended
        assert anyio.current_time() == before
    assert await kept(bus.dead_letters) == [(1, "unsubscribed", 1), (2, "unsubscribed", 0), (3, "unsubscribed", 0)]


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_a_handler_may_end_its_own_subscription(how):
    ended = []

    async def handler(delivery):
        getattr(subscription, how)()
        await anyio.lowlevel.checkpoint()
        ended.append(delivery.envelope.seq)

    async with EventBus() as bus:
        subscription = bus.subscribe(handler, name="h")
        publish(bus, envelopes(2))
        await bus.drained()

    assert ended == ([1, 2] if how == "close" else [])
    assert len(await kept(bus.dead_letters)) == (0 if how == "close" else 2)


async def test_a_subscription_that_is_cancelled_before_the_bus_is_entered_calls_nobody():
    handler = Handler()
    bus = EventBus()
    subscription = bus.subscribe(handler, name="h")
    bus.publish(envelope())
    subscription.cancel()

    async with bus:
        await bus.drained()

    assert handler.calls == []
    assert await kept(bus.dead_letters) == [(1, "unsubscribed", 0)]


# --- a store of letters that fails ------------------------------------------------------------------------------


class Failing:
    """A store of letters that raises what it is told to, and then keeps what it gets."""

    def __init__(self, *errors, refuses=()):
        self.errors = list(errors)
        self.refuses = refuses
        self.inner = MemoryDeadLetters()
        self.puts = 0

    async def put(self, letters, /):
        self.puts += 1
        if self.errors:
            raise self.errors.pop(0)
        if any(one.envelope.seq in self.refuses for one in letters):
            raise StoreError("no such letters here")
        await self.inner.put(letters)

    def __getattr__(self, name):
        return getattr(self.inner, name)


async def test_letters_wait_for_a_store_that_is_away():
    letters = Failing(*[StoreUnavailable("x", "away")] * 8, OSError("disk"))

    async with EventBus(BusOptions(dead_letters=letters)) as bus:
        bus.subscribe(Handler(KeyError()), name="h", policy=DeliveryPolicy(retries=0))
        bus.publish(envelope())
        before = anyio.current_time()
        await bus.drained()
        took = anyio.current_time() - before

    assert await kept(letters) == [(1, "failed", 1)]
    assert took == pytest.approx(0.1 + 0.2 + 0.4 + 0.8 + 1.6 + 3.2 + 5 + 5 + 5)
    assert bus.lost == 0


async def test_letters_that_their_store_refuses_are_lost_alone_and_named(caplog):
    letters = Failing(StoreUnavailable("x", "away"), refuses=(2,))

    async with EventBus(BusOptions(dead_letters=letters)) as bus:
        bus.subscribe(Handler(*[KeyError()] * 3), name="h", policy=DeliveryPolicy(retries=0))
        publish(bus, envelopes(3))
        await bus.drained()

    assert [seq for seq, *_ in await kept(letters)] == [1, 3]
    assert bus.lost == 1
    assert "the event 2 of session 'session' did not reach 'h'" in caplog.text


async def test_a_store_that_stays_away_does_not_hold_up_the_end(caplog):
    caplog.set_level(logging.WARNING, "par.bus")
    letters = Failing(*[StoreUnavailable("x", "away")] * 10_000)

    async with EventBus(BusOptions(dead_letters=letters, drain_s=1)) as bus:
        bus.subscribe(Handler(hang), name="h", policy=PATIENT)
        publish(bus, envelopes(2))
        before = anyio.current_time()

    assert anyio.current_time() - before == pytest.approx(1 + 5)
    assert bus.lost == 2
    assert "away" in caplog.text


async def test_a_store_that_comes_back_while_the_bus_ends_gets_the_letters():
    letters = Failing(*[StoreUnavailable("x", "away")] * 10)

    async with EventBus(BusOptions(dead_letters=letters, drain_s=1)) as bus:
        bus.subscribe(Handler(hang), name="h", policy=PATIENT)
        publish(bus, envelopes(2))

    assert await kept(letters) == [(1, "closed", 1), (2, "closed", 0)]


@pytest.mark.parametrize(("pending", "lost"), [(2, 2), (4, 0)])
async def test_only_so_many_letters_wait_to_be_stored(pending, lost):
    letters = Failing(StoreUnavailable("x", "away"))
    handler = Handler(hang)

    async with EventBus(BusOptions(dead_letters=letters, pending_letters=pending, drain_s=0.01)) as bus:
        bus.subscribe(handler, name="h", policy=DeliveryPolicy(queue=1, when_full="dead_letter", timeout_s=1000))
        bus.publish(envelope(seq=1))
        await handler.called.wait()
        publish(bus, envelopes(6)[1:])
        assert bus.lost == lost

    assert len(await kept(letters)) >= pending


async def test_memory_keeps_the_newest_letters_and_counts_the_others(caplog):
    letters = MemoryDeadLetters(limit=2)

    await letters.put([letter("01"), letter("02")])
    await letters.put([letter("03")])

    assert [one.id for one in await letters.find()] == ["02", "03"]
    assert letters.dropped == 1
    assert "gave way" in caplog.text
