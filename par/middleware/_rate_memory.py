"""The rate limiter's counts in memory: an exact sliding window and a queue, for one process."""

from collections import deque
from math import inf
from typing import final

import anyio

from par.errors import RateLimited
from par.limits import Limit, Reservation

__all__ = ["MemoryRateBackend"]

_HAIR_S = 1e-9  # timers may fire a rounding error early


@final
class _Entry:
    __slots__ = ("at", "number", "requests", "tokens")

    def __init__(self, number: int, at: float, tokens: int) -> None:
        self.number = number
        self.at = at
        self.requests = 1
        self.tokens = tokens


@final
class _Waiter:
    __slots__ = ("event", "tokens")

    def __init__(self, tokens: int) -> None:
        self.event = anyio.Event()
        self.tokens = tokens


@final
class _Window:
    """What was granted in the last ``per_s`` seconds, and who waits for more."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.queue: deque[_Waiter] = deque()
        self.held_until = -inf
        self.told_requests: int | None = None
        self.told_tokens: int | None = None
        self._granted: deque[_Entry] = deque()
        self._open: dict[int, _Entry] = {}
        self._requests = 0
        self._tokens = 0
        self._latest = -inf

    @property
    def most_requests(self) -> int | None:
        """The lower one of the own limit and the provider's."""
        return _lower(self.limit.requests, self.told_requests)

    @property
    def most_tokens(self) -> int | None:
        """The same for tokens."""
        return _lower(self.limit.tokens, self.told_tokens)

    def expire(self, now: float) -> None:
        if now < self._latest:  # another event loop, whose clock starts elsewhere
            self._granted.clear()
            self._open.clear()
            self._requests = self._tokens = 0
            self.held_until = -inf
        self._latest = now
        horizon = now - self.limit.per_s + _HAIR_S
        granted = self._granted
        while granted and granted[0].at <= horizon:
            entry = granted.popleft()
            self._open.pop(entry.number, None)
            self._requests -= entry.requests
            self._tokens -= entry.tokens

    def delay(self, now: float, *, requests: int, tokens: int) -> float:
        """Return the seconds until there is room, as far as can be known now; 0 says that there is."""
        self.expire(now)
        most_requests, most_tokens = self.most_requests, self.most_tokens
        excess_requests = 0 if most_requests is None else self._requests + requests - most_requests
        excess_tokens = 0 if most_tokens is None else self._tokens + tokens - most_tokens
        free_at = self.held_until
        if excess_requests > 0 or excess_tokens > 0:
            for entry in self._granted:
                free_at = max(free_at, entry.at + self.limit.per_s)
                excess_requests -= entry.requests
                excess_tokens -= entry.tokens
                if excess_requests <= 0 and excess_tokens <= 0:
                    break
        return max(0.0, free_at - now)

    def take(self, number: int, now: float, tokens: int) -> None:
        # the provider counts it when it arrives, which is later than now, by how much is told by its answer
        entry = _Entry(number, now + self.limit.transit_s, tokens)
        self._granted.append(entry)
        self._open[number] = entry
        self._requests += 1
        self._tokens += tokens

    def settle(self, number: int, now: float, requests: int, tokens: int) -> None:
        entry = self._open.pop(number, None)
        if entry is None:  # older than the window: it counts no more
            return
        self._requests += requests - entry.requests
        self._tokens += tokens - entry.tokens
        entry.requests = requests
        entry.tokens = tokens
        entry.at = min(entry.at, now)
        self.wake()

    def wake(self) -> None:
        if self.queue:
            self.queue[0].event.set()


def _lower(own: int | None, told: int | None) -> int | None:
    return own if own is None or told is None else min(own, told)


@final
class MemoryRateBackend:
    """Keeps limits for the runs of one event loop, exactly: no ``per_s`` seconds ever hold more than the limit.

    Who waits sleeps until its turn or until something changes; nobody polls. Memory is one small entry per
    request of the last window.
    """

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}
        self._number = 0

    async def reserve(self, key: str, limit: Limit, *, tokens: int, max_wait_s: float | None) -> Reservation:
        """Wait for room and take it; does not checkpoint where there is room at once.

        Raises:
            RateLimited: if there will be none within ``max_wait_s``.
        """
        window = self._window(key, limit)
        if window.most_tokens is not None:
            tokens = min(tokens, window.most_tokens)  # more than a whole window: it needs an empty one
        now = anyio.current_time()
        if not window.queue and window.delay(now, requests=1, tokens=tokens) <= 0:
            return self._grant(key, window, now, tokens, waited_s=0.0)
        if max_wait_s is not None:
            # requests never come back early, so this is a lower bound for everyone in the queue
            sure = window.delay(now, requests=1 + len(window.queue), tokens=0)
            if sure > max_wait_s:
                raise RateLimited(f"no room within {max_wait_s:g} s", retry_after_s=sure)
        return await self._wait(key, window, tokens, now, inf if max_wait_s is None else now + max_wait_s)

    async def _wait(self, key: str, window: _Window, tokens: int, since: float, deadline: float) -> Reservation:
        waiter = _Waiter(tokens)
        window.queue.append(waiter)
        try:
            with anyio.CancelScope(deadline=deadline):
                while window.queue[0] is not waiter:
                    await waiter.event.wait()
                    waiter.event = anyio.Event()
                while (delay := window.delay(anyio.current_time(), requests=1, tokens=tokens)) > 0:
                    with anyio.move_on_after(delay):
                        await waiter.event.wait()
                    waiter.event = anyio.Event()
                now = anyio.current_time()
                return self._grant(key, window, now, tokens, waited_s=now - since)
        finally:
            window.queue.remove(waiter)
            window.wake()
        late = max(window.delay(anyio.current_time(), requests=1, tokens=tokens), _HAIR_S)
        raise RateLimited(f"no room within {deadline - since:g} s", retry_after_s=late)

    async def settle(self, reservation: Reservation, *, requests: int, tokens: int) -> None:
        """Put the real numbers in place of the reserved ones; does not checkpoint."""
        window = self._windows.get(reservation.key)
        if window is not None:
            window.settle(reservation.number, anyio.current_time(), requests, tokens)

    async def learn(self, key: str, limit: Limit, *, requests: int | None, tokens: int | None) -> None:
        """Take the provider's own limits where they are lower; does not checkpoint."""
        window = self._window(key, limit)
        told = (requests or window.told_requests, tokens or window.told_tokens)
        if told != (window.told_requests, window.told_tokens):
            window.told_requests, window.told_tokens = told
            window.wake()

    async def hold(self, key: str, limit: Limit, *, seconds: float) -> None:
        """Grant nothing for so many seconds; does not checkpoint."""
        window = self._window(key, limit)
        window.held_until = max(window.held_until, anyio.current_time() + seconds)

    def _window(self, key: str, limit: Limit) -> _Window:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(limit)
        elif window.limit != limit:
            window.limit = limit  # what was granted was granted, whatever the limit was
        return window

    def _grant(self, key: str, window: _Window, now: float, tokens: int, *, waited_s: float) -> Reservation:
        self._number += 1
        window.take(self._number, now, tokens)
        return Reservation(key=key, number=self._number, waited_s=waited_s)
