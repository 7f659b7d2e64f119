"""The audit store in one SQLite file."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import final

import anyio.lowlevel

from par._store import EventQuery, Expired, Head, Redaction, SessionSummary, Verification
from par.events import Envelope, Event
from par.persistence._chain import Linker, records_of
from par.persistence._dead_letters_sqlite import SqliteDeadLetters
from par.persistence._group_commit import GroupCommit
from par.persistence._limiter_budget import Limiter
from par.persistence._memory_history import purge_step
from par.persistence._memory_sqlite import SqliteMemory
from par.persistence._own_records import Scribe, refuse_own_session
from par.persistence._sessions_owner import Place
from par.persistence._sessions_sqlite import SqliteSessions
from par.persistence._sqlite_connections import Connections, open_limits
from par.persistence._sqlite_keys import compare_key
from par.persistence._sqlite_read import (
    Page,
    Pages,
    Row,
    last_position,
    last_seq,
    read_heads_of,
    read_page,
    read_sessions,
)
from par.persistence._sqlite_removal import Removal
from par.persistence._sqlite_verify import advance, check

__all__ = ["SqliteStore"]


@final
class SqliteStore:
    """The events of many sessions in one file, append-only, each session in a hash chain. Made by ``open_sqlite``.

    Any number of tasks may use it at once, and other processes may have the same file open: several may write,
    each its own sessions, and any may read while others write. All that it reads and writes is of its own scope.
    """

    def __init__(
        self,
        scope: str,
        linker: Linker,
        writer: GroupCommit,
        connections: Connections,
        removal: Removal,
        scribe: Scribe,
    ) -> None:
        self._scope = scope
        self._linker = linker
        self._writer = writer
        self._connections = connections
        self._reader = connections.reader
        self._removal = removal
        self._scribe = scribe

    @property
    def scope(self) -> str:
        """The scope that the store was opened for."""
        return self._scope

    @property
    def dropped(self) -> int:
        """How many events that were posted could not be stored: see ``Queue``."""
        return self._writer.dropped

    def memory(self, scope: str | None, /) -> SqliteMemory:
        """Return what agents remember in a scope of memories; see ``par.memory``. ``None`` is all of the store's own."""
        return SqliteMemory(self._connections.writer, self._reader, self._scope, scope)

    def session_log(self) -> SqliteSessions:
        """Return the durable side of sessions: with it the store makes a runtime's named sessions durable."""
        return SqliteSessions(
            self._writer, self._connections, Place(self._scope, self._connections.machine, self._connections.clock)
        )

    def dead_letters(self) -> SqliteDeadLetters:
        """Return the events that did not reach a subscriber; see ``par.bus``."""
        return SqliteDeadLetters(self._connections.writer, self._reader, self._scope, self._connections.where)

    @asynccontextmanager
    async def limits(self) -> AsyncGenerator[Limiter, None]:
        """Open the limits of the scope, which all processes share that have the file open; close them after the block.

        ``limits.rate`` is the backend of a ``RateLimit``, ``limits.budget`` that of a ``Budget``. They have a connection
        of their own, so that nobody waits for the audit's commits. What was spent last may be lost in a power cut.

        Raises:
            StoreUnavailable: if the file cannot be opened or written.
        """
        async with open_limits(self._connections, self._scope) as limiter:
            yield limiter

    async def append(self, envelopes: Sequence[Envelope], /) -> None:
        """Store the events, all or none of them; return when they are durable.

        They take their place in the order of storage at the call, before the first await. A caller that is cancelled
        while it waits stops waiting; the events are stored all the same. An event that is stored already (the same
        in every field) is passed over, so a caller that did not learn of its success may repeat itself.

        Raises:
            StoreError: if an event does not follow the last one of its session, its id is taken, its session is
                ``par.audit``, or it cannot be written as JSON; other callers' events are not affected.
            StoreUnavailable: if the file cannot be written now, or the store has been closed.
            WrongKey: if the scope is kept with a key and the store was opened without it.
        """
        if not envelopes:
            await anyio.lowlevel.checkpoint()
            return
        item = records_of(envelopes, self._scope)
        refuse_own_session(item)
        await self._writer.wait(self._writer.put(item))

    async def post(self, session: str, events: Sequence[Event], /, *, run: str = "") -> int:
        """Queue events that the store numbers itself, and return how many of them were taken: all, or 0.

        Returns when they are queued, not when they are durable: ``flush``, and closing the store, wait for that. While
        the queue is full the call waits for room, or drops the events: as ``when_full`` of its ``Queue`` says.
        Events that nobody numbered leave no gap when they are dropped, and any number of processes may post to one
        session. What could not be stored after all counts as ``dropped`` and is told to ``on_drop``.

        Raises:
            StoreError: if the session is ``par.audit``, or an event cannot be written as JSON.
            StoreUnavailable: if the store has been closed.
        """
        item = tuple([self._scribe.record(event, session, run) for event in events])
        refuse_own_session(item)
        if not item:
            await anyio.lowlevel.checkpoint()
            return 0
        return len(item) if await self._writer.offer(item) else 0

    async def flush(self) -> None:
        """Return when all that is queued now is durable, or was given up."""
        await self._writer.flush()

    async def last_seq(self, session: str, /) -> int:
        """Return the number of the session's last stored event, 0 if it has none.

        Raises:
            StoreUnavailable: if the file cannot be read.
        """
        return await self._reader.run(last_seq, self._scope, session)

    async def last_position(self) -> int:
        """Return the position of the event that was stored last, 0 in an empty scope.

        Positions count 1, 2, 3... over all sessions of all scopes of the file, in the order of storage.

        Raises:
            StoreUnavailable: if the file cannot be read.
        """
        return await self._reader.run(last_position, self._scope)

    def events(
        self, session: str | None = None, *, run: str | None = None, after: int = 0, limit: int | None = None
    ) -> EventQuery:
        """Return the events of a session, or of all sessions in the order in which they were stored.

        ``after`` leaves out events up to that sequence number (with ``session``) or up to that position (without);
        ``limit`` is the largest number of events to return. Events are read in pages of 256, and going through them
        checkpoints once a page; nothing is held open in between, so the loop may be left at any time, and events
        that are stored meanwhile are found. In the place of an event whose content was removed stands ``Redacted``.

        Raises:
            ValueError: for a negative ``after`` or a ``limit`` below 1.
            StoreUnavailable: while reading, if the file cannot be read.
            DecodeError: while reading, at an event that this par cannot read.
        """
        if after < 0:
            raise ValueError(f"after must be 0 or more, got {after}")
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be 1 or more, got {limit}")
        page = Page(scope=self._scope, session=session, run=run, after=after, size=0)
        return EventQuery(lambda: Pages(self._read, page, limit))

    async def _read(self, page: Page) -> list[Row]:
        return await self._reader.run(read_page, page)

    async def sessions(self) -> tuple[SessionSummary, ...]:
        """Return a summary of each session that has events, the one that was active last at the end.

        Raises:
            StoreUnavailable: if the file cannot be read.
        """
        return await self._reader.run(read_sessions, self._scope)

    async def heads(self) -> tuple[Head, ...]:
        """Return the head of each session: with ``sign_heads`` made into text that is kept elsewhere.

        Raises:
            StoreUnavailable: if the file cannot be read.
        """
        return await self._reader.run(read_heads_of, self._scope)

    async def verify(self, session: str | None = None, *, heads: Iterable[Head] = ()) -> Verification:
        """Read every record of the session, or of all of the scope, and find the first break of each chain.

        A record that was changed, removed, added, moved or cut off at the end is found by its hash, its place, or
        the head that the store keeps. Contents and fronts of sessions may be missing where ``redact`` or ``expire``
        told of it in the session ``par.audit``, and nowhere else. Who can write the file could also rewrite every
        later hash of a session *and* its head, or remove a session together with its head: a store with a key does
        not let him, and ``heads`` that were kept elsewhere show it up to where they were taken. ``position`` is no
        part of the hash: its order within a session is checked, and that of the heads.

        Raises:
            StoreUnavailable: if the file cannot be read.
            WrongKey: if the scope is kept with a key and the store was opened without it.
            ValueError: for a head of another scope.
        """
        await self._reader.run(compare_key, self._linker, self._scope)
        kept = tuple(heads)
        job = await self._reader.run(check, self._scope, self._linker, session, kept)
        result: Verification | None = None
        while result is None:
            result = await self._reader.run(advance, job)
        return result

    async def redact(
        self,
        session: str,
        /,
        *,
        seqs: Iterable[int] | None = None,
        texts: Iterable[str] | None = None,
        reason: str,
        by: str,
    ) -> Redaction:
        """Remove the contents of events of a session, and return the numbers of those that had one.

        The events are named by ``seqs``, or hold one of ``texts``, in whatever way JSON may write them, upper and
        lower case alike. The content is removed as well of each turn that a durable session keeps and that holds one of
        the texts, or to which one of the events belongs: it leaves the conversation, and a turn that has not ended ends ``failed``,
        whoever works at it. Who, when, and what kind of event remains, also the hash: the chain can still be verified,
        because the session ``par.audit`` tells of it, with ``reason`` and ``by``, which should hold no such data
        themselves. When this returns, the bytes have left the file and its journal; copies of the file, and what a
        disk keeps of overwritten blocks, are out of reach.

        Raises:
            StoreError: if there is no such event, or the session is ``par.audit``.
            StoreUnavailable: if the file cannot be written, or another process holds the journal so that the bytes
                are still in it; another call with the same arguments tries again.
            ValueError: unless one of ``seqs`` and ``texts`` is given, or for an empty text, reason or ``by``.
        """
        await self._writer.flush()
        redaction = await self._removal.redact(session, seqs, texts, reason, by)
        await self._forget_words()
        return redaction

    async def redact_person(self, texts: Iterable[str], /, *, reason: str, by: str) -> tuple[Redaction, ...]:
        """Remove the contents of all events and turns of the scope that hold one of the texts; see ``redact``.

        Every record is read, in pages. Names of sessions, runs and tools are not looked at and remain.

        Raises:
            StoreUnavailable: as ``redact`` does.
            ValueError: for an empty text, reason or ``by``.
        """
        await self._writer.flush()
        redactions = await self._removal.redact_person(texts, reason, by)
        await self._forget_words()
        return redactions

    async def expire(
        self,
        *,
        older_than: timedelta | None = None,
        before: datetime | None = None,
        session: str | None = None,
        progress: Callable[[Expired], None] | None = None,
    ) -> Expired:
        """Remove events from the front of each session, or of one, up to the first that is young enough.

        Old is what happened ``before`` a time, or longer ago than ``older_than``. Sessions keep their numbers: the
        next event follows the last one that was there. The session ``par.audit`` tells of it, so the rest can still
        be verified; it does not expire itself. Turns of durable sessions that ended before the time are removed with
        their steps, and sessions that have none left and that nobody has touched since. Removed are at most 1,000 events
        per transaction, so writers wait for no longer than that takes; ``progress`` is called after each with what was removed so far. A caller that is
        cancelled stops between two transactions.

        Raises:
            StoreUnavailable: if the file cannot be written.
            StoreError: if the session is ``par.audit``.
            ValueError: unless one of ``older_than`` and ``before`` is given, or for one that is not positive or has
                no time zone.
        """
        await self._writer.flush()
        expired = await self._removal.expire(older_than, before, session, progress)
        await self._forget_words()
        return expired

    async def _forget_words(self) -> None:
        """Take the words of what was removed out of the index that memories search."""
        while not await self._connections.writer.run(purge_step):  # a step at a time, so that writers come in between
            pass
