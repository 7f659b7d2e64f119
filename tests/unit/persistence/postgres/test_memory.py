"""What memories in Postgres do beyond the contract of every memory: rights, indexes, and what leaves the tables."""

from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
import pytest
from support.postgres_logins import login, logins
from unit.persistence.memory_scene import START, open_postgres_scene

from par.errors import StoreUnavailable
from par.memory import MemoryBackend
from par.persistence import _memory_postgres_jobs as jobs
from par.persistence import grant_roles, open_postgres
from par.persistence._memory_words import owner_token

pytestmark = pytest.mark.anyio

WORDS = """
    SELECT word FROM memory_words, unnest(tsvector_to_array(words)) AS word
    UNION SELECT word FROM history_words, unnest(tsvector_to_array(words)) AS word
"""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture(scope="module")
def dsn(postgres_server):
    return postgres_server.database()


@pytest.fixture(scope="module")
def users(postgres_server, dsn):
    with logins(postgres_server, dsn, "owner", "writer", "reader", "both") as names:
        yield names


@pytest.fixture
async def granted(postgres_server, dsn, users, anyio_backend):
    await grant_roles(login(dsn, users["owner"]))
    postgres_server.execute(
        f"GRANT par_append TO {users['writer']}, {users['both']}",
        f"GRANT par_read TO {users['reader']}, {users['both']}",
    )
    return {role: login(dsn, name) for role, name in users.items()}


@pytest.fixture
async def scene(granted, scope):
    async with open_postgres_scene(granted["owner"], scope) as scene:
        yield scene


async def words_in_tables(scene):
    return {word for (word,) in await scene.ask(WORDS) if word.islower()}


async def test_a_store_is_a_backend_of_memories(granted, scope):
    async with open_postgres(granted["owner"], scope=scope) as store:
        backend: MemoryBackend = store
        kept = await backend.memory("ann").remember("plums")

        assert await store.memory("ann").recall("plums") == (kept,)
        assert await store.memory(None).recall("plums") == ()


async def test_what_postgres_cannot_keep_becomes_a_question_mark(scene):
    kept = await scene.memory().remember("a\0b plums", summary="\0", categories=("\0",), source="\0")

    assert (kept.content, kept.summary, kept.categories, kept.source) == ("a?b plums", "?", ("?",), "?")
    assert await scene.memory().recall("plums") == (kept,)
    assert not await scene.memory().forget("\0")
    assert (await scene.memory().search_history("plums", without_session="a\0b")).complete


# --- who may do what ----------------------------------------------------------------------------------------


async def test_who_may_append_remembers_recalls_and_forgets(granted, scope):
    async with open_postgres_scene(granted["writer"], scope) as scene:
        memory = scene.memory()
        kept = await memory.remember("plums")
        again = await memory.remember("plums", summary="pears")

        assert again.id == kept.id
        assert await memory.recall("pear") == (again,)
        assert await memory.forget(kept.id)
        assert await memory.recall("plums") == ()


async def test_who_may_append_does_not_search_what_was_said(granted, scope):
    async with open_postgres_scene(granted["writer"], scope) as scene:
        await scene.said("ann/1", "plums")

        with pytest.raises(StoreUnavailable, match="permission denied"):
            await scene.memory().search_history("plums")


async def test_who_may_read_recalls_and_changes_nothing(scene, granted, scope):
    kept = await scene.memory().remember("plums")

    async with open_postgres(granted["reader"], scope=scope) as store:
        memory = store.memory("ann")
        assert await memory.recall("plums") == (kept,)
        for change in (lambda: memory.remember("plums"), lambda: memory.forget(kept.id)):
            with pytest.raises(StoreUnavailable, match="permission denied"):
                await change()


async def test_who_may_read_finds_what_others_have_indexed_and_says_so(scene, granted, scope):
    await scene.said("ann/1", "plums")
    await scene.memory().search_history("plums")

    async with open_postgres(granted["reader"], scope=scope) as store:
        before = await store.memory("ann").search_history("plums")
        await scene.said("ann/2", "plums")
        after = await store.memory("ann").search_history("plums")

    assert [(len(one.hits), one.complete) for one in (before, after)] == [(1, True), (1, False)]


async def test_who_may_append_and_read_searches_all_that_was_said(granted, scope):
    async with open_postgres_scene(granted["both"], scope) as scene:
        await scene.said("ann/1", "plums")
        history = await scene.memory().search_history("plums")

    assert (len(history.hits), history.complete) == (1, True)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE memory SET scope = 'x'",
        "UPDATE memory SET content = 'x'",
        "DELETE FROM history_words",
        "SELECT * FROM history_words",
        "TRUNCATE memory CASCADE",
    ],
)
async def test_who_may_append_does_nothing_else_with_memories(granted, users, sql, denied, scope, statement):
    with pytest.raises(denied):
        sql(statement, user=users["writer"], scope=scope)


async def test_a_row_of_another_scope_is_neither_seen_nor_written(scene, users, sql, denied, scope):
    await scene.said("ann/1", "plums")
    await scene.memory().remember("plums")
    await scene.memory().search_history("plums")

    for table in ("memory", "memory_words", "history_words", "history_indexed"):
        assert sql(f"SELECT DISTINCT scope FROM {table}", user=users["owner"], scope=scope)[0]["scope"] == scope
        assert sql(f"SELECT * FROM {table}", user=users["owner"], scope=f"{scope} b") == []
        assert sql(f"SELECT * FROM {table}", user=users["owner"]) == []
    row = f"INSERT INTO history_words VALUES ('{scope} b', 1, 's', now(), 1, 'ALL')"
    with pytest.raises(denied, match="row-level security"):
        sql(row, user=users["owner"], scope=scope)


# --- indexes ------------------------------------------------------------------------------------------------


MADE = "generate_series(1, 3000) AS n"
VECTOR = "array_to_tsvector(ARRAY['ALL', 'w' || n % 500])"
DIGEST = "sha256(n::text::bytea)"
ROWS = {
    "memory_words": (
        f"INSERT INTO memory SELECT current_scope(), 'ann', n::text, '', '', '[]', now(), '', {DIGEST} FROM {MADE}",
        f"INSERT INTO memory_words SELECT current_scope(), 'ann', n::text, 1, {VECTOR} FROM {MADE}",
    ),
    "history_words": (f"INSERT INTO history_words SELECT current_scope(), n, 'ann/1', now(), 1, {VECTOR} FROM {MADE}",),
}


@pytest.mark.parametrize("table", ROWS)
async def test_a_search_reads_an_index_though_the_rows_are_guarded(scene, users, sql, scope, table):
    sql(*ROWS[table], user=users["owner"], scope=scope)
    sql(f"ANALYZE {table}")

    plan = sql(
        "SET par.query = 'w7'",
        "SET enable_seqscan = off",  # which is right for a table as small as this
        "SET cpu_tuple_cost = 10",  # as if it were large: reading all rows of the scope is dear
        "SET cpu_index_tuple_cost = 10",
        f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT size FROM {table} WHERE scope = '{scope}'",
        user=users["owner"],
        scope=scope,
    )

    text = "\n".join(row[0] for row in plan)
    assert f"Bitmap Index Scan on {table}_words" in text
    assert "rows=6" in text.splitlines()[0]


async def test_a_rare_word_is_found_among_many_places_of_a_common_one(scene, monkeypatch):
    monkeypatch.setattr(jobs, "_FIND", jobs._FIND.replace(str(jobs._BEST), "3"))
    await scene.said("ann/1", "the almanac")
    for number in range(2, 8):
        await scene.said(f"ann/{number}", "the")

    history = await scene.memory().search_history("the almanac")

    assert [hit.session for hit in history.hits] == ["ann/1", "ann/7", "ann/6", "ann/5"]


async def test_a_text_of_more_words_than_a_vector_has_room_for_is_found_by_its_first(scene):
    letters = [chr(0x10400 + number) for number in range(40)]  # four bytes each, the most that a letter can have
    many = " ".join(f"{a}{b}{c}" for a in letters for b in letters for c in letters)
    await scene.said("ann/1", many[:190_000] + " plums")

    history = await scene.memory().search_history(many[:3])

    assert [hit.session for hit in history.hits] == ["ann/1"]
    assert (await scene.memory().search_history("plums")).hits == ()


async def test_neighbours_are_found_at_the_end_of_a_long_text(scene):
    await scene.memory().remember("人" * 19_000 + "漢字")

    assert len(await scene.memory().recall("漢字")) == 1
    assert await scene.memory().recall("字漢") == ()


async def test_a_backlog_is_indexed_in_steps(scene, scope):
    await scene.said("ann/1", *["plums"] * 1200)

    done = []
    for _ in range(3):
        await scene.pool.run(lambda connection: jobs.index_step(connection, scope))
        done += await scene.ask("SELECT position FROM history_indexed")

    assert done == [(500,), (1000,), (1200,)]


async def test_a_step_of_large_texts_ends_early(scene, scope, monkeypatch):
    monkeypatch.setattr(jobs, "_STEP_BYTES", 1000)
    await scene.said("ann/1", *["plums " * 100] * 5)

    await scene.pool.run(lambda connection: jobs.index_step(connection, scope))

    assert await scene.ask("SELECT position FROM history_indexed") == [(2,)]
    assert (await scene.memory().search_history("plums")).complete
    assert await scene.ask("SELECT position FROM history_indexed") == [(5,)]


async def test_nothing_is_written_where_nothing_is_new(scene):
    await scene.said("ann/1", "plums")
    assert await scene.ask("SELECT * FROM history_words") == []
    await scene.memory().search_history("plums")
    before = await scene.ask("SELECT xmin::text, ctid::text FROM history_indexed")

    await scene.memory().search_history("plums")

    assert await scene.ask("SELECT xmin::text, ctid::text FROM history_indexed") == before


async def test_two_that_index_at_once_index_each_event_once(scene, granted, scope):
    await scene.said("ann/1", *["plums"] * 1000)

    async with open_postgres_scene(granted["owner"], scope) as other, anyio.create_task_group() as group:
        group.start_soon(scene.memory().search_history, "plums")
        group.start_soon(other.memory().search_history, "plums")

    assert await scene.ask("SELECT count(*) FROM history_words") == [(1000,)]


async def test_an_index_that_mixes_sessions_up_opens_none_of_them(scene, scope):
    await scene.said("bo/1", "plums")
    await scene.memory("bo").search_history("plums")
    token = owner_token(scope, "ann").upper()
    await scene.ask("UPDATE history_words SET words = words || array_to_tsvector(ARRAY[$1]), session = 'ann/1'", token)

    assert (await scene.memory("ann").search_history("plums")).hits == ()


# --- what leaves --------------------------------------------------------------------------------------------


async def test_what_was_forgotten_leaves_no_word_in_the_tables(scene):
    kept = await scene.memory().remember("a secretword", summary="plums")
    await scene.memory().remember("else")
    assert "secretword" in await words_in_tables(scene)

    await scene.memory().forget(kept.id)

    assert await words_in_tables(scene) == {"els"}


async def test_new_facts_leave_no_word_of_the_old_ones(scene):
    await scene.memory().remember("plums", summary="secretword")

    await scene.memory().remember("plums", summary="pears")

    assert await words_in_tables(scene) == {"plum", "pear"}


@pytest.mark.parametrize("way", ["redact", "redact_person", "expire"])
async def test_what_leaves_the_audit_takes_its_words_along_at_once(scene, way):
    await scene.said("ann/1", "my secretword")
    await scene.said("ann/2", "plums")
    await scene.memory().search_history("plums")
    assert "secretword" in await words_in_tables(scene)

    if way == "redact":
        await scene.store.redact("ann/1", seqs=[1], reason="asked", by="bo")
    elif way == "redact_person":
        await scene.store.redact_person(["secretword"], reason="asked", by="bo")
    else:
        await scene.store.expire(before=START.replace(year=2026), session="ann/1")

    assert await words_in_tables(scene) == {"plum"}


async def test_what_is_redacted_while_it_is_being_indexed_leaves_no_word(scene, dsn, scope, sql):
    await scene.said("ann/1", "my secretword")
    waiting = f"""
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = '{urlsplit(dsn).path[1:]}' AND wait_event_type = 'Lock' AND wait_event = 'advisory'
    """

    async def index(connection):
        async with connection.transaction():
            await jobs.index_step(connection, scope)
            done.set()
            while not sql(waiting)[0][0]:
                await anyio.lowlevel.checkpoint()

    async def index_slowly():
        await scene.pool.run(index)

    class Flag:
        is_set = False

        def set(self):
            self.is_set = True

    done = Flag()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(index_slowly)
            while not done.is_set:
                await anyio.lowlevel.checkpoint()
            await scene.store.redact("ann/1", seqs=[1], reason="asked", by="bo")

    assert await words_in_tables(scene) == set()


async def test_the_planner_keeps_no_sample_of_words(scene, sql, dsn):
    await scene.memory().remember("secretword")
    await scene.said("ann/1", "secretword")
    await scene.memory().search_history("x")

    sql("ANALYZE memory_words, history_words")

    kept = sql("SELECT attname FROM pg_stats WHERE tablename IN ('memory_words', 'history_words')")
    assert {"size", "scope"} <= {row[0] for row in kept}
    assert "words" not in {row[0] for row in kept}
