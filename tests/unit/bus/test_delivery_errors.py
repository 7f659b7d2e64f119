"""A handler says by its error when to try again, and when that is of no use."""

import anyio
import pytest
from unit.bus.made import Handler, envelope
from unit.middleware.driving import virtual_time as anyio_backend  # noqa: F401

from par.bus import DeliveryPolicy, EventBus
from par.errors import DeliveryFailed, DeliveryRefused

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("asked_s", "waited_s"), [(None, 1), (0.5, 1), (7, 7), (1000, 30)], ids=["nothing", "less", "more", "too much"]
)
async def test_the_bus_waits_as_long_as_it_is_asked_up_to_the_longest_pause(asked_s, waited_s):
    handler = Handler(DeliveryFailed("x", "not now", retry_after_s=asked_s))
    async with EventBus() as bus:
        bus.subscribe(handler, name="hook", policy=DeliveryPolicy(base_s=1, jitter=False))
        began = anyio.current_time()
        bus.publish(envelope())
        await bus.drained()
        waited = anyio.current_time() - began

    assert waited == pytest.approx(waited_s)
    assert handler.done == [1]


async def test_what_is_refused_is_tried_once_and_becomes_a_letter():
    handler = Handler(DeliveryRefused("x", "never"))
    async with EventBus() as bus:
        bus.subscribe(handler, name="hook", policy=DeliveryPolicy(retries=5))
        bus.publish(envelope())
        await bus.drained()
        (letter,) = await bus.dead_letters.find()

    assert handler.calls == [(1, 1)]
    assert (letter.reason, letter.attempts, letter.error.type) == ("failed", 1, "DeliveryRefused")
