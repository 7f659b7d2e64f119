"""Who gets which events, and the life of those who do."""

from typing import Final, Protocol, final

import anyio
from anyio.abc import TaskGroup

from par._bus.burial import Burial
from par._bus.letters import DeadLetter, DeadLetterStore, Reason
from par._bus.options import BusOptions
from par._bus.stream import EventStream
from par._bus.subscriber import Subscriber
from par._clock import Clock
from par._ids import UlidSource
from par.errors import UsageError
from par.events import Envelope, ErrorInfo, Event

__all__ = ["Subscription", "Switchboard", "Taker"]

_CANCEL_S: Final = 5.0
"""How long closing waits for handlers that clean up after they were cancelled."""
_LETTERS_S: Final = 5.0
"""How long closing waits for the store of dead letters; enough for a slow disk, too short to hang a service."""


class Taker(Protocol):
    """Takes events without waiting."""

    def offer(self, envelope: Envelope) -> None: ...


@final
class Switchboard:
    """The state of a bus."""

    def __init__(self, options: BusOptions, letters: DeadLetterStore, clock: Clock) -> None:
        self.options = options
        self.clock = clock
        self.ids = UlidSource()
        self.by_name: dict[str, Subscriber] = {}
        self.without_tasks = False
        """Whether nobody may subscribe, because the bus is not entered."""
        self.burial = Burial(letters, options.pending_letters)
        self._takers: dict[type[object], tuple[Taker, ...]] = {}
        self._streams: set[EventStream[Event]] = set()
        self._group: TaskGroup | None = None
        self._one_ended: anyio.Event | None = None
        self._closing = False

    @property
    def wanted(self) -> bool:
        """Whether anybody wants any events now."""
        return bool(self._takers)

    @property
    def entered(self) -> bool:
        """Whether there are tasks that deliver."""
        return self._group is not None

    def refuse_if_closed(self) -> None:
        """Refuse new subscribers after the end.

        Raises:
            UsageError: then.
        """
        if self._closing:
            raise UsageError("the bus has been closed: nobody can subscribe to it any more")

    # --- events ----------------------------------------------------------------------------------------

    def publish(self, envelope: Envelope) -> None:
        """Give the event to all who want it."""
        for taker in self._takers.get(type(envelope.event), ()):
            taker.offer(envelope)

    def add(self, taker: Taker, kinds: frozenset[type[object]]) -> None:
        """Give events of these kinds to the taker from now on."""
        for kind in kinds:
            self._takers[kind] = (*self._takers.get(kind, ()), taker)

    def remove(self, taker: Taker) -> None:
        """Give no more events to the taker."""
        for kind, takers in list(self._takers.items()):
            left = tuple(one for one in takers if one is not taker)
            if left:
                self._takers[kind] = left
            else:
                del self._takers[kind]

    def add_subscriber(self, subscriber: Subscriber) -> None:
        """Start to deliver to the subscriber; before the bus is entered, its events wait.

        Raises:
            UsageError: if it will not be entered.
        """
        if self.without_tasks:
            raise UsageError(
                "this runtime was entered without tasks for subscribers: make it with Runtime(bus=BusOptions()), or "
                "subscribe before its block"
            )
        self.by_name[subscriber.name] = subscriber
        self.add(subscriber, subscriber.kinds)
        self._start(subscriber)

    def add_stream(self, stream: EventStream[Event], kinds: frozenset[type[object]]) -> None:
        """Give events to the stream."""
        self._streams.add(stream)
        self.add(stream, kinds)

    def remove_stream(self, stream: EventStream[Event]) -> None:
        """Give no more events to the stream."""
        self._streams.discard(stream)
        self.remove(stream)

    def has_ended(self, subscriber: Subscriber) -> None:
        """Free the name of a subscriber that has ended."""
        self.by_name.pop(subscriber.name, None)
        if self._one_ended is not None:
            self._one_ended.set()

    def bury(self, subscriber: str, envelope: Envelope, reason: Reason, attempts: int, error: ErrorInfo | None) -> None:
        """Make a dead letter of the event."""
        letter = DeadLetter(
            id=self.ids.next(),
            subscriber=subscriber,
            envelope=envelope,
            reason=reason,
            error=error,
            attempts=attempts,
            at=self.clock.now(),
        )
        self.burial.put(letter)
        self._start_burial()

    # --- beginning and end -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the tasks.

        Raises:
            UsageError: the second time.
        """
        if self._group is not None or self._closing:
            raise UsageError("a bus is entered once: make another")
        group = anyio.create_task_group()
        await group.__aenter__()
        self._group = group
        for subscriber in self.by_name.values():
            self._start(subscriber)
        self._start_burial()

    def _start(self, subscriber: Subscriber) -> None:
        if self._group is not None:
            self._group.start_soon(subscriber.run, name=f"subscriber {subscriber.name}")

    def _start_burial(self) -> None:
        if self._group is not None and self.burial.must_start:
            self.burial.start(self._group)

    async def close(self) -> None:
        """End every subscriber, after what is queued or after ``drain_s``; bounded, and shielded while it lasts."""
        self._closing = True
        for subscriber in self.by_name.values():
            subscriber.close()
        try:
            await self._wait_for_subscribers(self.options.drain_s)
        finally:
            for subscriber in self.by_name.values():
                subscriber.cancel("closed")
            await self._wait_for_subscribers(_CANCEL_S)  # noqa: ASYNC102 # it shields itself
            await self.burial.close(_LETTERS_S)  # noqa: ASYNC102 # as the one above
            for stream in self._streams:
                stream.end()

    async def leave(self) -> None:
        """Leave the group of the tasks, which have all been told to end."""
        if self._group is not None:
            # without the error of the block, which no group should wrap
            await self._group.__aexit__(None, None, None)

    async def _wait_for_subscribers(self, limit_s: float) -> None:
        if self._group is None or not self.by_name:
            return
        with anyio.move_on_after(limit_s, shield=True):
            while self.by_name:
                self._one_ended = anyio.Event()
                await self._one_ended.wait()


@final
class Subscription:
    """A handler's place at a bus."""

    def __init__(self, board: Switchboard, subscriber: Subscriber) -> None:
        self._board = board
        self._subscriber = subscriber

    def __repr__(self) -> str:
        return f"<subscription {self.name}: {self.waiting} waiting, {self.delivered} delivered>"

    @property
    def name(self) -> str:
        """The name under which dead letters are kept."""
        return self._subscriber.name

    @property
    def waiting(self) -> int:
        """How many events are in the queue, without the one that is being delivered."""
        return self._subscriber.waiting

    @property
    def delivered(self) -> int:
        """How many events the handler has taken, replays included."""
        return self._subscriber.delivered

    @property
    def dropped(self) -> int:
        """How many events were dropped because the queue was full and ``when_full`` said so."""
        return self._subscriber.dropped

    @property
    def ended(self) -> bool:
        """Whether the handler will not be called any more."""
        return self._subscriber.ended

    def close(self) -> None:
        """Take no more events; what is queued is still delivered."""
        self._board.remove(self._subscriber)
        self._subscriber.close()

    def cancel(self) -> None:
        """Take no more events, and cancel the delivery that is going on; what is undelivered becomes dead letters."""
        self._board.remove(self._subscriber)
        self._subscriber.cancel("unsubscribed")
