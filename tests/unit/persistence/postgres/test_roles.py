"""Who may do what: the role that appends, the one that reads, the owner, and scopes among each other."""

import os
from itertools import count
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from unit.persistence.made import envelope, envelopes

from par.errors import StoreUnavailable
from par.persistence._postgres_open import open_postgres
from par.persistence._postgres_schema import grant_roles

pytestmark = pytest.mark.anyio

NUMBERS = count(1)
SQL_ALONE = pytest.mark.parametrize("anyio_backend", [("asyncio", {})])
"""For what the server does, whoever asks."""


def login(dsn, user):
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"{user}:secret@{parts.hostname}:{parts.port}"))


@pytest.fixture(scope="module")
def users(postgres_server, dsn):
    """Names of three logins: one appends, one reads, one owns everything and is no superuser."""
    number = next(NUMBERS)
    names = {role: f"{role}_{os.getpid()}_{number}" for role in ("writer", "reader", "owner")}
    database = urlsplit(dsn).path[1:]
    postgres_server.execute(
        *(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'" for name in names.values()),
        f"ALTER ROLE {names['owner']} CREATEROLE",
        f'GRANT CREATE ON DATABASE "{database}" TO {names["owner"]}',
    )
    yield names
    all_names = ", ".join(names.values())
    postgres_server.execute(f"DROP OWNED BY {all_names} CASCADE", f"DROP ROLE {all_names}", dsn=dsn)


@pytest.fixture
async def granted(postgres_server, dsn, users, anyio_backend):
    await grant_roles(login(dsn, users["owner"]))
    postgres_server.execute(f"GRANT par_append TO {users['writer']}", f"GRANT par_read TO {users['reader']}")
    return {role: login(dsn, name) for role, name in users.items()}


async def test_who_may_append_appends_and_goes_on(granted, scope):
    async with open_postgres(granted["writer"], scope=scope) as store:
        await store.append(envelopes(count=2))
        await store.append([envelope(seq=2 + 1), envelope("new")])
        await store.post("posted", [envelope().event])
        await store.flush()
        again = envelope("again")
        await store.append([again])
        await store.append([again])

        assert await store.last_seq("s") == 3
        assert store.dropped == 0


async def test_who_may_append_begins_a_month(granted, scope, sql):
    async with open_postgres(granted["writer"], scope=scope) as store:
        await store.append([envelope(at=envelope().at.replace(year=1987))])

    assert sql("SELECT count(*) FROM event_1987_01")[0][0] >= 1


@pytest.mark.parametrize(
    "read", [lambda s: s.events(), lambda s: s.sessions(), lambda s: s.heads(), lambda s: s.verify()]
)
async def test_who_may_append_reads_nothing(granted, scope, read):
    async with open_postgres(granted["writer"], scope=scope) as store:
        await store.append(envelopes())
        with pytest.raises(StoreUnavailable, match="permission denied"):
            await read(store)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET body = NULL, salt = NULL",
        "DELETE FROM event",
        "TRUNCATE event",
        "INSERT INTO head SELECT * FROM head",
        "UPDATE head SET seq = seq + 1",
        "INSERT INTO permit VALUES ('expire', 'x', 's', 9, 'x')",
        "UPDATE ledger SET position = 10 ^ 6",
        "INSERT INTO login VALUES ('x', 'y')",
        "SELECT make_partition('2001-01-01')",
        "DROP TABLE event",
        "CREATE TABLE par.mine (x int)",
        "INSERT INTO migration VALUES (99)",
    ],
)
@pytest.mark.parametrize("role", ["writer", "reader"])
@SQL_ALONE
async def test_neither_role_does_anything_else(granted, users, sql, denied, scope, statement, role, anyio_backend):
    with pytest.raises(denied):
        sql(statement, user=users[role], scope=scope)


@pytest.mark.parametrize("table", ["event", "audit", "head", "ledger", "event_2025_01", "login", "permit"])
@SQL_ALONE
async def test_who_may_append_reads_no_table(granted, users, sql, denied, scope, table, anyio_backend):
    async with open_postgres(granted["writer"], scope=scope) as store:
        await store.append(envelopes())

    with pytest.raises(denied):
        sql(f"SELECT * FROM {table}", user=users["writer"], scope=scope)


async def test_who_may_read_reads_everything_and_writes_nothing(granted, scope):
    async with open_postgres(granted["writer"], scope=scope) as store:
        await store.append(stored := envelopes())

    async with open_postgres(granted["reader"], scope=scope) as store:
        assert await store.events("s") == tuple(stored)
        assert (await store.verify()).events == 3
        assert [one.session for one in await store.sessions()] == ["s"]
        assert [one.seq for one in await store.heads()] == [3]
        assert await store.last_seq("s") == await store.last_position() == 3
        assert await anext(aiter(store.tail("s"))) == stored[0]
        with pytest.raises(StoreUnavailable, match="permission denied"):
            await store.append(envelopes(count=1, first=4))
        with pytest.raises(StoreUnavailable, match="permission denied"):
            await store.redact("s", seqs=[1], reason="r", by="b")


async def test_a_scope_sees_nothing_of_another_even_in_sql(granted, users, sql, scope):
    async with open_postgres(granted["owner"], scope=scope) as store:
        await store.append(envelopes("mine"))
    async with open_postgres(granted["owner"], scope=f"{scope} b") as other:
        assert (await other.events(), await other.sessions(), await other.last_position()) == ((), (), 0)

    for user in (users["reader"], users["owner"]):
        for table in ("event", "audit", "head", "ledger"):
            assert sql(f"SELECT DISTINCT scope FROM {table}", user=user, scope=scope)[0]["scope"] == scope
            assert sql(f"SELECT * FROM {table}", user=user, scope=f"{scope} b") == []
            assert sql(f"SELECT * FROM {table}", user=user, scope="") == []
    assert sql("SELECT DISTINCT scope FROM event_2025_01", user=users["owner"], scope=f"{scope} b") == []


async def test_a_row_of_another_scope_cannot_be_written(granted, users, sql, denied, scope):
    with pytest.raises(denied, match="row-level security"):
        sql(f"INSERT INTO head VALUES ('{scope} b', 's', 1, sha256(''), 2, now(), 1)", user=users["owner"], scope=scope)


async def test_a_login_that_is_bound_to_scopes_cannot_name_others(granted, users, sql, scope):
    async with open_postgres(granted["writer"], scope=scope) as store:
        await store.append(envelopes())
    sql(f"INSERT INTO login VALUES ('{users['reader']}', '{scope}')")

    try:
        seen = sql("SELECT count(*) FROM event", user=users["reader"], scope=scope)[0][0]
        sql("DELETE FROM login", f"INSERT INTO login VALUES ('{users['reader']}', 'another')")
        hidden = sql("SELECT count(*) FROM event", user=users["reader"], scope=scope)[0][0]
    finally:
        sql("DELETE FROM login")

    assert (seen, hidden) == (3, 0)


async def test_a_writer_that_is_bound_to_another_scope_is_refused(granted, users, sql, scope):
    sql(f"INSERT INTO login VALUES ('{users['writer']}', 'another')")

    try:
        async with open_postgres(granted["writer"], scope=scope) as store:
            with pytest.raises(StoreUnavailable, match="may not use the scope"):
                await store.append(envelopes())
    finally:
        sql("DELETE FROM login")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET run = 'x'",
        "UPDATE event SET body = NULL, salt = NULL",
        "DELETE FROM event",
        "TRUNCATE event",
        "TRUNCATE event_2025_01",
        "DELETE FROM event_2025_01",
        "UPDATE head SET hash = sha256('')",
        "DELETE FROM head",
        "TRUNCATE head",
        "DELETE FROM ledger",
        "UPDATE ledger SET position = 0",
        "INSERT INTO permit SELECT 'expire', scope, session, seq, id FROM event",
        "INSERT INTO permit SELECT 'redact', scope, session, seq, id FROM event",
    ],
)
@SQL_ALONE
async def test_even_the_owner_and_the_superuser_are_refused(granted, users, sql, scope, statement, anyio_backend):
    async with open_postgres(granted["owner"], scope=scope) as store:
        await store.append(stored := envelopes())

        for user in (users["owner"], None):
            with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
                sql(statement, user=user, scope=scope)

        assert await store.events() == tuple(stored)


async def test_a_permit_does_not_outlive_its_transaction(granted, users, sql, scope):
    async with open_postgres(granted["owner"], scope=scope) as store:
        await store.append(envelopes())
        await store.redact("s", seqs=[1], reason="r", by="b")

    told = "SELECT id FROM event WHERE session = 'par.audit' AND scope = current_scope()"
    with pytest.raises(asyncpg.RestrictViolationError, match="ends with its transaction"):
        sql(f"INSERT INTO permit SELECT 'redact', '{scope}', 's', 2, id FROM ({told}) AS t", scope=scope)


async def test_the_owner_redacts_and_expires(granted, scope):
    async with open_postgres(granted["owner"], scope=scope) as store:
        await store.append(envelopes(count=3))
        await store.redact("s", seqs=[3], reason="r", by="b")
        await store.expire(before=envelope(seq=2).at)

        assert [one.seq for one in await store.events("s")] == [2, 3]
        verification = await store.verify()
        assert (verification.ok, verification.redacted, verification.expired) == (True, 1, 1)


async def test_a_login_without_rights_cannot_open_what_is_not_there(postgres_server, users):
    empty = postgres_server.database()

    with pytest.raises(StoreUnavailable, match="permission denied"):
        async with open_postgres(login(empty, users["reader"])):
            pass
