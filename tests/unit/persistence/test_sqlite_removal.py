"""What has to go leaves the file; nothing else can."""

import contextlib
import sqlite3
from datetime import timedelta

import pytest
from support.session_log import approval, ended, signal, step, turn
from unit.persistence.made import START, envelope, envelopes
from unit.persistence.old_file import make_old_file

from par._clock import Clock
from par._durable.log import Change
from par.errors import StoreUnavailable
from par.persistence import open_sqlite
from par.persistence._sqlite_removal import Removal

pytestmark = pytest.mark.anyio


def where_is(folder, text):
    """Return the files that hold the bytes, of the database and all that lies beside it."""
    return [entry.name for entry in sorted(folder.iterdir()) if text.encode() in entry.read_bytes()]


@pytest.mark.parametrize("size", [10, 1_000, 3_900, 5_000, 50_000])
async def test_the_bytes_of_what_is_redacted_leave_the_file_and_the_journal(tmp_path, size):
    secret = "Jane Doe of Elm Street"

    async with open_sqlite(tmp_path / "x.db") as store:
        for seq in range(1, 30):
            await store.append([envelope("s", seq, content=f"{secret if seq % 7 == 0 else 'nobody'} " + "x" * size)])
        before = where_is(tmp_path, secret)
        done = await store.redact_person([secret], reason="asked for", by="ann")
        after = where_is(tmp_path, secret)
        await store.append(envelopes("s", 3, first=30))

        assert before != []
        assert done[0].seqs == (7, 14, 21, 28)
        assert after == where_is(tmp_path, secret) == []
        assert (await store.verify()).ok


async def test_the_bytes_of_what_expires_leave_the_file_and_the_journal(tmp_path):
    async with open_sqlite(tmp_path / "x.db") as store:
        await store.append(stored := [envelope("s", seq, content=f"secret {seq}") for seq in range(1, 50)])
        await store.expire(before=stored[39].at)

        assert where_is(tmp_path, "secret 7") == []
        assert where_is(tmp_path, "secret 40") != []


@pytest.mark.parametrize("size", [10, 5_000, 50_000])
@pytest.mark.parametrize("how", ["redacted", "expired"])
async def test_the_bytes_of_durable_sessions_leave_the_file_and_the_journal(tmp_path, size, how):
    secret, filler = "Jane Doe of Elm Street", "x" * size

    async with open_sqlite(tmp_path / "x.db", clock=Clock(now=lambda: START)) as store:
        log = store.session_log()
        for name in "abc":
            text = f"{secret if name == 'b' else 'nobody'} {filler}"
            opened = await log.acquire(name, await log.identity(), lease_s=60, wants="new")
            one, sent = turn(text=text), signal(text=text)
            await log.commit(Change(lease=opened.lease, turn=one), envelopes(name, 1))
            await log.send(name, sent)
            change = Change(
                lease=opened.lease,
                turn=ended(one, text=text) if how == "expired" else None,
                steps=(step(0, text=text),),
                takes={sent.id: 0},
                approvals=(approval(name, prompt=text),),
                releases=True,
            )
            await log.commit(change, envelopes(name, 1, first=2))
        before = where_is(tmp_path, secret)
        if how == "redacted":
            await store.redact_person([secret], reason="asked for", by="ann")
        else:
            await store.expire(before=START + timedelta(days=1))

        assert before != []
        assert where_is(tmp_path, secret) == []
        assert (await store.verify()).ok


async def test_the_bytes_of_an_old_file_leave_it_too(tmp_path):
    make_old_file(tmp_path / "x.db", [envelope("s", seq, content=f"secret {seq}") for seq in range(1, 50)])

    async with open_sqlite(tmp_path / "x.db") as store:
        await store.redact("s", texts=["secret 7"], reason="r", by="x")

        assert where_is(tmp_path, "secret 7") == []


async def test_bytes_that_another_process_holds_in_the_journal_are_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr("par.persistence._sqlite_removal._EMPTY_S", 0.01)
    async with open_sqlite(tmp_path / "x.db") as store:
        await store.append(envelopes())
        with contextlib.closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM event").fetchone()
            with pytest.raises(StoreUnavailable, match="still in it"):
                await store.redact("s", seqs=[1], reason="r", by="x")
        again = await store.redact("s", seqs=[1], reason="r", by="x")

        assert again.seqs == ()
        assert where_is(tmp_path, "s 1") == []


REDACT = "UPDATE event SET body = NULL, salt = NULL WHERE session = 's' AND seq = 1"
PERMIT = "INSERT INTO permit VALUES ('{}', 'default', 's', 1, (SELECT id FROM event WHERE seq = 1 AND session = '{}'))"


@pytest.mark.parametrize(
    "statements",
    [
        [REDACT],
        [PERMIT.format("redact", "s")],
        [PERMIT.format("expire", "par.audit")],
        ["INSERT INTO permit VALUES ('redact', 'default', 's', 1, 'no such event')"],
        [PERMIT.format("redact", "par.audit"), "UPDATE event SET body = '{}', salt = NULL WHERE seq = 1"],
        [PERMIT.format("redact", "par.audit"), REDACT.replace("salt", "run = 'r2', salt")],
        [PERMIT.format("redact", "par.audit"), REDACT.replace("seq = 1", "seq = 2")],
        [PERMIT.format("redact", "par.audit"), "DELETE FROM event WHERE seq = 1"],
        [PERMIT.format("redact", "par.audit"), "UPDATE permit SET seq = 2"],
        [PERMIT.format("redact", "par.audit").replace("'s', 1", "'par.audit', 1")],
        ["DELETE FROM event WHERE seq = 1"],
        ["DELETE FROM scope_key"],
        ["UPDATE scope_key SET fingerprint = zeroblob(32)"],
    ],
)
async def test_nothing_but_a_removal_that_is_told_of_can_change_a_record(tmp_path, statements):
    async with open_sqlite(tmp_path / "x.db", key=b"a key of 16 bytes or more") as store:
        await store.append(envelopes("other", 1))
        await store.redact("other", seqs=[1], reason="r", by="x")
        await store.append(stored := envelopes("s", 3))

        with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as connection:
            for statement in statements[:-1]:
                connection.execute(statement)
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statements[-1])

        assert await store.events("s") == tuple(stored)


async def test_a_removal_that_fails_half_way_removes_nothing(tmp_path, monkeypatch):
    async with open_sqlite(tmp_path / "x.db") as store:
        await store.append(stored := envelopes("s", 3))
        monkeypatch.setattr("par.persistence._sqlite_remove._REDACT", "UPDATE event SET nothing = ?, at = ?, all = ?")
        with pytest.raises(StoreUnavailable):
            await store.redact("s", seqs=[1], reason="r", by="x")

        assert await store.events() == tuple(stored)


async def test_what_is_removed_while_it_is_verified_is_no_break(tmp_path, monkeypatch):
    monkeypatch.setattr("par.persistence._sqlite_verify._PAGE", 10)
    async with open_sqlite(tmp_path / "x.db") as store:
        await store.append(stored := envelopes("s", 90))
        real, jobs = store._reader.run, 0

        async def remove_in_between(job, *args):
            nonlocal jobs
            jobs += 1
            if jobs == 5:
                await store.redact("s", seqs=[60], reason="r", by="x")
            if jobs == 8:
                await store.expire(before=stored[75].at)
            return await real(job, *args)

        monkeypatch.setattr(store._reader, "run", remove_in_between)
        verification = await store.verify()

    assert isinstance(store._removal, Removal)
    assert jobs > 8
    assert verification.broken == ()
