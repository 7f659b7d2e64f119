"""The audit store in one SQLite file."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Final, final

import anyio.lowlevel

from par._store import EventQuery, Verification
from par.events import Envelope
from par.persistence._chain import record_of
from par.persistence._group_commit import Batch, GroupCommit, Results, open_group_commit
from par.persistence._host import open_host
from par.persistence._sqlite_connection import SqliteConnection, open_connection
from par.persistence._sqlite_file import Durability, open_reader, open_writer
from par.persistence._sqlite_read import (
    Page,
    Pages,
    Row,
    SessionSummary,
    last_position,
    last_seq,
    read_page,
    read_sessions,
)
from par.persistence._sqlite_verify import advance, check
from par.persistence._sqlite_write import write_batch

__all__ = ["SqliteStore", "open_sqlite"]

_QUEUE_LIMIT: Final = 10_000


@final
class SqliteStore:
    """The events of many sessions in one file, append-only, each session in a hash chain. Made by ``open_sqlite``.

    Any number of tasks may use it at once, and other processes may have the same file open: several may write,
    each its own sessions, and any may read while others write.
    """

    def __init__(self, writer: GroupCommit, reader: SqliteConnection) -> None:
        self._writer = writer
        self._reader = reader

    async def append(self, envelopes: Sequence[Envelope], /) -> None:
        """Store the events, all or none of them; return when they are durable.

        They take their place in the order of storage at the call, before the first await. A caller that is cancelled
        while it waits stops waiting; the events are stored all the same. An event that is stored already (the same
        in every field) is passed over, so a caller that did not learn of its success may repeat itself.

        Raises:
            StoreError: if an event does not follow the last one of its session, its id is taken, or it cannot be
                written as JSON; other callers' events are not affected.
            StoreUnavailable: if the file cannot be written now, or the store has been closed.
        """
        if not envelopes:
            await anyio.lowlevel.checkpoint()
            return
        item = tuple([record_of(envelope) for envelope in envelopes])
        await self._writer.wait(self._writer.put(item))

    async def last_seq(self, session: str, /) -> int:
        """Return the number of the session's last stored event, 0 if it has none.

        Raises:
            StoreUnavailable: if the file cannot be read.
        """
        return await self._reader.run(last_seq, session)

    async def last_position(self) -> int:
        """Return the position of the event that was stored last, 0 in an empty store.

        Positions count 1, 2, 3... over all sessions, in the order of storage.

        Raises:
            StoreUnavailable: if the file cannot be read.
        """
        return await self._reader.run(last_position)

    def events(
        self, session: str | None = None, *, run: str | None = None, after: int = 0, limit: int | None = None
    ) -> EventQuery:
        """Return the events of a session, or of all sessions in the order in which they were stored.

        ``after`` leaves out events up to that sequence number (with ``session``) or up to that position (without);
        ``limit`` is the largest number of events to return. Events are read in pages of 256, and going through them
        checkpoints once a page; nothing is held open in between, so the loop may be left at any time, and events
        that are stored meanwhile are found.

        Raises:
            ValueError: for a negative ``after`` or a ``limit`` below 1.
            StoreUnavailable: while reading, if the file cannot be read.
            DecodeError: while reading, at an event that this par cannot read.
        """
        if after < 0:
            raise ValueError(f"after must be 0 or more, got {after}")
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be 1 or more, got {limit}")
        page = Page(session=session, run=run, after=after, size=0)
        return EventQuery(lambda: Pages(self._read, page, limit))

    async def _read(self, page: Page) -> list[Row]:
        return await self._reader.run(read_page, page)

    async def sessions(self) -> tuple[SessionSummary, ...]:
        """Return a summary of each session, the one that was active last at the end.

        Raises:
            StoreUnavailable: if the file cannot be read.
        """
        return await self._reader.run(read_sessions)

    async def verify(self, session: str | None = None) -> Verification:
        """Read every record of the session, or of all, and find the first break of each chain.

        A record that was changed, removed, added, moved or cut off at the end is found by its hash, its place, or
        the head that the store keeps. Not found is what also rewrites every later hash of the session *and* the
        head, or removes a session together with its head: keep heads elsewhere to prove that. ``position`` is
        no part of the hash; only its order within a session is checked.

        Raises:
            StoreUnavailable: if the file cannot be read.
        """
        job = await self._reader.run(check, session)
        result: Verification | None = None
        while result is None:
            result = await self._reader.run(advance, job)
        return result


@asynccontextmanager
async def open_sqlite(
    path: str | PathLike[str],
    *,
    durability: Durability = "power",
    create: bool = True,
    queue_limit: int = _QUEUE_LIMIT,
) -> AsyncGenerator[SqliteStore, None]:
    """Open an audit file, on asyncio or trio, and close it after the block.

    Leaving the block takes no more events, writes those that are queued (for at most 10 s, also when the block is
    cancelled), and ends every thread that the store had.

    The table of events has triggers that refuse UPDATE and DELETE. They guard against accidents; what proves that
    nothing was changed is the hash chain, see ``verify``. The file must be on a local disk.

    Args:
        path: the file; its folder must exist.
        durability: when ``append`` returns. ``"power"``: when the disk has the events. ``"process"``: when the
            operating system has them, which is faster and safe against the end of the process, not of the machine.
        create: whether to make the file if it is absent.
        queue_limit: the number of events that may wait to be written before ``append`` also holds callers that
            were cancelled; 1 or more.

    Raises:
        NotAnAuditFile: if the file is something else; it is not changed.
        NewerSchema: if a newer par wrote it.
        StoreUnavailable: if it is absent (with ``create=False``), or cannot be opened or written.
        ValueError: for an empty path, an unknown durability, or a ``queue_limit`` below 1.
    """
    where = fspath(path)
    if not where or where == ":memory:":
        raise ValueError(f"path must name a file, got {where!r}")
    if durability not in ("process", "power"):
        raise ValueError(f'durability must be "process" or "power", got {durability!r}')
    if queue_limit < 1:
        raise ValueError(f"queue_limit must be 1 or more, got {queue_limit}")
    file = Path(where)
    async with (
        open_host() as host,
        open_connection(host, partial(open_writer, file, durability, create), where) as writing,
        open_connection(host, partial(open_reader, file), where) as reader,
    ):

        async def write(batch: Batch) -> Results:
            return await writing.run(write_batch, batch)

        async with open_group_commit(write, where, queue_limit) as group:
            yield SqliteStore(group, reader)
