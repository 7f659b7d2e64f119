"""A conversation in memory: what was said, and the number of its last event."""

from contextlib import AbstractAsyncContextManager
from typing import final

import anyio

from par.errors import UsageError
from par.messages import Message

__all__ = ["Session"]


@final
class _Unshared(AbstractAsyncContextManager[None]):
    """The lock of a session that only one run knows."""

    async def __aenter__(self) -> None:  # noqa: ASYNC124 # as a lock's
        return None

    async def __aexit__(self, *exc_info: object) -> None:  # noqa: ASYNC124 # as a lock's
        return None


_UNSHARED = _Unshared()


@final
class Session:
    """The mutable state of one session; its runtime owns it, and one run at a time writes it.

    A ``private`` one has a fresh id and a single run: it needs no lock, and the store has nothing of it.
    """

    __slots__ = ("_lock", "_mail", "history", "id", "interrupted", "known_to_store", "seq")

    def __init__(self, session_id: str, *, private: bool = False) -> None:
        self.id = session_id
        self.history: tuple[Message, ...] = ()
        self.seq = 0
        self.known_to_store = private
        """Whether ``seq`` is what the store has."""
        self.interrupted: str | None = None
        """Why the run that is writing it shall end before its next step."""
        self._mail: list[tuple[Message, bool]] = []
        self._lock = None if private else anyio.Lock(fast_acquire=True)

    @property
    def turn(self) -> AbstractAsyncContextManager[None]:
        """Held by the run that is writing; runs get it in the order in which they asked.

        Raises:
            UsageError: in a task that has it already, in the block of a stream: it would wait for itself.
        """
        if self._lock is None:
            return _UNSHARED
        if self._lock.statistics().owner == anyio.get_current_task():
            raise UsageError(f"this task has a stream of the session {self.id!r} open: leave its block first")
        return self._lock

    @property
    def busy(self) -> bool:
        """Whether a run is writing the session or waits to."""
        return self._lock is not None and (self._lock.locked() or self._lock.statistics().tasks_waiting > 0)

    def begin_with(self, earlier: tuple[Message, ...]) -> None:
        """Take messages of before the first run.

        Raises:
            UsageError: if the session has messages.
        """
        if earlier:
            if self.history:
                raise UsageError(f"the session {self.id!r} has messages of its own: leave out messages=...")
            self.history = earlier

    def send(self, message: Message, *, follow_up: bool) -> None:
        """Keep a message for the next model call; a follow-up for the first after an answer, or of the next run."""
        self._mail.append((message, follow_up))

    @property
    def has_mail(self) -> bool:
        """Whether a message waits."""
        return bool(self._mail)

    def take_mail(self, *, follow_ups: bool) -> tuple[Message, ...]:
        """Take the messages that wait, in the order in which they were sent; follow-ups only if they are asked for."""
        if not self._mail:
            return ()
        taken = tuple([message for message, follow_up in self._mail if follow_ups or not follow_up])
        self._mail = [] if follow_ups else [letter for letter in self._mail if letter[1]]
        return taken

    def next_seq(self) -> int:
        """Return the number of the next event."""
        self.seq += 1
        return self.seq
