"""What memories in a file do beyond the contract of every memory."""

import sqlite3
from contextlib import closing

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.persistence.memory_scene import START, add_tables, open_scene

from par.memory import MemoryBackend, MemoryStore
from par.persistence import _memory_history, _memory_jobs, _memory_sqlite, _sqlite
from par.persistence._memory_jobs import Place
from par.persistence._memory_words import has_words, owner_token
from par.persistence._sqlite_file import open_writer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def scene(tmp_path):
    async with open_scene(tmp_path / "audit.db") as scene:
        yield scene


# --- forgetting ---------------------------------------------------------------------------------------------


async def vocabulary(scene, table):
    await scene.ask(f"CREATE VIRTUAL TABLE IF NOT EXISTS temp.v_{table} USING fts5vocab(main, {table}, row)")
    return {term for (term,) in await scene.ask(f"SELECT term FROM v_{table}")}


async def stored_blocks(scene, table):
    return b"".join(block for (block,) in await scene.ask(f"SELECT block FROM {table}_data"))


async def test_no_trace_of_a_forgotten_word_stays_in_the_index(scene):
    memory = scene.memory()
    kept = await memory.remember("a secretword")
    await memory.remember("something else")
    assert b"secretword" in await stored_blocks(scene, "memory_words")

    await memory.forget(kept.id)

    assert b"secretword" not in await stored_blocks(scene, "memory_words")
    assert "els" in await vocabulary(scene, "memory_words")


# --- laws ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    path = tmp_path_factory.mktemp("laws") / "audit.db"
    with closing(open_writer(path, "process", create=True)) as connection:
        add_tables(connection)
        yield connection


ANN, BO = Place("t", "ann"), Place("t", "bo")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


def kept_by_ann(connection, content):
    connection.execute("DELETE FROM memory_words")
    connection.execute("DELETE FROM memory")
    memory = _memory_sqlite.Memory(id="1", content=content, at=START)
    return _memory_jobs.remember(connection, ANN, memory)


@settings(max_examples=150)
@given(st.text(st.characters()))
def test_no_query_is_an_error(connection, query):
    kept_by_ann(connection, "some words")

    assert len(_memory_jobs.recall(connection, ANN, query, 5)) <= 1
    assert (
        _memory_history.search(connection, ANN, _memory_history.Search(query=query, limit=5, without_session=None))
        == ()
    )


@settings(max_examples=200)
@given(TEXTS.filter(has_words), st.integers(0, 100))
def test_what_was_remembered_is_found_by_any_of_its_words_and_by_nobody_else(connection, content, place):
    kept = kept_by_ann(connection, content)
    parts = [part for part in content.split() if has_words(part)]
    word = parts[place % len(parts)]

    assert _memory_jobs.recall(connection, ANN, word, 5) == (kept,)
    assert _memory_jobs.recall(connection, BO, word, 5) == ()


async def found(memory, query, **facts):
    history = await memory.search_history(query, **facts)
    assert history.complete
    return [(hit.session, hit.role, hit.excerpt) for hit in history.hits]


# --- indexing -----------------------------------------------------------------------------------------------


async def test_a_long_backlog_is_indexed_in_steps(scene, monkeypatch):
    await scene.said("ann/1", *["plums"] * 1200)
    done = []

    while not (done and done[-1]):
        done.append(await scene.writer.run(_memory_history.index_step))

    assert done == [False, False, True]
    assert await scene.ask("SELECT position FROM history_indexed") == [(1200,)]
    assert await scene.ask("SELECT count(*) FROM history_words") == [(1200,)]


async def test_a_step_of_large_texts_ends_early(scene, monkeypatch):
    monkeypatch.setattr(_memory_history, "_STEP_BYTES", 1000)
    await scene.said("ann/1", *["plums " * 100] * 5)

    assert not await scene.writer.run(_memory_history.index_step)
    assert await scene.ask("SELECT position FROM history_indexed") == [(2,)]
    assert len(await found(scene.memory(), "plums")) == 1
    assert await scene.ask("SELECT position FROM history_indexed") == [(5,)]


async def test_nothing_is_written_where_nothing_is_new(scene):
    await scene.said("ann/1", "plums")
    await found(scene.memory(), "plums")
    before = await scene.ask("PRAGMA data_version"), await scene.ask("SELECT total_changes()")

    await found(scene.memory(), "plums")

    assert (await scene.ask("PRAGMA data_version"), await scene.ask("SELECT total_changes()")) == before


async def test_storing_events_writes_nothing_to_the_index(scene):
    await scene.said("ann/1", "plums")

    assert await scene.ask("SELECT count(*) FROM history_words") == [(0,)]


async def test_two_that_index_at_once_index_each_event_once(tmp_path):
    async with open_scene(tmp_path / "audit.db") as one, open_scene(tmp_path / "audit.db") as two:
        await one.said("ann/1", *["plums"] * 1000)

        async with anyio.create_task_group() as group:
            group.start_soon(one.memory().search_history, "plums")
            group.start_soon(two.memory().search_history, "plums")

        assert await one.ask("SELECT count(*) FROM history_words") == [(1000,)]


async def test_an_event_that_this_par_cannot_read_does_not_stop_the_index(scene):
    await scene.said("ann/1", "plums", "more plums")
    await scene.ask("DROP TRIGGER event_is_never_changed")
    await scene.ask("DROP TRIGGER IF EXISTS history_is_redacted")
    await scene.ask("UPDATE event SET body = replace(body, '\"agent\"', '\"unknown\"') WHERE seq = 1")

    assert await found(scene.memory(), "plums") == [("ann/1", "assistant", "more plums")]


# --- what leaves the audit ----------------------------------------------------------------------------------


async def test_what_was_redacted_is_not_found_and_leaves_the_index(scene):
    await scene.said("ann/1", "my secretword", "I see")
    assert len(await found(scene.memory(), "secretword")) == 1

    await scene.store.redact("ann/1", seqs=[1], reason="asked", by="bo")

    assert await found(scene.memory(), "secretword") == []
    assert b"secretword" not in await stored_blocks(scene, "history_words")
    assert len(await found(scene.memory(), "see")) == 1


async def test_what_is_redacted_between_indexing_and_searching_is_not_found(scene):
    await scene.said("ann/1", "my secretword", "I see")
    await found(scene.memory(), "secretword")
    await scene.store.redact("ann/1", seqs=[1], reason="asked", by="bo")

    asked = _memory_history.Search(query="secretword see", limit=5, without_session=None)
    hits = await scene.reader.run(_memory_history.search, Place("default", "ann"), asked)

    assert [hit.excerpt for hit in hits] == ["I see"]


async def test_an_index_that_mixes_scopes_up_opens_none_of_them(scene):
    await scene.said("ann/1", "plums")
    await found(scene.memory(), "plums")
    tokens = f"{owner_token('two', '')} {owner_token('two', 'ann')} {owner_token('default', 'bo')}"
    await scene.ask("UPDATE history_words SET owner = ?", tokens)

    assert await found(scene.memory(None, "two"), "plums") == []
    assert await found(scene.memory("ann", "two"), "plums") == []
    assert await found(scene.memory("bo"), "plums") == []


async def test_what_has_expired_is_not_found(scene):
    await scene.said("ann/1", "plums", "pears")
    assert len(await found(scene.memory(), "plums")) == 1

    await scene.store.expire(before=START.replace(year=2026))

    assert await found(scene.memory(), "plums") == []
    assert await scene.ask("SELECT count(*) FROM history_words WHERE words LIKE '%plums%'") == [(0,)]


async def test_what_has_expired_leaves_the_index_in_steps(scene, monkeypatch):
    monkeypatch.setattr(_memory_history, "_STEP_REMOVALS", 2)
    await scene.said("ann/1", "plums", "pears", "figs", "apples", "grapes")
    await found(scene.memory(), "plums")
    steps = []

    def step(connection):
        steps.append(_memory_history.purge_step(connection))
        return steps[-1]

    monkeypatch.setattr(_sqlite, "purge_step", step)

    await scene.store.expire(before=START.replace(year=2026))

    assert steps == [False, False, True]
    assert await scene.ask("SELECT count(*) FROM history_words") == [(0,)]
    assert await scene.ask("SELECT count(*) FROM history_removed") == [(0,)]
    assert b"grape" not in await stored_blocks(scene, "history_words")


async def test_what_was_removed_while_the_index_caught_up_leaves_it_with_the_next_search(scene):
    await scene.said("ann/1", "plums", "pears")
    await found(scene.memory(), "plums")
    await scene.ask("INSERT INTO history_removed (position) VALUES (1)")  # and no event after those that it knows

    await found(scene.memory(), "plums")

    assert await scene.ask("SELECT rowid FROM history_words") == [(2,)]


async def test_what_expires_before_it_was_indexed_leaves_nothing_to_purge(scene):
    await scene.said("ann/1", "plums")

    await scene.store.expire(before=START.replace(year=2026))

    assert await scene.ask("SELECT count(*) FROM history_removed") == [(0,)]


# --- the types ----------------------------------------------------------------------------------------------


def test_a_backend_has_memories(connection):
    class Backend:
        def memory(self, scope, /) -> MemoryStore:
            return _memory_sqlite.SqliteMemory(connection, connection, "t", scope)

    backend: MemoryBackend = Backend()

    assert isinstance(backend.memory("ann"), _memory_sqlite.SqliteMemory)
    assert sqlite3.sqlite_version_info >= (3, 35)  # which the queries need
