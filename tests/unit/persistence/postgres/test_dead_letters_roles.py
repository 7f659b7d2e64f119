"""Who may do what with dead letters and shared limits."""

from datetime import UTC, datetime

import pytest
from support.postgres_logins import login, logins
from unit.bus.made import letter

from par.errors import StoreUnavailable
from par.limits import Allowance, Limit, Spending
from par.persistence import grant_roles, open_postgres
from par.persistence._limiter_postgres import open_limiter_postgres
from par.persistence._postgres_pool import open_pg_pool
from par.persistence._schema import limiter
from par.persistence._schema.postgres_roles import GUARD

pytestmark = pytest.mark.anyio

AT = datetime(2025, 1, 31, 12, tzinfo=UTC)
LIMIT = Limit(requests=2, per_s=60.0)
ALLOWANCE = Allowance(tokens=100)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture(scope="module")
def users(postgres_server, dsn):
    with logins(postgres_server, dsn, "owner", "writer", "reader", "both") as names:
        yield names


@pytest.fixture
async def granted(postgres_server, dsn, users, anyio_backend):
    logged_in = {role: login(dsn, name) for role, name in users.items()}
    async with open_postgres(logged_in["owner"]), open_pg_pool(logged_in["owner"]) as pool:
        await pool.run(add_limits)
    await grant_roles(logged_in["owner"])
    postgres_server.execute(
        f"GRANT par_append TO {users['writer']}, {users['both']}",
        f"GRANT par_read TO {users['reader']}, {users['both']}",
    )
    return logged_in


async def add_limits(connection):
    if await connection.fetchval("SELECT to_regclass('limiter') IS NULL"):
        async with connection.transaction():
            for statement in (*limiter.POSTGRES, GUARD):
                await connection.execute(statement)


@pytest.fixture
async def letters(granted, scope):
    """Of each login the dead letters of the scope, in which there is one of session ``s``."""
    async with (
        open_postgres(granted["owner"], scope=scope) as owner,
        open_postgres(granted["writer"], scope=scope) as writer,
        open_postgres(granted["reader"], scope=scope) as reader,
        open_postgres(granted["both"], scope=scope) as both,
    ):
        await writer.dead_letters().put([KEPT])
        stores = {"owner": owner, "writer": writer, "reader": reader, "both": both}
        yield {role: store.dead_letters() for role, store in stores.items()}


KEPT = letter("kept")


async def test_who_may_append_puts_letters_once(letters):
    await letters["writer"].put([KEPT])

    assert await letters["owner"].find() == (KEPT,)


@pytest.mark.parametrize("read", [lambda kept: kept.find(), lambda kept: kept.get(KEPT.id)])
async def test_who_may_append_reads_no_letter(letters, read):
    with pytest.raises(StoreUnavailable, match="permission denied"):
        await read(letters["writer"])


async def test_who_may_read_reads_letters(letters):
    assert await letters["reader"].find() == (KEPT,)
    assert await letters["reader"].get(KEPT.id) == KEPT


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept.put([letter("new")]),
        lambda kept: kept.delete([KEPT.id]),
        lambda kept: kept.mark_replayed(KEPT.id, at=AT, attempts=1, reason="failed", error=None),
        lambda kept: kept.forget(["x"]),
    ],
)
async def test_who_may_read_changes_no_letter(letters, change):
    with pytest.raises(StoreUnavailable, match="permission denied"):
        await change(letters["reader"])


async def test_who_may_append_and_read_replays_letters(letters):
    both = letters["both"]

    assert await both.mark_replayed(KEPT.id, at=AT, attempts=2, reason="failed", error=None)
    assert [found.replays for found in await both.find()] == [1]
    assert await both.delete([KEPT.id]) == 1
    assert await both.find() == ()


async def test_only_the_owner_forgets_what_stands_in_letters(letters):
    with pytest.raises(StoreUnavailable, match="permission denied"):
        await letters["both"].forget(["x"])

    assert await letters["owner"].forget(["no such text"]) == 0


@pytest.mark.parametrize(
    "statement",
    ["SELECT body FROM dead_letter", "UPDATE dead_letter SET body = 'x'", "UPDATE dead_letter SET scope = 'x'", "TRUNCATE dead_letter"],
)  # fmt: skip
async def test_who_may_append_does_nothing_else_with_letters(granted, users, sql, denied, scope, statement):
    with pytest.raises(denied):
        sql(statement, user=users["writer"], scope=scope)


# --- limits -------------------------------------------------------------------------------------------------


async def test_who_may_append_shares_limits(granted, scope):
    async with (
        open_pg_pool(granted["writer"], scope=scope) as pool,
        open_limiter_postgres(pool) as limits,
    ):
        place = await limits.rate.reserve("k", LIMIT, tokens=0, max_wait_s=None)
        await limits.rate.settle(place, requests=1, tokens=0)
        held = await limits.budget.reserve("k", ALLOWANCE, Spending(tokens=10))
        await limits.budget.settle(held, Spending(tokens=7))

        assert (await limits.budget.used("k", ALLOWANCE)).tokens == 7


async def test_who_may_read_takes_no_part_of_a_limit(granted, scope):
    async with (
        open_pg_pool(granted["reader"], scope=scope) as pool,
        open_limiter_postgres(pool) as limits,
    ):
        with pytest.raises(StoreUnavailable, match="permission denied"):
            await limits.rate.reserve("k", LIMIT, tokens=0, max_wait_s=None)


@pytest.mark.parametrize("table", ["limiter", "limiter_place", "allowance", "allowance_hold"])
async def test_who_may_read_sees_how_limits_stand_in_its_scope(granted, users, sql, denied, scope, table):
    assert sql(f"SELECT * FROM {table}", user=users["reader"], scope=f"{scope} b") == []
    with pytest.raises(denied):
        sql(f"DELETE FROM {table}", user=users["reader"], scope=scope)
