"""One subscriber: its queue, and the task that empties it."""

import logging
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Literal, Protocol, TypeAlias, final

import anyio
import anyio.lowlevel
import attrs

from par._bus.delivery import Call, Delivery
from par._bus.letters import DeadLetter, Reason
from par._bus.options import DeliveryPolicy
from par.errors import DeliveryFailed, DeliveryRefused
from par.events import Envelope, ErrorInfo, Event

__all__ = ["Failure", "Outcome", "Replaying", "Subscriber"]

Outcome: TypeAlias = Literal["delivered", "failed", "unfinished"]

_log = logging.getLogger("par.bus")


@attrs.frozen
class Failure:
    """Why an attempt failed."""

    reason: Reason
    error: ErrorInfo | None
    final: bool = False
    """Whether the handler says that trying again is of no use."""
    after_s: float = 0.0
    """How long the handler asks to wait before the next attempt."""


_STRAY = Failure("failed", ErrorInfo(type="Cancelled", message="the handler was cancelled by itself"))


class Bury(Protocol):
    """Takes an event that could not be delivered."""

    def __call__(
        self, subscriber: str, envelope: Envelope, reason: Reason, attempts: int, error: ErrorInfo | None
    ) -> None: ...


class Replaying(Protocol):
    """What a replay does with its letter; runs in the subscriber's task, so nobody cancels it halfway."""

    async def delivered(self) -> None: ...
    async def failed(self, failure: Failure, attempts: int) -> None: ...


@final
class _Parcel:
    """An event on its way to the handler, and what became of it."""

    __slots__ = ("before", "envelope", "error", "failure", "outcome", "replaying", "settled", "tried")

    def __init__(self, envelope: Envelope, replaying: Replaying | None = None, before: int = 0) -> None:
        self.envelope = envelope
        self.replaying = replaying
        self.before = before
        """The attempts of which the letter tells."""
        self.tried = 0
        self.failure: Failure | None = None
        self.outcome: Outcome = "unfinished"
        self.error: Exception | None = None
        """What the store of letters raised."""
        self.settled = anyio.Event() if replaying is not None else None


@final
class Subscriber:
    """Brings events to one handler, in order, one at a time. Its task belongs to the bus."""

    def __init__(
        self,
        name: str,
        kinds: frozenset[type[object]],
        session: str | None,
        call: Call,
        policy: DeliveryPolicy,
        bury: Bury,
        rng: Random,
        on_end: "Callable[[Subscriber], None]",
    ) -> None:
        self.name = name
        self.kinds = kinds
        self._session = session
        self._call = call
        self._policy = policy
        self._bury = bury
        self._rng = rng
        self._on_end = on_end
        self._queue: deque[Envelope] = deque()
        self._again: deque[_Parcel] = deque()
        self._current: _Parcel | None = None
        self._more: anyio.Event | None = None
        self._quiet: anyio.Event | None = None
        self._scope: anyio.CancelScope | None = None
        self._task: int | None = None
        self._closing = False
        self._why: Reason = "closed"
        self._cancelled = False
        self._finished = False
        self.ended = False
        self.delivered = 0
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """How many events wait, without the one that is being delivered."""
        return len(self._queue)

    def offer(self, envelope: Envelope) -> None:
        """Take the event, if it is of the session; never waits and never raises."""
        if self._session is not None and envelope.session != self._session:
            return
        if self.ended:
            self._bury(self.name, envelope, self._why, 0, None)
        elif len(self._queue) < self._policy.queue:
            self._queue.append(envelope)
        elif self._policy.when_full == "dead_letter":
            self._bury(self.name, envelope, "queue_full", 0, None)
        else:
            if self._policy.when_full == "drop_oldest":
                self._queue.popleft()
                self._queue.append(envelope)
            self.dropped += 1
            if self.dropped == 1:
                _log.warning("the subscriber %r is too slow: events are being dropped", self.name)
        if self._more is not None:
            self._more.set()

    # --- the end ---------------------------------------------------------------------------------------

    def close(self) -> None:
        """End after what is queued."""
        self._closing = True
        if self._more is not None:
            self._more.set()

    def cancel(self, why: Reason) -> None:
        """End now; what is not delivered becomes dead letters."""
        self._closing = True
        if not self._cancelled and not self.ended:
            self._cancelled = True
            self._why = why
        if self._scope is not None:
            self._scope.cancel()

    async def quiet(self) -> None:
        """Return when nothing waits and nothing is being delivered; if it is to end, when it has."""
        while (self._queue or self._again or self._current or self._closing) and not self.ended:
            if self._quiet is None:
                self._quiet = anyio.Event()
            await self._quiet.wait()

    def is_this_task(self) -> bool:
        """Whether the code that asks is the handler."""
        return self._task == anyio.get_current_task().id

    # --- the task --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver until the end."""
        try:
            # cancelling the program cancels its runs first, and their ends are delivered too: the bus bounds that
            with anyio.CancelScope(shield=True) as self._scope:
                while not self._finished and not self._cancelled:
                    # a handler that raises the event loop's cancellation ends its task, and no more than that
                    async with anyio.create_task_group() as group:  # noqa: ASYNC112 # see above
                        group.start_soon(self._work, name=f"subscriber {self.name}")
                    await anyio.lowlevel.checkpoint()
        finally:
            self._end()

    def _end(self) -> None:
        self.ended = True
        left = [*self._again]
        if self._current is not None:
            left.insert(0, self._current)
        for parcel in left:
            if parcel.settled is not None:
                parcel.settled.set()
            else:
                known = None if parcel.failure is None or parcel.failure is _STRAY else parcel.failure.error
                self._bury(self.name, parcel.envelope, self._why, parcel.tried, known)
        for envelope in self._queue:
            self._bury(self.name, envelope, self._why, 0, None)
        self._queue.clear()
        self._again.clear()
        self._current = None
        self._on_end(self)
        self._tell_quiet()

    async def _work(self) -> None:
        self._task = anyio.get_current_task().id
        while True:
            if self._current is None:
                self._current = await self._next()
                if self._current is None:
                    self._finished = True
                    return
            await self._deliver(self._current)
            if self._current.settled is not None:
                self._current.settled.set()
            self._current = None
            await anyio.lowlevel.checkpoint()

    async def _next(self) -> _Parcel | None:
        while True:
            if self._again:
                return self._again.popleft()
            if self._queue:
                return _Parcel(self._queue.popleft())
            self._tell_quiet()
            if self._closing:
                return None
            self._more = anyio.Event()
            await self._more.wait()
            self._more = None

    def _tell_quiet(self) -> None:
        if self._quiet is not None:
            self._quiet.set()
            self._quiet = None

    async def _deliver(self, parcel: _Parcel) -> None:
        while parcel.tried == 0 or parcel.failure is not None:
            if parcel.failure is not None:
                if parcel.failure.final or parcel.tried > self._policy.retries:
                    await self._give_up(parcel, parcel.failure)
                    return
                await anyio.sleep(self._pause_s(parcel.tried, parcel.failure.after_s))
            parcel.tried += 1
            parcel.failure = _STRAY  # stays where the task ends inside the handler though nobody has cancelled it
            parcel.failure = await self._attempt(parcel)
        if parcel.outcome != "delivered":
            parcel.outcome = "delivered"
            self.delivered += 1
        await self._note(parcel, None)

    def _pause_s(self, failures: int, asked_s: float) -> float:
        return max(self._policy.pause_s(failures, self._rng), min(asked_s, self._policy.max_delay_s))

    async def _attempt(self, parcel: _Parcel) -> Failure | None:
        envelope, attempt = parcel.envelope, parcel.before + parcel.tried
        with anyio.move_on_after(self._policy.timeout_s):
            try:
                await self._call(Delivery[Event](envelope.event, envelope, attempt))
            except Exception as error:  # noqa: BLE001 # a handler's failure is told in a log and a letter
                _log.warning(
                    "the subscriber %r failed at event %d of session %r (attempt %d)",
                    self.name, envelope.seq, envelope.session, attempt, exc_info=error,
                )  # fmt: skip
                after_s = (error.retry_after_s or 0.0) if isinstance(error, DeliveryFailed) else 0.0
                return Failure("failed", ErrorInfo.of(error), isinstance(error, DeliveryRefused), after_s)
            return None
        _log.warning(
            "the subscriber %r took longer than %g s for event %d of session %r (attempt %d)",
            self.name, self._policy.timeout_s, envelope.seq, envelope.session, attempt,
        )  # fmt: skip
        return Failure("timed_out", None)

    async def _give_up(self, parcel: _Parcel, failure: Failure) -> None:
        parcel.outcome = "failed"
        if parcel.replaying is None:
            self._bury(self.name, parcel.envelope, failure.reason, parcel.tried, failure.error)
        else:
            await self._note(parcel, failure)

    async def _note(self, parcel: _Parcel, failure: Failure | None) -> None:
        if parcel.replaying is None:
            return
        try:
            if failure is None:
                await parcel.replaying.delivered()
            else:
                await parcel.replaying.failed(failure, parcel.before + parcel.tried)
        except Exception as error:  # noqa: BLE001 # raised where the replay was asked for
            parcel.error = error

    # --- replays ---------------------------------------------------------------------------------------

    async def again(self, letter: DeadLetter, replaying: Replaying) -> Outcome:
        """Deliver the event of a letter, before what is queued; a cancelled caller takes it back if it still can.

        Raises:
            StoreError: if what became of it could not be written down.
        """
        parcel = _Parcel(letter.envelope, replaying, letter.attempts)
        if self.ended or parcel.settled is None:
            return "unfinished"
        self._again.append(parcel)
        if self._more is not None:
            self._more.set()
        try:
            await parcel.settled.wait()
        finally:
            if parcel in self._again:
                self._again.remove(parcel)
        if parcel.error is not None:
            raise parcel.error
        return parcel.outcome
