"""Following the audit as it grows."""

import anyio
import anyio.to_thread
import pytest
from unit.persistence.made import envelope, envelopes

from par.errors import StoreUnavailable
from par.persistence._postgres_open import open_postgres
from par.persistence._postgres_pool import PgOptions, open_pg_pool
from par.persistence._postgres_tail import Bell

pytestmark = pytest.mark.anyio


async def take(tail, number):
    found = []
    async for one in tail:
        found.append(one)
        if len(found) == number:
            break
    return found


async def test_a_tail_brings_what_is_there_and_then_what_another_store_writes(dsn, scope):
    async with open_postgres(dsn, scope=scope) as reader, open_postgres(dsn, scope=scope) as writer:
        await writer.append(old := envelopes(count=2))
        tail = reader.tail()
        first = await take(tail, 2)

        with anyio.fail_after(3):  # less than the time after which it would look without being told
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(writer.append, new := envelopes(count=3, first=3))
                rest = await take(tail, 3)

    assert (first, rest) == (old, new)


async def test_a_tail_begins_after_a_position(dsn, scope):
    async with open_postgres(dsn, scope=scope) as store:
        await store.append(envelopes("a", 2))
        await store.append(b := envelopes("b", 2))

        assert await take(store.tail(after=3), 1) == [b[1]]


async def test_a_tail_of_a_session_or_run_brings_nothing_else(dsn, scope):
    async with open_postgres(dsn, scope=scope) as store:
        await store.append(a := [envelope("a", 1), envelope("a", 2, run="r2")])
        await store.append(b := [envelope("b", 1), envelope("b", 2, run="r2")])

        assert await take(store.tail("b"), 2) == b
        assert await take(store.tail("a", after=1), 1) == [a[1]]
        assert await take(store.tail(run="r2"), 2) == [a[1], b[1]]


async def test_many_tails_share_one_connection(dsn, scope, sql):
    async with open_postgres(dsn, scope=scope) as store:
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(take, store.tail(), 1)
            await store.append([envelope()])

        listening = sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
    assert listening[0][0] == 1


async def test_without_notifications_a_tail_looks_by_itself(dsn, scope):
    async with open_pg_pool(dsn, scope=scope) as pool:
        bell = Bell(pool, "nobody_rings", poll_s=0.05)
        rings = await bell.wait(-1)

        with anyio.fail_after(3):
            assert await bell.wait(rings) == rings
        await bell.aclose()


@pytest.mark.parametrize("notify", [True, False])
async def test_other_tails_are_told_if_the_writer_is_to_tell(dsn, scope, notify):
    async with open_postgres(dsn, scope=scope) as listener, open_postgres(dsn, scope=scope, notify=notify) as store:
        bell = listener._bell
        rings = await bell.wait(-1)
        heard = []

        async def listen():
            heard.append(await bell.wait(rings))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await store.append([envelope()])
            with anyio.move_on_after(0.5):
                while not heard:
                    await anyio.sleep(0.01)
            tasks.cancel_scope.cancel()

    assert bool(heard) is notify


async def test_a_tail_hears_of_its_own_scope_only(dsn, scope):
    async with open_postgres(dsn, scope=scope) as mine, open_postgres(dsn, scope=scope + "b") as other:
        rings = await mine._bell.wait(-1)
        await other.append(envelopes("theirs"))
        await mine.append(stored := envelopes("mine", 1))

        assert await take(mine.tail(), 1) == stored
        with anyio.fail_after(3):
            assert await mine._bell.wait(rings) == rings + 1


async def test_a_tail_goes_on_after_its_line_was_cut(dsn, scope, sql):
    async with open_postgres(dsn, scope=scope) as store:
        tail = store.tail()
        await store.append(envelopes(count=1))
        await take(tail, 1)
        await anyio.to_thread.run_sync(
            sql,
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE 'LISTEN%'",
        )
        with anyio.fail_after(4):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(store.append, more := envelopes(count=1, first=2))
                found = await take(tail, 1)

    assert found == more


async def test_a_bell_that_was_deaf_for_a_while_rings_when_it_hears_again(dsn, scope, sql):
    async with open_pg_pool(dsn, scope=scope) as pool:
        bell = Bell(pool, "deaf", poll_s=60)
        await bell.wait(-1)
        await anyio.to_thread.run_sync(
            sql, "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE query LIKE 'LISTEN%deaf%'"
        )
        with anyio.fail_after(3):
            while not bell._connection.is_closed():
                await anyio.sleep(0.01)
            rings = bell._rings  # it heard the end of its line

            assert await bell.wait(rings) > rings  # and has a new one, before which something may have happened
        await bell.aclose()


async def test_a_tail_outlives_a_restart_of_the_server(mortal):
    dsn = mortal.database()
    found = []

    async with open_postgres(dsn) as store:

        async def follow():
            found.extend(await take(store.tail(), 4))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await store.append(envelopes(count=2))
            mortal.kill()
            tasks.start_soon(anyio.to_thread.run_sync, mortal.start)
            await store.append(envelopes(count=2, first=3))

    assert [one.seq for one in found] == [1, 2, 3, 4]


async def test_a_tail_that_is_cancelled_while_it_waits_leaves_the_store_well(dsn, scope):
    async with open_postgres(dsn, scope=scope) as store:
        tail = store.tail()
        with anyio.move_on_after(0.1) as late:
            await anext(tail)
        await store.append(stored := envelopes(count=1))

        assert await take(tail, 1) == stored
    assert late.cancelled_caught


async def test_a_tail_ends_with_its_store(dsn, scope):
    ended = anyio.Event()

    async def follow(store):
        with pytest.raises(StoreUnavailable, match="closed"):
            await anext(store.tail())
        ended.set()

    with anyio.fail_after(3):
        async with anyio.create_task_group() as tasks:
            async with open_postgres(dsn, scope=scope, options=PgOptions(give_up_s=0.5)) as store:
                tasks.start_soon(follow, store)
                await anyio.wait_all_tasks_blocked()
            await ended.wait()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_impossible_places_are_refused_at_the_call(dsn, scope, anyio_backend):
    async with open_postgres(dsn, scope=scope) as store:
        with pytest.raises(ValueError, match="after"):
            store.tail(after=-1)
