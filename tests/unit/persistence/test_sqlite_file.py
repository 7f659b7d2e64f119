"""Telling an audit file from others, and opening it."""

import contextlib
import hashlib
import os
import sqlite3
import tempfile
import threading
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from unit.persistence.made import envelopes

from par.errors import NewerSchema, NotAnAuditFile, RateLimited, StoreError, StoreUnavailable
from par.limits import Limit
from par.persistence import open_sqlite
from par.persistence._sqlite_file import open_reader, open_writer
from par.persistence._sqlite_schema import APPLICATION_ID, SCHEMA_VERSION

pytestmark = pytest.mark.anyio


async def opening(path, **options):
    async with open_sqlite(path, **options):
        pass


def digest_of_folder(folder):
    return {entry.name: hashlib.sha256(entry.read_bytes()).hexdigest() for entry in folder.iterdir() if entry.is_file()}


def text_file(path):
    path.write_text("dear diary\n" * 500)


def short_file(path):
    path.write_bytes(b"x")


def database(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for statement in ("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)", *statements):
            connection.execute(statement)
        connection.commit()


def other_database(path):
    database(path)


def other_application(path):
    database(path, "PRAGMA application_id = 77")


def other_wal_database(path):
    database(path, "PRAGMA user_version = 3")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def damaged(path):
    open_writer(path, "process", True).close()
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    path.write_bytes(content)


def without_tables(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


FOREIGN = [text_file, short_file, other_database, other_application, other_wal_database, damaged, without_tables]


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("make", FOREIGN, ids=lambda make: make.__name__)
async def test_a_file_that_is_something_else_is_refused_and_not_changed(tmp_path, make, create):
    make(tmp_path / "x.db")
    before = digest_of_folder(tmp_path)

    with pytest.raises(NotAnAuditFile) as caught:
        await opening(tmp_path / "x.db", create=create)

    assert caught.value.path == str(tmp_path / "x.db")
    assert digest_of_folder(tmp_path) == before


async def test_a_foreign_database_in_use_with_a_journal_beside_it_is_not_changed(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (a)")
        before = digest_of_folder(tmp_path)

        with pytest.raises(NotAnAuditFile):
            await opening(tmp_path / "x.db")

        assert digest_of_folder(tmp_path) == before


async def test_a_directory_is_refused(tmp_path):
    with pytest.raises(NotAnAuditFile, match="directory"):
        await opening(tmp_path)


async def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StoreUnavailable, match="folder does not exist"):
        await opening(tmp_path / "absent" / "x.db")


async def test_a_file_where_a_folder_should_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(StoreUnavailable):
        await opening(tmp_path / "file" / "x.db")


async def test_a_missing_file_is_not_made_when_it_should_exist(tmp_path):
    with pytest.raises(StoreUnavailable, match="no such file"):
        await opening(tmp_path / "x.db", create=False)

    assert list(tmp_path.iterdir()) == []


async def test_an_empty_file_is_used_when_files_may_be_made(tmp_path):
    (tmp_path / "x.db").touch()

    async with open_sqlite(tmp_path / "x.db") as store:
        await store.append(envelopes())


async def test_an_empty_file_is_no_audit_file_when_files_may_not_be_made(tmp_path):
    (tmp_path / "x.db").touch()

    with pytest.raises(NotAnAuditFile, match="empty"):
        await opening(tmp_path / "x.db", create=False)


@pytest.fixture
def folder_without_rights():
    if os.geteuid() != 0 and os.name != "posix":
        pytest.skip("needs POSIX rights")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        open_writer(folder / "x.db", "process", True).close()
        (folder / "x.db").chmod(0o444)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:  # root may do everything, so be somebody else
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


@pytest.mark.parametrize("name", ["x.db", "new.db"])
async def test_a_place_that_cannot_be_written_is_unavailable(folder_without_rights, name):
    before = digest_of_folder(folder_without_rights)

    with pytest.raises(StoreUnavailable):
        await opening(folder_without_rights / name)

    assert digest_of_folder(folder_without_rights) == before


async def test_a_newer_schema_is_refused_and_not_changed(tmp_path):
    open_writer(tmp_path / "x.db", "process", True).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("PRAGMA journal_mode = DELETE")
    before = digest_of_folder(tmp_path)

    with pytest.raises(NewerSchema) as caught:
        await opening(tmp_path / "x.db")

    assert (caught.value.found, caught.value.known) == (99, SCHEMA_VERSION)
    assert digest_of_folder(tmp_path) == before


async def test_a_newer_schema_that_is_still_in_the_journal_is_refused(tmp_path):
    with contextlib.closing(open_writer(tmp_path / "x.db", "process", True)) as connection:
        connection.execute("PRAGMA user_version = 99")

        with pytest.raises(NewerSchema):
            await opening(tmp_path / "x.db")


@pytest.mark.parametrize("path", ["", ":memory:"])
async def test_a_path_that_names_no_file_is_refused(path):
    with pytest.raises(ValueError, match="must name a file"):
        await opening(path)


@pytest.mark.parametrize("options", [{"durability": "none"}, {"scope": ""}, {"key": b"short"}])
async def test_an_impossible_option_is_refused(tmp_path, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        await opening(tmp_path / "x.db", **options)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b.db", "per%20cent.db", "question?.db", "hash#.db", "漢.db"])
async def test_any_file_name_is_taken_literally(tmp_path, name):
    await opening(tmp_path / name)

    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("durability", "level"), [("power", 2), ("process", 1)])
def test_durability_sets_what_a_commit_waits_for(tmp_path, durability, level):
    with contextlib.closing(open_writer(tmp_path / "x.db", durability, True)) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET body = '{}' WHERE seq = 1",
        "DELETE FROM event WHERE seq = 1",
        "DELETE FROM head",
        "UPDATE head SET seq = 1",
        "UPDATE head SET session = 'x', seq = 9",
        "INSERT OR REPLACE INTO event SELECT * FROM event WHERE seq = 1",
    ],
)
async def test_the_tables_refuse_to_be_changed(tmp_path, statement):
    async with open_sqlite(tmp_path / "x.db") as store:
        await store.append(stored := envelopes())

        with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as connection:
            connection.execute("PRAGMA recursive_triggers = ON")
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)

        assert await store.events() == tuple(stored)


def test_the_reading_connection_cannot_write(tmp_path):
    open_writer(tmp_path / "x.db", "process", True).close()

    with (
        contextlib.closing(open_reader(tmp_path / "x.db")) as connection,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        connection.execute("INSERT INTO head VALUES ('default', 's', 1, zeroblob(32), 2, '', 1)")


async def test_two_stores_on_one_file_see_each_other(tmp_path):
    async with open_sqlite(tmp_path / "x.db") as one, open_sqlite(tmp_path / "x.db", create=False) as two:
        await one.append(a := envelopes("a", 1))
        await two.append(b := envelopes("b", 1))

        assert await one.events() == await two.events() == (*a, *b)


async def test_many_stores_that_make_the_same_file_at_once_all_get_it(tmp_path):
    async def use(number):
        async with open_sqlite(tmp_path / "x.db", durability="process") as store:
            await store.append(envelopes(f"s{number}", 2))

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(use, number)

    async with open_sqlite(tmp_path / "x.db", create=False) as store:
        assert (await store.verify()).events == 16


async def test_closing_leaves_one_file(tmp_path):
    async with open_sqlite(tmp_path / "x.db") as store:
        await store.append(envelopes())

    assert [entry.name for entry in tmp_path.iterdir()] == ["x.db"]


@pytest.mark.parametrize("turns", range(0, 60, 3))
async def test_opening_that_is_cancelled_at_any_moment_leaves_no_thread(tmp_path, turns):
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(opening, tmp_path / "x.db")
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    names = [thread.name for thread in threading.enumerate()]
    assert [name for name in names if "portal" in name or "_connection_worker" in name] == []


async def test_sessions_are_summed_up(tmp_path):
    a, b = envelopes("a", 3), envelopes("b", 5)

    async with open_sqlite(tmp_path / "x.db") as store:
        await store.append(b)
        await store.append(a)
        found = await store.sessions()

    assert [(one.session, one.events, one.first_at, one.last_at) for one in found] == [
        ("a", 3, a[0].at, a[2].at),
        ("b", 5, b[0].at, b[4].at),
    ]


async def test_positions_count_what_was_stored(tmp_path):
    async with open_sqlite(tmp_path / "x.db") as store:
        empty = await store.last_position()
        await store.append(envelopes("a", 2))
        with pytest.raises(StoreError):
            await store.append([*envelopes("b", 2), *envelopes("b", 1, first=9)])
        await store.append(envelopes("b", 2))

        assert (empty, await store.last_position()) == (0, 4)
        assert len(await store.events(after=4)) == 0


async def test_a_writer_that_is_locked_out_waits_its_turn(tmp_path):
    async with open_sqlite(tmp_path / "x.db") as store:
        with contextlib.closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(store.append, envelopes())
                assert await store.events() == ()
                other.execute("ROLLBACK")

        assert await store.last_seq("s") == 3


async def test_a_store_gives_its_memory_and_its_dead_letters(tmp_path):
    async with open_sqlite(tmp_path / "a.db") as store:
        remembered = await store.memory("ann").remember("likes plums", source="test")

        assert [memory.id for memory in await store.memory("ann").recall("plums")] == [remembered.id]
        assert await store.memory("bo").recall("plums") == ()
        assert await store.dead_letters().find() == ()


async def test_two_stores_on_one_file_share_its_limits(tmp_path):
    limit = Limit(requests=1, per_s=600)
    async with open_sqlite(tmp_path / "a.db") as one, one.limits() as limits:
        await limits.rate.reserve("key", limit, tokens=0, max_wait_s=0.1)

        async with open_sqlite(tmp_path / "a.db") as two, two.limits() as others:
            with pytest.raises(RateLimited):
                await others.rate.reserve("key", limit, tokens=0, max_wait_s=0.1)
        async with open_sqlite(tmp_path / "a.db", scope="other") as three, three.limits() as others:
            await others.rate.reserve("key", limit, tokens=0, max_wait_s=0.1)
