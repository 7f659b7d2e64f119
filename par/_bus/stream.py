"""Events for whoever takes them one by one."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, Literal, TypeAlias, cast, final

import anyio
import anyio.lowlevel
from typing_extensions import TypeVar

from par._bus.delivery import Delivery
from par.events import Envelope, Event

__all__ = ["EventStream", "StreamFull"]

E_co = TypeVar("E_co", bound=Event, covariant=True)

StreamFull: TypeAlias = Literal["drop_oldest", "drop_newest"]


@final
class EventStream(Generic[E_co]):
    """The events of a bus, in order, for one reader: ``async for delivery in events``.

    It ends when the bus does, after what was queued. What the reader is too slow for is dropped and counted; it
    becomes no dead letter, for a stream has no name under which one could be delivered again.
    """

    def __init__(self, session: str | None, queue: int, when_full: StreamFull) -> None:
        self._session = session
        self._limit = queue
        self._when_full = when_full
        self._queue: deque[Envelope] = deque()
        self._more: anyio.Event | None = None
        self._ended = False
        self.dropped = 0
        """How many events found the queue full."""

    def __aiter__(self) -> AsyncIterator[Delivery[E_co]]:
        return self

    async def __anext__(self) -> Delivery[E_co]:
        await anyio.lowlevel.checkpoint()
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            self._more = anyio.Event()
            await self._more.wait()
        envelope = self._queue.popleft()
        # the index of the bus gives a stream the kinds of events that it was opened for
        return cast("Delivery[E_co]", Delivery[Event](envelope.event, envelope))

    def offer(self, envelope: Envelope) -> None:
        """Take the event, if it is of the session; never waits."""
        if self._session is not None and envelope.session != self._session:
            return
        if len(self._queue) < self._limit:
            self._queue.append(envelope)
        else:
            self.dropped += 1
            if self._when_full == "drop_oldest":
                self._queue.popleft()
                self._queue.append(envelope)
        if self._more is not None:
            self._more.set()

    def end(self) -> None:
        """Say that nothing more will come."""
        self._ended = True
        if self._more is not None:
            self._more.set()
