"""One task that writes for all: whatever is queued while a commit runs joins the next one."""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from math import isfinite
from typing import Final, Literal, TypeAlias, final

import anyio
import anyio.lowlevel
import attrs

from par.errors import StoreError, StoreUnavailable
from par.persistence._chain import Record
from par.persistence._sessions_values import Work

__all__ = [
    "Batch",
    "Checkpoint",
    "GroupCommit",
    "Item",
    "Queue",
    "Results",
    "TryAgain",
    "WhenFull",
    "open_group_commit",
]


@attrs.frozen
class Checkpoint:
    """What one ``commit`` of a session brings: its events, and what it does besides."""

    records: tuple[Record, ...]
    work: Work

    def __len__(self) -> int:
        return len(self.records) or 1  # without events it has to be written all the same


Item: TypeAlias = tuple[Record, ...] | Checkpoint
"""What one ``append`` or ``commit`` brings: stored as a whole or not at all."""
Batch: TypeAlias = Sequence[Item]
Result: TypeAlias = StoreError | bool | None
"""Why an item was refused; of a ``Checkpoint`` that is stored, whether signals wait for its session."""
Results: TypeAlias = Sequence[Result]
WhenFull: TypeAlias = Literal["wait", "drop"]
"""What happens to an event that nobody waits for while the queue is full."""

_COMMIT_EVENTS: Final = 2_000
"""Events per commit at most: a bound for the time that other processes wait for the write lock."""
_FULL_S: Final = 60.0
"""How long a full queue holds a cancelled caller: longer than the writer takes to write or to give up."""
_FIRST_DELAY_S: Final = 0.05
_LONGEST_DELAY_S: Final = 2.0


def records_in(item: Item) -> tuple[Record, ...]:
    """Return the records that an item brings."""
    return item.records if isinstance(item, Checkpoint) else item


def _positive(_: object, field: "attrs.Attribute[float]", value: float) -> None:
    if isinstance(value, bool) or not isfinite(value) or value <= 0:
        raise ValueError(f"{field.name} must be a positive number of seconds, got {value}")


def _count(_: object, field: "attrs.Attribute[int]", value: int) -> None:
    if isinstance(value, bool) or value < 1:
        raise ValueError(f"{field.name} must be 1 or more, got {value}")


def _policy(_: object, field: "attrs.Attribute[WhenFull]", value: WhenFull) -> None:
    if value not in ("wait", "drop"):
        raise ValueError(f'{field.name} must be "wait" or "drop", got {value!r}')


@attrs.frozen(kw_only=True)
class Queue:
    """How events wait to be written, and for how long the store tries."""

    limit: int = attrs.field(default=10_000, validator=_count)
    """Events that may wait before ``append`` also holds callers that were cancelled, and ``post`` does what
    ``when_full`` says; 1 or more."""
    when_full: WhenFull = attrs.field(default="wait", validator=_policy)
    """What ``post`` does while the queue is full: ``"wait"`` for room, or ``"drop"`` the events, which counts and
    reports them. ``append`` always waits: its callers are promised that the events are stored."""
    on_drop: Callable[[int, StoreError], None] | None = None
    """Called with a number of posted events and why they were not stored: once when dropping begins, until an event is
    taken again, and for each call whose events could not be written. It must be quick; what it raises is raised when
    the store is closed."""
    give_up_s: float = attrs.field(default=30.0, validator=_positive)
    """Seconds for which a write is tried again while the database is busy or away, longer and longer apart. Others'
    longest transactions take a fraction of the default, and a restart of a server about as long."""
    flush_s: float = attrs.field(default=10.0, validator=_positive)
    """Seconds for which closing waits for what is queued, also when it is cancelled."""


@final
class TryAgain(StoreUnavailable):
    """Raised by ``write`` if the same batch may be stored later, whether or not it was stored now."""


@final
class Pending:
    """An item in the queue, and what became of it; ``watched`` says that somebody waits who will be told."""

    __slots__ = ("error", "item", "settled", "signals", "watched")

    def __init__(self, item: Item, *, watched: bool) -> None:
        self.item = item
        self.watched = watched
        self.settled = anyio.Event()
        self.error: StoreError | None = None
        self.signals = False
        """Whether signals wait for the session of a ``Checkpoint``."""

    def settle(self, result: Result) -> None:
        if isinstance(result, StoreError):
            self.error = result
        else:
            self.signals = bool(result)
        self.settled.set()


@final
class GroupCommit:
    """A queue in the order of ``put``, and the task that empties it."""

    def __init__(
        self,
        write: Callable[[Batch], Awaitable[Results]],
        where: str,
        options: Queue,
    ) -> None:
        self._write = write
        self._where = where
        self._options = options
        self._queue: deque[Pending] = deque()
        self._last: Pending | None = None
        self._events = 0
        self._wake = anyio.Event()
        self._moved = anyio.Event()
        self._closing = False
        self._dropping = False
        self._scope = anyio.CancelScope(shield=True)
        self.dropped = 0
        """How many events were not stored though nobody waited to be told."""
        self.failure: Exception | None = None
        """The first error of ``on_drop``."""

    def put(self, item: Item, *, watched: bool = True) -> Pending:
        """Queue ``item`` now: from here on it is stored whether or not anybody waits for it.

        Raises:
            StoreUnavailable: if the store is being closed.
        """
        if self._closing:
            raise StoreUnavailable(self._where, "it has been closed")
        pending = self._last = Pending(item, watched=watched)
        self._queue.append(pending)
        self._events += len(item)
        self._wake.set()
        return pending

    async def offer(self, item: Item) -> bool:
        """Queue ``item`` for nobody in particular, and tell whether it was taken.

        While the queue is full, the caller waits for room, or the item is dropped and counted: as ``when_full``
        says. ``on_drop`` is told when dropping begins, and of each item that could not be stored later.

        Raises:
            StoreUnavailable: if the store is being closed.
        """
        await anyio.lowlevel.checkpoint()
        while self._events >= self._options.limit and not self._closing:
            if self._options.when_full == "drop":
                if not self._dropping:
                    self._dropping = True
                    self._drop(item, StoreUnavailable(self._where, f"{self._events} events wait to be written already"))
                else:
                    self.dropped += len(item)
                return False
            await self._moved.wait()
        self._dropping = False
        self.put(item, watched=False)
        return True

    def _drop(self, item: Item, error: StoreError) -> None:
        self.dropped += len(item)
        if self._options.on_drop is None:
            return
        try:
            self._options.on_drop(len(item), error)
        except Exception as failure:  # noqa: BLE001 # raised at the end: the writer owes others their events
            self.failure = self.failure or failure

    async def flush(self) -> None:
        """Return when all that is queued now has been written or given up."""
        await anyio.lowlevel.checkpoint()
        if self._last is not None:
            await self._last.settled.wait()

    async def wait(self, pending: Pending) -> None:
        """Return when the item is durable.

        While more events are queued than the limit, the caller is held even if it is cancelled: otherwise callers
        that give up could fill the memory.

        Raises:
            StoreError: if the item could not be stored.
        """
        if self._events > self._options.limit:
            with anyio.move_on_after(_FULL_S, shield=True):
                while self._events > self._options.limit and not pending.settled.is_set():
                    await self._moved.wait()
        await pending.settled.wait()
        if pending.error is not None:
            raise pending.error

    async def run(self) -> None:
        """Write until closed. Shielded, because what was queued is promised; ``aclose`` bounds it."""
        taken: list[Pending] = []
        try:
            with self._scope:
                while await self._something():
                    taken = self._take()
                    await self._settle(taken)
        finally:
            for pending in (*taken, *self._queue):
                if not pending.settled.is_set():
                    self._settle_one(
                        pending, StoreUnavailable(self._where, "it was closed before this could be written")
                    )
            self._moved.set()

    async def _something(self) -> bool:
        while not self._queue:
            if self._closing:
                return False
            self._wake = anyio.Event()
            await self._wake.wait()
        return True

    def _take(self) -> list[Pending]:
        taken = [self._queue.popleft()]
        room = _COMMIT_EVENTS - len(taken[0].item)
        while self._queue and len(self._queue[0].item) <= room:
            room -= len(self._queue[0].item)
            taken.append(self._queue.popleft())
        return taken

    async def _settle(self, taken: list[Pending]) -> None:
        try:
            results = await self._written([pending.item for pending in taken])
        except StoreUnavailable as error:
            results = [StoreUnavailable(error.where, error.problem) for _ in taken]
        except Exception as error:  # noqa: BLE001 # reported to each caller that waits; the task has to live on
            results = [StoreError(f"the store could not write: {error!r}") for _ in taken]
        for pending, result in zip(taken, results, strict=True):
            self._events -= len(pending.item)
            self._settle_one(pending, result)
        self._moved.set()
        self._moved = anyio.Event()

    def _settle_one(self, pending: Pending, result: Result) -> None:
        pending.settle(result)
        if pending.error is not None and not pending.watched:
            self._drop(pending.item, pending.error)

    async def _written(self, batch: Batch) -> Results:
        give_up = anyio.current_time() + self._options.give_up_s
        delay = _FIRST_DELAY_S
        while True:
            try:
                return await self._write(batch)
            except TryAgain:
                # the same batch again, before any other: what was queued later stays behind it
                if anyio.current_time() + delay > give_up:
                    raise
            await anyio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY_S)

    async def aclose(self) -> None:
        """Take nothing more, write what is queued, and end the task."""
        self._closing = True
        self._wake.set()
        with anyio.move_on_after(self._options.flush_s, shield=True):
            while self._events:
                await self._moved.wait()
        self._scope.cancel()


@asynccontextmanager
async def open_group_commit(
    write: Callable[[Batch], Awaitable[Results]], where: str, options: Queue
) -> AsyncGenerator[GroupCommit, None]:
    """Run a group commit around the block; leaving it writes what is queued, for at most ``flush_s`` seconds.

    ``write`` stores a batch; where it raises ``TryAgain`` it is called again with the same batch, after 50 ms and
    then longer and longer, for ``give_up_s`` seconds. It must pass over what an earlier try has stored.
    """
    group = GroupCommit(write, where, options)
    failure: BaseExceptionGroup[BaseException] | None = None
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(group.run)
            try:
                yield group
            finally:
                await group.aclose()
    except BaseExceptionGroup as errors:
        if len(errors.exceptions) > 1:
            raise
        failure = errors
    if failure is None and group.failure is not None:
        raise group.failure
    if failure is not None:  # the writer never fails, so this is the block's own error, as the block raised it
        raise failure.exceptions[0]
