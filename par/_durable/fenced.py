"""Where the events of a run in a durable session go: with its checkpoints, and only while the session is its own."""

from collections.abc import Sequence
from functools import reduce
from typing import final

from par._durable.log import Change, Lease, SessionLog, merged
from par._store import EventQuery, Store, Verification
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
        changes = tuple(self._changes)
        change = reduce(merged, changes) if changes else Change(lease=self._lease)
        self.has_mail = await self._log.commit(change, envelopes)
        del self._changes[: len(changes)]

    async def last_seq(self, session: str, /) -> int:
        """Return the number of the session's last event."""
        return await self._store.last_seq(session)

    def events(
        self, session: str | None = None, *, run: str | None = None, after: int = 0, limit: int | None = None
    ) -> EventQuery:
        """Return the events of the store."""
        return self._store.events(session, run=run, after=after, limit=limit)

    async def verify(self, session: str | None = None) -> Verification:
        """Check the chains of the store."""
        return await self._store.verify(session)
