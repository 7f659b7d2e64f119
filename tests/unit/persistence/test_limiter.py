"""Waiting for shared limits: who asks for whom, how often, and what happens when somebody is gone."""

import os
import sqlite3
import subprocess
import sys
from math import inf, nan

import anyio
import asyncpg
import attrs
import pytest
from support.shared_limits import add_tables, open_limits, open_postgres_limits, open_sqlite_limits
from unit.persistence.test_limiter_window import LEASE_US, LIMIT, US, World

from par._clock import Clock
from par.errors import BudgetExhausted, StoreUnavailable
from par.limits import Allowance, Limit, Spending
from par.persistence import _limiter_window as window
from par.persistence._limiter import Ticket
from par.persistence._limiter_budget import SharedBudgetBackend
from par.persistence._limiter_window import Place
from par.persistence._postgres_pool import open_pg_pool
from par.persistence._processes import this_machine

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


# --- processes


def identity(**changes):
    boot, space, pid, start = this_machine(Clock()).me.split(" ")
    facts = {"boot": boot, "space": space, "pid": pid, "start": start, **changes}
    return " ".join(facts.values())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell less of their processes")
@pytest.mark.parametrize(
    ("changes", "alive"),
    [
        ({}, True),
        ({"start": "1"}, False),
        ({"pid": "4194305"}, False),
        ({"boot": "another"}, False),
        ({"space": "pid:[1]"}, None),
        ({"pid": "-1"}, None),
        ({"pid": "1 2"}, None),
        ({"start": "-"}, True),
        ({"start": "-", "pid": "4194305"}, False),
    ],
)
def test_a_process_is_known_by_its_number_its_start_and_that_of_the_machine(changes, alive):
    assert this_machine(Clock()).is_alive(identity(**changes)) is alive


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell less of their processes")
def test_a_process_that_has_ended_is_gone_even_before_its_parent_has_noticed():
    code = "import sys; from par._clock import Clock; from par.persistence._processes import this_machine as m; print(m(Clock()).me, flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    name = child.stdout.readline().strip()
    before = this_machine(Clock()).is_alive(name)

    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    after = this_machine(Clock()).is_alive(name)
    child.communicate()

    assert (before, after) == (True, False)


def test_the_machine_knows_its_clocks():
    here = this_machine(Clock())

    assert here.steady_us() <= here.steady_us()
    assert here.wall_us() > 10**15


# --- places whose process is not known


@pytest.fixture
def connection(tmp_path):
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    add_tables(connection)
    yield connection
    connection.close()


def in_line(connection, machine, lease_us=LEASE_US):
    """Two calls of one process: the first has all tokens, the second waits; then a small one of another process."""
    one, other = (Place("s", "k", attrs.evolve(machine, me=me), lease_us) for me in ("one", "other"))
    window.advance(connection, one, LIMIT, (Ticket(1, 90),))
    window.advance(connection, one, LIMIT, (Ticket(2, 90),))
    return window.advance(connection, other, LIMIT, (Ticket(3, 5),)), other


@pytest.mark.parametrize(("lease_s", "after_s", "served"), [(2, 1.9, False), (2, 2.1, True), (5, 4.9, False)])
def test_a_place_in_line_lapses_when_nobody_asks_about_it(connection, lease_s, after_s, served):
    world = World()
    turn, other = in_line(connection, attrs.evolve(world.seen_by(""), is_alive=lambda owner: None), lease_s * US)
    assert (turn.granted, turn.ahead) == ((), 1)

    world.steady += round(after_s * US)

    assert (3 in window.advance(connection, other, LIMIT, (Ticket(3, 5),)).granted) is served


def test_who_has_lost_his_place_gets_a_new_one_at_the_end(connection):
    world = World()
    turn, other = in_line(connection, world.seen_by(""))
    one = attrs.evolve(other, machine=attrs.evolve(other.machine, me="one"))
    world.steady += LEASE_US
    window.advance(connection, other, LIMIT, (Ticket(4, 100), Ticket(5, 100)))

    turn = window.advance(connection, one, LIMIT, (Ticket(2, 90),))

    assert (turn.granted, turn.ahead) == ((), 1)


# --- the line of one process


def counted(backend, name, log):
    """Note each call of a method of the backend's ledger."""
    real = getattr(backend._ledger, name)

    async def noted(*values, **options):
        log.append(anyio.current_time())
        return await real(*values, **options)

    setattr(backend._ledger, name, noted)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    return tmp_path / "x.db" if request.param == "sqlite" else request.getfixturevalue("shared_dsn")


@pytest.fixture(scope="module")
def shared_dsn(postgres_server):
    return postgres_server.database()


@pytest.fixture
def scope(request):
    return request.node.nodeid[-150:]


async def test_many_that_wait_ask_as_one_and_seldom(place, scope):
    limit = Limit(requests=10, per_s=0.8)

    async with open_limits(place, scope=scope) as limits:
        asked = []
        for _ in range(10):
            await limits.rate.reserve("k", limit, tokens=0, max_wait_s=None)
        counted(limits.rate, "advance", asked)
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(lambda: limits.rate.reserve("k", limit, tokens=0, max_wait_s=None))

    assert len(asked) < 25  # at most one for each, and a few in the time of waiting


async def test_when_the_one_who_asks_is_cancelled_another_asks(place, scope):
    limit = Limit(requests=1, per_s=0.4)
    passed = []

    async with open_limits(place, scope=scope) as limits:
        await limits.rate.reserve("k", limit, tokens=0, max_wait_s=None)

        async def one(name):
            await limits.rate.reserve("k", limit, tokens=0, max_wait_s=None)
            passed.append(name)

        async with anyio.create_task_group() as group:
            with anyio.move_on_after(0.2):
                async with anyio.create_task_group() as given_up:
                    given_up.start_soon(one, "first")
                    await anyio.sleep(0.1)
                    group.start_soon(one, "second")
                    await anyio.sleep_forever()
            with anyio.fail_after(5):
                while not passed:
                    await anyio.sleep(0.01)

    assert passed == ["second"]


async def test_what_the_provider_told_is_written_once(place, scope):
    limit = Limit(requests=10, per_s=60)

    async with open_limits(place, scope=scope) as limits, open_limits(place, scope=scope) as others:
        written = []
        counted(limits.rate, "heed", written)
        for _ in range(3):
            await limits.rate.learn("k", limit, requests=5, tokens=None)
        first = len(written)
        await others.rate.learn("k", limit, requests=7, tokens=None)
        await limits.rate.reserve("k", limit, tokens=0, max_wait_s=None)
        await limits.rate.learn("k", limit, requests=5, tokens=None)

    assert (first, len(written)) == (1, 2)


async def test_a_store_that_was_closed_says_so(place, scope):
    async with open_limits(place, scope=scope) as limits:
        pass

    with pytest.raises(StoreUnavailable):
        await limits.rate.reserve("k", Limit(requests=1), tokens=0, max_wait_s=None)
    with pytest.raises(StoreUnavailable):
        await limits.budget.reserve("k", Allowance(steps=1), Spending(steps=1))


async def test_the_error_of_the_block_comes_out_as_it_is(place, scope):
    with pytest.raises(ZeroDivisionError):
        async with open_limits(place, scope=scope):
            raise ZeroDivisionError


@pytest.mark.parametrize("name", ["line_s", "lease_s"])
@pytest.mark.parametrize("value", [0, -1, nan, inf, True, "1"])
async def test_times_that_are_none_are_refused_by_name(tmp_path, name, value):
    with pytest.raises(ValueError, match=name):
        async with open_sqlite_limits(tmp_path / "x.db", **{name: value}):
            pass


@pytest.mark.parametrize("name", ["line_s", "lease_s"])
async def test_postgres_refuses_times_that_are_none(shared_dsn, name):
    with pytest.raises(ValueError, match=name):
        async with open_postgres_limits(shared_dsn, **{name: 0}):
            pass


# --- what is held of an allowance


class Failing:
    """A ledger that is away for a while."""

    def __init__(self):
        self.renewed = []

    async def reserve(self, key, allowance, spending, number):
        return ""

    async def renew(self, numbers):
        self.renewed.append(numbers)
        if len(self.renewed) < 3:
            raise StoreUnavailable("x", "it is away")


async def test_signs_of_life_go_on_after_the_database_was_away():
    ledger = Failing()
    backend = SharedBudgetBackend(ledger, 0.03)

    async with anyio.create_task_group() as group:
        group.start_soon(backend.renew)
        held = await backend.reserve("k", Allowance(steps=1), Spending(steps=1))
        with anyio.fail_after(5):
            while len(ledger.renewed) < 4:
                await anyio.sleep(0.005)
        group.cancel_scope.cancel()

    assert ledger.renewed[-1] == (held.number,)


async def test_what_was_given_back_too_early_is_charged_when_it_is_settled(place, scope):
    allowance = Allowance(tokens=100)

    async with open_limits(place, scope=scope, lease_s=600) as limits:
        held = await limits.budget.reserve("k", allowance, Spending(tokens=80))
        await lapse(place, scope)
        other = await limits.budget.reserve("k", allowance, Spending(tokens=60))
        await limits.budget.settle(held, Spending(tokens=50))
        await limits.budget.settle(held, Spending(tokens=50))

        assert (await limits.budget.used("k", allowance)).tokens == 110
        await limits.budget.settle(other, Spending(tokens=5))
        assert (await limits.budget.used("k", allowance)).tokens == 55
        with pytest.raises(BudgetExhausted):
            await limits.budget.reserve("k", allowance, Spending(tokens=60))


async def lapse(place, scope):
    """Make all that is held as old as if its process had frozen."""
    if str(place).startswith("postgres"):
        async with open_pg_pool(place, scope=scope) as pool:
            await pool.run(
                lambda one: one.execute("UPDATE allowance_hold SET until = until - 601000000 WHERE scope = $1", scope)
            )
    else:
        connection = sqlite3.connect(place, isolation_level=None)
        connection.execute("UPDATE allowance_hold SET until = until - 601000000")
        connection.close()


async def test_in_postgres_a_call_that_comes_after_it_was_taken_out_is_worth_nothing(shared_dsn, scope):
    limit, allowance = Limit(tokens=100, per_s=60), Allowance(tokens=100)

    async with open_postgres_limits(shared_dsn, scope=scope) as limits:
        ledger, accounts = limits.rate._ledger, limits.budget._ledger
        await ledger.withdraw("k", limit, Ticket(1, 100))
        await accounts.drop("k", allowance, 1)
        await ledger.advance("k", limit, (Ticket(1, 100),))
        await accounts.reserve("k", allowance, Spending(tokens=100), 1)

        place = await limits.rate.reserve("k", limit, tokens=100, max_wait_s=1)
        await limits.budget.reserve("k", allowance, Spending(tokens=100))

    assert place.waited_s == 0


# --- being woken


async def test_in_one_process_what_is_given_back_wakes_at_once(tmp_path):
    limit = Limit(tokens=100, per_s=60)

    async with open_sqlite_limits(tmp_path / "x.db") as limits:

        async def until_kicked(turn, poll_s, kicked, seen):
            await kicked.wait()
            return seen

        limits.rate._ledger.pause = until_kicked
        place = await limits.rate.reserve("k", limit, tokens=90, max_wait_s=None)
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: limits.rate.reserve("k", limit, tokens=90, max_wait_s=None))
                await anyio.sleep(0.1)
                await limits.rate.settle(place, requests=1, tokens=0)


NEVER_S = 600.0
"""So long is a place in line kept, and a third of it a process sleeps, unless it is woken."""


async def waiting(group, limits, limit, tokens, passed):
    async def one():
        await limits.rate.reserve("k", limit, tokens=tokens, max_wait_s=None)
        passed.append(tokens)

    scope = anyio.CancelScope()

    async def run():
        with scope:
            await one()

    group.start_soon(run)
    with anyio.fail_after(20):
        while limits.rate._ledger._rings < 0:  # it stands in line, and listens
            await anyio.sleep(0.005)
    return scope


async def given_back(one, place, scope, limit):
    await one.rate.settle(place, requests=1, tokens=10)


async def first_gives_up(one, place, scope, limit):
    scope.cancel()


async def limit_is_raised(one, place, scope, limit):
    await one.rate.learn("k", limit, requests=None, tokens=200)


@pytest.mark.parametrize(
    ("event", "first", "served"),
    [(given_back, 40, [40, 41]), (first_gives_up, 100, [41]), (limit_is_raised, 60, [60, 41])],
)
async def test_in_postgres_the_server_wakes_who_is_first(shared_dsn, scope, event, first, served):
    limit = Limit(tokens=1000, per_s=NEVER_S)
    passed = []

    async with (
        open_postgres_limits(shared_dsn, scope=scope, line_s=NEVER_S) as one,
        open_postgres_limits(shared_dsn, scope=scope, line_s=NEVER_S) as two,
        open_postgres_limits(shared_dsn, scope=scope, line_s=NEVER_S) as three,
    ):
        await one.rate.learn("k", limit, requests=None, tokens=100)
        place = await one.rate.reserve("k", limit, tokens=59 if first == 100 else 90, max_wait_s=None)
        async with anyio.create_task_group() as group:
            cancel = await waiting(group, two, limit, first, passed)
            await waiting(group, three, limit, 41, passed)
            before = list(passed)

            await event(one, place, cancel, limit)

            with anyio.fail_after(3):  # below the time after which a bell is asked in any case
                while len(passed) < len(served):
                    await anyio.sleep(0.01)
            group.cancel_scope.cancel()

    assert before == []
    if event is limit_is_raised:  # then there is room for both at once, and they are told in no order
        passed.sort(reverse=True)
    assert passed == served


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_in_postgres_a_reservation_waits_for_the_one_before_it(shared_dsn, scope):
    async with open_postgres_limits(shared_dsn, scope=scope) as limits:
        held = await limits.budget.reserve("k", Allowance(tokens=100), Spending(tokens=1))
        await limits.budget.settle(held, Spending())
    settings = {"search_path": "par", "par.scope": scope}
    reserve = "SELECT lacking FROM budget_reserve('k', NULL, 100, NULL, NULL, 60, 0, 0, $1, 1000000)"
    one, other = [await asyncpg.connect(shared_dsn, server_settings=settings) for _ in range(2)]
    lacking = []

    async def second():
        lacking.append(await other.fetchval(reserve, 2))

    transaction = one.transaction()
    await transaction.start()
    lacking.append(await one.fetchval(reserve, 1))
    async with anyio.create_task_group() as group:
        group.start_soon(second)
        await anyio.sleep(0.2)
        await transaction.commit()
    await one.close()
    await other.close()

    assert lacking == [None, "tokens"]
