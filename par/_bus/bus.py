"""The bus as programs see it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Final, Self, cast, final, get_args, overload

import anyio.lowlevel
from typing_extensions import TypeVar

from par._bus.delivery import Delivery, Subscribing, caller
from par._bus.letters import DeadLetterStore, HasDeadLetters
from par._bus.memory import MemoryDeadLetters
from par._bus.options import BusOptions, DeliveryPolicy
from par._bus.replay import Replay, Replayer
from par._bus.stream import EventStream, StreamFull
from par._bus.subscriber import Subscriber
from par._bus.switchboard import Subscription, Switchboard
from par._clock import Clock
from par.errors import UsageError
from par.events import Envelope, Event

__all__ = ["EventBus"]

E1 = TypeVar("E1", bound=Event)
E2 = TypeVar("E2", bound=Event)
E3 = TypeVar("E3", bound=Event)
E4 = TypeVar("E4", bound=Event)
# a handler of two kinds is declared for Delivery[A] | Delivery[B]: checkers find both there, but not in Delivery[A | B]

_KINDS: Final[frozenset[type[object]]] = frozenset(get_args(Event))


@final
class EventBus:
    """Brings recorded events to subscribers in this process. ``runtime.bus`` is one.

    ``publish`` never waits: each subscriber has a queue and a task of its own, so one that is slow, hangs, or fails
    holds up neither the runs nor the others. An event reaches a subscriber at least once, or becomes a dead letter,
    which is kept until it is delivered again with ``replay`` or deleted; unless it is dropped, which only
    ``when_full`` can ask for. What a killed process had queued is in the audit alone.

    A bus of its own, without a runtime, is entered: ``async with EventBus() as bus``. Its subscribers end with the
    block: they get what is queued, for ``drain_s`` seconds, also when the block is cancelled. It belongs to the
    event loop on which it was entered, and must not be used from other threads.

    Args:
        options: how the bus keeps dead letters, and how it ends.
        store: a store of events that may keep dead letters, unless ``options`` names another.
        clock: stamps dead letters.
    """

    def __init__(self, options: BusOptions | None = None, *, store: object = None, clock: Clock | None = None) -> None:
        options = options or BusOptions()
        letters = options.dead_letters
        if letters is None:
            letters = store.dead_letters() if isinstance(store, HasDeadLetters) else MemoryDeadLetters()
        self._letters = letters
        self._board = Switchboard(options, letters, clock or Clock())
        self._replayer = Replayer(self._board, letters)

    @property
    def dead_letters(self) -> DeadLetterStore:
        """Where dead letters are kept: to list, read and delete them."""
        return self._letters

    @property
    def lost(self) -> int:
        """How many dead letters could not be stored; the log names each."""
        return self._board.burial.lost

    @property
    def wanted(self) -> bool:
        """Whether anybody subscribes to anything now."""
        return self._board.wanted

    # --- subscribers -----------------------------------------------------------------------------------

    @overload
    def subscribe(
        self,
        handler: Subscribing[E1],
        k1: type[E1],
        /,
        *,
        name: str | None = None,
        session: str | None = None,
        policy: DeliveryPolicy | None = None,
    ) -> Subscription: ...
    @overload
    def subscribe(
        self,
        handler: Callable[[Delivery[E1] | Delivery[E2]], object],
        k1: type[E1],
        k2: type[E2],
        /,
        *,
        name: str | None = None,
        session: str | None = None,
        policy: DeliveryPolicy | None = None,
    ) -> Subscription: ...
    @overload
    def subscribe(
        self,
        handler: Callable[[Delivery[E1] | Delivery[E2] | Delivery[E3]], object],
        k1: type[E1],
        k2: type[E2],
        k3: type[E3],
        /,
        *,
        name: str | None = None,
        session: str | None = None,
        policy: DeliveryPolicy | None = None,
    ) -> Subscription: ...
    @overload
    def subscribe(
        self,
        handler: Callable[[Delivery[E1] | Delivery[E2] | Delivery[E3] | Delivery[E4]], object],
        k1: type[E1],
        k2: type[E2],
        k3: type[E3],
        k4: type[E4],
        /,
        *,
        name: str | None = None,
        session: str | None = None,
        policy: DeliveryPolicy | None = None,
    ) -> Subscription: ...
    @overload
    def subscribe(
        self,
        handler: Subscribing[Event],
        /,
        *kinds: type[Event],
        name: str | None = None,
        session: str | None = None,
        policy: DeliveryPolicy | None = None,
    ) -> Subscription: ...
    def subscribe(
        self,
        handler: object,
        /,
        *kinds: type[object],
        name: str | None = None,
        session: str | None = None,
        policy: DeliveryPolicy | None = None,
    ) -> Subscription:
        """Call the handler with each event of these kinds that is published from now on, in order, one at a time.

        Without kinds it gets all events. With more than four its parameter is a ``Delivery[Event]`` for checkers.
        An async handler runs on the event loop and should not block it. A plain function is called in a thread; one
        that exceeds its time is left alone in it, and no second call begins before it has ended.

        Args:
            handler: an async function, or a plain one, of one ``Delivery``.
            kinds: classes of ``par.events``.
            name: what dead letters are kept under, also beyond a restart; the function's own name by default.
            session: the session whose events are wanted; all by default.
            policy: the queue, the time and the retries.

        Raises:
            UsageError: for a name that is taken, a function without one, a bus that is closed, or that of a runtime
                which was entered without any reason to expect subscribers.
            TypeError: for a handler that is not callable, or a kind that is no event.
        """
        wanted = _checked_kinds(kinds)
        call = caller(cast("Subscribing[Event]", handler))  # it is given the kinds that its parameter names
        name = _name_of(handler) if name is None else name
        if not name:
            raise UsageError("a subscriber's name must not be empty")
        board = self._board
        if name in board.by_name:
            raise UsageError(f"there is a subscriber {name!r} already: give this one another name=...")
        board.refuse_if_closed()
        subscriber = Subscriber(
            name, wanted, session, call, policy or DeliveryPolicy(), board.bury, board.options.rng, board.has_ended
        )
        board.add_subscriber(subscriber)
        return Subscription(board, subscriber)

    @overload
    def stream(
        self,
        k1: type[E1],
        /,
        *,
        session: str | None = None,
        queue: int = 1000,
        when_full: StreamFull = "drop_oldest",
    ) -> AbstractAsyncContextManager[EventStream[E1]]: ...
    @overload
    def stream(
        self,
        k1: type[E1],
        k2: type[E2],
        /,
        *,
        session: str | None = None,
        queue: int = 1000,
        when_full: StreamFull = "drop_oldest",
    ) -> AbstractAsyncContextManager[EventStream[E1 | E2]]: ...
    @overload
    def stream(
        self,
        k1: type[E1],
        k2: type[E2],
        k3: type[E3],
        /,
        *,
        session: str | None = None,
        queue: int = 1000,
        when_full: StreamFull = "drop_oldest",
    ) -> AbstractAsyncContextManager[EventStream[E1 | E2 | E3]]: ...
    @overload
    def stream(
        self,
        /,
        *kinds: type[Event],
        session: str | None = None,
        queue: int = 1000,
        when_full: StreamFull = "drop_oldest",
    ) -> AbstractAsyncContextManager[EventStream[Event]]: ...
    def stream(
        self,
        /,
        *kinds: type[object],
        session: str | None = None,
        queue: int = 1000,
        when_full: StreamFull = "drop_oldest",
    ) -> AbstractAsyncContextManager[EventStream[Event]]:
        """Open a stream of the events of these kinds (all by default) that are published inside the block.

        ``queue`` events may wait for the reader; then the oldest or the newest one is dropped, and counted. With more
        than three kinds it is a stream of ``Event`` for checkers.

        Raises:
            UsageError: if the bus is closed.
            TypeError: for a kind that is no event.
            ValueError: for a queue below 1, or another ``when_full``.
        """
        if when_full not in ("drop_oldest", "drop_newest"):
            raise ValueError(f"when_full must be 'drop_oldest' or 'drop_newest', got {when_full!r}")
        checked = DeliveryPolicy(queue=queue)
        return self._stream(_checked_kinds(kinds), EventStream(session, checked.queue, when_full))

    @asynccontextmanager
    async def _stream(
        self, kinds: frozenset[type[object]], stream: EventStream[Event]
    ) -> AsyncGenerator[EventStream[Event]]:
        self._board.refuse_if_closed()
        self._board.add_stream(stream, kinds)
        try:
            yield stream
        finally:
            self._board.remove_stream(stream)

    # --- events ----------------------------------------------------------------------------------------

    def publish(self, envelope: Envelope) -> None:
        """Give the event to the queues of all who want it; returns at once, whatever they do.

        The runtime publishes what its runs tell, after the store has it. Programs may publish events that they read
        elsewhere, such as those of other processes from a store.
        """
        self._board.publish(envelope)

    async def drained(self) -> None:
        """Return when all that was published is delivered or given up, and the dead letters of it are stored."""
        for subscriber in list(self._board.by_name.values()):
            await subscriber.quiet()
        await self._board.burial.stored()
        await anyio.lowlevel.checkpoint()

    # --- dead letters ----------------------------------------------------------------------------------

    async def replay(
        self, letter: str | None = None, *, subscriber: str | None = None, to: str | None = None
    ) -> Replay:
        """Deliver dead letters again: the one of this id, those of a subscriber, or all that there are now.

        Each goes to the subscriber whose name it has, before what waits in that subscriber's queue, with the attempts
        that its policy grants; ``to`` names another one, for handlers that were renamed. A letter leaves the store
        after its delivery, and not before: if the process ends in between, it is delivered once more. A caller that is
        cancelled stops before the next letter; the one that is being delivered is brought to its end.

        Raises:
            UsageError: if there is no such letter or subscriber, in the handler of the subscriber itself, or if the
                bus has not been entered.
            StoreError: if the letters cannot be read, or what became of one cannot be written down.
        """
        return await self._replayer.replay(letter, subscriber, to)

    # --- the end ---------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self._board.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.aclose()  # noqa: ASYNC102 # it shields itself
        finally:
            await self.leave()  # noqa: ASYNC102 # every task has been told to end

    async def aclose(self) -> None:
        """Deliver what is queued, for ``drain_s`` seconds, make dead letters of the rest, and end every subscriber.

        Leaving the block does this; programs need not call it.
        """
        await self._board.close()

    async def leave(self) -> None:
        """Leave the group of the tasks, after ``aclose``; for whoever cannot leave the block."""
        await self._board.leave()

    def refuse_subscribers(self) -> None:
        """Take streams only, for this bus will not be entered; a runtime says so."""
        self._board.without_tasks = True


def _checked_kinds(kinds: tuple[type[object], ...]) -> frozenset[type[object]]:
    for kind in kinds:
        if kind not in _KINDS:
            raise TypeError(f"a kind of event is a class of par.events, got {kind!r}")
    return frozenset(kinds) or _KINDS


def _name_of(handler: object) -> str:
    name: object = getattr(handler, "__qualname__", None)
    if not isinstance(name, str) or "<lambda>" in name:
        raise UsageError("give this handler a name=..., under which its dead letters are found again")
    return f"{getattr(handler, '__module__', '')}.{name}"
