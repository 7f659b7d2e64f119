"""What the store in Postgres does beyond the contract of every store."""

import random
import socket
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import anyio
import anyio.lowlevel
import pytest
from unit.persistence.made import START, envelope, envelopes, event

from par._clock import Clock
from par.errors import NewerSchema, RateLimited, StoreError, StoreUnavailable, WrongKey
from par.events import RecordsExpired, RecordsRedacted, Redacted
from par.limits import Limit
from par.persistence import AUDIT_SESSION, Queue, read_heads, sign_heads
from par.persistence._chain import Linker, record_of
from par.persistence._own_records import Scribe
from par.persistence._postgres_open import open_postgres
from par.persistence._postgres_pool import PgOptions, open_pg_pool
from par.persistence._postgres_schema import SCHEMA_VERSION, migrate
from par.persistence._postgres_write import Writer

pytestmark = pytest.mark.anyio

KEY = b"k" * 32


async def test_two_stores_that_write_one_session_keep_one_chain(dsn, scope):
    refused = 0

    async def write(store, number):
        nonlocal refused
        for _ in range(20):
            seq = await store.last_seq("s") + 1
            try:
                await store.append([envelope(seq=seq, content=f"{number} {seq}")])
            except StoreError:
                refused += 1

    async with open_postgres(dsn, scope=scope) as one, open_postgres(dsn, scope=scope) as two:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write, one, 1)
            tasks.start_soon(write, two, 2)
        stored = await one.events()

        assert (await two.verify()).ok
        assert len(stored) == 40 - refused
        assert [one.seq for one in stored] == list(range(1, len(stored) + 1))


async def test_many_stores_that_post_to_one_session_lose_nothing(dsn, scope):
    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(_post, dsn, scope, number)

    async with open_postgres(dsn, scope=scope) as store:
        stored = await store.events("s")
        assert sorted(one.event.content for one in stored) == sorted(f"{n} {i}" for n in range(4) for i in range(25))
        assert (await store.verify()).ok


async def _post(dsn, scope, number):
    async with open_postgres(dsn, scope=scope) as store:
        for index in range(25):
            await store.post("s", [event(f"{number} {index}")])
            await anyio.lowlevel.checkpoint()
        await store.flush()
        assert store.dropped == 0


async def test_a_store_whose_memory_of_a_chain_is_old_accepts_what_fits_now(dsn, scope):
    async with open_postgres(dsn, scope=scope) as one, open_postgres(dsn, scope=scope) as two:
        await one.append(envelopes(count=1))
        await two.append(envelopes(count=4, first=2))
        await one.append(last := envelopes(count=1, first=6))
        await one.append(last)

        assert [one.seq for one in await two.events()] == list(range(1, 7))


async def test_positions_have_no_gap_and_are_seen_in_their_order(dsn, scope):
    seen = []

    async def read(store):
        async for one in store.tail():
            seen.append((one.session, one.seq))
            if len(seen) == 120:
                return

    async def write(name):
        async with open_postgres(dsn, scope=scope) as store:
            for seq in range(1, 31):
                await store.append([envelope(name, seq)])

    async with open_postgres(dsn, scope=scope) as store, anyio.create_task_group() as tasks:
        tasks.start_soon(read, store)
        for name in "abcd":
            tasks.start_soon(write, name)

    async with open_postgres(dsn, scope=scope) as store:
        assert seen == [(one.session, one.seq) for one in await store.events()]
        assert await store.last_position() == 120


async def test_events_of_any_month_find_their_partition(dsn, scope, sql):
    times = [START.replace(year=year, month=month) for year, month in ((1, 1), (1970, 1), (2024, 12), (9999, 12))]

    async with open_postgres(dsn, scope=scope) as store:
        await store.append(stored := [envelope(seq=seq, at=at) for seq, at in enumerate(times, 1)])

        assert await store.events("s") == tuple(stored)
        assert (await store.verify()).ok
    assert sql("SELECT count(*) FROM event_0001_01 WHERE scope = '" + scope + "'")[0][0] == 1


async def test_a_month_whose_partition_was_dropped_is_made_again(dsn, scope, sql):
    async with open_postgres(dsn, scope=scope) as store:
        await store.append([envelope("a", at=START.replace(year=1950))])
        sql("DROP TABLE event_1950_01")
        await store.append([envelope("b", at=START.replace(year=1950))])

        assert len(await store.events("b")) == 1


async def test_opening_makes_the_partitions_of_this_month_and_the_next(dsn, sql):
    async with open_postgres(dsn):
        pass

    for days in (0, 28):
        month = datetime.now(UTC) + timedelta(days=days)
        assert sql(f"SELECT to_regclass('event_{month:%Y_%m}') IS NOT NULL")[0][0]


async def test_many_processes_may_make_the_tables_at_once(postgres_server):
    dsn = postgres_server.database()

    async def use(number):
        async with open_postgres(dsn) as store:
            await store.append(envelopes(f"s{number}", 2))

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(use, number)

    async with open_postgres(dsn) as store:
        assert (await store.verify()).events == 12


async def test_a_migration_that_fails_leaves_nothing(postgres_server):
    dsn = postgres_server.database()
    postgres_server.execute("CREATE SCHEMA par", "CREATE TABLE par.head (x int)", dsn=dsn)

    async with open_pg_pool(dsn) as pool:
        with pytest.raises(StoreError, match="already exists"):
            await migrate(pool)

    tables = postgres_server.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'par'::regnamespace AND relkind = 'r'", dsn=dsn
    )
    assert [row[0] for row in tables] == ["head"]


async def test_tables_of_a_newer_par_are_refused(postgres_server):
    dsn = postgres_server.database()
    async with open_postgres(dsn):
        pass
    postgres_server.execute(f"INSERT INTO par.migration (version) VALUES ({SCHEMA_VERSION + 1})", dsn=dsn)

    with pytest.raises(NewerSchema) as caught:
        async with open_postgres(dsn):
            pass

    assert (caught.value.found, caught.value.known) == (SCHEMA_VERSION + 1, SCHEMA_VERSION)
    assert "secret" not in str(caught.value)


async def test_a_full_disk_is_reported_and_the_store_goes_on(postgres_server):
    dsn = postgres_server.database()
    full = (
        "CREATE FUNCTION par.full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
    )

    async with open_postgres(dsn) as store:
        await store.append(envelopes(count=2))
        postgres_server.execute(
            full, "CREATE TRIGGER full_disk BEFORE INSERT ON par.event EXECUTE FUNCTION par.full()", dsn=dsn
        )
        with pytest.raises(StoreUnavailable, match="No space left"):
            await store.append(envelopes(count=1, first=3))
        postgres_server.execute("DROP TRIGGER full_disk ON par.event", dsn=dsn)
        await store.append(envelopes(count=1, first=3))

        assert (await store.verify()).events == 3


async def test_a_standby_is_reported_when_it_remains_one(postgres_server):
    dsn = postgres_server.database()
    async with open_postgres(dsn, queue=Queue(give_up_s=0.3)) as store:
        await store.append(envelopes(count=1))

        postgres_server.execute(
            f'ALTER DATABASE "{urlsplit(dsn).path[1:]}" SET default_transaction_read_only = on',
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'par' "
            "AND datname = current_database()",
            dsn=dsn,
        )
        with anyio.fail_after(10), pytest.raises(StoreUnavailable, match="read-only"):
            await store.append(envelopes(count=1, first=2))


async def test_an_event_that_cannot_be_stored_does_not_take_others_along(dsn, scope):
    failed = []

    async with open_postgres(dsn, scope=scope) as store:

        async def append(session):
            try:
                await store.append([envelope(session)])
            except StoreError:
                failed.append(session)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(append, "a")
            noise = random.Random(1)
            tasks.start_soon(
                append, "".join(chr(noise.randint(0x4E00, 0x9FFF)) for _ in range(5_000))
            )  # no index takes it
            tasks.start_soon(append, "b")

        assert [one.session for one in await store.sessions()] == ["a", "b"]
        assert len(failed) == 1


async def test_a_lost_line_loses_no_event_and_doubles_none(dsn, scope, sql):
    cut = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE application_name = 'par' AND datname = current_database()"
    )

    async with open_postgres(dsn, scope=scope) as store, anyio.create_task_group() as tasks:

        async def write(session):
            for seq in range(1, 41):
                await store.append([envelope(session, seq)])
                await store.post("posted", [event(f"{session} {seq}")])

        for session in "abc":
            tasks.start_soon(write, session)
        for _ in range(5):
            await anyio.to_thread.run_sync(sql, cut)

    async with open_postgres(dsn, scope=scope) as store:
        verification = await store.verify()
        posted = [one.event.content for one in await store.events("posted")]
    assert (verification.ok, verification.events) == (True, 240)
    assert len(set(posted)) == len(posted) == 120


class Cut:
    """A connection whose line is lost after the server has stored something, before it can say so."""

    def __init__(self, connection):
        self._connection = connection
        self.fetch = connection.fetch

    async def fetchval(self, *arguments):
        await self._connection.fetchval(*arguments)
        self._connection.terminate()
        raise ConnectionResetError


async def test_what_was_stored_when_the_line_was_lost_is_not_stored_again(dsn, scope):
    scribe, tries = Scribe(scope, Clock()), []
    writer = Writer(Linker(), "x", notify=False)
    numbered = tuple(record_of(one, scope) for one in envelopes(count=2))
    nameless = tuple(scribe.record(event(f"{number}"), "t", "") for number in range(2))

    async def job(connection):
        tries.append(1)
        return await writer.write(Cut(connection) if len(tries) == 1 else connection, [numbered, nameless])

    async with open_postgres(dsn, scope=scope) as store:
        async with open_pg_pool(dsn, scope=scope) as pool:
            results = await pool.run(job, again=True)

        assert (len(tries), results) == (2, [None, None])
        assert [(one.session, one.seq) for one in await store.events()] == [("s", 1), ("s", 2), ("t", 1), ("t", 2)]


async def test_the_clock_says_what_is_old_and_stamps_what_the_store_tells(dsn, scope):
    async with open_postgres(dsn, scope=scope, clock=Clock(now=lambda: START + timedelta(days=10))) as store:
        await store.append([envelope(seq=1, at=START), envelope(seq=2, at=START + timedelta(days=9))])
        gone = await store.expire(older_than=timedelta(days=5))

        assert gone.events == 1
        assert (await store.events(AUDIT_SESSION))[0].at == START + timedelta(days=10)


async def test_a_full_queue_drops_what_is_posted_if_it_may(dsn, scope):
    told = []
    queue = Queue(limit=1, when_full="drop", on_drop=lambda number, error: told.append(number))

    async with open_postgres(dsn, scope=scope, queue=queue) as store:
        taken = [await store.post("s", [event(str(number))]) for number in range(200)]
        await store.flush()

        assert store.dropped == 200 - sum(taken) > 0
        assert len(await store.events("s")) == sum(taken)
        assert told


async def test_with_a_key_no_record_can_be_made_without_it(dsn, scope, sql):
    async with open_postgres(dsn, scope=scope, key=KEY) as store:
        await store.append(stored := envelopes())
        assert (await store.verify()).ok
    async with open_postgres(dsn, scope=scope) as store:
        assert await store.events("s") == tuple(stored)
        with pytest.raises(WrongKey):
            await store.verify()
        with pytest.raises(StoreError, match="with a key"):
            await store.append(envelopes(count=1, first=4))
    with pytest.raises(WrongKey):
        async with open_postgres(dsn, scope=scope, key=b"x" * 32):
            pass


async def test_a_scope_can_be_given_a_key_later(dsn, scope):
    async with open_postgres(dsn, scope=scope) as store:
        await store.append(envelopes("old"))
        await store.append(envelopes("both", 1))
    async with open_postgres(dsn, scope=scope, key=KEY) as store:
        await store.append(envelopes("both", 1, first=2))
        verification = await store.verify()

    assert (verification.ok, verification.unkeyed) == (True, ("old",))


async def test_scopes_of_one_database_know_nothing_of_each_other(dsn, scope):
    same = envelope("s")

    async with open_postgres(dsn, scope=scope) as one, open_postgres(dsn, scope=scope + "b") as two:
        await one.append([same])
        await two.append([same])
        await two.append(envelopes("s", 1, first=2))

        assert (await one.last_seq("s"), await two.last_seq("s")) == (1, 2)
        assert (await one.verify()).events == 1


async def test_what_was_redacted_is_gone_and_the_chain_still_holds(dsn, scope, sql):
    async with open_postgres(dsn, scope=scope) as store:
        await store.append([envelope(seq=1), envelope(seq=2, content="Ada Lovelace\nLondon"), envelope(seq=3)])
        await store.append([envelope("t", content="about ada lovelace")])

        removed = await store.redact("s", texts=["lovelace\nlondon"], reason="asked", by="dpo")
        others = await store.redact_person(["Ada"], reason="asked", by="dpo")

        assert (removed.seqs, [(one.session, one.seqs) for one in others]) == ((2,), [("t", (1,))])
        assert (await store.events("s"))[1].event == Redacted(kind="tool_call_ended")
        assert [one.event for one in await store.events(AUDIT_SESSION)] == [
            RecordsRedacted(session="s", seqs=(2,), reason="asked", by="dpo"),
            RecordsRedacted(session="t", seqs=(1,), reason="asked", by="dpo"),
        ]
        verification = await store.verify()
        assert (verification.ok, verification.redacted, verification.events) == (True, 2, 6)
    assert sql(f"SELECT FROM event WHERE scope = '{scope}' AND body ILIKE '%lovelace%'") == []


async def test_what_is_not_there_cannot_be_redacted(dsn, scope):
    async with open_postgres(dsn, scope=scope) as store:
        await store.append(envelopes())
        with pytest.raises(StoreError, match="event 9 of session 's' cannot be redacted"):
            await store.redact("s", seqs=[2, 9], reason="r", by="b")

        assert (await store.verify()).redacted == 0


async def test_old_events_leave_in_portions_and_the_chain_still_holds(dsn, scope):
    progress = []
    young = START + timedelta(days=400)

    async with open_postgres(dsn, scope=scope) as store:
        await store.append([envelope("a", seq, at=START) for seq in range(1, 1_501)])
        await store.append([envelope("a", 1_501, at=young), envelope("b", 1, at=START), envelope("c", 1, at=young)])
        gone = await store.expire(before=START + timedelta(days=1), progress=progress.append)
        await store.append([envelope("b", 2, at=young)])

        assert (gone.sessions, gone.events, len(progress)) == (2, 1_501, 2)
        assert [(one.session, one.seq) for one in await store.events() if one.session != AUDIT_SESSION] == [
            ("a", 1_501),
            ("c", 1),
            ("b", 2),
        ]
        told = [one.event for one in await store.events(AUDIT_SESSION)]
        assert all(isinstance(one, RecordsExpired) for one in told)
        verification = await store.verify()
        assert (verification.ok, verification.expired) == (True, 1_501)


async def test_heads_that_were_kept_elsewhere_show_a_cut_tail(dsn, scope, sql):
    async with open_postgres(dsn, scope=scope) as store:
        await store.append(envelopes(count=5))
        kept = sign_heads(await store.heads(), key=KEY)
        forge(sql, scope, "DELETE FROM event WHERE seq > 3 AND scope = current_scope()",
              "UPDATE head SET seq = 3, (hash, at, position) = (SELECT hash, at, position FROM event WHERE seq = 3 AND "
              "scope = current_scope()) WHERE scope = current_scope()")  # fmt: skip

        assert (await store.verify()).ok
        found = (await store.verify(heads=read_heads(kept, key=KEY))).broken
    assert [(one.session, one.seq) for one in found] == [("s", 4)]


def forge(sql, scope, *statements):
    sql("SET session_replication_role = replica", *statements, scope=scope)


async def test_a_port_where_nobody_listens_is_reported(dsn):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        parts = urlsplit(dsn)
        away = urlunsplit(parts._replace(netloc=f"u:secret@127.0.0.1:{taken.getsockname()[1]}"))

        with pytest.raises(StoreUnavailable, match="refused"):
            async with open_postgres(away, options=PgOptions(give_up_s=0.1)):
                pass


async def test_two_stores_on_one_database_share_its_limits(postgres_dsn):
    limit = Limit(requests=1, per_s=600)
    async with open_postgres(postgres_dsn) as one, one.limits() as limits:
        await limits.rate.reserve("key", limit, tokens=0, max_wait_s=0.1)

        async with open_postgres(postgres_dsn) as two, two.limits() as others:
            with pytest.raises(RateLimited):
                await others.rate.reserve("key", limit, tokens=0, max_wait_s=0.1)
