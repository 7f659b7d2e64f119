"""A store whose events are published once it has them."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, final

import anyio.lowlevel

from par._bus.bus import EventBus
from par._store import EventQuery, Store, Verification
from par.events import Envelope

__all__ = ["Published"]


@final
class _Nowhere:
    """The store of runs that nobody keeps a record of: it numbers a session's events from 1 and forgets them."""

    async def append(self, envelopes: Sequence[Envelope], /) -> None:  # noqa: ASYNC124 # as a store's
        del envelopes

    async def last_seq(self, session: str, /) -> int:  # noqa: ASYNC124 # as a store's
        del session
        return 0

    def events(
        self, session: str | None = None, *, run: str | None = None, after: int = 0, limit: int | None = None
    ) -> EventQuery:
        del session, run, after, limit
        return EventQuery(_nothing)

    async def verify(self, session: str | None = None) -> Verification:
        del session
        await anyio.lowlevel.checkpoint()
        return Verification(sessions=0, events=0)


async def _nothing() -> AsyncIterator[Envelope]:
    await anyio.lowlevel.checkpoint()
    nothing: tuple[Envelope, ...] = ()
    for envelope in nothing:
        yield envelope


_NOWHERE: Final = _Nowhere()  # holds nothing, so one serves all


@final
class Published:
    """A store, or none, and the bus that is told of the events which it has.

    Whoever appends calls ``publish``, since only he knows what of an append that was cancelled is stored.
    """

    __slots__ = ("append", "events", "last_seq", "publish", "verify")

    def __init__(self, store: Store | None, bus: EventBus) -> None:
        inner: Store = _NOWHERE if store is None else store
        self.append = inner.append
        self.last_seq = inner.last_seq
        self.events = inner.events
        self.verify = inner.verify
        self.publish = bus.publish
