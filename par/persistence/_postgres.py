"""The audit store in Postgres."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import final

import anyio.lowlevel

from par._store import EventQuery, Expired, Head, Redaction, SessionSummary, Verification
from par.events import Envelope, Event
from par.persistence._chain import Linker, record_of
from par.persistence._dead_letters_postgres import PostgresDeadLetters
from par.persistence._group_commit import GroupCommit
from par.persistence._limiter_budget import Limiter
from par.persistence._limiter_postgres import open_limiter_postgres
from par.persistence._memory_postgres import PostgresMemory
from par.persistence._own_records import Scribe, refuse_own_session
from par.persistence._postgres_keys import compare_key
from par.persistence._postgres_pool import PgPool
from par.persistence._postgres_read import (
    last_position,
    last_seq,
    read_heads,
    read_page,
    read_sessions,
)
from par.persistence._postgres_removal import Removal
from par.persistence._postgres_tail import Bell, Tail
from par.persistence._postgres_verify import verify
from par.persistence._postgres_write import refuse_nul
from par.persistence._sessions_owner import Place
from par.persistence._sessions_postgres import PostgresSessions
from par.persistence._sqlite_read import Page, Pages, Row

__all__ = ["PostgresStore"]


@final
class PostgresStore:
    """The events of many sessions in Postgres, append-only, each session in a hash chain. Made by ``open_postgres``.

    Any number of tasks, processes and machines may use one database at once, and write to the same scope: each
    session remains one chain. All that a store reads and writes is of its own scope.
    """

    def __init__(
        self, linker: Linker, writer: GroupCommit, pool: PgPool, bell: Bell, scribe: Scribe, place: Place
    ) -> None:
        self._scope = scribe.scope
        self._linker = linker
        self._writer = writer
        self._pool = pool
        self._bell = bell
        self._scribe = scribe
        self._place = place
        self._removal = Removal(scribe, linker, pool)

    @property
    def scope(self) -> str:
        """The scope that the store was opened for."""
        return self._scope

    @property
    def dropped(self) -> int:
        """How many events that were posted could not be stored: the queue was full, or the database failed."""
        return self._writer.dropped

    def memory(self, scope: str | None, /) -> PostgresMemory:
        """Return what agents remember in a scope of memories; see ``par.memory``. ``None`` is all of the store's own."""
        return PostgresMemory(self._pool, scope)

    @asynccontextmanager
    async def limits(self) -> AsyncGenerator[Limiter, None]:
        """Open the limits of the scope, which all processes share that use the database; close them after the block.

        ``limits.rate`` is the backend of a ``RateLimit``, ``limits.budget`` that of a ``Budget``.

        Raises:
            StoreUnavailable: if the database cannot be reached.
        """
        async with open_limiter_postgres(self._pool) as limiter:
            yield limiter

    def session_log(self) -> PostgresSessions:
        """Return the durable side of sessions: with it the store makes a runtime's named sessions durable."""
        return PostgresSessions(self._writer, self._pool, self._place)

    def dead_letters(self) -> PostgresDeadLetters:
        """Return the events that did not reach a subscriber; see ``par.bus``."""
        return PostgresDeadLetters(self._pool)

    async def append(self, envelopes: Sequence[Envelope], /) -> None:
        """Store the events, all or none of them; return when they are durable.

        They take their place in the order of storage at the call, before the first await. A caller that is cancelled
        while it waits stops waiting; the events are stored all the same. An event that is stored already (the same
        in every field) is passed over, so a caller that did not learn of its success may repeat itself. While the
        database is away, the events wait for it, for ``queue.give_up_s`` seconds.

        Raises:
            StoreError: if an event does not follow the last one of its session, its id is taken, its session is
                ``par.audit``, it cannot be written as JSON, or a name has a NUL in it, which Postgres cannot keep;
                other callers' events are not affected.
            StoreUnavailable: if the database cannot be written now, or the store has been closed.
        """
        if not envelopes:
            await anyio.lowlevel.checkpoint()
            return
        item = tuple([record_of(envelope, self._scope) for envelope in envelopes])
        refuse_own_session(item)
        refuse_nul(item)
        await self._writer.wait(self._writer.put(item))

    async def post(self, session: str, events: Sequence[Event], /, *, run: str = "") -> int:
        """Queue events that the store numbers itself, and return how many of them were taken: all, or 0.

        Returns when they are queued, not when they are durable: ``flush``, and closing the store, wait for that. While
        the queue is full the call waits for room, or drops the events: as ``queue.when_full`` says.
        Any number of processes may post to one session. What could not be stored after all counts as ``dropped`` and
        is told to ``queue.on_drop``.

        Raises:
            StoreError: if the session is ``par.audit``, or an event cannot be stored.
            StoreUnavailable: if the store has been closed.
        """
        item = tuple([self._scribe.record(event, session, run) for event in events])
        refuse_own_session(item)
        refuse_nul(item)
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
            StoreUnavailable: if the database cannot be read.
        """
        return await self._pool.run(lambda connection: last_seq(connection, session), again=True)

    async def last_position(self) -> int:
        """Return the position of the event that was stored last, 0 in an empty scope.

        Positions count 1, 2, 3... over all sessions of the scope, in the order of storage, and become visible in this
        order: who has read up to one has missed none before it.

        Raises:
            StoreUnavailable: if the database cannot be read.
        """
        return await self._pool.run(lambda connection: last_position(connection, self._scope), again=True)

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
            StoreUnavailable: while reading, if the database cannot be read.
            DecodeError: while reading, at an event that this par cannot read.
        """
        page = self._page(session, run, after)
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be 1 or more, got {limit}")
        return EventQuery(lambda: Pages(self._read, page, limit))

    def tail(self, session: str | None = None, *, run: str | None = None, after: int = 0) -> AsyncIterator[Envelope]:
        """Return the events as ``events`` does, and then each that is stored, by whatever process, as it is stored.

        The iterator has no end of its own; leave the loop, or cancel it. It holds nothing between two events. The
        database tells of new events (``NOTIFY``); where that is lost, it is asked every 5 s. It survives a restart of
        the database that takes no longer than ``options.give_up_s``.

        Raises:
            ValueError: for a negative ``after``.
            StoreUnavailable: while reading, if the database cannot be read, or the store has been closed.
            DecodeError: while reading, at an event that this par cannot read.
        """
        return Tail(self._bell, self._read, self._page(session, run, after))

    def _page(self, session: str | None, run: str | None, after: int) -> Page:
        if after < 0:
            raise ValueError(f"after must be 0 or more, got {after}")
        return Page(scope=self._scope, session=session, run=run, after=after, size=0)

    async def _read(self, page: Page) -> list[Row]:
        return await self._pool.run(lambda connection: read_page(connection, page), again=True)

    async def sessions(self) -> tuple[SessionSummary, ...]:
        """Return a summary of each session that has events, the one that was active last at the end.

        Raises:
            StoreUnavailable: if the database cannot be read.
        """
        return await self._pool.run(lambda connection: read_sessions(connection, self._scope), again=True)

    async def heads(self) -> tuple[Head, ...]:
        """Return the head of each session: with ``sign_heads`` made into text that is kept elsewhere.

        Raises:
            StoreUnavailable: if the database cannot be read.
        """
        return await self._pool.run(lambda connection: read_heads(connection, self._scope), again=True)

    async def verify(self, session: str | None = None, *, heads: Iterable[Head] = ()) -> Verification:
        """Check every record of the session, or of all of the scope, and find the first break of each chain.

        Without a key the database computes the hashes anew, and only sessions in which it finds a fault, or from
        which something was removed, are read; with a key every record is read, and the key stays here. What is found
        and what is not is the same as in a file: a record that was changed, removed, added, moved or cut off at the
        end, unless the session ``par.audit`` tells of its removal. Who can write to the tables could also rewrite
        every later hash of a session *and* its head: a store with a key does not let him, and ``heads`` that were
        kept elsewhere show it up to where they were taken.

        Raises:
            StoreUnavailable: if the database cannot be read.
            WrongKey: if the scope is kept with a key and the store was opened without it.
            ValueError: for a head of another scope.
        """
        await self._pool.run(lambda connection: compare_key(connection, self._linker, self._scope), again=True)
        return await verify(self._pool, self._scope, self._linker, session, heads)

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
        themselves. No query finds the contents afterwards; their bytes leave the files with the next VACUUM and the
        write-ahead log with its segments; backups and replicas' archives are out of reach.

        Raises:
            StoreError: if there is no such event, or the session is ``par.audit``.
            StoreUnavailable: if the database cannot be written, or the login may only append.
            ValueError: unless one of ``seqs`` and ``texts`` is given, or for an empty text, reason or ``by``.
        """
        await self._writer.flush()
        return await self._removal.redact(session, seqs, texts, reason, by)

    async def redact_person(self, texts: Iterable[str], /, *, reason: str, by: str) -> tuple[Redaction, ...]:
        """Remove the contents of all events and turns of the scope that hold one of the texts; see ``redact``.

        Every record is read, in pages. Names of sessions, runs and tools are not looked at and remain.

        Raises:
            StoreUnavailable: as ``redact`` does.
            ValueError: for an empty text, reason or ``by``.
        """
        await self._writer.flush()
        return await self._removal.redact_person(texts, reason, by)

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
            StoreUnavailable: if the database cannot be written, or the login may only append.
            StoreError: if the session is ``par.audit``.
            ValueError: unless one of ``older_than`` and ``before`` is given, or for one that is not positive or has
                no time zone.
        """
        await self._writer.flush()
        return await self._removal.expire(older_than, before, session, progress)
