"""Files that are damaged while they are in use: typed errors, and what is whole stays of use."""

import contextlib
import os
import sqlite3

import anyio
import pytest
from unit.persistence.made import envelope, envelopes

from par.errors import DecodeError, StoreError, StoreUnavailable
from par.persistence import Queue, open_sqlite

pytestmark = pytest.mark.anyio


async def test_a_damaged_page_is_reported_and_other_sessions_can_be_read(tmp_path):
    file = tmp_path / "x.db"
    async with open_sqlite(file) as store:
        await store.append(good := envelopes("good", 3))
        for seq in range(1, 40):
            await store.append([envelope("bad", seq, content="y" * 5_000)])
    content = bytearray(file.read_bytes())
    damaged = content.rindex(b"y" * 1_000)
    content[damaged - damaged % 4096 : damaged - damaged % 4096 + 4096] = os.urandom(4096)
    file.write_bytes(content)

    async with open_sqlite(file) as store:
        with contextlib.suppress(StoreError, DecodeError):
            assert (await store.verify("bad")).broken != ()
        assert await store.events("good") == tuple(good)
        assert (await store.verify("good")).ok


async def test_a_file_that_becomes_read_only_is_unavailable_for_writing_and_can_be_read(tmp_path):
    async with open_sqlite(tmp_path / "x.db") as store:
        await store.append(stored := envelopes())
        await store._removal._writing.run(lambda connection: connection.execute("PRAGMA query_only = ON"))
        with pytest.raises(StoreUnavailable, match="readonly"):
            await store.append(envelopes(count=1, first=4))

        assert await store.events() == tuple(stored)


async def test_a_table_that_is_gone_is_unavailable(tmp_path):
    async with open_sqlite(tmp_path / "x.db") as store:
        await store.append(envelopes())
        with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as other:
            other.execute("DROP TABLE head")
        with pytest.raises(StoreUnavailable, match="no such table"):
            await store.append(envelopes(count=1, first=4))
        with pytest.raises(StoreUnavailable, match="no such table"):
            await store.heads()


async def test_a_lock_that_is_never_released_fails_the_append_after_the_time_that_was_given(tmp_path):
    async with open_sqlite(tmp_path / "x.db", queue=Queue(give_up_s=0.01)) as store:
        with contextlib.closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with anyio.fail_after(20), pytest.raises(StoreUnavailable, match="locked"):
                await store.append(envelopes())
        await store.append(envelopes())

        assert await store.last_seq("s") == 3
