"""Records that the store makes itself: of what it removed, and of events that nobody numbered."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import final

from par._clock import Clock
from par._ids import new_ulid
from par.codec import time_text
from par.errors import StoreError
from par.events import Envelope, Event
from par.persistence._chain import AUDIT_SESSION, Record, record_of

__all__ = ["Scribe", "refuse_own_session"]


@final
class Scribe:
    """Makes records without a number, for whoever writes them to give them one. May be used by several threads."""

    def __init__(self, scope: str, clock: Clock) -> None:
        self.scope = scope
        self._clock = clock

    def record(self, event: Event, session: str, run: str) -> Record:
        """Return the record of an event that happens now.

        Raises:
            StoreError: if it cannot be stored.
        """
        envelope = Envelope(
            id=new_ulid(), session=session, run=run, step=0, parent=None, at=self._clock.now(), seq=0, event=event
        )
        return record_of(envelope, self.scope, unnumbered=True)

    def now(self) -> str:
        """Return the time, as records have it."""
        return time_text(self._clock.now())

    def tell(self, event: Event) -> Record:
        """Return the record by which the store tells what it does."""
        return self.record(event, AUDIT_SESSION, "")

    def limit_of(self, older_than: timedelta | None, before: datetime | None) -> str:
        """Return the time before which events are old.

        Raises:
            ValueError: unless one of the two is given, or for one that is not positive or has no time zone.
        """
        if older_than is not None and before is None:
            if older_than <= timedelta(0):
                raise ValueError(f"older_than must be positive, got {older_than}")
            return time_text(self._clock.now() - older_than)
        if before is None or older_than is not None:
            raise ValueError("one of older_than and before must be given")
        if before.utcoffset() is None:
            raise ValueError("before must have a time zone")
        return time_text(before)


def refuse_own_session(records: Iterable[Record]) -> None:
    """Refuse events for the session in which the store tells what it did.

    Raises:
        StoreError: if there is one.
    """
    if any(record.session == AUDIT_SESSION for record in records):
        raise StoreError(f"the session {AUDIT_SESSION!r} is the store's own: name another one")
