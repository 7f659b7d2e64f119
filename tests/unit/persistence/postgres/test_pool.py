"""Connections to Postgres on which whole jobs run."""

import socket
import subprocess
import sys
from urllib.parse import urlsplit, urlunsplit

import anyio
import anyio.to_thread
import attrs
import pytest
from support.postgres_server import PostgresServer

from par.errors import StoreError, StoreUnavailable
from par.persistence._postgres_pool import PgOptions, open_pg_pool

pytestmark = pytest.mark.anyio

SOON = PgOptions(give_up_s=0.2, connect_s=5)


@pytest.fixture(scope="module")
def dsn(postgres_server):
    return postgres_server.database()


@pytest.fixture(scope="module")
def mortal():
    server = PostgresServer()
    if not server.ours:
        pytest.skip("PAR_TEST_PG_DSN names a server that is not to be killed")
    server.start()
    yield server
    server.remove()


def changed(dsn, **changes):
    parts = urlsplit(dsn)
    names = {"user": parts.username, "password": parts.password, "host": parts.hostname, "port": parts.port}
    names |= {name: value for name, value in changes.items() if name != "path"}
    place = "{user}:{password}@{host}:{port}".format(**names)
    return urlunsplit(parts._replace(netloc=place, path=changes.get("path", parts.path)))


async def one(connection):
    return await connection.fetchval("SELECT 1")


async def backend(connection):
    return await connection.fetchval("SELECT pg_backend_pid()")


def setting(name):
    async def job(connection):
        return await connection.fetchval("SELECT current_setting($1)", name)

    return job


def sleeping(seconds):
    async def job(connection):
        await connection.execute(f"SELECT pg_sleep({seconds})")

    return job


async def test_a_job_returns_what_the_database_returns(dsn):
    async with open_pg_pool(dsn) as pool:
        assert await pool.run(one) == 1


async def test_one_job_after_the_other_has_the_same_connection(dsn):
    async with open_pg_pool(dsn) as pool:
        assert await pool.run(backend) == await pool.run(backend)


@pytest.mark.parametrize("connections", [1, 3])
async def test_jobs_side_by_side_have_as_many_connections_as_there_may_be(dsn, connections):
    seen = set()

    async with open_pg_pool(dsn, PgOptions(connections=connections)) as pool:

        async def use():
            async def job(connection):
                await connection.execute("SELECT pg_sleep(0.02)")
                return await backend(connection)

            seen.add(await pool.run(job))

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(use)

    assert len(seen) == connections


async def test_a_connection_knows_its_scope(dsn):
    async with open_pg_pool(dsn, scope="it's 漢") as pool:
        assert await pool.run(setting("par.scope")) == "it's 漢"


async def test_an_error_of_a_job_comes_out_as_it_is_and_keeps_the_connection(dsn):
    async def fail(connection):
        raise KeyError("mine")

    async with open_pg_pool(dsn) as pool:
        before = await pool.run(backend)
        with pytest.raises(KeyError, match="mine"):
            await pool.run(fail)

        assert await pool.run(backend) == before


async def test_a_failed_transaction_is_undone_and_keeps_the_connection(dsn):
    async def fail(connection):
        async with connection.transaction():
            await connection.execute("CREATE TABLE public.undone (x int)")
            await connection.execute("SELECT 1/0")

    async with open_pg_pool(dsn) as pool:
        before = await pool.run(backend)
        with pytest.raises(StoreError):
            await pool.run(fail)

        assert await pool.run(backend) == before
        assert await pool.run(lambda c: c.fetchval("SELECT to_regclass('public.undone')")) is None


async def test_a_transaction_that_a_job_leaves_open_does_not_reach_the_next_job(dsn):
    async with open_pg_pool(dsn, PgOptions(connections=1)) as pool:
        before = await pool.run(backend)
        await pool.run(lambda connection: connection.execute("BEGIN"))

        assert await pool.run(backend) != before


async def test_a_cancelled_job_ends_on_the_server_and_its_connection_is_not_used_again(dsn):
    async with open_pg_pool(dsn, PgOptions(connections=1)) as pool:
        before = await pool.run(backend)
        with anyio.move_on_after(0.1) as scope:
            await pool.run(sleeping(50))
        after = await pool.run(backend)
        running = await pool.run(
            lambda c: c.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(50)%'")
        )

    assert scope.cancelled_caught
    assert (after != before, running) == (True, 0)


async def connections_of(pool):
    return await pool.run(
        lambda c: c.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
    )


async def test_jobs_cancelled_at_any_moment_leak_no_connection(postgres_server):
    dsn = postgres_server.database()

    async with open_pg_pool(dsn, PgOptions(connections=2)) as pool:
        for number in range(60):
            with anyio.move_on_after(number / 4000):
                await pool.run(sleeping(0.005))

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(pool.run, one)
                tasks.start_soon(pool.run, one)
            while await connections_of(pool) > 2:  # the server notices the end of a line a moment later
                await anyio.sleep(0.01)


async def test_leaving_the_pool_closes_its_connections(postgres_server):
    dsn = postgres_server.database()

    async with open_pg_pool(dsn) as outer:
        async with open_pg_pool(dsn) as pool, anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(pool.run, sleeping(0.05))

        with anyio.fail_after(10):
            while await connections_of(outer) > 1:
                await anyio.sleep(0.01)


async def test_a_closed_pool_takes_no_jobs(dsn):
    async with open_pg_pool(dsn) as pool:
        pass

    with pytest.raises(StoreUnavailable, match="closed"):
        await pool.run(one)


async def test_closing_ends_a_job_that_runs(dsn):
    ended = []

    async def use(pool):
        with pytest.raises(StoreUnavailable, match="closed"):
            await pool.run(sleeping(50))
        ended.append(True)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks, open_pg_pool(dsn) as pool:
            tasks.start_soon(use, pool)
            await pool.run(sleeping(0.05))

    assert ended == [True]


async def problem_at_opening(dsn):
    with pytest.raises(StoreUnavailable) as caught:
        async with open_pg_pool(dsn, SOON):
            pass
    assert "secret" not in f"{caught.value} {caught.value!r}"
    return caught.value.problem


async def test_a_wrong_password_is_named_and_not_shown(dsn):
    problem = await problem_at_opening(changed(dsn, password="wrong-secret"))

    assert "password authentication failed" in problem


async def test_a_database_that_is_not_there_is_named(dsn):
    assert "does not exist" in await problem_at_opening(changed(dsn, path="/nowhere"))


async def test_a_port_where_nobody_listens_is_reported(dsn):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))

        assert "refused" in await problem_at_opening(changed(dsn, port=taken.getsockname()[1]))


async def test_a_server_that_never_answers_is_given_up(dsn):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        options = attrs.evolve(SOON, connect_s=0.1)

        with pytest.raises(StoreUnavailable, match="in time"):
            async with open_pg_pool(changed(dsn, port=silent.getsockname()[1]), options):
                pass


async def test_a_server_with_no_connection_left_is_tried_again_and_then_reported(postgres_server):
    dsn = postgres_server.database()
    name = urlsplit(dsn).path[1:]
    postgres_server.execute(
        "CREATE ROLE few LOGIN PASSWORD 'secret' CONNECTION LIMIT 1", f'GRANT ALL ON DATABASE "{name}" TO few'
    )
    dsn = changed(dsn, user="few")

    async with open_pg_pool(dsn) as first:
        assert "too many connections" in await problem_at_opening(dsn)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(problem_free, dsn)
            await first.run(sleeping(0.05))
            await first.run(terminate_self)
    postgres_server.execute('REVOKE ALL ON DATABASE "' + name + '" FROM few', "DROP ROLE few")


async def terminate_self(connection):
    await connection.close()


async def problem_free(dsn):
    async with open_pg_pool(dsn, PgOptions(give_up_s=20)) as pool:
        assert await pool.run(one) == 1


@pytest.mark.parametrize("dsn", ["", "mysql://u:secret@h/d", "secret", "postgresql://u:p#secret@h/d", "host=h password=secret"])  # fmt: skip
async def test_a_dsn_that_is_none_is_refused_and_not_shown(dsn):
    with pytest.raises(ValueError, match="dsn must be a URI") as caught:
        async with open_pg_pool(dsn):
            pass

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"connections": 0},
        {"connections": True},
        {"connect_s": 0},
        {"statement_s": -1},
        {"statement_s": float("nan")},
        {"give_up_s": True},
        {"give_up_s": float("inf")},
    ],
)
def test_options_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PgOptions(**wrong)


@pytest.mark.parametrize("scope", ["", "a\x00b", "x" * 201])
async def test_a_scope_that_cannot_be_is_refused(dsn, scope):
    with pytest.raises(ValueError, match="scope"):
        async with open_pg_pool(dsn, scope=scope):
            pass


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(dsn):
    async with open_pg_pool(dsn, PgOptions(statement_s=0.1)) as pool:
        with pytest.raises(StoreUnavailable, match="timeout"):
            await pool.run(sleeping(50))

        assert await pool.run(one) == 1


async def kill_own_line(connection):
    await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


async def test_a_line_lost_in_the_middle_of_a_job_is_reported(dsn):
    async with open_pg_pool(dsn) as pool:
        with pytest.raises(StoreUnavailable):
            await pool.run(kill_own_line)

        assert await pool.run(one) == 1


async def test_a_job_that_may_run_again_is_repeated_after_a_lost_line(dsn):
    runs = []

    async def job(connection):
        runs.append(1)
        if len(runs) < 3:
            await kill_own_line(connection)
        return await one(connection)

    async with open_pg_pool(dsn) as pool:
        assert await pool.run(job, again=True) == 1

    assert len(runs) == 3


async def test_a_transaction_that_lost_a_conflict_is_run_again(dsn):
    runs = []

    async def job(connection):
        runs.append(1)
        if len(runs) == 1:
            await connection.execute("DO $$ BEGIN RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; END $$")
        return len(runs)

    async with open_pg_pool(dsn) as pool:
        assert await pool.run(job) == 2


async def test_a_connection_that_was_lost_while_nobody_used_it_is_replaced(dsn, postgres_server):
    async with open_pg_pool(dsn) as pool:
        lost = await pool.run(backend)
        async with open_pg_pool(dsn) as other:
            await other.run(lambda c: c.fetchval("SELECT pg_terminate_backend($1, 5000)", lost))
        await anyio.wait_all_tasks_blocked()

        assert await pool.run(one, again=True) == 1


async def test_a_job_waits_for_a_server_that_starts_again(mortal):
    async with open_pg_pool(mortal.dsn) as pool:
        mortal.kill()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: pool.run(one, again=True))
            await anyio.to_thread.run_sync(mortal.start)

        assert await pool.run(one, again=True) == 1


async def test_a_server_that_does_not_come_back_is_reported(mortal):
    async with open_pg_pool(mortal.dsn, attrs.evolve(SOON, give_up_s=0.3)) as pool:
        mortal.kill()

        with pytest.raises(StoreUnavailable):
            await pool.run(one, again=True)
    mortal.start()


async def test_an_error_shows_neither_rows_nor_values(dsn):
    async def violate(connection):
        await connection.execute("CREATE TEMP TABLE narrow (x text CHECK (length(x) < 3))")
        await connection.execute("INSERT INTO narrow VALUES ('hidden')")

    async with open_pg_pool(dsn) as pool:
        with pytest.raises(StoreError, match="narrow") as of_row:
            await pool.run(violate)
        with pytest.raises(StoreError) as of_value:
            await pool.run(lambda c: c.execute("SELECT 'hidden'::int"))

    assert "hidden" not in f"{of_row.value} {of_value.value}"


def test_without_the_driver_the_extra_is_named():
    script = (
        "import sys; sys.modules['asyncpg'] = None\n"
        "import anyio\nfrom par.errors import MissingExtra\n"
        "from par.persistence._postgres_pool import open_pg_pool\n"
        "async def main():\n    async with open_pg_pool('postgresql://h/d'): pass\n"
        "try: anyio.run(main)\nexcept MissingExtra as error: print(error.extra, error.module)"
    )

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["postgres", "asyncpg"]
