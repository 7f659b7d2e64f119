"""What every backend of ``Budget`` does, and what ``Budget`` does with one."""

from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import count

import anyio
import pytest
from support.shared_limits import open_limits
from unit.middleware.driving import Port, Script, drive_model, model_call, reply

from par._clock import Clock
from par.calls import Settings
from par.errors import BudgetExhausted, Overloaded, RateLimited, UsageError
from par.limits import Allowance, Spending
from par.middleware import Budget, MemoryBudgetBackend
from par.persistence._postgres_pool import open_pg_pool
from par.usage import Usage

pytestmark = pytest.mark.anyio

NUMBERS = count(1)
ALLOWANCE = Allowance(tokens=100, steps=3)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture(scope="module")
def dsn(request):
    return request.getfixturevalue("postgres_server").database()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def opened(request, tmp_path):
    """Opens so many backends that share their amounts, as processes would."""
    place = request.getfixturevalue("dsn") if request.param == "postgres" else tmp_path / "x.db"
    own = f"scope {next(NUMBERS)}"

    @asynccontextmanager
    async def open_all(parties=1, scope=own):
        if request.param == "memory":
            yield [MemoryBudgetBackend()] * parties
            return
        async with AsyncExitStack() as stack:
            limits = [open_limits(place, scope=scope) for _ in range(parties)]
            yield [(await stack.enter_async_context(one)).budget for one in limits]

    return open_all


async def test_what_one_reserves_another_cannot(opened):
    async with opened(2) as (one, other):
        await one.reserve("k", ALLOWANCE, Spending(tokens=60, steps=1))

        with pytest.raises(BudgetExhausted) as caught:
            await other.reserve("k", ALLOWANCE, Spending(tokens=50, steps=1))
        await other.reserve("k", ALLOWANCE, Spending(tokens=40, steps=1))

    error = caught.value
    assert (error.kind, error.limit, error.used, error.needed) == ("tokens", 100, 60, 50)


async def test_a_call_without_room_takes_nothing_of_any_kind(opened):
    async with opened(2) as (one, other):
        await one.reserve("k", ALLOWANCE, Spending(steps=3))
        with pytest.raises(BudgetExhausted) as caught:
            await other.reserve("k", ALLOWANCE, Spending(tokens=5, steps=1))

        assert caught.value.kind == "steps"
        assert await other.used("k", ALLOWANCE) == Spending(steps=3)


async def test_what_was_used_takes_the_place_of_what_was_reserved_once(opened):
    async with opened(2) as (one, other):
        held = await one.reserve("k", ALLOWANCE, Spending(tokens=60, cost=7, steps=1))
        for _ in range(3):
            await one.settle(held, Spending(tokens=120, cost=9, steps=1))

        assert await other.used("k", ALLOWANCE) == Spending(tokens=120, cost=9, steps=1)
        with pytest.raises(BudgetExhausted):
            await other.reserve("k", ALLOWANCE, Spending(tokens=1))


async def test_allowances_of_different_names_and_scopes_have_nothing_to_do_with_each_other(opened):
    everything = Spending(tokens=100)

    async with opened() as (one,), opened(scope=f"scope {next(NUMBERS)}") as (other,):
        for key in ("a", "b", "it's"):
            await one.reserve(key, ALLOWANCE, everything)
            await other.reserve(key, ALLOWANCE, everything)

        assert await one.used("c", ALLOWANCE) == Spending()


async def test_many_at_once_never_take_more_than_there_is(opened):
    allowance = Allowance(tokens=1000)
    taken = 0

    async with opened(3) as backends:

        async def take(backend):
            nonlocal taken
            for _ in range(10):
                try:
                    held = await backend.reserve("k", allowance, Spending(tokens=70))
                except BudgetExhausted:
                    return
                await backend.settle(held, Spending(tokens=50))
                taken += 50

        async with anyio.create_task_group() as group:
            for number in range(12):
                group.start_soon(take, backends[number % 3])

        assert (await backends[0].used("k", allowance)).tokens == taken
    assert 1000 - 12 * 70 <= taken <= 1000


async def test_a_reservation_that_was_cancelled_at_any_moment_holds_nothing(opened):
    async with opened(2) as (one, other):
        if isinstance(one, MemoryBudgetBackend):
            pytest.skip("nothing of it waits")
        for moment in range(25):
            with anyio.move_on_after(moment * 0.0003):
                held = await one.reserve("k", ALLOWANCE, Spending(tokens=60))
                with anyio.CancelScope(shield=True):
                    await one.settle(held, Spending())

        assert await other.used("k", ALLOWANCE) == Spending()


# --- hours, days and months


class Hand:
    """A clock that the test sets."""

    def __init__(self, *moment):
        self.moment = datetime(*moment, tzinfo=UTC)

    def clock(self):
        return Clock(now=lambda: self.moment)


@pytest.fixture(params=["memory", "sqlite"])
def dated(request, tmp_path):
    @asynccontextmanager
    async def open_with(clock):
        if request.param == "memory":
            yield MemoryBudgetBackend(clock=clock)
        else:
            async with open_limits(tmp_path / "x.db", clock=clock) as limits:
                yield limits.budget

    return open_with


@pytest.mark.parametrize(
    ("per", "same", "next_one"),
    [
        ("hour", (2026, 11, 20, 10, 59, 59), (2026, 11, 20, 11, 0, 0)),
        ("day", (2026, 11, 20, 23, 59, 59), (2026, 11, 21, 0, 0, 0)),
        ("month", (2026, 11, 30, 23, 59, 59), (2026, 12, 1, 0, 0, 0)),
    ],
)
async def test_an_allowance_begins_anew(dated, per, same, next_one):
    hand = Hand(2026, 11, 20, 10, 0, 0)
    allowance = Allowance(steps=1, per=per)

    async with dated(hand.clock()) as backend:
        held = await backend.reserve("k", allowance, Spending(tokens=5, steps=1))
        hand.moment = datetime(*same, tzinfo=UTC)
        with pytest.raises(BudgetExhausted):
            await backend.reserve("k", allowance, Spending(steps=1))

        hand.moment = datetime(*next_one, tzinfo=UTC)
        await backend.reserve("k", allowance, Spending(steps=1))
        await backend.settle(held, Spending(tokens=3, steps=1))

        assert await backend.used("k", allowance) == Spending(steps=1)
        hand.moment = datetime(*same, tzinfo=UTC)  # a clock that is set back opens no third allowance
        assert await backend.used("k", allowance) == Spending(tokens=3, steps=1)


async def test_days_that_are_long_past_are_forgotten(dated):
    hand = Hand(2026, 11, 1)
    allowance = Allowance(steps=1, per="day")

    async with dated(hand.clock()) as backend:
        for day in range(1, 6):
            hand.moment = datetime(2026, 11, day, tzinfo=UTC)
            held = await backend.reserve("k", allowance, Spending(steps=1))

        await backend.settle(held, Spending(steps=1))
        used = []
        for day in range(1, 6):
            hand.moment = datetime(2026, 11, day, tzinfo=UTC)
            used.append((await backend.used("k", allowance)).steps)

    assert used == [0, 0, 1, 1, 1]


async def test_postgres_begins_anew_by_its_own_clock(dsn):
    scope = f"scope {next(NUMBERS)}"
    async with open_limits(dsn, scope=scope) as limits, open_pg_pool(dsn, scope=scope) as pool:
        for per in ("hour", "day", "month", None):
            held = await limits.budget.reserve("k", Allowance(steps=9, per=per), Spending(steps=1))
            now = datetime.now(UTC).isoformat()

            assert held.period in now
            assert len(held.period) == {"hour": 13, "day": 10, "month": 7, None: 0}[per]
        kept = await pool.run(lambda connection: connection.fetchval("SELECT count(*) FROM allowance WHERE key = 'k'"))
    assert kept >= 3


# --- Budget


def used(tokens):
    return reply("ok", usage=Usage(input_tokens=tokens, requests=1))


def asking(port="run-1", tokens=20):
    return model_call(Port(port), settings=Settings(max_tokens=tokens))


async def test_budgets_of_two_processes_share_what_a_backend_keeps(opened):
    async with opened(2) as backends:
        one, other = (Budget(tokens=100, scope="shared", backend=backend) for backend in backends)
        await drive_model([one], Script([used(90)]), asking())

        with pytest.raises(BudgetExhausted):
            await drive_model([other], Script([used(1)]), asking())

        assert await other.used() == {"tokens": 90}


async def test_the_name_tells_whose_allowance_it_is():
    backend = MemoryBudgetBackend()
    one, other = (Budget(steps=1, scope="shared", key=key, backend=backend) for key in ("a", "b"))

    await drive_model([one], Script([used(1)]), asking())
    await drive_model([other], Script([used(1)]), asking())

    with pytest.raises(BudgetExhausted):
        await drive_model([Budget(steps=1, scope="shared", key="a", backend=backend)], Script([used(1)]), asking())


async def test_calls_may_tell_whose_allowance_it_is():
    layer = Budget(steps=1, scope="shared", key=lambda call: call.ctx.run_id)

    await drive_model([layer], Script([used(1)]), asking("ann"))
    await drive_model([layer], Script([used(1)]), asking("bob"))

    with pytest.raises(BudgetExhausted):
        await drive_model([layer], Script([used(1)]), asking("ann"))
    assert await layer.used("ann") == {"steps": 1}
    assert await layer.used("eve") == {"steps": 0}
    with pytest.raises(UsageError, match="key"):
        await layer.used()


async def test_a_shared_allowance_may_begin_anew_each_day():
    hand = Hand(2026, 11, 20)
    layer = Budget(steps=1, scope="shared", per="day", backend=MemoryBudgetBackend(clock=hand.clock()))
    await drive_model([layer], Script([used(1)]), asking())
    with pytest.raises(BudgetExhausted):
        await drive_model([layer], Script([used(1)]), asking())

    hand.moment = datetime(2026, 11, 21, tzinfo=UTC)

    await drive_model([layer], Script([used(1)]), asking())


@pytest.mark.parametrize(
    ("answer", "tokens"), [(RateLimited(), 0), (Overloaded(), 20), (lambda call: anyio.sleep(9), 20), (used(7), 7)]
)
async def test_each_end_of_a_call_settles_what_it_held(opened, answer, tokens):
    async with opened() as (backend,):
        layer = Budget(tokens=1000, scope="shared", backend=backend)
        with anyio.move_on_after(0.3):
            with suppress(RateLimited, Overloaded):
                await drive_model([layer], Script([answer]), asking())

        assert (await layer.used())["tokens"] == pytest.approx(tokens, abs=1)
        assert not getattr(backend, "_open", None)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"backend": MemoryBudgetBackend()}, "scope"),
        ({"key": "a"}, "scope"),
        ({"per": "day"}, "scope"),
        ({"scope": "shared", "key": ""}, "key"),
        ({"scope": "shared", "key": 5}, "key"),
        ({"scope": "shared", "per": "week"}, "per"),
    ],
)
def test_illegal_values_are_refused_by_name(facts, field):
    with pytest.raises((ValueError, TypeError), match=field):
        Budget(steps=1, **facts)


@pytest.mark.parametrize(
    ("kind", "facts", "field"),
    [
        (Allowance, {"tokens": 0}, "tokens"),
        (Allowance, {"cost": True}, "cost"),
        (Allowance, {"steps": 1.5}, "steps"),
        (Allowance, {"per": "year"}, "per"),
        (Spending, {"tokens": -1}, "tokens"),
        (Spending, {"cost": 0.5}, "cost"),
        (Spending, {"steps": None}, "steps"),
    ],
)
def test_illegal_amounts_are_refused_by_name(kind, facts, field):
    with pytest.raises((ValueError, TypeError), match=field):
        kind(**facts)
