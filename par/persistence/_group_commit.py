"""One task that writes for all: whatever is queued while a commit runs joins the next one."""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeAlias, final

import anyio

from par.errors import StoreError, StoreUnavailable
from par.persistence._chain import Record

__all__ = ["Batch", "GroupCommit", "Item", "Results", "open_group_commit"]

Item: TypeAlias = tuple[Record, ...]
"""What one ``append`` brings: stored as a whole or not at all."""
Batch: TypeAlias = Sequence[Item]
Results: TypeAlias = Sequence[StoreError | None]

_COMMIT_EVENTS: Final = 2_000
"""Events per commit at most: a bound for the time that other processes wait for the write lock."""
_FLUSH_S: Final = 10.0
"""How long closing waits for what is queued."""
_FULL_S: Final = 60.0
"""How long a full queue holds a cancelled caller: longer than the writer takes to write or to give up."""


@final
class Pending:
    """An item in the queue, and what became of it."""

    __slots__ = ("error", "item", "settled")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.settled = anyio.Event()
        self.error: StoreError | None = None

    def settle(self, error: StoreError | None) -> None:
        self.error = error
        self.settled.set()


@final
class GroupCommit:
    """A queue in the order of ``put``, and the task that empties it."""

    def __init__(
        self, write: Callable[[Batch], Awaitable[Results]], where: str, limit: int, flush_s: float = _FLUSH_S
    ) -> None:
        self._write = write
        self._where = where
        self._limit = limit
        self._flush_s = flush_s
        self._queue: deque[Pending] = deque()
        self._events = 0
        self._wake = anyio.Event()
        self._moved = anyio.Event()
        self._closing = False
        self._scope = anyio.CancelScope(shield=True)

    def put(self, item: Item) -> Pending:
        """Queue ``item`` now: from here on it is stored whether or not anybody waits for it.

        Raises:
            StoreUnavailable: if the store is being closed.
        """
        if self._closing:
            raise StoreUnavailable(self._where, "it has been closed")
        pending = Pending(item)
        self._queue.append(pending)
        self._events += len(item)
        self._wake.set()
        return pending

    async def wait(self, pending: Pending) -> None:
        """Return when the item is durable.

        While more events are queued than the limit, the caller is held even if it is cancelled: otherwise callers
        that give up could fill the memory.

        Raises:
            StoreError: if the item could not be stored.
        """
        if self._events > self._limit:
            with anyio.move_on_after(_FULL_S, shield=True):
                while self._events > self._limit and not pending.settled.is_set():
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
                    pending.settle(StoreUnavailable(self._where, "it was closed before this could be written"))

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
            results = await self._write([pending.item for pending in taken])
        except StoreUnavailable as error:
            results = [StoreUnavailable(error.where, error.problem) for _ in taken]
        except Exception as error:  # noqa: BLE001 # reported to each caller that waits; the task has to live on
            results = [StoreError(f"the store could not write: {error!r}") for _ in taken]
        for pending, result in zip(taken, results, strict=True):
            self._events -= len(pending.item)
            pending.settle(result)
        self._moved.set()
        self._moved = anyio.Event()

    async def aclose(self) -> None:
        """Take nothing more, write what is queued, and end the task."""
        self._closing = True
        self._wake.set()
        with anyio.move_on_after(self._flush_s, shield=True):
            while self._events:
                await self._moved.wait()
        self._scope.cancel()


@asynccontextmanager
async def open_group_commit(
    write: Callable[[Batch], Awaitable[Results]], where: str, limit: int, flush_s: float = _FLUSH_S
) -> AsyncGenerator[GroupCommit, None]:
    """Run a group commit around the block; leaving it writes what is queued, for at most ``flush_s`` seconds."""
    group = GroupCommit(write, where, limit, flush_s)
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
    if failure is not None:  # the writer never fails, so this is the block's own error, as the block raised it
        raise failure.exceptions[0]
