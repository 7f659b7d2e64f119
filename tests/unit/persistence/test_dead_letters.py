"""Dead letters in memory, in SQLite and in Postgres: what is put there is found, changed and removed alike."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

import anyio
import attrs
import pytest
from unit.bus.made import envelope, letter

from par._bus.letters import HasDeadLetters
from par.bus import DeadLetterStore, EventBus, MemoryDeadLetters
from par.errors import StoreError
from par.events import ErrorInfo, Redacted, RunEnded, ToolCallEnded, ToolProgress
from par.persistence import open_sqlite
from par.persistence._dead_letters_postgres import PostgresDeadLetters
from par.persistence._dead_letters_sqlite import SqliteDeadLetters
from par.persistence._host import open_host
from par.persistence._postgres_open import open_postgres
from par.persistence._postgres_pool import open_pg_pool
from par.persistence._schema import dead_letters as schema
from par.persistence._schema.postgres_roles import GUARD
from par.persistence._sqlite_connection import open_connection
from par.persistence._sqlite_file import open_reader, open_writer
from par.states import TaskState
from par.usage import Usage

pytestmark = pytest.mark.anyio

AT = datetime(2025, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
NUMBERS = count(1)


def add_tables(connection):
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'dead_letter'").fetchone() is None:
        for statement in schema.SQLITE:
            connection.execute(statement)


async def add_pg_tables(connection):
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(7)")
        if await connection.fetchval("SELECT to_regclass('par.dead_letter') IS NULL"):
            for statement in (*schema.POSTGRES, GUARD):
                await connection.execute(statement)


@attrs.define
class Place:
    """``letters(scope)`` are the dead letters of a scope, ``store`` is the audit of the first one."""

    letters: object
    scope: str
    store: object = None


@asynccontextmanager
async def open_memory():
    kept = {}
    yield Place(lambda scope="default": kept.setdefault(scope, MemoryDeadLetters()), "default")


@asynccontextmanager
async def open_file(path, scope="default"):
    async with (
        open_sqlite(path, durability="process", scope=scope) as store,
        open_host() as host,
        open_connection(host, partial(open_writer, path, "process", create=True), str(path)) as writer,
        open_connection(host, partial(open_reader, path), str(path)) as reader,
    ):
        await writer.run(add_tables)
        yield Place(lambda other=scope: SqliteDeadLetters(writer, reader, other, str(path)), scope, store)


@asynccontextmanager
async def open_database(dsn):
    scope = f"scope {next(NUMBERS)}"
    async with (
        open_postgres(dsn, scope=scope) as store,
        open_pg_pool(dsn, scope=scope) as pool,
        open_pg_pool(dsn, scope="other") as others,
    ):
        await pool.run(add_pg_tables)
        yield Place(lambda named=scope: PostgresDeadLetters(pool if named == scope else others), scope, store)


@pytest.fixture(scope="module")
def dsn(postgres_server):
    return postgres_server.database()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def opened(request, tmp_path):
    if request.param == "memory":
        return open_memory
    if request.param == "sqlite":
        return partial(open_file, tmp_path / "audit.db")
    return partial(open_database, request.getfixturevalue("dsn"))


@pytest.fixture
async def place(opened):
    async with opened() as place:
        yield place


@pytest.fixture
def letters(place):
    return place.letters()


@pytest.fixture(params=["sqlite", "postgres"])
async def audited(request, tmp_path):
    """A place whose letters lie beside an audit."""
    if request.param == "sqlite":
        made = open_file(tmp_path / "audit.db")
    else:
        made = open_database(request.getfixturevalue("dsn"))
    async with made as place:
        yield place


def ids(found):
    return [one.id for one in found]


ENDED = RunEnded(stop_reason="failed", status=TaskState.FAILED, steps=1, usage=Usage(), duration_s=0.5)


async def test_a_letter_comes_back_with_all_its_facts(letters):
    plain = letter("01", envelope=envelope(ENDED, seq=7, parent="p"), at=AT)
    full = letter(
        "02",
        reason="failed",
        attempts=4,
        error=ErrorInfo(type="ToolFailed", message="not now"),
        replays=2,
        replayed_at=AT + timedelta(seconds=1),
    )

    await letters.put([plain, full])

    assert await letters.find() == (plain, full)
    assert await letters.get("01") == plain
    assert await letters.get("03") is None


async def test_any_text_that_a_model_may_write_is_kept(letters):
    odd = letter("01", envelope=envelope(ToolProgress(call_id="c", name="n", message="\x00 \ud800 \U0001f600 é")))

    await letters.put([odd])

    assert await letters.get("01") == odd


async def test_a_letter_is_kept_once(letters):
    await letters.put([letter("01")])
    await letters.put([letter("01", subscriber="another"), letter("02"), letter("02")])

    found = await letters.find()

    assert ids(found) == ["01", "02"]
    assert found[0].subscriber == "s"


async def test_letters_are_found_by_subscriber_and_session_and_page(letters):
    await letters.put([
        letter("03", subscriber="b"),
        letter("01", subscriber="a"),
        letter("02", subscriber="a", envelope=envelope(session="other")),
        letter("04", subscriber="a"),
    ])

    assert ids(await letters.find()) == ["01", "02", "03", "04"]
    assert ids(await letters.find(subscriber="a")) == ["01", "02", "04"]
    assert ids(await letters.find(session="other")) == ["02"]
    assert ids(await letters.find(subscriber="a", session="session")) == ["01", "04"]
    assert ids(await letters.find(limit=2)) == ["01", "02"]
    assert ids(await letters.find(after="02", limit=1)) == ["03"]


@pytest.mark.parametrize("limit", [0, 1001, True, 1.0])
async def test_a_page_out_of_range_is_refused(letters, limit):
    with pytest.raises(ValueError, match="limit must be"):
        await letters.find(limit=limit)


async def test_a_replay_that_failed_is_written_down(letters):
    await letters.put([letter("01", attempts=4)])

    there = await letters.mark_replayed(
        "01", at=AT, attempts=8, reason="failed", error=ErrorInfo(type="KeyError", message="")
    )
    await letters.mark_replayed("01", at=AT + timedelta(days=1), attempts=12, reason="timed_out", error=None)

    assert there
    found = await letters.get("01")
    assert (found.replays, found.replayed_at) == (2, AT + timedelta(days=1))
    assert (found.attempts, found.reason, found.error) == (12, "timed_out", None)
    assert not await letters.mark_replayed("02", at=AT, attempts=1, reason="failed", error=None)


async def test_letters_are_deleted(letters):
    await letters.put([letter("01"), letter("02"), letter("03")])

    assert await letters.delete(["01", "03", "04"]) == 2
    assert await letters.delete(["01"]) == 0
    assert ids(await letters.find()) == ["02"]


async def test_nothing_of_another_scope_is_seen_or_changed(place):
    mine, others = place.letters(), place.letters("other")
    await others.delete(ids(await others.find()))
    await mine.put([letter("01", envelope=envelope(message="Ann"))])
    await others.put([letter("01", subscriber="theirs"), letter("02")])

    assert ids(await mine.find()) == ["01"]
    assert await others.forget(["Ann"]) == 0
    assert not (await mine.get("01")).redacted
    assert not await mine.mark_replayed("02", at=AT, attempts=1, reason="failed", error=None)
    assert await mine.delete(["01", "02"]) == 1
    assert ids(await others.find()) == ["01", "02"]


@pytest.mark.parametrize("text", ["jane doe", "JANE DOE"])
async def test_a_persons_data_leaves_the_letters_and_the_rest_of_them_stays(letters, text):
    told = ToolCallEnded(call_id="c", name="n", outcome="done", content='{"who": "Jane Doe"}', duration_s=1)
    await letters.put([
        letter("01", envelope=envelope(told, seq=1)),
        letter("02", envelope=envelope(message="John")),
        letter("03", reason="failed", error=ErrorInfo(type="ToolFailed", message="no Jane Doe here")),
    ])

    assert await letters.forget([text]) == 2

    first, second, third = await letters.find()
    assert (first.redacted, first.envelope.event) == (True, Redacted(kind="tool_call_ended"))
    assert first.envelope == attrs.evolve(envelope(told, seq=1), event=first.envelope.event)
    assert not second.redacted
    assert third.error == ErrorInfo(type="ToolFailed", message="")
    assert await letters.forget([text]) == 0


async def test_a_text_is_found_in_every_way_in_which_json_writes_it(letters):
    inner = '{"text": "{\\"name\\": \\"J\\u00f6rg\\"}"}'
    told = ToolCallEnded(call_id="c", name="n", outcome="done", content=inner, duration_s=1)
    await letters.put([letter("01", envelope=envelope(told))])

    assert await letters.forget(["jörg"]) == 1


@pytest.mark.parametrize("texts", [[], [" "], ["a", ""]])
async def test_nothing_to_forget_is_refused(letters, texts):
    with pytest.raises(ValueError, match="texts"):
        await letters.forget(texts)


async def test_many_letters_are_looked_through_in_parts(letters):
    await letters.put([letter(f"{n:04}", envelope=envelope(message="Ann" if n % 2 else "Bob")) for n in range(501)])

    assert await letters.forget(["Ann"]) == 250


async def test_a_bus_can_use_each_of_them(place):
    async def fail(delivery):
        raise KeyError

    store: DeadLetterStore = place.letters()
    from par.bus import BusOptions, DeliveryPolicy

    async with EventBus(BusOptions(dead_letters=store)) as bus:
        bus.subscribe(fail, name="failing", policy=DeliveryPolicy(retries=0))
        bus.publish(envelope())
        await bus.drained()
        (found,) = await store.find()

    assert (found.subscriber, found.reason, found.error.type) == ("failing", "failed", "KeyError")


# --- databases alone -------------------------------------------------------------------------------------------


async def test_what_is_redacted_in_the_audit_is_redacted_in_its_letters(audited):
    letters = audited.letters()
    event, other = envelope(message="Jane", seq=1, id="e1"), envelope(message="Joe", seq=2, id="e2")
    await audited.store.append([event, other])
    strange = envelope(message="Jane", seq=1, id="of another audit")
    await letters.put([
        letter("01", envelope=event, error=ErrorInfo(type="X", message="about Jane")),
        letter("02", envelope=other),
        letter("03", envelope=strange),
    ])

    await audited.store.redact_person(["Jane"], reason="asked for", by="ann")

    first, second, third = await letters.find()
    assert (first.redacted, first.error.message) == (True, "")
    assert (second.redacted, third.redacted) == (False, False)


async def test_an_event_that_was_redacted_before_its_letter_came_is_not_kept(audited):
    event = envelope(message="Jane", seq=1, id="e1")
    await audited.store.append([event])
    await audited.store.redact("session", seqs=[1], reason="asked for", by="ann")

    await audited.letters().put([letter("01", envelope=event), letter("02", envelope=envelope(seq=1, id="e2"))])

    assert [one.redacted for one in await audited.letters().find()] == [True, False]


async def test_letters_leave_with_the_events_that_expire(audited):
    old, young = envelope(seq=1, id="e1", at=AT), envelope(seq=2, id="e2", at=AT + timedelta(days=2))
    await audited.store.append([old, young])
    await audited.letters().put([letter("01", envelope=old), letter("02", envelope=young)])

    await audited.store.expire(before=AT + timedelta(days=1))

    assert ids(await audited.letters().find()) == ["02"]


@pytest.mark.parametrize("name", ["a\x00b", "a\ud800"])
async def test_a_name_that_is_no_text_is_refused_and_nothing_is_stored(audited, name):
    with pytest.raises(StoreError, match="cannot be stored"):
        await audited.letters().put([letter("01"), letter("02", subscriber=name)])

    assert await audited.letters().find() == ()


async def test_an_event_that_json_cannot_express_is_refused(audited):
    with pytest.raises(StoreError, match="JSON"):
        await audited.letters().put([letter("01", envelope=envelope(attrs.evolve(ENDED, duration_s=float("nan"))))])


async def test_letters_survive_a_restart(tmp_path):
    path = tmp_path / "audit.db"
    async with open_file(path) as place:
        await place.letters().put([letter("01")])

    async with open_file(path) as place:
        assert ids(await place.letters().find()) == ["01"]


async def test_the_bytes_of_what_is_forgotten_leave_the_file(tmp_path):
    path = tmp_path / "audit.db"
    async with open_file(path) as place:
        await place.letters().put([letter("01", envelope=envelope(message="Jane Doe"))])
        assert any(b"Jane Doe" in file.read_bytes() for file in tmp_path.iterdir())

        await place.letters().forget(["Jane Doe"])

        assert not any(b"Jane Doe" in file.read_bytes() for file in tmp_path.iterdir())


async def test_a_journal_that_somebody_reads_is_named(tmp_path, monkeypatch):
    from par.errors import StoreUnavailable
    from par.persistence import _dead_letters_sqlite

    monkeypatch.setattr(_dead_letters_sqlite, "_EMPTY_S", 0.01)
    path = tmp_path / "audit.db"
    async with open_file(path) as place, open_host() as host:
        await place.letters().put([letter("01", envelope=envelope(message="Jane Doe"))])
        async with open_connection(host, partial(open_reader, path), str(path)) as reader:
            await reader.run(lambda c: c.execute("BEGIN"))
            await reader.run(lambda c: c.execute("SELECT * FROM dead_letter").fetchall())
            with pytest.raises(StoreUnavailable, match="journal"):
                await place.letters().forget(["Jane Doe"])

        assert (await place.letters().get("01")).redacted


async def test_two_processes_that_mark_a_letter_count_both(audited):
    letters = audited.letters()
    await letters.put([letter("01")])

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(partial(letters.mark_replayed, "01", at=AT, attempts=1, reason="failed", error=None))

    assert (await letters.get("01")).replays == 5


def test_a_store_of_events_may_have_letters():
    class Having:
        def dead_letters(self):
            return MemoryDeadLetters()

    kept = Having()
    kept.dead_letters = lambda letters=MemoryDeadLetters(): letters  # noqa: B008 # one for all calls

    assert isinstance(kept, HasDeadLetters)
    assert EventBus(store=kept).dead_letters is kept.dead_letters()
    assert isinstance(EventBus(store=object()).dead_letters, MemoryDeadLetters)
