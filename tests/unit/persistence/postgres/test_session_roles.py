"""Who may do what to durable sessions in Postgres, and what no role may undo."""

import asyncpg
import pytest
from support.postgres_logins import login, logins
from support.session_log import approval, ended, signal, step, turn
from unit.persistence.made import START, envelopes

from par._durable.log import Change, Lease, Totals
from par.errors import SessionBusy, StoreError, StoreUnavailable
from par.persistence import open_postgres
from par.persistence._postgres_schema import grant_roles

pytestmark = pytest.mark.anyio

SQL_ALONE = pytest.mark.parametrize("anyio_backend", [("asyncio", {})])
"""For what the server does, whoever asks."""
TABLES = ["session", "turn", "step", "signal", "approval"]


@pytest.fixture(scope="module")
def users(postgres_server, dsn):
    """Names of three logins: one appends, one reads, one owns everything and is no superuser."""
    with logins(postgres_server, dsn, "writer", "reader", "owner") as names:
        yield names


@pytest.fixture
async def granted(postgres_server, dsn, users, anyio_backend):
    await grant_roles(login(dsn, users["owner"]))
    postgres_server.execute(f"GRANT par_append TO {users['writer']}", f"GRANT par_read TO {users['reader']}")
    return {role: login(dsn, name) for role, name in users.items()}


async def worked(store, session="s"):
    """Do all that an owner does, and give the session up."""
    log = store.session_log()
    lease = (await log.acquire(session, await log.identity(), lease_s=60, wants="new", agent="a")).lease
    await log.commit(Change(lease=lease, turn=turn()), envelopes(session, 2))
    sent = signal()
    await log.send(session, sent)
    asked = approval(session)
    change = Change(lease=lease, steps=(step(0),), takes={sent.id: 0}, approvals=(asked,), totals=Totals(steps=1))
    await log.commit(change, envelopes(session, 1, first=3))
    await log.renew([lease], lease_s=60)
    with pytest.raises(SessionBusy):
        await log.acquire(session, await log.identity(), lease_s=60, wants="any")
    await log.release(lease)
    lease = (await log.acquire(session, await log.identity(), lease_s=60, wants="open")).lease
    await log.commit(Change(lease=lease, turn=ended(turn()), clears_results=True, releases=True), [])
    return log


async def test_who_may_append_owns_sessions(granted, scope):
    async with open_postgres(granted["writer"], scope=scope) as store:
        log = await worked(store)

        assert (await log.session("s")).turns == 1
        assert len(await log.steps("s", 1)) == len(await log.approvals()) == 1
        fresh = await log.acquire("new", await log.identity(), lease_s=60, wants="new")
        await log.release(fresh.lease)
        assert await log.session("new") is None


@SQL_ALONE
@pytest.mark.parametrize("table", TABLES)
async def test_who_may_append_removes_nothing_of_sessions(granted, users, scope, sql, denied, table, anyio_backend):
    async with open_postgres(granted["writer"], scope=scope) as store:
        await worked(store)

    for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        with pytest.raises(denied):
            sql(statement, scope=scope, user=users["writer"])


async def test_who_may_append_redacts_and_expires_nothing(granted, scope):
    async with open_postgres(granted["writer"], scope=scope) as store:
        await worked(store)

        with pytest.raises(StoreUnavailable, match="permission denied"):
            await store.redact("s", seqs=[1], reason="r", by="x")
        with pytest.raises((StoreUnavailable, StoreError), match="permission denied"):
            await store.expire(before=START)


async def test_who_may_read_looks_at_sessions_and_changes_nothing(granted, scope):
    async with open_postgres(granted["writer"], scope=scope) as store:
        await worked(store)
    async with open_postgres(granted["reader"], scope=scope) as store:
        log = store.session_log()

        assert [one.id for one in await log.list_sessions()] == ["s"]
        assert (len(await log.turns("s")), len(await log.approvals()), await log.due()) == (1, 1, ())
        assert (await log.inbox("s"), await log.stops(["s"])) == ((), {})
        for attempt in (
            log.acquire("s", await log.identity(), lease_s=60, wants="any"),
            log.send("s", signal()),
            log.renew([(await _lease(log))], lease_s=60),
            log.commit(Change(lease=await _lease(log)), []),
        ):
            with pytest.raises(StoreUnavailable, match="permission denied"):
                await attempt


async def _lease(log):
    return Lease(session="s", owner=await log.identity(), fence=2)


@SQL_ALONE
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("role", ["writer", "reader", "owner"])
async def test_rows_of_another_scope_are_not_there(granted, users, scope, sql, table, role, anyio_backend):
    async with open_postgres(granted["writer"], scope=scope) as store:
        await worked(store)

    assert sql(f"SELECT count(*) FROM {table}", scope=scope, user=users[role])[0][0] == 1
    assert sql(f"SELECT count(*) FROM {table}", scope="another", user=users[role])[0][0] == 0
    assert sql(f"SELECT count(*) FROM {table}", user=users[role])[0][0] == 0


@SQL_ALONE
async def test_no_row_is_written_into_another_scope(granted, users, scope, sql, denied, anyio_backend):
    row = "('another', 's', 'a', 'running', 'me', 1, now(), now())"

    with pytest.raises(denied):
        sql(
            "INSERT INTO session (scope, id, agent, state, owner, fence, created_at, updated_at) VALUES " + row,
            scope=scope,
            user=users["writer"],
        )


async def test_a_login_that_is_bound_to_other_scopes_owns_nothing_here(granted, users, scope, sql):
    sql(f"INSERT INTO login VALUES ('{users['writer']}', 'another scope')")
    try:
        async with open_postgres(granted["writer"], scope=scope) as store:
            log = store.session_log()
            with pytest.raises((StoreError, StoreUnavailable)):
                await log.acquire("s", await log.identity(), lease_s=60, wants="new")
            assert await log.list_sessions() == ()
    finally:
        sql(f"DELETE FROM login WHERE role = '{users['writer']}'")


@SQL_ALONE
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE session SET fence = fence - 1",
        "UPDATE session SET owner = 'me'",
        "UPDATE session SET id = 'other', fence = fence + 1",
        "UPDATE turn SET ended_at = NULL, last_seq = NULL",
        "UPDATE step SET status = 'started'",
        "UPDATE step SET result = '2'",
        "UPDATE step SET label = '[]'",
        "UPDATE signal SET ord = 5",
        "UPDATE signal SET turn = NULL, ord = NULL",
    ],
)
@pytest.mark.parametrize("role", ["writer", "owner"])
async def test_what_is_done_is_never_undone(granted, users, scope, sql, change, role, anyio_backend):
    async with open_postgres(granted["writer"], scope=scope) as store:
        await worked(store)

    with pytest.raises(asyncpg.RestrictViolationError, match="never undone"):
        sql(change, scope=scope, user=users[role])


@SQL_ALONE
@pytest.mark.parametrize(
    "row",
    [
        "turn (scope, session, number, id, state, first_seq, facts) VALUES ('{scope}', 'nobody', 1, 't', 'running', 1, '{{}}')",
        "turn (scope, session, number, id, state, first_seq, facts) VALUES ('{scope}', 's', 0, 't', 'running', 1, '{{}}')",
        "step (scope, session, turn, ord, kind, status, attempt, label) VALUES ('{scope}', 's', 9, 0, 'tool', 'done', 1, '[]')",
        "step (scope, session, turn, ord, kind, status, attempt, label) VALUES ('{scope}', 's', 1, 1, 'other', 'done', 1, '[]')",
        "signal (scope, session, id, name, at) VALUES ('{scope}', 's', 'i', 'other', now())",
        "signal (scope, session, id, name, at, turn) VALUES ('{scope}', 's', 'i', 'steer', now(), 1)",
        "approval (scope, session, id, turn, ord, status, asked_at, body) VALUES ('{scope}', 's', 'i', 1, 0, 'other', now(), '')",
    ],
)
async def test_the_tables_of_sessions_refuse_what_makes_no_sense(granted, users, scope, sql, row, anyio_backend):
    async with open_postgres(granted["writer"], scope=scope) as store:
        await worked(store)

    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        sql("INSERT INTO " + row.format(scope=scope), scope=scope, user=users["owner"])
