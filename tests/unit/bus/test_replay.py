"""Dead letters are delivered again: each until it has been delivered, to whom it belongs, and never by two at once."""

import anyio
import pytest
from unit.bus.made import Handler, envelope, envelopes, hang, letter
from unit.middleware.driving import virtual_time as anyio_backend  # noqa: F401

from par.bus import BusOptions, DeliveryPolicy, EventBus, MemoryDeadLetters, Replay
from par.errors import StoreUnavailable, UsageError
from par.events import ErrorInfo, RunStarted, ToolProgress

pytestmark = pytest.mark.anyio

ONCE = DeliveryPolicy(retries=0)


@pytest.fixture
async def letters():
    """Three letters of ``a`` and one of ``b``."""
    letters = MemoryDeadLetters()
    await letters.put([
        letter("001", subscriber="a", envelope=envelope(seq=1), attempts=4),
        letter("002", subscriber="b", envelope=envelope(seq=2)),
        letter("003", subscriber="a", envelope=envelope(seq=3)),
        letter("004", subscriber="a", envelope=envelope(seq=4)),
    ])
    return letters


def opened(letters):
    return EventBus(BusOptions(dead_letters=letters, drain_s=1))


async def ids(letters):
    return [one.id for one in await letters.find()]


async def test_all_letters_go_to_the_subscribers_whose_names_they_have(letters):
    a, b = Handler(), Handler()

    async with opened(letters) as bus:
        bus.subscribe(a, name="a")
        bus.subscribe(b, name="b")
        done = await bus.replay()

    assert done == Replay(delivered=("001", "002", "003", "004"))
    assert a.calls == [(1, 5), (3, 1), (4, 1)], "the attempts of before count"
    assert b.calls == [(2, 1)]
    assert await ids(letters) == []


async def test_only_the_letters_of_one_subscriber_are_replayed(letters):
    async with opened(letters) as bus:
        bus.subscribe(Handler(), name="a")
        bus.subscribe(Handler(), name="b")
        assert await bus.replay(subscriber="b") == Replay(delivered=("002",))

    assert await ids(letters) == ["001", "003", "004"]


async def test_one_letter_is_replayed(letters):
    handler = Handler()

    async with opened(letters) as bus:
        bus.subscribe(handler, name="a")
        assert await bus.replay("003") == Replay(delivered=("003",))

    assert handler.done == [3]
    assert await ids(letters) == ["001", "002", "004"]


async def test_a_letter_that_was_replayed_is_not_replayed_twice(letters):
    handler = Handler()

    async with opened(letters) as bus:
        bus.subscribe(handler, name="a")
        await bus.replay("003")
        with pytest.raises(UsageError, match="'003'"):
            await bus.replay("003")
        await bus.replay()
        assert await bus.replay() == Replay(skipped=("002",))

    assert handler.done == [3, 1, 4]


async def test_letters_may_be_sent_to_another_subscriber(letters):
    handler = Handler()

    async with opened(letters) as bus:
        bus.subscribe(handler, name="renamed")
        assert await bus.replay("003", to="renamed") == Replay(delivered=("003",))
        assert await bus.replay(subscriber="a", to="renamed") == Replay(delivered=("001", "004"))

    assert handler.done == [3, 1, 4]
    assert await ids(letters) == ["002"]


async def test_a_letter_that_fails_again_stays_and_tells_how(letters):
    handler = Handler(KeyError(), KeyError(), KeyError())

    async with opened(letters) as bus:
        bus.subscribe(handler, name="a", policy=DeliveryPolicy(retries=2))
        assert await bus.replay("001") == Replay(failed=("001",))

    found = await letters.get("001")
    assert (found.attempts, found.replays, found.reason) == (7, 1, "failed")
    assert found.error == ErrorInfo(type="KeyError", message="")
    assert found.replayed_at is not None
    assert handler.calls == [(1, 5), (1, 6), (1, 7)]
    assert await ids(letters) == ["001", "002", "003", "004"], "no second letter of the same event"


async def test_letters_of_nobody_and_of_other_kinds_are_skipped(letters):
    await letters.put([letter("005", subscriber="a", envelope=envelope(RunStarted(agent="a", model="m", input=())))])
    await letters.put([letter("006", subscriber="a", envelope=envelope(message="Jane"))])
    await letters.forget(["Jane"])

    async with opened(letters) as bus:
        bus.subscribe(Handler(), ToolProgress, name="a")
        done = await bus.replay()

    assert done == Replay(delivered=("001", "003", "004"), skipped=("002", "005", "006"))


async def test_what_waits_in_the_queue_comes_after_a_replay(letters):
    async def wait():
        await anyio.sleep(1)

    handler = Handler(wait)
    async with opened(letters) as bus:
        bus.subscribe(handler, name="b")
        for event in envelopes(12)[9:]:
            bus.publish(event)
        await handler.called.wait()
        await bus.replay(subscriber="b")
        await bus.drained()

    assert handler.done == [10, 2, 11, 12]
    assert handler.most == 1


async def test_two_replays_at_once_deliver_a_letter_once(letters):
    async def slowly():
        await anyio.sleep(1)

    handler, done = Handler(*[slowly] * 3), []

    async def replay(bus):
        done.append(await bus.replay(subscriber="a"))

    async with opened(letters) as bus:
        bus.subscribe(handler, name="a")
        async with anyio.create_task_group() as group:
            group.start_soon(replay, bus)
            group.start_soon(replay, bus)

    assert sorted(handler.done) == [1, 3, 4]
    assert sorted(name for one in done for name in one.delivered) == ["001", "003", "004"]
    assert await ids(letters) == ["002"]


async def test_letters_that_die_during_a_replay_are_left_to_the_next_one():
    letters = MemoryDeadLetters()
    await letters.put([letter(f"00{n:04}", subscriber="a", envelope=envelope(seq=n)) for n in range(100)])

    async def fail(delivery):
        raise KeyError

    async with opened(letters) as bus:

        async def publish_more(delivery):
            bus.publish(envelope(RunStarted(agent="a", model="m", input=())))
            await anyio.sleep(1)

        bus.subscribe(fail, RunStarted, name="failing", policy=ONCE)
        bus.subscribe(publish_more, ToolProgress, name="a")
        done = await bus.replay()

    assert (len(done.delivered), done.failed) == (100, ())
    assert len(await ids(letters)) == 100


async def test_more_letters_than_fit_one_page_are_replayed():
    letters, handler = MemoryDeadLetters(), Handler()
    await letters.put([letter(f"00{n:04}", subscriber="a", envelope=envelope(seq=n)) for n in range(1, 251)])

    async with opened(letters) as bus:
        bus.subscribe(handler, name="a")
        done = await bus.replay()

    assert handler.done == list(range(1, 251))
    assert len(done.delivered) == 250


# --- what ends in between ---------------------------------------------------------------------------------------


async def test_a_replay_that_is_cancelled_brings_the_letter_to_its_end_and_stops(letters):
    async def slowly():
        await anyio.sleep(1)

    handler = Handler(slowly)

    async with opened(letters) as bus:
        bus.subscribe(handler, name="a")
        with anyio.move_on_after(0.5) as cut:
            await bus.replay()
        assert await ids(letters) == ["001", "002", "003", "004"]
        await bus.drained()

    assert cut.cancelled_caught
    assert handler.done == [1]
    assert await ids(letters) == ["002", "003", "004"]


async def test_a_replay_that_is_cancelled_before_its_turn_delivers_nothing(letters):
    async def slowly():
        await anyio.sleep(1)

    handler = Handler(slowly)

    async with opened(letters) as bus:
        bus.subscribe(handler, name="b")
        bus.publish(envelope(seq=10))
        await handler.called.wait()
        with anyio.move_on_after(0.5):
            await bus.replay("002")
        await bus.drained()

    assert handler.done == [10]
    assert "002" in await ids(letters)


async def test_a_bus_that_ends_during_a_replay_leaves_the_letter(letters):
    handler, done = Handler(hang), []

    async def replay(bus):
        done.append(await bus.replay())

    async with anyio.create_task_group() as group, opened(letters) as bus:
        bus.subscribe(handler, name="a", policy=DeliveryPolicy(timeout_s=1000))
        group.start_soon(replay, bus)
        await handler.called.wait()

    assert done == [Replay(skipped=("001", "002", "003", "004"))]
    assert await ids(letters) == ["001", "002", "003", "004"]
    assert (await letters.get("001")).replays == 0


async def test_a_letter_whose_deletion_fails_stays_and_the_replay_says_so(letters, monkeypatch):
    handler = Handler()

    async def away(ids, /):
        raise StoreUnavailable("x", "away")

    async with opened(letters) as bus:
        bus.subscribe(handler, name="a")
        with monkeypatch.context() as patch:
            patch.setattr(letters, "delete", away)
            with pytest.raises(StoreUnavailable):
                await bus.replay("001")
        assert await bus.replay("001") == Replay(delivered=("001",))

    assert handler.done == [1, 1], "at least once"


async def test_a_replay_that_nobody_can_take_is_refused(letters):
    outside = opened(letters)
    with pytest.raises(UsageError, match="enter"):
        await outside.replay()

    async with opened(letters) as bus:
        bus.subscribe(Handler(), name="a")
        for wrong in ({"subscriber": "x"}, {"to": "x"}, {"letter": "002"}, {"letter": "001", "to": "x"}):
            with pytest.raises(UsageError, match="there is no subscriber"):
                await bus.replay(**wrong)
        with pytest.raises(UsageError, match="no such dead letter"):
            await bus.replay("009")
        with pytest.raises(UsageError, match="no such dead letter"):
            await bus.replay("002", subscriber="a")


async def test_a_handler_cannot_wait_for_a_replay(letters):
    errors = []

    async with opened(letters) as bus:

        async def handler(delivery):
            try:
                await bus.replay()
            except UsageError as error:
                errors.append(str(error))

        bus.subscribe(handler, name="h")
        bus.publish(envelope())
        await bus.drained()

    assert errors == ["a handler cannot wait for a replay, which may have to wait for the handler"]
