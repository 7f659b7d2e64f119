"""What every memory does: what was remembered is found by its words, by its owner alone, and what is removed is gone."""

from functools import partial
from itertools import count

import anyio
import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.postgres_logins import login, logins
from unit.persistence.memory_scene import START, open_postgres_scene, open_scene

from par import Agent, Runtime
from par.errors import StoreError, StoreUnavailable
from par.events import RunStarted, ToolCallEnded
from par.memory import MemoryStore
from par.messages import Image, User
from par.persistence import (
    _memory_jobs,
    _memory_postgres,
    _memory_postgres_jobs,
    _memory_sqlite,
)
from par.persistence._memory_words import has_words
from par.testing import ScriptedModel, say

pytestmark = pytest.mark.anyio

NUMBERS = count(1)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture(scope="module")
def dsn(request):
    """A database of a login that is no superuser, for row-level security to be in force."""
    server = request.getfixturevalue("postgres_server")
    dsn = server.database()
    with logins(server, dsn, "owner") as names:
        yield login(dsn, names["owner"])


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request, tmp_path):
    """Opens a scene in a scope of a database that is the test's own."""
    if request.param == "sqlite":
        return partial(open_scene, tmp_path / "audit.db")
    dsn, number = request.getfixturevalue("dsn"), next(NUMBERS)
    return lambda scope="default": open_postgres_scene(dsn, f"{scope} {number}")


@pytest.fixture
async def scene(opened):
    async with opened() as scene:
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


async def test_it_is_there_after_the_store_was_closed(opened):
    async with opened() as scene:
        kept = await scene.memory().remember("Ann likes plums.")
    async with opened() as scene:
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


async def test_a_closed_store_is_an_error_that_says_so(opened):
    async with opened() as scene:
        memory = scene.memory()

    with pytest.raises(StoreUnavailable):
        await memory.remember("x")
    with pytest.raises(StoreUnavailable):
        await memory.recall("x")


async def test_a_memory_that_is_full_takes_no_more_but_renews_what_it_has(scene, monkeypatch):
    for module in (_memory_jobs, _memory_postgres_jobs):
        monkeypatch.setattr(module, "MOST_MEMORIES", 2)
    memory = scene.memory()
    await memory.remember("one")
    await memory.remember("two")

    with pytest.raises(StoreError, match="holds 2 entries"):
        await memory.remember("three")

    assert (await memory.remember("one", summary="again")).summary == "again"
    assert (await scene.memory("bo").remember("three")).content == "three"


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
async def test_nobody_else_sees_renews_or_forgets_a_memory(opened, scene, scope, owner):
    kept = await scene.memory("ann").remember("plums")

    async with opened(scope) as others:
        other = others.memory(owner)
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


# --- laws ---------------------------------------------------------------------------------------------------


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=80)
SHARED_SCENE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""The examples are memories of different owners, so it does not matter that they share a scene."""


@SHARED_SCENE
@given(st.text(st.characters()))
async def test_no_query_is_an_error(scene, query):
    memory = scene.memory(f"owner {next(NUMBERS)}")
    await memory.remember("some words")

    assert len(await memory.recall(query)) <= 1
    assert await found(memory, query) == []


@SHARED_SCENE
@given(TEXTS.filter(has_words), st.integers(0, 100))
async def test_what_was_remembered_is_found_by_any_of_its_words_and_by_nobody_else(scene, content, place):
    memory, other = scene.memory(f"owner {next(NUMBERS)}"), scene.memory("other")
    kept = await memory.remember(content)
    parts = [part for part in content.split() if has_words(part)]
    word = parts[place % len(parts)]

    assert await memory.recall(word) == (kept,)
    assert await other.recall(word) == ()


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


async def test_conversations_of_another_scope_of_the_store_are_not_found(opened):
    async with opened("one") as one, opened("two") as two:
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


async def test_a_search_that_has_no_time_to_index_all_says_so_and_a_later_one_finds_it(scene, monkeypatch):
    await scene.said("ann/1", *["pears"] * 600, "plums")

    with monkeypatch.context() as hurry:
        for module in (_memory_sqlite, _memory_postgres):
            hurry.setattr(module, "INDEX_S", -1.0)
        first = await scene.memory().search_history("plums")
    second = await scene.memory().search_history("plums")

    assert (first.complete, first.hits) == (False, ())
    assert (second.complete, len(second.hits)) == (True, 1)


# --- what leaves the audit ----------------------------------------------------------------------------------


async def test_what_was_redacted_is_not_found_any_more(scene):
    await scene.said("ann/1", "my secretword", "I see")
    assert len(await found(scene.memory(), "secretword")) == 1

    await scene.store.redact("ann/1", seqs=[1], reason="asked", by="bo")

    assert await found(scene.memory(), "secretword") == []
    assert len(await found(scene.memory(), "see")) == 1


async def test_what_has_expired_is_not_found(scene):
    await scene.said("ann/1", "plums", "pears")
    assert len(await found(scene.memory(), "plums")) == 1

    await scene.store.expire(before=START.replace(year=2026))
    await scene.said("ann/2", "figs")

    assert await found(scene.memory(), "plums") == []
    assert len(await found(scene.memory(), "figs")) == 1


async def test_what_expired_before_it_was_indexed_leaves_nothing_to_catch_up_with(scene):
    await scene.said("ann/1", "plums")
    await scene.store.expire(before=START.replace(year=2026))

    assert (await scene.memory().search_history("plums")).complete


async def test_what_was_redacted_before_it_was_indexed_is_not_found(scene):
    await scene.said("ann/1", "my secretword")
    await scene.store.redact("ann/1", seqs=[1], reason="asked", by="bo")

    assert await found(scene.memory(), "secretword") == []
