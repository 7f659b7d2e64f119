"""What a subscriber is given, and how its handler is called."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from inspect import isawaitable, iscoroutinefunction
from threading import Lock
from typing import Generic, TypeAlias, cast, final

import anyio
import anyio.from_thread
import anyio.to_thread
import attrs
from typing_extensions import TypeVar

from par.events import Envelope, Event

__all__ = ["Call", "Delivery", "Subscribing", "caller"]

E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)


@attrs.frozen
class Delivery(Generic[E_co]):
    """An event as a subscriber gets it."""

    event: E_co
    envelope: Envelope
    """Its place: the session, the run, the number, and the id, which is the same at every attempt."""
    attempt: int = 1
    """1 for the first time; above that, an earlier attempt may have done a part or all of its work."""


Subscribing: TypeAlias = Callable[[Delivery[E]], object]
"""A handler: an async function, or a plain one, which is called in a thread. What it returns is ignored."""

Call: TypeAlias = Callable[[Delivery[Event]], Awaitable[object]]


def caller(handler: Subscribing[Event]) -> Call:
    """Return what calls the handler from the event loop.

    Raises:
        TypeError: if the handler is not callable.
    """
    # callers without a checker may hand in anything
    if not callable(handler):
        raise TypeError(f"a handler must be a function of one delivery, got {handler!r}")
    if iscoroutinefunction(handler) or iscoroutinefunction(type(handler).__call__):
        return cast("Call", handler)  # the line above says that it is async
    return _InThread(handler).call


@final
class _Thread:
    """One call in a thread, as the thread and the event loop see it."""

    __slots__ = ("_left", "_lock", "_over", "_running", "free")

    def __init__(self) -> None:
        self.free = anyio.Event()
        """Set in the event loop once the function does not run any more, or will never."""
        self._lock = Lock()
        self._running = False
        self._left = False
        self._over = False

    def begin(self) -> bool:
        """Tell the thread whether it should still call the function."""
        with self._lock:
            self._running = not self._left
            return self._running

    def end(self) -> bool:
        """Tell the thread whether it has to say that it is free, because nobody waits for it."""
        with self._lock:
            self._over = True
            return self._left

    def leave(self) -> None:
        """Wait for the call no more."""
        with self._lock:
            self._left = True
            free = self._over or not self._running
        if free:
            self.free.set()


@final
class _InThread:
    """Calls a plain function in a thread, one call at a time.

    A call whose time is over is left alone, for a thread cannot be stopped; the next one waits until it has ended, so
    a handler that hangs costs one thread, and meets no second call of itself.
    """

    def __init__(self, function: Subscribing[Event]) -> None:
        self._function = function
        self._last: _Thread | None = None
        self._limiter: anyio.CapacityLimiter | None = None

    async def call(self, delivery: Delivery[Event]) -> object:
        if self._last is not None:
            await self._last.free.wait()
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(1)  # of its own: hung handlers must not take the threads of tools
        thread = self._last = _Thread()
        try:
            returned = await anyio.to_thread.run_sync(
                self._run, thread, delivery, abandon_on_cancel=True, limiter=self._limiter
            )
        finally:
            thread.leave()
        for result in returned:
            if isawaitable(result):
                return await result
        return None

    def _run(self, thread: _Thread, delivery: Delivery[Event]) -> tuple[object, ...]:
        if not thread.begin():
            return ()
        try:
            return (self._function(delivery),)  # wrapped, for trio lets no coroutine out of a thread
        finally:
            if thread.end():
                with suppress(RuntimeError):  # the event loop may have ended
                    anyio.from_thread.run_sync(thread.free.set)
