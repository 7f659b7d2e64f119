"""The record of a run: each event numbered, stored and shown once, in one order."""

from collections.abc import Callable
from datetime import datetime
from typing import final

import anyio

from par._bus.published import Published
from par._clock import Clock
from par._engine.feed import Feed
from par._engine.session import Session
from par._ids import UlidSource
from par._store import Store
from par.errors import LeaseLost, StoreError, StoreUnavailable, UsageError
from par.events import Envelope, Event

__all__ = ["Journal"]


@final
class _Entry:
    """An event on its way to the store."""

    __slots__ = ("at", "envelope", "error", "event", "promised", "step")

    def __init__(self, event: Event, step: int, at: datetime, *, promised: bool) -> None:
        self.event = event
        self.step = step
        self.at = at
        self.promised = promised
        """Whether nobody waits who could be told that it was not stored."""
        self.envelope: Envelope | None = None
        """Its place in the session, from the first attempt at storing it."""
        self.error: Exception | None = None


@final
class Journal:
    """Takes the events of one run, stores them in order, one append at a time, and then shows them.

    ``waiting`` tells whether the store has something else to write, which then goes with the next append, or alone.

    They are shown to those who subscribe at the bus of a ``Published`` store, and to the reader.

    An append that is cancelled may have been made or not: its events keep their numbers and ids and go with the
    next append again, and the store passes over what it has. An append that fails burns no number: the store is
    asked anew for the session's last one. After a failure nothing but the end of the run is recorded.
    """

    __slots__ = (
        "_broken",
        "_clock",
        "_closed",
        "_feed",
        "_ids",
        "_lock",
        "_lost",
        "_parent",
        "_publish",
        "_queue",
        "_run_id",
        "_session",
        "_store",
        "_waiting",
    )

    def __init__(
        self,
        session: Session,
        run_id: str,
        parent: str | None,
        *,
        store: Store | None,
        feed: Feed | None,
        clock: Clock,
        ids: UlidSource,
        waiting: Callable[[], bool] | None = None,
    ) -> None:
        self._session = session
        self._run_id = run_id
        self._parent = parent
        self._store = store
        self._waiting = waiting
        self._publish = store.publish if isinstance(store, Published) else None
        self._feed = feed
        self._clock = clock
        self._ids = ids
        self._queue: list[_Entry] = []
        self._lock: anyio.Lock | None = None if store is None else anyio.Lock(fast_acquire=True)
        self._broken: Exception | None = None
        self._lost: LeaseLost | None = None
        self._closed = False

    async def emit(self, event: Event, step: int) -> None:
        """Record the event; when this returns, the store has it and the reader has read it.

        Raises:
            StoreError: if it is not recorded.
            UsageError: after the end of the run.
        """
        entry = self._add(event, step, promised=False)
        if entry is not None:
            try:
                await self._write()
            except BaseException:
                entry.promised = True  # harmless for one that was refused: it has left the queue
                raise
            if entry.error is not None:
                raise entry.error
        if self._feed is not None:
            await self._feed.caught_up()

    def tell(self, event: Event, step: int) -> None:
        """Promise that the event will be recorded: with the next one, with ``flush``, or at the end of the run."""
        self._add(event, step, promised=True)

    async def flush(self) -> None:
        """Record what was told.

        Raises:
            StoreError: if it could not be recorded now; it is tried again at the end of the run.
        """
        await self._write()
        if self._feed is not None:
            await self._feed.caught_up()

    def end(self, event: Event, step: int) -> None:
        """Tell the last event. From here on no other is taken."""
        self.tell(event, step)
        self._closed = True

    async def close(self) -> None:
        """Record all that was told, though an append may have failed before.

        Raises:
            LeaseLost: if another process has the session; nothing more was recorded.
            StoreError: if something of it could not be recorded.
        """
        if self._lost is not None:
            raise self._lost
        self._broken = None
        try:
            await self._write()
        except (StoreUnavailable, LeaseLost):
            raise
        except StoreError:
            # one event may be what the store refuses; a cancellation counts for more than the refusal
            await self._write_singly()  # noqa: ASYNC120
            raise

    def _add(self, event: Event, step: int, *, promised: bool) -> _Entry | None:
        if self._closed:
            raise UsageError(f"the run {self._run_id} is over: nothing can be recorded with its context any more")
        if self._store is None:
            if self._feed is not None:
                self._feed.push(event)
            return None
        entry = _Entry(event, step, self._clock.now(), promised=promised)
        self._queue.append(entry)
        return entry

    async def _write(self) -> None:
        if self._store is None or self._lock is None:
            return
        async with self._lock:  # also what keeps the order on stores that answer out of order
            if self._broken is not None:
                self._drop(self._broken)
                raise self._broken
            if self._queue or (self._waiting is not None and self._waiting()):
                await self._append(self._store)

    async def _write_singly(self) -> None:
        if self._store is None or self._lock is None:
            return
        async with self._lock:
            await self._meet(self._store)
            waiting, self._queue = self._queue, []
            for entry in waiting:
                self._queue.append(entry)
                try:
                    await self._append(self._store)
                except StoreError:
                    self._queue.clear()
            self._broken = None

    async def _append(self, store: Store) -> None:
        try:
            if not self._session.known_to_store:
                await self._meet(store)
            entries = tuple(self._queue)
            if entries or self._waiting is not None:
                await store.append([self._placed(entry) for entry in entries])
        except LeaseLost as error:
            # what follows in the store is another's: nothing of the queue is there, or ever will be
            self._lost = self._broken = error
            for entry in self._queue:
                entry.error = error
            self._queue.clear()
            raise
        except Exception as error:
            self._session.known_to_store = False
            self._broken = error
            self._drop(error)
            raise
        del self._queue[: len(entries)]
        self._show(entries)

    async def _meet(self, store: Store) -> None:
        """Learn the number of the session's last event, and which of the events in doubt the store has."""
        session = self._session
        session.seq = await store.last_seq(session.id)
        session.known_to_store = True
        stored = [entry for entry in self._queue if entry.envelope is not None and entry.envelope.seq <= session.seq]
        self._queue[:] = [entry for entry in self._queue if entry not in stored]
        for entry in self._queue:
            entry.envelope = None
        self._show(stored)

    def _placed(self, entry: _Entry) -> Envelope:
        if entry.envelope is None:
            entry.envelope = Envelope(
                id=self._ids.next(),
                session=self._session.id,
                run=self._run_id,
                step=entry.step,
                parent=self._parent,
                at=entry.at,
                seq=self._session.next_seq(),
                event=entry.event,
            )
        return entry.envelope

    def _drop(self, error: Exception) -> None:
        """Give up the events whose writers wait and will be told; keep those that were promised."""
        for entry in self._queue:
            if not entry.promised:
                entry.error = error
        self._queue[:] = [entry for entry in self._queue if entry.promised]

    def _show(self, entries: list[_Entry] | tuple[_Entry, ...]) -> None:
        if self._publish is not None:
            for entry in entries:
                if entry.envelope is not None:  # always, for what is stored
                    self._publish(entry.envelope)
        if self._feed is not None:
            for entry in entries:
                self._feed.push(entry.event)
