"""Places that calls take in turn, and give up while they wait for calls of their own."""

from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TypeAlias, final

import anyio

__all__ = ["CURRENT_PLACE", "Desk", "Place", "Pools"]

Pools: TypeAlias = tuple[str, ...]


@final
class _Waiter:
    __slots__ = ("event", "granted", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.event = anyio.Event()
        self.granted = False


@final
class Desk:
    """Hands out the places of one event loop: all that a call needs at once, or none, in the order of arrival."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._free = dict(limits)
        self._queues: dict[Pools, deque[_Waiter]] = {}
        self._number = 0

    def next_number(self) -> int:
        """Return the number of a call that arrives; lower numbers are served first."""
        self._number += 1
        return self._number

    async def take(self, pools: Pools, number: int) -> None:
        """Take one place of each pool, waiting for them in line; does not checkpoint where they are free."""
        if not self._queues and all(self._free[pool] > 0 for pool in pools):
            self.take_now(pools)
            return
        waiter = _Waiter(number)
        queue = self._queues.setdefault(pools, deque())
        # who comes back for a place that it had keeps its number, and stands before those who came later
        at = next((place for place, other in enumerate(queue) if other.number > number), len(queue))
        queue.insert(at, waiter)
        self._serve()
        try:
            await waiter.event.wait()
        except BaseException:
            if waiter.granted:
                self.give_back(pools)
            else:
                self._leave(pools, waiter)
            raise

    def take_now(self, pools: Pools) -> None:
        """Take the places without waiting, also where there are none; those who wait then wait longer."""
        for pool in pools:
            self._free[pool] -= 1

    def give_back(self, pools: Pools) -> None:
        """Give the places to those who wait."""
        for pool in pools:
            self._free[pool] += 1
        self._serve()

    def _leave(self, pools: Pools, waiter: _Waiter) -> None:
        queue = self._queues[pools]
        queue.remove(waiter)
        if not queue:
            del self._queues[pools]

    def _serve(self) -> None:
        while self._queues:
            # only the first of each line can be next, for all in a line need the same
            firsts = sorted(self._queues, key=lambda pools: self._queues[pools][0].number)
            pools = next((pools for pools in firsts if all(self._free[pool] > 0 for pool in pools)), None)
            if pools is None:
                return
            waiter = self._queues[pools][0]
            self._leave(pools, waiter)
            self.take_now(pools)
            waiter.granted = True
            waiter.event.set()


@final
class Place:
    """What one call holds at a desk. While calls further in last, it holds nothing.

    So nobody ever holds a place and waits for another, and nested calls cannot lock each other out.
    """

    __slots__ = ("children", "desk", "held", "number", "outer", "over", "pools")

    def __init__(self, desk: Desk, pools: Pools) -> None:
        self.desk: Desk = desk
        self.pools = pools
        self.number = desk.next_number()
        self.held = False
        self.over = False
        self.children = 0
        outer: Place | None = CURRENT_PLACE.get()
        while outer is not None and (outer.desk is not desk or outer.over):
            outer = outer.outer
        self.outer: Place | None = outer

    async def enter(self) -> None:
        """Take the places; the call around this one gives up its own."""
        if self.outer is not None:
            self.outer.children += 1
            self.outer.drop()
        try:
            await self.desk.take(self.pools, self.number)
        except BaseException:
            self.leave_at_once()
            raise
        self.held = True

    async def leave(self) -> None:
        """Give the places back; the call around this one waits for its own."""
        outer = self._left()
        if outer is None:
            return
        try:
            await self.desk.take(outer.pools, outer.number)
        except BaseException:
            outer.take_now()
            raise
        if outer.needs:
            outer.held = True
        else:  # meanwhile it has ended, or another call of its own has come or gone
            self.desk.give_back(outer.pools)

    def leave_at_once(self) -> None:
        """The same for a call that is cancelled, which cannot wait: the one around it takes its places anyway."""
        outer = self._left()
        if outer is not None:
            outer.take_now()

    def _left(self) -> "Place | None":
        """Give the places back, and return the call around this one if it needs its own again."""
        self.over = True
        self.drop()
        if self.outer is None:
            return None
        self.outer.children -= 1
        return self.outer if self.outer.needs else None

    @property
    def needs(self) -> bool:
        """Whether it goes on, and without its places, and not for the sake of a call of its own."""
        return not (self.over or self.held or self.children)

    def drop(self) -> None:
        """Give the places back if they are held."""
        if self.held:
            self.held = False
            self.desk.give_back(self.pools)

    def take_now(self) -> None:
        """Take the places without waiting, if they are needed."""
        if self.needs:
            self.held = True
            self.desk.take_now(self.pools)


CURRENT_PLACE: ContextVar[Place | None] = ContextVar("par_current_place", default=None)
"""What the call holds that this task, or this thread, works for."""
