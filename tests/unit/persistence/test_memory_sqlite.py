"""Memories in SQLite: what was remembered is found by its words, by its owner alone, and what is removed is gone."""

import sqlite3
from contextlib import closing

import anyio
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.persistence.memory_scene import START, add_tables, open_scene

from par import Agent, Runtime
from par.errors import StoreError, StoreUnavailable
from par.events import RunStarted, ToolCallEnded
from par.memory import MemoryBackend, MemoryStore
from par.messages import Image, User
from par.persistence import _memory_history, _memory_jobs, _memory_sqlite, _sqlite
from par.persistence._memory_jobs import Place
from par.persistence._memory_words import has_words, owner_token
from par.persistence._sqlite_file import open_writer
from par.testing import ScriptedModel, say

pytestmark = pytest.mark.anyio


@pytest.fixture
async def scene(tmp_path):
    async with open_scene(tmp_path / "audit.db") as scene:
        yield scene


async def contents(memory, query, **facts):
    return [found.content for found in await memory.recall(query, **facts)]


# --- remember and recall ------------------------------------------------------------------------------------


async def test_what_was_remembered_is_recalled_with_all_its_facts(scene):
    memory: MemoryStore = scene.memory()

    kept = await memory.remember(
        "Ann likes plums.", summary="likes plums", categories=("food", "Ann's"), source="session 7"
    )

    assert await memory.recall("plums") == (kept,)
    assert attrs.asdict(kept) == {
        "id": kept.id,
        "content": "Ann likes plums.",
        "summary": "likes plums",
        "categories": ("food", "Ann's"),
        "at": kept.at,
        "source": "session 7",
    }
    assert (len(kept.id), (kept.at - START).total_seconds()) == (26, 1)


@pytest.mark.parametrize("query", ["PLUMS", "plum", "what about the plum tree?", "likes OR", "food", "Summary"])
async def test_any_word_of_content_summary_and_categories_finds_it(scene, query):
    await scene.memory().remember("Ann likes plums.", summary="a summary", categories=("food",))

    assert await contents(scene.memory(), query) == ["Ann likes plums."]


@pytest.mark.parametrize(
    "query", ["pears", "", "  ", "\"'*", "ann:", 'NEAR("x")', "owner", "zk", "\x00", "\ud800", "NOT"]
)
async def test_what_is_none_of_its_words_finds_nothing_and_is_no_error(scene, query):
    await scene.memory().remember("Bo likes plums.")

    assert await contents(scene.memory(), query) == []


async def test_the_best_match_comes_first_and_then_the_newest(scene):
    memory = scene.memory()
    for text in ("pears and plums", "plums", "plums once more", "pears", "apples", "figs"):
        await memory.remember(text)
    for text in ("tie one", "tie two"):
        await memory.remember(text)

    assert (await contents(memory, "pears plums"))[0] == "pears and plums"
    assert await contents(memory, "tie") == ["tie two", "tie one"]


@pytest.mark.parametrize(("facts", "found"), [({}, 5), ({"limit": 1}, 1), ({"limit": 50}, 8)])
async def test_no_more_is_recalled_than_asked_for(scene, facts, found):
    for number in range(8):
        await scene.memory().remember(f"plum {number}")

    assert len(await contents(scene.memory(), "plum", **facts)) == found


async def test_the_same_content_is_kept_once_with_the_new_facts(scene):
    memory = scene.memory()

    first = await memory.remember("Ann likes plums.", summary="old", categories=("fruit",))
    again = await memory.remember("Ann likes plums.", summary="new", source="s2")

    assert again == attrs.evolve(first, summary="new", categories=(), source="s2", at=again.at)
    assert again.at > first.at
    assert await memory.recall("plums") == (again,)
    assert await contents(memory, "old fruit") == []


async def test_what_no_encoding_can_write_becomes_a_question_mark(scene):
    kept = await scene.memory().remember("half \ud800 pair", summary="\udfff")

    assert (kept.content, kept.summary) == ("half ? pair", "?")
    assert await scene.memory().recall("pair") == (kept,)


async def test_it_is_there_after_the_file_was_closed(tmp_path):
    async with open_scene(tmp_path / "audit.db") as scene:
        kept = await scene.memory().remember("Ann likes plums.")
    async with open_scene(tmp_path / "audit.db") as scene:
        assert await scene.memory().recall("plums") == (kept,)


async def test_many_may_remember_at_once(scene):
    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(scene.memory().remember, f"plum {number % 10}")

    assert len(await contents(scene.memory(), "plum", limit=50)) == 10


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda memory: memory.remember(""), "content"),
        (lambda memory: memory.remember("!!!"), "content"),
        (lambda memory: memory.remember("x" * 20_001), "content"),
        (lambda memory: memory.remember("x", summary="x" * 1_001), "summary"),
        (lambda memory: memory.remember("x", categories=("x",) * 21), "categories"),
        (lambda memory: memory.remember("x", categories=("x" * 101,)), "categories"),
        (lambda memory: memory.remember("x", source="x" * 501), "source"),
        (lambda memory: memory.recall("x", limit=0), "limit"),
        (lambda memory: memory.recall("x", limit=51), "limit"),
        (lambda memory: memory.recall("x", limit=True), "limit"),
        (lambda memory: memory.search_history("x", limit=0), "limit"),
        (lambda memory: memory.search_history("x", limit=51), "limit"),
    ],
)
async def test_what_is_out_of_range_is_refused_by_name(scene, call, field):
    with pytest.raises(ValueError, match=field):
        await call(scene.memory())


async def test_a_memory_that_is_full_takes_no_more_but_renews_what_it_has(scene, monkeypatch):
    monkeypatch.setattr(_memory_jobs, "MOST_MEMORIES", 2)
    memory = scene.memory()
    await memory.remember("one")
    await memory.remember("two")

    with pytest.raises(StoreError, match="holds 2 entries"):
        await memory.remember("three")

    assert (await memory.remember("one", summary="again")).summary == "again"
    assert (await scene.memory("bo").remember("three")).content == "three"


async def test_a_closed_file_is_an_error_that_says_so(tmp_path):
    async with open_scene(tmp_path / "audit.db") as scene:
        memory = scene.memory()

    with pytest.raises(StoreUnavailable):
        await memory.remember("x")
    with pytest.raises(StoreUnavailable):
        await memory.recall("x")


# --- scopes -------------------------------------------------------------------------------------------------

OTHERS = [
    ("default", "bo"),
    ("default", "ann/x"),
    ("default", "an"),
    ("default", None),
    ("tenant", "ann"),
    ("ann", None),
]


@pytest.mark.parametrize(("scope", "owner"), OTHERS)
async def test_nobody_else_sees_renews_or_forgets_a_memory(scene, scope, owner):
    kept = await scene.memory("ann").remember("plums")
    other = scene.memory(owner, scope)

    assert await other.recall("plums") == ()
    assert not await other.forget(kept.id)
    assert (await other.remember("plums")).id != kept.id
    assert await scene.memory("ann").recall("plums") == (kept,)


@pytest.mark.parametrize("owner", ["", "x" * 501, "a\0b", "\ud800"], ids=ascii)
async def test_a_scope_that_cannot_be_told_from_others_is_refused(scene, owner):
    with pytest.raises(ValueError, match="scope"):
        scene.memory(owner)


# --- forgetting ---------------------------------------------------------------------------------------------


async def test_what_was_forgotten_is_not_found(scene):
    memory = scene.memory()
    kept = await memory.remember("plums")
    other = await memory.remember("plums and pears")

    assert await memory.forget(kept.id)
    assert await memory.recall("plums") == (other,)
    assert not await memory.forget(kept.id)
    assert not await memory.forget("\ud800")


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


# --- what was said ------------------------------------------------------------------------------------------


async def found(memory, query, **facts):
    history = await memory.search_history(query, **facts)
    assert history.complete
    return [(hit.session, hit.role, hit.excerpt) for hit in history.hits]


async def test_what_users_and_models_said_is_found(scene):
    await scene.said("ann/1", "Where do plums grow?", "In orchards.")

    assert await found(scene.memory(), "plum") == [("ann/1", "user", "Where do plums grow?")]
    assert await found(scene.memory(), "ORCHARD") == [("ann/1", "assistant", "In orchards.")]
    assert await found(scene.memory(), "kind result") == []


async def test_a_hit_says_when_it_was_said(scene):
    await scene.said("ann/1", "plums")

    [hit] = (await scene.memory().search_history("plums")).hits

    assert (hit.at - START).total_seconds() == 1


async def test_what_is_said_later_is_found_by_the_next_search(scene):
    await scene.said("ann/1", "plums")
    assert len(await found(scene.memory(), "plums")) == 1

    await scene.said("ann/2", "more plums")

    assert {session for session, _, _ in await found(scene.memory(), "plums")} == {"ann/1", "ann/2"}


@pytest.mark.parametrize(
    ("owner", "sessions"),
    [
        ("ann", {"ann", "ann/1", "ann/2/x"}),
        ("ann/2", {"ann/2/x"}),
        ("anna", {"anna/1"}),
        ("an", set()),
        ("ann/", set()),
        ("%", set()),
        ("other", {"other"}),
        (None, {"ann", "ann/1", "ann/2/x", "anna/1", "other"}),
    ],
)
async def test_a_scope_has_the_sessions_that_are_named_after_it(scene, owner, sessions):
    for session in ("ann", "ann/1", "ann/2/x", "anna/1", "other"):
        await scene.said(session, f"plums in {session}")

    assert {session for session, _, _ in await found(scene.memory(owner), "plums")} == sessions


async def test_conversations_of_another_scope_of_the_store_are_not_found(tmp_path):
    async with open_scene(tmp_path / "audit.db", scope="one") as one, open_scene(tmp_path / "audit.db", "two") as two:
        await one.said("ann", "plums")

        assert len(await found(one.memory(None), "plums")) == 1
        assert await found(two.memory(None), "plums") == []
        assert await found(two.memory("ann"), "plums") == []


async def test_very_deep_names_are_told_apart(scene):
    deep = "/".join(["x"] * 20)
    await scene.said(f"{deep}/1", "plums")

    assert len(await found(scene.memory(deep), "plums")) == 1
    assert await found(scene.memory(f"{deep}/2"), "plums") == []


async def test_one_session_can_be_left_out(scene):
    await scene.said("ann/1", "plums")
    await scene.said("ann/2", "plums")

    assert [session for session, *_ in await found(scene.memory(), "plums", without_session="ann/2")] == ["ann/1"]


async def test_each_session_shows_its_best_place_and_the_best_session_comes_first(scene):
    await scene.said("ann/1", "pears and many, many other kinds of fruit that grow on trees", "pears and plums")
    await scene.said("ann/2", "only pears, and a lot of other words that play no part in it at all")
    await scene.said("ann/3", "nothing of it")

    hits = await found(scene.memory(), "pears plums")

    assert [session for session, *_ in hits] == ["ann/1", "ann/2"]
    assert hits[0][2] == "pears and plums"


async def test_of_equally_good_sessions_the_newest_comes_first(scene):
    for session in ("ann/1", "ann/3", "ann/2"):
        await scene.said(session, "plums")

    assert [session for session, *_ in await found(scene.memory(), "plums")] == ["ann/2", "ann/3", "ann/1"]


async def test_no_more_sessions_are_shown_than_asked_for(scene):
    for number in range(12):
        await scene.said(f"ann/{number}", "plums", "plums")

    assert len(await found(scene.memory(), "plums")) == 10
    assert len(await found(scene.memory(), "plums", limit=3)) == 3


async def test_of_a_long_text_the_place_is_shown(scene):
    await scene.said("ann/1", "x " * 3000 + "plums" + " y" * 3000)

    [(_, _, excerpt)] = await found(scene.memory(), "plums")

    assert "plums" in excerpt
    assert len(excerpt) == 500


async def test_other_events_and_messages_without_text_are_no_conversation(scene):
    picture = User((Image(url="https://example.org/plums.png"),))
    events = [
        ToolCallEnded(call_id="c", name="plums", outcome="done", content="plums", duration_s=0.1),
        RunStarted(agent="plums", model="plums", input=(picture,)),
    ]
    await scene.store.append([scene.envelope("ann/1", event) for event in events])

    assert await found(scene.memory(), "plums") == []


async def test_a_conversation_of_a_real_run_is_found(scene):
    agent = Agent(ScriptedModel([say("In orchards, says the almanac.")]), name="gardener")

    async with Runtime(store=scene.store) as runtime:
        await runtime.run(agent, "Where do plums grow?", session="ann/monday")

    assert await found(scene.memory(), "almanac") == [("ann/monday", "assistant", "In orchards, says the almanac.")]
    assert await found(scene.memory(), "grow") == [("ann/monday", "user", "Where do plums grow?")]


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


async def test_a_search_that_has_no_time_to_index_all_says_so_and_the_next_goes_on(scene, monkeypatch):
    monkeypatch.setattr(_memory_sqlite, "_INDEX_S", -1.0)
    await scene.said("ann/1", *["pears"] * 500, "plums")

    first = await scene.memory().search_history("plums")
    second = await scene.memory().search_history("plums")

    assert (first.complete, first.hits) == (False, ())
    assert (second.complete, len(second.hits)) == (True, 1)


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


async def test_what_was_redacted_before_it_was_indexed_is_not_found(scene):
    await scene.said("ann/1", "my secretword")
    await scene.store.redact("ann/1", seqs=[1], reason="asked", by="bo")

    assert await found(scene.memory(), "secretword") == []


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
