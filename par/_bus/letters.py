"""Dead letters: events that could not be delivered, and what a place must do that keeps them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import attrs

from par.events import Envelope, ErrorInfo

__all__ = ["DeadLetter", "DeadLetterStore", "HasDeadLetters", "Reason"]

Reason: TypeAlias = Literal["failed", "timed_out", "queue_full", "unsubscribed", "closed"]
"""Why an event was not delivered: the last attempt raised or took too long, there was no room for it in the queue, or
the subscription or the bus ended first."""


@attrs.frozen(kw_only=True)
class DeadLetter:
    """An event that did not reach a subscriber."""

    id: str
    """A ULID; letters sort by the time at which they were given up."""
    subscriber: str
    """The name of the subscription."""
    envelope: Envelope
    """The event and its place. After a redaction ``Redacted`` stands where the event was."""
    reason: Reason
    error: ErrorInfo | None = None
    """What the last attempt raised; the log has more of it."""
    attempts: int
    """How often the handler was called with the event, replays included."""
    at: datetime
    """When it was given up; UTC."""
    replays: int = 0
    """How many replays have failed."""
    replayed_at: datetime | None = None
    """When the last of them did."""
    redacted: bool = False
    """Whether the event's content was removed: such a letter cannot be delivered any more."""


class DeadLetterStore(Protocol):
    """Keeps dead letters until they are delivered or deleted. All of it is confined to the store's scope."""

    async def put(self, letters: Sequence[DeadLetter], /) -> None:
        """Store the letters; return when they are durable. A letter that is there already is passed over.

        Raises:
            StoreUnavailable: if they cannot be stored now.
            StoreError: if one of them never can; then none is.
        """
        ...

    async def find(
        self,
        *,
        subscriber: str | None = None,
        session: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> tuple[DeadLetter, ...]:
        """Return letters by their ids, the oldest first: of a subscriber, of a session, or all.

        ``after`` is the id of the last letter of the page before; ``limit`` the size of the page, from 1 to 1,000.

        Raises:
            ValueError: for a limit out of range.
            StoreError: if they cannot be read.
        """
        ...

    async def get(self, id: str, /) -> DeadLetter | None:  # noqa: A002 # it is what it is called
        """Return a letter, ``None`` if there is none of this id.

        Raises:
            StoreError: if it cannot be read.
        """
        ...

    async def mark_replayed(
        self,
        id: str,  # noqa: A002 # it is what it is called
        /,
        *,
        at: datetime,
        attempts: int,
        reason: Reason,
        error: ErrorInfo | None,
    ) -> bool:
        """Write on a letter that one more replay has failed, and how; tell whether the letter is there.

        Raises:
            StoreError: if it cannot be written.
        """
        ...

    async def delete(self, ids: Iterable[str], /) -> int:
        """Remove letters, and return how many of them were there.

        Raises:
            StoreError: if they cannot be removed.
        """
        ...

    async def forget(self, texts: Iterable[str], /) -> int:
        """Remove the event from each letter in which one of the texts occurs, and return how many letters those are.

        Upper and lower case count as the same, and every way in which JSON may write a text is looked for.

        Raises:
            ValueError: for no text, or an empty one.
            StoreError: if a letter cannot be read or written.
        """
        ...


@runtime_checkable
class HasDeadLetters(Protocol):
    """A store of events that keeps dead letters beside them."""

    def dead_letters(self) -> DeadLetterStore:
        """Return the dead letters of the store's scope."""
        ...
