"""What the runtime needs of a place that keeps events, and what auditors get from it."""

from collections.abc import AsyncIterator, Callable, Generator, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, final

import attrs

from par.errors import ChainBroken
from par.events import Envelope, Event

__all__ = ["AuditStore", "EventQuery", "Expired", "Head", "Redaction", "SessionSummary", "Store", "Verification"]


@attrs.frozen(kw_only=True)
class Head:
    """The end of a session's chain at some moment: what is kept elsewhere to prove later what was there."""

    scope: str
    session: str
    seq: int
    """The number of the session's last event."""
    hash: str
    """The hash of that event, 64 hexadecimal digits: it stands for the event and for all before it."""
    at: datetime
    """When that event happened."""
    position: int
    """The place of that event in the order of storage."""


@attrs.frozen(kw_only=True)
class Verification:
    """What ``verify`` found: how much it read, and the first break of each broken session."""

    sessions: int
    events: int
    broken: tuple[ChainBroken, ...] = ()
    redacted: int = 0
    """How many of the events have no content any more, by redactions that the store tells of."""
    expired: int = 0
    """How many events are gone from the front of their sessions, by expiries that the store tells of."""
    unkeyed: tuple[str, ...] = ()
    """The sessions whose last event is hashed without a key, of a store that was opened with one: written before."""

    @property
    def ok(self) -> bool:
        """Whether every chain is as it was written."""
        return not self.broken

    def raise_if_broken(self) -> None:
        """Raise the first break, if there is one.

        Raises:
            ChainBroken: the first one found.
        """
        if self.broken:
            raise self.broken[0]


@attrs.frozen(kw_only=True)
class SessionSummary:
    """A session of the store: its id, how many events it has, and when the first and the last happened."""

    session: str
    events: int
    first_at: datetime
    last_at: datetime


@attrs.frozen(kw_only=True)
class Redaction:
    """What a redaction removed: the contents of these events of a session."""

    session: str
    seqs: tuple[int, ...]


@attrs.frozen(kw_only=True)
class Expired:
    """What an expiry has removed so far: ``events`` events of ``sessions`` sessions."""

    sessions: int
    events: int


@final
class EventQuery:
    """Events to come: ``await`` it for all of them as a tuple, or go through it with ``async for``."""

    def __init__(self, read: Callable[[], AsyncIterator[Envelope]]) -> None:
        self._read = read

    def __aiter__(self) -> AsyncIterator[Envelope]:
        return self._read()

    def __await__(self) -> Generator[object, None, tuple[Envelope, ...]]:
        return self._collect().__await__()

    async def _collect(self) -> tuple[Envelope, ...]:
        return tuple([envelope async for envelope in self._read()])


class Store(Protocol):
    """Keeps the events of sessions, append-only, each session in a hash chain."""

    async def append(self, envelopes: Sequence[Envelope], /) -> None:
        """Store the events, in order; return when they are durable.

        An event that is already stored, with the same number and id, is passed over: who was cancelled while
        waiting may send it again. What was sent is stored or not, but nothing after it is stored without it.

        Raises:
            StoreError: if they could not be stored.
        """
        ...

    async def last_seq(self, session: str, /) -> int:
        """Return the number of the session's last event, 0 if it has none."""
        ...

    def events(
        self, session: str | None = None, *, run: str | None = None, after: int = 0, limit: int | None = None
    ) -> EventQuery:
        """Return the events of a session (of all sessions: in the order in which they were stored).

        ``after`` leaves out events up to that sequence number (with ``session``) or up to that position (without).
        """
        ...

    async def verify(self, session: str | None = None) -> Verification:
        """Read every record of the session, or of all, and check its hash chain."""
        ...


class AuditStore(Store, Protocol):
    """What auditors get from par's own stores, on each database alike. All of it is confined to the store's scope."""

    async def post(self, session: str, events: Sequence[Event], /, *, run: str = "") -> int:
        """Queue events that the store numbers itself, and return how many of them were taken.

        Returns when they are queued, not when they are durable; ``flush`` waits for that.
        """
        ...

    async def flush(self) -> None:
        """Return when all that is queued now is durable, or was given up."""
        ...

    async def last_position(self) -> int:
        """Return the position of the event that was stored last, 0 in an empty store."""
        ...

    async def sessions(self) -> tuple[SessionSummary, ...]:
        """Return a summary of each session that has events, the one that was active last at the end."""
        ...

    async def heads(self) -> tuple[Head, ...]:
        """Return the head of each session, to be kept elsewhere."""
        ...

    async def verify(self, session: str | None = None, *, heads: Iterable[Head] = ()) -> Verification:
        """Check the chain of the session, or of all, also against heads that were kept elsewhere."""
        ...

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
        """Remove the contents of events of a session, and tell so in the session ``par.audit``."""
        ...

    async def redact_person(self, texts: Iterable[str], /, *, reason: str, by: str) -> tuple[Redaction, ...]:
        """Remove the contents of all events that hold one of the texts."""
        ...

    async def expire(
        self,
        *,
        older_than: timedelta | None = None,
        before: datetime | None = None,
        session: str | None = None,
        progress: Callable[[Expired], None] | None = None,
    ) -> Expired:
        """Remove old events from the front of each session, and tell so in the session ``par.audit``."""
        ...
