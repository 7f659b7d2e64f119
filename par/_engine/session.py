"""A conversation in memory: what was said, and the number of its last event."""

from typing import final

import anyio

from par.errors import UsageError
from par.messages import Message

__all__ = ["Session"]


@final
class Session:
    """The mutable state of one session; its runtime owns it, and one run at a time writes it."""

    __slots__ = ("_lock", "history", "id", "known_to_store", "seq")

    def __init__(self, session_id: str, *, fresh: bool = False) -> None:
        self.id = session_id
        self.history: tuple[Message, ...] = ()
        self.seq = 0
        self.known_to_store = fresh
        """Whether ``seq`` is what the store has; a session with a fresh id has no events there."""
        self._lock: anyio.Lock | None = None

    @property
    def lock(self) -> anyio.Lock:
        """Held by the run that is writing; made at first use, for sessions that nobody shares need none."""
        if self._lock is None:
            self._lock = anyio.Lock(fast_acquire=True)
        return self._lock

    def begin_with(self, earlier: tuple[Message, ...]) -> None:
        """Take messages of before the first run.

        Raises:
            UsageError: if the session has messages.
        """
        if earlier:
            if self.history:
                raise UsageError(f"the session {self.id!r} has messages of its own: leave out messages=...")
            self.history = earlier

    @property
    def busy(self) -> bool:
        """Whether a run is writing the session or waits to."""
        return self._lock is not None and (self._lock.locked() or self._lock.statistics().tasks_waiting > 0)

    def next_seq(self) -> int:
        """Return the number of the next event."""
        self.seq += 1
        return self.seq
