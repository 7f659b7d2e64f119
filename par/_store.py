"""What the runtime needs of a place that keeps events, and what auditors get from it."""

from collections.abc import AsyncIterator, Callable, Generator, Sequence
from typing import Protocol, final

import attrs

from par.errors import ChainBroken
from par.events import Envelope

__all__ = ["EventQuery", "Store", "Verification"]


@attrs.frozen(kw_only=True)
class Verification:
    """What ``verify`` found: how much it read, and the first break of each broken session."""

    sessions: int
    events: int
    broken: tuple[ChainBroken, ...] = ()

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
