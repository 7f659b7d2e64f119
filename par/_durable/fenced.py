"""Where the events of a run in a durable session go: with its checkpoints, and only while the session is its own."""

from collections.abc import Sequence
from functools import reduce
from typing import final

from par._durable.log import Change, Lease, SessionLog, StepRecord, merged
from par._store import EventQuery, Store, Verification
from par.errors import LeaseLost, StoreError, StoreUnavailable
from par.events import Envelope

__all__ = ["Fenced"]


@final
class Fenced:
    """A ``Store`` for one run. What is ``added`` is written with the next append, in one transaction."""

    def __init__(self, log: SessionLog, lease: Lease, store: Store) -> None:
        self._log = log
        self._lease = lease
        self._store = store
        self._changes: list[Change] = []
        self._sent: tuple[int, tuple[Envelope, ...]] | None = None
        """How many changes went with which events in a commit of which it is not known what came of it."""
        self.refused: tuple[StepRecord, ...] = ()
        """Steps that the store could not take, and never will."""
        self._stored: set[str] = set()
        """Events that are stored, and of which nobody has been told so."""
        self.has_mail = True
        """Whether something may wait that was sent to the session: as of the last append, and before the first."""

    def add(self, change: Change) -> None:
        """Let a change be written with the next append."""
        self._changes.append(change)

    def waiting(self) -> bool:
        """Tell whether a change waits to be written."""
        return bool(self._changes)

    async def append(self, envelopes: Sequence[Envelope], /) -> None:
        """Write the events and what was added, all or nothing; return when both are durable.

        What was added stays until it is known to be written: after a cancellation it is written again, which changes
        nothing.

        Raises:
            LeaseLost: if another process owns the session.
            StoreError: if the store cannot write it.
        """
        new = [envelope for envelope in envelopes if envelope.id not in self._stored]
        if self._sent is not None and new:
            count, sent = self._sent
            if count < len(self._changes) and all(envelope in sent for envelope in new):
                # stored events say that what goes with them is done: what was added since must not go with them
                await self._commit(count, sent)
                self._stored.update(envelope.id for envelope in sent)
                new = []
        await self._commit(len(self._changes), new)
        self._stored.clear()

    async def _commit(self, count: int, envelopes: Sequence[Envelope]) -> None:
        changes = self._changes[:count]
        if envelopes:
            self._sent = (count, tuple(envelopes))
        try:
            self.has_mail = await self._log.commit(
                reduce(merged, changes) if changes else Change(lease=self._lease), envelopes
            )
        except Exception as error:  # nothing of it is stored, or it is asked for what is
            self._sent = None
            self._stored.clear()
            if isinstance(error, StoreError) and not isinstance(error, (LeaseLost, StoreUnavailable)):
                await self._sift()  # noqa: ASYNC120 # a cancellation counts for more
            raise
        self._sent = None
        del self._changes[:count]

    async def _sift(self) -> None:
        """Give up the changes that the store refuses: otherwise not even the end of the turn could be stored."""
        while self._changes:
            change = self._changes[0]
            try:
                await self._log.commit(change, ())
            except (LeaseLost, StoreUnavailable):
                return  # what is left is tried again with the next append
            except StoreError:
                self.refused += change.steps
            del self._changes[0]

    async def last_seq(self, session: str, /) -> int:
        """Return the number of the last event, which is this run's own.

        Raises:
            LeaseLost: if another process owns the session: its events may be the last.
            StoreError: if the store cannot tell.
        """
        seq = await self._store.last_seq(session)
        await self._log.commit(Change(lease=self._lease), ())
        return seq

    def events(
        self, session: str | None = None, *, run: str | None = None, after: int = 0, limit: int | None = None
    ) -> EventQuery:
        """Return the events of the store."""
        return self._store.events(session, run=run, after=after, limit=limit)

    async def verify(self, session: str | None = None) -> Verification:
        """Check the chains of the store."""
        return await self._store.verify(session)
