"""The scopes of a database: who may list them, and that no table forgets them."""

import subprocess
import sys

import pytest
from support.postgres_logins import login, logins
from unit.persistence.made import envelopes

from par.errors import StoreUnavailable
from par.persistence import grant_roles, open_postgres, postgres_scopes
from par.persistence._postgres_pool import open_pg_pool
from par.persistence._postgres_schema import migrate

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return ("trio", {})  # what is asked here is asked of the server; how it is asked is tested elsewhere


@pytest.fixture
def dsn(postgres_server):
    return postgres_server.database()


@pytest.fixture
def users(postgres_server, dsn):
    with logins(postgres_server, dsn, "owner", "writer", "reader") as names:
        yield names


@pytest.fixture
async def granted(postgres_server, dsn, users):
    await grant_roles(login(dsn, users["owner"]))
    postgres_server.execute(f"GRANT par_append TO {users['writer']}", f"GRANT par_read TO {users['reader']}")
    logged_in = {role: login(dsn, name) for role, name in users.items()}
    for scope in ("b", "a", "Ä"):
        async with open_postgres(logged_in["writer"], scope=scope) as store:
            await store.append(envelopes())
    async with open_postgres(logged_in["writer"], scope="empty", key=b"k" * 32):
        pass
    return logged_in


async def test_a_new_database_has_no_scopes(dsn):
    assert await postgres_scopes(dsn) == ()


@pytest.mark.parametrize("role", ["owner", "reader"])
async def test_the_scopes_that_hold_events_are_listed_in_order(granted, role):
    assert await postgres_scopes(granted[role]) == ("a", "b", "Ä")


async def test_who_may_append_lists_no_scopes(granted):
    with pytest.raises(StoreUnavailable, match="permission denied"):
        await postgres_scopes(granted["writer"])


@pytest.mark.parametrize("role", ["owner", "reader"])
async def test_a_login_that_is_bound_to_scopes_lists_those(granted, users, sql, role):
    sql(f"INSERT INTO login VALUES ('{users[role]}', 'b'), ('{users[role]}', 'nowhere'), ('somebody', 'a')")

    assert await postgres_scopes(granted[role]) == ("b",)


@pytest.mark.parametrize("role", ["owner", "reader"])
async def test_listing_opens_no_row_of_another_scope(granted, users, sql, role):
    listed = sql("SELECT scopes()", "SELECT scope FROM ledger", scope="a", user=users[role])

    assert [row[0] for row in listed] == ["a"]


async def test_a_reader_that_says_it_lists_sees_no_more(granted, users, sql):
    seen = sql("SET par.listing = 'on'", "SELECT scope FROM ledger", scope="a", user=users["reader"])

    assert [row[0] for row in seen] == ["a"]


async def test_every_table_has_the_scope_in_its_key_and_is_guarded(granted, sql):
    tables = sql(
        """
        SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity, p.polname, EXISTS (
            SELECT FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
            WHERE i.indrelid = c.oid AND i.indisunique AND a.attname = 'scope'
        ) FROM pg_class AS c LEFT JOIN pg_policy AS p ON p.polrelid = c.oid AND p.polname = 'own_scope'
        WHERE c.relnamespace = 'par'::regnamespace AND c.relkind IN ('r', 'p')
        """
    )

    open_to_all = {row[0] for row in tables if tuple(row)[1:] != (True, "own_scope", True)}
    assert open_to_all == {"migration", "login"}  # which are of no scope, and only the owner writes them


async def test_nobody_calls_a_function_without_having_been_given_it(granted, sql):
    found = sql(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'par'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE')"
    )

    assert [row[0] for row in found] == []


def test_processes_that_start_at_once_on_an_empty_database_make_one_schema(postgres_server, sql, dsn):
    program = f"import anyio\nfrom par.persistence import postgres_scopes\nanyio.run(postgres_scopes, {dsn!r})"

    started = [subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) for _ in range(4)]

    assert [process.communicate()[1] for process in started] == [b""] * 4
    assert [process.returncode for process in started] == [0] * 4
    assert [tuple(row) for row in sql("SELECT version FROM migration ORDER BY version")] == [(1,), (2,)]


async def test_opening_what_is_there_changes_no_table(dsn, sql):
    state = "SELECT array_agg((oid, xmin)::text ORDER BY oid) FROM pg_class WHERE relnamespace = 'par'::regnamespace"
    async with open_pg_pool(dsn) as pool:
        await migrate(pool)
        before = sql(state)[0][0]

        await migrate(pool)

    assert sql(state)[0][0] == before
