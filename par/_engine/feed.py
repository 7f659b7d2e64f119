"""What a run shows on its way to the one who reads it: in order, without loss, at the reader's pace."""

from collections import deque
from typing import TypeAlias, final

import anyio
import anyio.lowlevel

from par.deltas import Delta
from par.events import Event

__all__ = ["Feed", "StreamItem"]

_AHEAD = 8
"""How many deltas may lie unread: those of one packet come at once, and waking both sides for each costs more than it."""

StreamItem: TypeAlias = Event | Delta


@final
class Feed:
    """A queue with one reader, whose writers wait until it has been read; those of deltas may be a few ahead.

    An item takes its place before its writer waits, so a cancelled writer loses nothing and changes no order.
    Once the run is being ended, writers wait no more: what remains to be said is little, and the reader may be away.
    """

    __slots__ = ("_ended", "_items", "_left", "_more", "_paced", "_read")

    def __init__(self) -> None:
        self._items: deque[StreamItem] = deque()
        self._more = anyio.Event()
        self._read = anyio.Event()
        self._paced = True
        self._left = False
        self._ended = False

    def push(self, item: StreamItem) -> None:
        """Give the item its place now; nobody takes it once the reader has left."""
        if self._left:
            return
        if not self._items:
            self._read = anyio.Event()
        self._items.append(item)
        self._more.set()

    async def put(self, item: StreamItem) -> None:
        """Give the item its place; if too many lie there by now, wait until all were read, else do not checkpoint."""
        self.push(item)
        if len(self._items) >= _AHEAD:
            await self.caught_up()

    async def caught_up(self) -> None:
        """Wait until all that was given so far was read, unless nobody has to wait any more."""
        if self._items and self._paced:
            await self._read.wait()

    def hurry(self) -> None:
        """Let no writer wait any more: the run is being ended."""
        self._paced = False
        self._read.set()

    def end(self) -> None:
        """Say that nothing more will come."""
        self._ended = True
        self._more.set()

    def leave(self) -> None:
        """Say that the reader has left; what it has not read is dropped."""
        self._left = True
        self._items.clear()
        self.hurry()
        self._more.set()

    async def take(self) -> StreamItem:
        """Return the next item. Checkpoints, though others run only when it waits, which it does after a few.

        Raises:
            EndOfStream: after the last one.
            ClosedResourceError: once the reader has left.
        """
        if self._ended or self._left:
            # the run may have ended because the reader is being cancelled, which it has to learn before the end
            await anyio.lowlevel.checkpoint()
        elif self._items:
            await anyio.lowlevel.checkpoint_if_cancelled()
        while not self._items:
            if self._left:
                raise anyio.ClosedResourceError
            if self._ended:
                raise anyio.EndOfStream
            if self._more.is_set():
                self._more = anyio.Event()
            await self._more.wait()
        item = self._items.popleft()
        if not self._items:
            self._read.set()
        return item
