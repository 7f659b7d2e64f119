"""Places are given in order, given back whatever happens, and parked while calls further in go on."""

import anyio
import pytest
from unit.middleware.driving import virtual_time as anyio_backend  # noqa: F401

from par.middleware._slots import CURRENT_PLACE, Desk, Place

pytestmark = pytest.mark.anyio

ONE = ("models",)


def desk_of(limit=1):
    return Desk({"models": limit})


async def within(place, body):
    """Do ``body`` as a call that holds the place."""
    await place.enter()
    token = CURRENT_PLACE.set(place)
    try:
        await body()
    finally:
        CURRENT_PLACE.reset(token)
    await place.leave()


async def test_a_place_that_was_given_to_a_waiter_on_its_way_out_goes_to_the_next():
    desk = desk_of()
    await desk.take(ONE, desk.next_number())
    scope = anyio.CancelScope()

    async def waits():
        with scope:
            await desk.take(ONE, desk.next_number())

    async with anyio.create_task_group() as group:
        group.start_soon(waits)
        await anyio.sleep(1)
        scope.cancel()
        desk.give_back(ONE)  # before the waiter has noticed

    with anyio.fail_after(1):
        await desk.take(ONE, desk.next_number())


async def test_a_call_of_a_task_that_outlives_its_caller_parks_the_one_around_both():
    desk = desk_of()

    async def outer():
        async with anyio.create_task_group() as group:

            async def starts():
                async def later():
                    await anyio.sleep(1)
                    await within(Place(desk, ONE), lambda: anyio.sleep(1))

                group.start_soon(later)

            await within(Place(desk, ONE), starts)

    with anyio.fail_after(10):
        await within(Place(desk, ONE), outer)


async def test_who_gets_its_place_back_too_late_gives_it_to_its_next_call():
    desk = desk_of()

    async def outer():
        async with anyio.create_task_group() as group:

            async def call_at(seconds):
                await anyio.sleep(seconds)
                await within(Place(desk, ONE), lambda: anyio.sleep(1))

            group.start_soon(call_at, 1)  # until 2, when the outer call waits for the stranger, and gets its place at 7
            group.start_soon(call_at, 4)

    async def stranger():
        await anyio.sleep(1.5)
        await within(Place(desk, ONE), lambda: anyio.sleep(5))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(stranger)
            await within(Place(desk, ONE), outer)

    with anyio.fail_after(1):
        await desk.take(ONE, desk.next_number())


async def test_who_comes_back_for_its_place_stands_before_those_who_came_later():
    desk, order = desk_of(), []

    async def outer():
        await within(Place(desk, ONE), lambda: anyio.sleep(1))
        order.append("outer")
        await anyio.sleep(1)

    async def stranger(name):
        await anyio.sleep(0.5 if name == "first" else 0.6)
        await within(Place(desk, ONE), lambda: anyio.sleep(1))
        order.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(stranger, "first")
        group.start_soon(stranger, "second")
        await within(Place(desk, ONE), outer)

    assert order == ["first", "outer", "second"]


async def test_a_call_whose_inner_call_is_cancelled_holds_its_place_at_once():
    desk = desk_of()
    place = Place(desk, ONE)

    async def outer():
        inner = Place(desk, ONE)
        await inner.enter()
        inner.leave_at_once()
        assert place.held
        with anyio.move_on_after(5) as full:
            await Place(Desk({"models": 1}), ONE).enter()  # another desk knows nothing of it
        assert not full.cancelled_caught

    await within(place, outer)

    assert not place.held


async def test_a_call_whose_inner_call_is_cancelled_in_the_line_holds_its_place_too():
    desk = desk_of()
    place = Place(desk, ONE)

    async def outer():
        await anyio.sleep(1)
        with anyio.move_on_after(1):
            await Place(desk, ONE).enter()
        assert place.held

    async def stranger():
        await anyio.sleep(0.5)
        await within(Place(desk, ONE), lambda: anyio.sleep(5))

    async with anyio.create_task_group() as group:
        group.start_soon(stranger)
        await within(place, outer)

    assert not place.held
