"""What every backend of ``RateLimit`` does, seen by two parties that share it: in memory, in one file, in Postgres."""

from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

import anyio
import pytest
from support.shared_limits import open_limits
from unit.middleware.driving import Script, drive_model, drive_tool, model_call, reply, tool_call

from par.errors import RateLimited
from par.limits import Limit
from par.middleware import MemoryRateBackend, RateLimit
from par.outcomes import Done, Failed

pytestmark = pytest.mark.anyio

NUMBERS = count(1)
WINDOW_S = 0.25
LATE_S = 0.25
"""How much later than it may something may happen, on a machine that has much to do."""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture(scope="module")
def dsn(request):
    return request.getfixturevalue("postgres_server").database()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def opened(request, tmp_path):
    """Opens so many backends that share their counts, as processes would."""
    place = request.getfixturevalue("dsn") if request.param == "postgres" else tmp_path / "x.db"
    own = f"scope {next(NUMBERS)}"

    @asynccontextmanager
    async def open_all(parties=1, scope=own, **options):
        if request.param == "memory":
            yield [MemoryRateBackend()] * parties
            return
        async with AsyncExitStack() as stack:
            limits = [open_limits(place, scope=scope, **options) for _ in range(parties)]
            yield [(await stack.enter_async_context(one)).rate for one in limits]

    return open_all


async def reserve(backend, limit, *, tokens=0, key="k", max_wait_s=None):
    return await backend.reserve(key, limit, tokens=tokens, max_wait_s=max_wait_s)


def standing(backends):
    """How many calls stand in the line of the limit ``k``."""
    number = 0
    for backend in set(backends):
        if isinstance(backend, MemoryRateBackend):
            number += len(backend._windows["k"].queue)
        elif "k" in backend._lines:
            number += sum(waiter.asked > 0 for waiter in backend._lines["k"].waiting.values())
    return number


async def in_line(backend, other, limit, noted, names, **options):
    """Start calls of both backends by turns, each when the one before it stands in line; note who got through."""

    async def one(backend, name):
        await reserve(backend, limit, **options)
        noted.append(name)

    async with anyio.create_task_group() as group:
        for number, name in enumerate(names):
            group.start_soon(one, (backend, other)[number % 2], name)
            while standing((backend, other)) + len(noted) <= number:
                await anyio.sleep(0.002)


async def test_requests_beyond_the_limit_wait_for_the_window_to_move(opened):
    limit = Limit(requests=2, per_s=WINDOW_S)
    async with opened(2) as (one, other):
        since = anyio.current_time()
        passed = []
        for backend in (one, other, one, other, one):
            await reserve(backend, limit)
            passed.append(anyio.current_time() - since)

    assert passed[1] < WINDOW_S
    assert all(later - earlier >= WINDOW_S - 0.02 for earlier, later in zip(passed, passed[2:], strict=False))
    assert passed[4] < 2 * (WINDOW_S + LATE_S)


async def test_no_window_ever_holds_more_than_the_limit(opened):
    limit = Limit(requests=3, per_s=WINDOW_S)
    passed = []

    async with opened(3) as backends:

        async def one(backend):
            place = await reserve(backend, limit)
            passed.append(anyio.current_time())
            await backend.settle(place, requests=1, tokens=0)

        async with anyio.create_task_group() as group:
            for number in range(12):
                group.start_soon(one, backends[number % 3])

    # the moment of the grant is before the one that is noted, so a note may be late and the next one punctual
    passed.sort()
    assert len(passed) == 12
    assert passed[-1] - passed[0] >= 3 * WINDOW_S - 0.1


async def test_who_waits_is_served_in_the_order_of_coming_whatever_its_process(opened):
    order = []

    async with opened(2) as (one, other):
        await reserve(one, Limit(requests=1, per_s=WINDOW_S))
        await in_line(one, other, Limit(requests=1, per_s=WINDOW_S), order, range(4))

    assert order == [0, 1, 2, 3]


async def test_calls_of_one_process_keep_their_order_when_they_come_at_once(opened):
    limit = Limit(requests=4, per_s=WINDOW_S)
    order = []

    async with opened() as (backend,), anyio.create_task_group() as group:

        async def one(number):
            await reserve(backend, limit)
            order.append(number // 4)

        for number in range(8):
            group.start_soon(one, number)
            await anyio.lowlevel.checkpoint()

    assert order == [0] * 4 + [1] * 4


async def test_small_calls_do_not_overtake_a_large_one(opened):
    order = []

    async with opened(2) as (one, other):
        await reserve(one, Limit(tokens=100, per_s=WINDOW_S), tokens=60)
        limit = Limit(tokens=100, per_s=WINDOW_S)

        async def call(backend, name, tokens):
            await reserve(backend, limit, tokens=tokens)
            order.append(name)

        async with anyio.create_task_group() as group:
            group.start_soon(call, other, "large", 100)
            while not standing((one, other)):
                await anyio.sleep(0.002)
            group.start_soon(call, one, "small", 1)

    assert order == ["large", "small"]


async def test_there_is_no_wait_where_there_is_room(opened):
    async with opened() as (backend,):
        first = await reserve(backend, Limit(requests=1, per_s=WINDOW_S))
        second = await reserve(backend, Limit(requests=1, per_s=WINDOW_S))

    assert first.waited_s == 0
    assert WINDOW_S - 0.05 < second.waited_s < WINDOW_S + LATE_S
    assert first.number != second.number


async def test_tokens_that_come_back_wake_who_waits_for_them_in_another_process(opened):
    limit = Limit(tokens=1000, per_s=60)

    async with opened(2) as (one, other):
        place = await reserve(one, limit, tokens=900)
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: reserve(other, limit, tokens=900))
                await anyio.sleep(0.1)
                await one.settle(place, requests=1, tokens=10)


async def test_what_was_really_used_counts_even_if_it_is_more(opened):
    limit = Limit(requests=3, per_s=60)

    async with opened(2) as (one, other):
        place = await reserve(one, limit)
        await one.settle(place, requests=3, tokens=0)

        with pytest.raises(RateLimited):
            await reserve(other, limit, max_wait_s=0.01)


async def test_a_place_is_settled_once(opened):
    limit = Limit(tokens=100, per_s=60)

    async with opened() as (backend,):
        place = await reserve(backend, limit, tokens=50)
        for _ in range(3):
            await backend.settle(place, requests=1, tokens=10)

        await reserve(backend, limit, tokens=90, max_wait_s=0.01)
        with pytest.raises(RateLimited):
            await reserve(backend, limit, tokens=1, max_wait_s=0.01)


async def test_a_wait_that_would_be_too_long_is_refused_at_once_and_leaves_no_place(opened):
    limit = Limit(requests=1, per_s=WINDOW_S)

    async with opened(2) as (one, other):
        await reserve(one, Limit(requests=1, per_s=60))
        with pytest.raises(RateLimited) as caught:
            await reserve(other, Limit(requests=1, per_s=60), max_wait_s=2)
        await anyio.sleep(WINDOW_S)

        assert caught.value.retry_after_s == pytest.approx(60, abs=1)
        assert (await reserve(one, limit)).waited_s == 0


async def test_a_wait_that_may_end_early_is_given_up_after_its_time(opened):
    limit = Limit(tokens=1000, per_s=60)

    async with opened(2) as (one, other):
        await reserve(one, limit, tokens=900)
        since = anyio.current_time()
        with pytest.raises(RateLimited) as caught:
            await reserve(other, limit, tokens=900, max_wait_s=0.2)

    assert 0.2 <= anyio.current_time() - since < 0.2 + 2 * LATE_S
    assert caught.value.retry_after_s == pytest.approx(60, abs=2)


async def test_a_cancelled_call_gives_its_place_in_line_to_the_next(opened):
    limit = Limit(tokens=100, per_s=60)

    async with opened(2) as (one, other):
        place = await reserve(one, limit, tokens=60)
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                with anyio.move_on_after(0.1):
                    await reserve(one, limit, tokens=100)
                group.start_soon(lambda: reserve(other, limit, tokens=90))
                await anyio.sleep(0.05)
                await one.settle(place, requests=1, tokens=10)


async def test_a_call_that_was_cancelled_at_any_moment_leaves_nothing(opened):
    limit = Limit(tokens=100, per_s=60)

    async with opened(2) as (one, other):
        for moment in range(25):
            with anyio.move_on_after(moment * 0.0003):
                place = await reserve(one, limit, tokens=100)
                with anyio.CancelScope(shield=True):
                    await one.settle(place, requests=1, tokens=0)

        assert (await reserve(other, limit, tokens=100)).waited_s == 0


async def test_a_lower_limit_that_one_was_told_is_kept_by_all(opened):
    limit = Limit(requests=100, per_s=60)

    async with opened(2) as (one, other):
        await reserve(one, limit)
        await one.learn("k", limit, requests=2, tokens=None)
        await reserve(other, limit)

        with pytest.raises(RateLimited):
            await reserve(other, limit, max_wait_s=1)
        await one.learn("k", limit, requests=3, tokens=None)
        await reserve(other, limit, max_wait_s=1)


async def test_when_the_provider_says_not_now_to_one_everybody_waits(opened):
    limit = Limit(requests=100, per_s=60)

    async with opened(2) as (one, other):
        await reserve(one, limit)
        await one.hold("k", limit, seconds=WINDOW_S)

        assert WINDOW_S - 0.1 < (await reserve(other, limit)).waited_s < WINDOW_S + LATE_S


async def test_a_request_without_an_answer_counts_as_late_as_it_may_arrive(opened):
    limit = Limit(requests=1, per_s=WINDOW_S, transit_s=0.2)

    async with opened(2) as (one, other):
        await reserve(one, limit)
        unanswered = await reserve(other, limit)
        await other.settle(unanswered, requests=1, tokens=0)
        answered = await reserve(one, limit)

    assert WINDOW_S + 0.2 - 0.05 < unanswered.waited_s < WINDOW_S + 0.2 + LATE_S
    assert WINDOW_S - 0.05 < answered.waited_s < WINDOW_S + 0.15


async def test_more_tokens_than_the_limit_has_wait_for_an_empty_window(opened):
    limit = Limit(tokens=100, per_s=WINDOW_S)

    async with opened() as (backend,):
        assert (await reserve(backend, limit, tokens=5000)).waited_s == 0
        assert (await reserve(backend, limit, tokens=5000)).waited_s > WINDOW_S - 0.05


async def test_limits_of_different_names_have_nothing_to_do_with_each_other(opened):
    limit = Limit(requests=1, per_s=60)

    async with opened() as (backend,):
        for key in ("a", "b", "it's", "漢"):
            await reserve(backend, limit, key=key, max_wait_s=1)


async def test_limiters_of_different_keys_share_a_backend_and_no_limit(opened):
    async with opened() as (backend,):
        layers = [
            RateLimit(requests=1, tool_calls={"lookup": 1}, max_wait_s=0.05, key=key, backend=backend) for key in "ab"
        ]
        for layer in layers:
            await drive_model([layer], Script([reply("ok")]), model_call())
            assert await drive_tool([layer], Script([Done("ok")]), tool_call()) == Done("ok")

        with pytest.raises(RateLimited):
            await drive_model([layers[0]], Script([reply("ok")]), model_call())
        assert isinstance(await drive_tool([layers[1]], Script([Done("ok")]), tool_call()), Failed)


@pytest.mark.parametrize("key", ["", None, 5])
def test_an_illegal_key_is_refused_by_name(key):
    with pytest.raises(ValueError, match="key"):
        RateLimit(key=key)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"requests": 0}, "requests"),
        ({"tokens": True}, "tokens"),
        ({"tokens": 1.5}, "tokens"),
        ({"per_s": 0}, "per_s"),
        ({"per_s": float("nan")}, "per_s"),
        ({"per_s": "1"}, "per_s"),
        ({"transit_s": -1}, "transit_s"),
        ({"transit_s": False}, "transit_s"),
        ({"transit_s": float("inf")}, "transit_s"),
    ],
)
def test_illegal_limits_are_refused_by_name(facts, field):
    with pytest.raises((ValueError, TypeError), match=field):
        Limit(**facts)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_scopes_have_nothing_to_do_with_each_other(opened, request):
    limit = Limit(requests=1, per_s=60)
    one, other = (f"scope {next(NUMBERS)}" for _ in range(2))

    async with opened(scope=one) as (first,), opened(scope=other) as (second,):
        await reserve(first, limit, max_wait_s=1)
        await reserve(second, limit, max_wait_s=1)
