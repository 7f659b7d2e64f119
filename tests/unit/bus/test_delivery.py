"""How events are brought to subscribers: in order, one at a time, again after a failure, and given up in the end."""

import logging
from random import Random

import anyio
import anyio.lowlevel
import pytest
from unit.bus.made import Handler, envelope, envelopes, hang
from unit.middleware.driving import virtual_time as anyio_backend  # noqa: F401

from par import Event
from par.bus import BusOptions, DeliveryPolicy, EventBus
from par.errors import ToolFailed, UsageError
from par.events import ErrorInfo, RunStarted, ToolProgress

pytestmark = pytest.mark.anyio

STARTED = RunStarted(agent="a", model="m", input=())
EXACT = DeliveryPolicy(base_s=1, jitter=False)


def publish(bus, events):
    for event in events:
        bus.publish(event)


async def letters_of(bus):
    await bus.drained()
    return [
        (one.subscriber, one.envelope.seq, one.reason, one.attempts, one.error)
        for one in await bus.dead_letters.find(limit=1000)
    ]


# --- who gets what ----------------------------------------------------------------------------------------------


async def test_a_subscriber_gets_the_kinds_that_it_asked_for_in_order():
    progress, all_of_them = Handler(), Handler()

    async with EventBus() as bus:
        bus.subscribe(progress, ToolProgress, name="progress")
        bus.subscribe(all_of_them, name="all")
        publish(bus, [envelope(seq=1), envelope(STARTED, seq=2), envelope(seq=3)])
        await bus.drained()

    assert progress.done == [1, 3]
    assert all_of_them.done == [1, 2, 3]


async def test_a_subscriber_gets_the_session_that_it_asked_for():
    handler = Handler()

    async with EventBus() as bus:
        bus.subscribe(handler, name="h", session="b")
        publish(bus, [envelope(seq=1, session="a"), envelope(seq=2, session="b")])
        await bus.drained()

    assert handler.done == [2]


async def test_a_delivery_has_the_event_and_its_place():
    seen = []

    async def handler(delivery):
        seen.append(delivery)

    event = envelope(seq=7)
    async with EventBus() as bus:
        bus.subscribe(handler)
        bus.publish(event)
        await bus.drained()

    assert [(one.event, one.envelope, one.attempt) for one in seen] == [(event.event, event, 1)]


async def test_a_handler_is_given_one_event_at_a_time():
    async def slowly():
        await anyio.sleep(1)

    handler = Handler(*[slowly] * 5)

    async with EventBus() as bus:
        bus.subscribe(handler, name="h")
        publish(bus, envelopes(5))
        await bus.drained()

    assert (handler.most, handler.done) == (1, [1, 2, 3, 4, 5])


async def test_what_is_published_before_the_bus_is_entered_waits():
    handler = Handler()
    bus = EventBus()
    bus.subscribe(handler, name="h")
    bus.publish(envelope())

    async with bus:
        await bus.drained()

    assert handler.done == [1]


async def test_a_subscription_counts():
    handler = Handler(hang)

    async with EventBus(BusOptions(drain_s=1)) as bus:
        subscription = bus.subscribe(handler, name="h", policy=DeliveryPolicy(timeout_s=5, retries=0))
        publish(bus, envelopes(3))
        await handler.called.wait()
        assert (subscription.waiting, subscription.delivered, subscription.ended) == (2, 0, False)
        await bus.drained()

        assert (subscription.waiting, subscription.delivered) == (0, 2)
        assert repr(subscription) == "<subscription h: 0 waiting, 2 delivered>"
    assert subscription.ended


# --- failures --------------------------------------------------------------------------------------------------


async def test_a_failed_delivery_is_tried_again_and_later_events_wait_for_it():
    handler = Handler(KeyError("no"), ValueError("no"))

    async with EventBus() as bus:
        bus.subscribe(handler, name="h", policy=EXACT)
        publish(bus, envelopes(2))
        assert await letters_of(bus) == []

    assert handler.calls == [(1, 1), (1, 2), (1, 3), (2, 1)]


@pytest.mark.parametrize(("retries", "calls"), [(0, 1), (2, 3)])
async def test_after_the_last_retry_an_event_is_a_dead_letter_and_the_next_one_is_delivered(retries, calls):
    handler = Handler(*[ToolFailed("not now")] * calls)

    async with EventBus() as bus:
        bus.subscribe(handler, name="h", policy=DeliveryPolicy(retries=retries))
        publish(bus, envelopes(2))

        assert await letters_of(bus) == [("h", 1, "failed", calls, ErrorInfo(type="ToolFailed", message="not now"))]
    assert handler.done == [2]


async def test_an_error_of_other_programs_is_named_and_its_words_are_left_in_the_log(caplog):
    caplog.set_level(logging.WARNING, "par.bus")

    async with EventBus() as bus:
        bus.subscribe(Handler(KeyError("Jane Doe")), name="h", policy=DeliveryPolicy(retries=0))
        bus.publish(envelope())

        ((_, _, _, _, error),) = await letters_of(bus)

    assert error == ErrorInfo(type="KeyError", message="")
    assert "event 1 of session 'session' (attempt 1)" in caplog.text
    assert "Jane Doe" in caplog.text


@pytest.mark.parametrize(
    ("policy", "seconds"),
    [
        (DeliveryPolicy(retries=3, base_s=1, jitter=False), 1 + 2 + 4),
        (DeliveryPolicy(retries=3, base_s=2, jitter=False), 2 + 4 + 8),
        (DeliveryPolicy(retries=3, base_s=2, max_delay_s=3, jitter=False), 2 + 3 + 3),
    ],
)
async def test_pauses_double_up_to_the_longest(policy, seconds):
    handler = Handler(*[KeyError()] * 4)

    async with EventBus() as bus:
        bus.subscribe(handler, name="h", policy=policy)
        bus.publish(envelope())
        before = anyio.current_time()
        await bus.drained()

        assert anyio.current_time() - before == pytest.approx(seconds)


async def test_jitter_draws_each_pause_from_the_source_of_the_options():
    expected, rng = Random(7), Random(7)
    handler = Handler(*[KeyError()] * 3)

    async with EventBus(BusOptions(rng=rng)) as bus:
        bus.subscribe(handler, name="h", policy=DeliveryPolicy(retries=2, base_s=1))
        bus.publish(envelope())
        before = anyio.current_time()
        await bus.drained()
        took = anyio.current_time() - before

    assert took == pytest.approx(expected.uniform(0, 1) + expected.uniform(0, 2))


@pytest.mark.parametrize("timeout_s", [1, 4])
async def test_a_handler_that_hangs_is_cut_and_counts_as_failed(timeout_s):
    async with EventBus() as bus:
        bus.subscribe(Handler(hang), name="h", policy=DeliveryPolicy(timeout_s=timeout_s, retries=0))
        bus.publish(envelope())
        before = anyio.current_time()

        assert await letters_of(bus) == [("h", 1, "timed_out", 1, None)]
        assert anyio.current_time() - before == pytest.approx(timeout_s)


async def test_a_timeout_of_the_handlers_own_is_an_error_like_others():
    async def impatient():
        with anyio.fail_after(1):
            await hang()

    async with EventBus() as bus:
        bus.subscribe(Handler(impatient), name="h", policy=DeliveryPolicy(retries=0))
        bus.publish(envelope())

        ((_, _, reason, _, error),) = await letters_of(bus)

    assert (reason, error.type) == ("failed", "TimeoutError")


async def test_a_handler_that_cancels_a_scope_of_its_own_has_done_its_work():
    async def cut():
        with anyio.CancelScope() as scope:
            scope.cancel()
            await anyio.sleep(1)

    handler = Handler(cut)
    async with EventBus() as bus:
        bus.subscribe(handler, name="h")
        publish(bus, envelopes(2))
        assert await letters_of(bus) == []

    assert handler.done == [1, 2]


def stray():
    import asyncio

    return asyncio.CancelledError()


async def cancel_itself():
    import asyncio

    asyncio.current_task().cancel()
    await anyio.sleep(1)


async def cancel_itself_and_return():
    import asyncio

    asyncio.current_task().cancel()


def only_asyncio(anyio_backend_name):
    if anyio_backend_name == "trio":
        pytest.skip("trio has no cancellation but scopes")


@pytest.mark.parametrize("step", [stray, lambda: cancel_itself], ids=["raised", "cancelled"])
async def test_a_handler_that_cancels_its_task_fails_and_its_subscription_goes_on(anyio_backend_name, step):
    only_asyncio(anyio_backend_name)
    handler = Handler(*[step() for _ in range(3)])

    async with EventBus() as bus:
        bus.subscribe(handler, name="h", policy=DeliveryPolicy(retries=1))
        publish(bus, envelopes(3))

        ((name, seq, reason, attempts, error),) = await letters_of(bus)

    assert (name, seq, reason, attempts, error.type) == ("h", 1, "failed", 2, "Cancelled")
    assert handler.calls == [(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)]


async def test_a_cancellation_that_a_handler_leaves_behind_costs_no_event(anyio_backend_name):
    only_asyncio(anyio_backend_name)
    handler = Handler(*[cancel_itself_and_return] * 2)

    async with EventBus() as bus:
        bus.subscribe(handler, name="h")
        publish(bus, envelopes(3))
        assert await letters_of(bus) == []

    assert handler.done == [1, 2, 3]


async def test_an_error_that_is_no_exception_ends_the_program_and_loses_no_event():
    class Stop(BaseException):
        pass

    bus = EventBus()
    with pytest.raises(BaseExceptionGroup) as caught:
        async with bus:
            bus.subscribe(Handler(Stop()), name="h")
            publish(bus, envelopes(2))
            await hang()

    assert caught.group_contains(Stop)
    assert [(one.envelope.seq, one.reason) for one in await bus.dead_letters.find()] == [(1, "closed"), (2, "closed")]


# --- a subscriber that is too slow ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when_full", "done", "letters", "dropped"),
    [
        ("dead_letter", [1, 2, 3], [4, 5], 0),
        ("drop_oldest", [1, 4, 5], [], 2),
        ("drop_newest", [1, 2, 3], [], 2),
    ],
)
async def test_what_finds_the_queue_full_goes_where_the_policy_says(when_full, done, letters, dropped, caplog):
    held = anyio.Event()
    handler = Handler(held.wait)

    async with EventBus() as bus:
        subscription = bus.subscribe(handler, name="h", policy=DeliveryPolicy(queue=2, when_full=when_full))
        bus.publish(envelope(seq=1))
        await handler.called.wait()
        publish(bus, envelopes(5)[1:])
        held.set()
        found = await letters_of(bus)

    assert handler.done == done
    assert [(one[1], one[2], one[3]) for one in found] == [(seq, "queue_full", 0) for seq in letters]
    assert subscription.dropped == dropped
    assert ("too slow" in caplog.text) == bool(dropped)


async def test_a_subscriber_that_hangs_delays_no_other():
    hanging, other = Handler(hang), Handler()

    async with EventBus(BusOptions(drain_s=1)) as bus:
        bus.subscribe(hanging, name="hanging", policy=DeliveryPolicy(timeout_s=1000))
        bus.subscribe(other, name="other")
        before = anyio.current_time()
        publish(bus, envelopes(100))
        while len(other.done) < 100:
            await anyio.lowlevel.checkpoint()

        assert anyio.current_time() == before
        assert hanging.calls == [(1, 1)]


async def test_a_handler_that_never_waits_leaves_others_their_turns():
    handler = Handler()

    async with EventBus() as bus:
        bus.subscribe(handler, name="h")
        publish(bus, envelopes(100))
        for _ in range(20):
            await anyio.lowlevel.checkpoint()

        assert 0 < len(handler.done) < 100


# --- misuse -----------------------------------------------------------------------------------------------------


async def test_two_subscribers_of_one_name_are_refused_until_the_first_has_ended():
    async with EventBus() as bus:
        first = bus.subscribe(Handler(), name="h")
        with pytest.raises(UsageError, match="there is a subscriber 'h' already"):
            bus.subscribe(Handler(), name="h")

        first.close()
        await anyio.wait_all_tasks_blocked()
        bus.subscribe(Handler(), name="h")


async def plain(delivery):
    pass


async def test_a_function_has_a_name_of_its_own():
    async with EventBus() as bus:
        assert bus.subscribe(plain).name.endswith("test_delivery.plain")


@pytest.mark.parametrize("handler", [Handler, lambda delivery: None, lambda: plain], ids=["object", "lambda", "x"])
async def test_a_handler_without_a_name_is_refused(handler):
    made = handler() if handler is Handler else handler
    with pytest.raises(UsageError, match="name="):
        EventBus().subscribe(made)


def test_other_mistakes_are_refused_when_they_are_made():
    bus = EventBus()

    with pytest.raises(TypeError, match="a function of one delivery"):
        bus.subscribe(3, name="h")
    with pytest.raises(TypeError, match="a class of par.events"):
        bus.subscribe(plain, str)
    with pytest.raises(TypeError, match="a class of par.events"):
        bus.stream(Event)
    with pytest.raises(UsageError, match="must not be empty"):
        bus.subscribe(plain, name="")
    assert not bus.wanted


async def test_a_bus_is_entered_once():
    bus = EventBus()

    async with bus:
        with pytest.raises(UsageError, match="entered once"):
            await bus.__aenter__()
    with pytest.raises(UsageError, match="entered once"):
        await bus.__aenter__()


# --- streams ----------------------------------------------------------------------------------------------------


async def test_a_stream_yields_what_is_published_inside_its_block_and_ends_with_the_bus():
    seen = []

    async def read(events):
        async for delivery in events:
            seen.append((delivery.event, delivery.envelope.seq, delivery.attempt))

    async with anyio.create_task_group() as group, EventBus() as bus:
        bus.publish(envelope(seq=1))
        stream = bus.stream(ToolProgress, session="session")
        events = await stream.__aenter__()
        publish(bus, [envelope(seq=2), envelope(STARTED, seq=3), envelope(seq=4, session="x"), envelope(seq=5)])
        group.start_soon(read, events)
        await anyio.wait_all_tasks_blocked()
        bus.publish(envelope(seq=6))

    await stream.__aexit__(None, None, None)
    assert seen == [(envelope().event, seq, 1) for seq in (2, 5, 6)]
    assert not bus.wanted


@pytest.mark.parametrize(
    ("queue", "when_full", "seen"),
    [(2, "drop_oldest", [3, 4]), (2, "drop_newest", [1, 2]), (3, "drop_oldest", [2, 3, 4])],
)
async def test_a_stream_drops_what_its_reader_is_too_slow_for_and_counts_it(queue, when_full, seen):
    async with EventBus() as bus, bus.stream(queue=queue, when_full=when_full) as events:
        publish(bus, envelopes(4))

        assert [(await anext(events)).envelope.seq for _ in seen] == seen
        assert events.dropped == 4 - queue


@pytest.mark.parametrize("facts", [{"queue": 0}, {"when_full": "dead_letter"}])
async def test_a_stream_that_cannot_be_is_refused(facts):
    with pytest.raises(ValueError, match=next(iter(facts))):
        EventBus().stream(**facts)


async def test_a_stream_that_was_left_is_given_nothing():
    async with EventBus() as bus:
        async with bus.stream():
            assert bus.wanted

        assert not bus.wanted
