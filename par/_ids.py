"""ULIDs: 128-bit ids that sort by the time they were made (https://github.com/ulid/spec)."""

import os
import time
from collections.abc import Callable
from typing import final

__all__ = ["UlidSource", "new_ulid"]

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_RANDOM_BITS = 80
_RANDOM_LIMIT = 1 << _RANDOM_BITS


def _encode(number: int) -> str:
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])


def new_ulid() -> str:
    """Return a fresh ULID: 26 characters of Crockford's base 32."""
    return _encode((time.time_ns() // 1_000_000 << _RANDOM_BITS) | int.from_bytes(os.urandom(10)))


@final
class UlidSource:
    """Makes ULIDs that grow strictly, also within one millisecond and when the clock steps back.

    Not safe to share between threads; each host of runs owns one.
    """

    __slots__ = ("_last_ms", "_now_ms", "_random", "_tail")

    def __init__(
        self,
        now_ms: Callable[[], int] | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._now_ms = now_ms or _wall_ms
        self._random = random_bytes
        self._last_ms = -1
        self._tail = 0

    def next(self) -> str:
        """Return the next id, greater than all before it."""
        now = max(self._now_ms(), 0)  # a clock before 1970 has no ULID
        if now > self._last_ms:
            self._last_ms = now
            # the top bit stays clear, so that a millisecond has room for 2**79 increments
            self._tail = int.from_bytes(self._random(10)) >> 1
        else:
            self._tail += 1
            if self._tail == _RANDOM_LIMIT:
                self._last_ms += 1
                self._tail = 0
        return _encode((self._last_ms << _RANDOM_BITS) | self._tail)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
