"""The schemas of files: from nothing and from each earlier one to the present one."""

import contextlib
import hashlib
import sqlite3

import attrs
import pytest
from unit.persistence.made import envelope, envelopes
from unit.persistence.old_file import make_old_file

from par.events import Redacted
from par.persistence import open_sqlite
from par.persistence._schema import events
from par.persistence._sqlite_file import open_writer
from par.persistence._sqlite_schema import SCHEMA_VERSION

pytestmark = pytest.mark.anyio
KEY = b"a key of 16 bytes or more"


ROWS = {
    "session": {
        "scope": "'d'",
        "id": "'s'",
        "agent": "'a'",
        "state": "'running'",
        "owner": "'me'",
        "fence": "2",
        "created_at": "'2025'",
        "updated_at": "'2025'",
    },
    "turn": {
        "scope": "'d'",
        "session": "'s'",
        "number": "1",
        "id": "'t'",
        "state": "'running'",
        "message_id": "'m'",
        "first_seq": "1",
        "facts": "'{}'",
    },
    "step": {
        "scope": "'d'",
        "session": "'s'",
        "turn": "1",
        "ord": "0",
        "kind": "'tool'",
        "status": "'started'",
        "attempt": "1",
        "label": "'[1]'",
    },
    "signal": {"scope": "'d'", "session": "'s'", "id": "'i'", "name": "'steer'", "body": "'{}'", "at": "'2025'"},
    "approval": {
        "scope": "'d'",
        "session": "'s'",
        "id": "'i'",
        "turn": "1",
        "ord": "0",
        "status": "'pending'",
        "asked_at": "'2025'",
        "body": "'{}'",
    },
}


def insert(connection, table, row):
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(row.values())})")


@pytest.fixture
def sessions(tmp_path):
    with contextlib.closing(open_writer(tmp_path / "x.db", "process", create=True)) as connection:
        for name, row in ROWS.items():
            insert(connection, name, row)
        yield connection


@pytest.fixture
def old(tmp_path):
    stored = [*envelopes("a", 3), envelope("b", 1, parent="p", content="é漢\x00"), *envelopes("a", 2, first=4)]
    make_old_file(tmp_path / "x.db", stored)
    return tmp_path / "x.db", stored


def schema_of(file):
    with contextlib.closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    return sorted(rows), version


def test_the_first_schema_is_these_exact_statements():
    """A released migration is never edited: files were made by it."""
    text = " ".join(" ".join(events.SQLITE_1).split())

    assert (
        hashlib.sha256(text.encode()).hexdigest() == "40417edccc8859e75c51120bbb7c7d68c1b16e5dee0902416938e17eda05e05d"
    )


async def test_a_file_of_the_first_schema_gets_the_tables_of_a_new_one(old, tmp_path):
    async with open_sqlite(old[0]), open_sqlite(tmp_path / "new.db"):
        pass

    assert schema_of(old[0]) == schema_of(tmp_path / "new.db")
    assert schema_of(old[0])[1] == SCHEMA_VERSION


async def test_events_of_the_first_schema_are_read_and_verified_as_they_were(old):
    file, stored = old

    async with open_sqlite(file) as store:
        assert await store.events() == tuple(stored)
        verification = await store.verify()
        assert (verification.sessions, verification.events, verification.broken) == (2, 6, ())
        assert [(one.session, one.seq, one.position) for one in await store.heads()] == [("a", 5, 6), ("b", 1, 4)]
        assert await store.last_position() == 6


async def test_sessions_of_the_first_schema_go_on(old):
    file, stored = old

    async with open_sqlite(file) as store:
        await store.append([stored[-1], *(more := envelopes("a", 2, first=6))])

        assert await store.events("a") == (*stored[:3], *stored[4:], *more)
        assert (await store.verify()).ok
        assert await store.last_position() == 8


async def test_sessions_of_the_first_schema_go_on_with_a_key(old):
    file, _ = old

    async with open_sqlite(file, key=KEY) as store:
        await store.append(envelopes("a", 1, first=6))
        verification = await store.verify()

    assert (verification.broken, verification.unkeyed) == ((), ("b",))


async def test_events_of_the_first_schema_can_be_redacted_and_expire(old):
    file, stored = old

    async with open_sqlite(file) as store:
        await store.append(envelopes("a", 1, first=6))
        await store.redact("a", seqs=[2, 6], reason="r", by="x")
        found = await store.events("a")
        redacted = await store.verify()
        await store.expire(before=stored[2].at, session="a")
        expired = await store.verify()

    assert found[1] == attrs.evolve(stored[1], event=Redacted(kind="tool_call_ended"))
    assert (redacted.broken, redacted.redacted) == ((), 2)
    assert (expired.broken, expired.expired) == ((), 2)


async def test_a_migration_that_fails_leaves_the_file_as_it_was(old, monkeypatch):
    file, _ = old
    before = schema_of(file)
    broken = ("CREATE TABLE half (a)", "CREATE TABLE event (a)")
    monkeypatch.setattr("par.persistence._sqlite_schema._MIGRATIONS", (events.SQLITE_1, broken))

    with pytest.raises(Exception, match="already exists"):
        open_writer(file, "process", create=False)

    assert schema_of(file) == before


async def test_many_that_open_an_old_file_at_once_all_get_it(old):
    file, stored = old

    async with open_sqlite(file) as one, open_sqlite(file) as two:
        assert await one.events() == await two.events() == tuple(stored)


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("session", {"id": "'t'", "fence": "0"}),
        ("session", {"id": "'t'", "open": "2"}),
        ("session", {"id": "'t'", "steps": "-1"}),
        ("turn", {"number": "0"}),
        ("turn", {"number": "2", "session": "'nobody'"}),
        ("turn", {"number": "2", "ended_at": "'2025'"}),
        ("turn", {"number": "2", "message_id": "'m'"}),
        ("step", {"ord": "1", "status": "'begun'"}),
        ("step", {"ord": "1", "kind": "'other'"}),
        ("step", {"ord": "1", "turn": "2"}),
        ("step", {"ord": "1", "attempt": "0"}),
        ("signal", {"id": "'j'", "session": "'nobody'"}),
        ("signal", {"id": "'j'", "name": "'other'"}),
        ("signal", {"id": "'j'", "turn": "1"}),
        ("approval", {"id": "'j'", "turn": "2"}),
        ("approval", {"id": "'j'", "status": "'other'"}),
    ],
)
def test_the_tables_of_sessions_refuse_what_makes_no_sense(sessions, table, values):
    with pytest.raises(sqlite3.IntegrityError, match="constraint failed"):
        insert(sessions, table, {**ROWS[table], **values})


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE session SET fence = 1",
        "UPDATE session SET fence = 3, id = 't'",
        "UPDATE turn SET ended_at = NULL, last_seq = NULL",
        "UPDATE step SET status = 'started'",
        "UPDATE step SET result = '2'",
        "UPDATE step SET inbox = '[]'",
        "UPDATE step SET label = '[]'",
        "UPDATE signal SET ord = 2",
        "UPDATE signal SET turn = NULL, ord = NULL",
    ],
)
def test_the_tables_of_sessions_do_not_let_what_is_done_be_undone(sessions, change):
    sessions.execute("UPDATE turn SET ended_at = '2025', last_seq = 1")
    sessions.execute("UPDATE step SET status = 'done', result = '1'")
    sessions.execute("UPDATE signal SET turn = 1, ord = 1")

    with pytest.raises(sqlite3.IntegrityError, match=r"only grows|never|once"):
        sessions.execute(change)


def test_the_result_of_a_step_that_is_done_may_be_removed(sessions):
    sessions.execute("UPDATE step SET status = 'done', result = '1', inbox = '[]'")

    assert sessions.execute("UPDATE step SET result = NULL, inbox = NULL").rowcount == 1


def test_all_of_a_session_goes_with_it(sessions):
    sessions.execute("DELETE FROM session")

    assert [sessions.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ROWS] == [(0,)] * 5
