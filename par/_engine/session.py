"""A conversation in memory: what was said, and the number of its last event."""

from typing import final

import anyio

from par.messages import Message

__all__ = ["Session"]


@final
class Session:
    """The mutable state of one session; its runtime owns it, and one run at a time writes it."""

    __slots__ = ("_lock", "history", "id", "known_to_store", "seq")

    def __init__(self, session_id: str, history: tuple[Message, ...] = (), *, fresh: bool = False) -> None:
        self.id = session_id
        self.history = history
        self.seq = 0
        self.known_to_store = fresh
        """Whether ``seq`` is what the store has; a session with a fresh id has no events there."""
        self._lock: anyio.Lock | None = None

    @property
    def lock(self) -> anyio.Lock:
        """Held by the run that is writing; made at first use, for sessions that nobody shares need none."""
        if self._lock is None:
            self._lock = anyio.Lock()
        return self._lock

    def next_seq(self) -> int:
        """Return the number of the next event."""
        self.seq += 1
        return self.seq
